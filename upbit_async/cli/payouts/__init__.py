"""The command ``upbit-async payouts``: run payouts, read them, and record manual decisions.

- `options`: what all of its commands accept. `journals`: the journal that the options name. `session`: both, opened.
- `reading`: list, show, health, export. `deciding`: retry, resolve, abandon. `braking`: acknowledge, pause, resume.
- `running`: run. `reconciling`: reconcile.
- `confirmation`: the typed confirmation before a decision that can lead to money.
- `advice`: what each state means, and what can be done. `text` and `records`: payouts as text and as JSON.
"""

from __future__ import annotations

from cyclopts import App

from upbit_async.cli.payouts import braking, deciding, reading, reconciling, running

__all__ = ["payouts_app"]


def payouts_app() -> App:
    """Return the command with its subcommands."""
    app = App(name="payouts", help="Run payouts, read them, and record decisions about them.")
    app.command(running.run)
    app.command(reading.list_payouts, name="list")
    for command in (
        reading.show,
        deciding.retry,
        deciding.resolve,
        braking.acknowledge,
        deciding.abandon,
        braking.pause,
        braking.resume,
        reconciling.reconcile,
        reading.health,
        reading.export,
    ):
        app.command(command)
    return app
