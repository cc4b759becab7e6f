"""Command line parser: options, error messages and exit codes."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from upbit_async._version import VERSION
from upbit_async.cli import demo
from upbit_async.cli.exits import CommandError, Exit
from upbit_async.cli.payouts import payouts_app
from upbit_async.cli.show import Show, console_for
from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

__all__ = ["run"]

_DEFAULTS = demo.DemoOptions()


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit code. Errors become messages without a traceback.

    Args:
        arguments: The command line without the name of the command.
    """
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("upbit-async: interrupted\n")
        return Exit.INTERRUPTED
    except CommandError as error:
        sys.stderr.write(f"upbit-async: {escaped(str(error))}\n")
        return error.code
    except Exception as error:  # noqa: BLE001 - a user of the command line needs the message, not the traceback
        sys.stderr.write(f"upbit-async: {type(error).__name__}: {escaped(str(error))}\n")
        return Exit.FAILED


def _run(arguments: Sequence[str]) -> int:
    console = console_for(sys.stdout)
    try:
        result = _app(console)(arguments, console=console, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        errors = console_for(sys.stderr)
        _app(errors).help_print(error.command_chain or (), console=errors)
        sys.stderr.write(f"\nupbit-async: {escaped(str(error))}\n")
        return Exit.USAGE
    return result if isinstance(result, Exit) else Exit.OK


def _app(console: Console) -> App:
    app = App(
        name="upbit-async",
        help="Command line of upbit_async, a client for the Upbit exchange.",
        version=f"upbit-async {VERSION}",
        help_formatter="default" if console.is_terminal else "plain",
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(_demo, name="demo")
    app.command(payouts_app())
    return app


def _demo(*, options: Annotated[demo.DemoOptions, Parameter(name="*")] = _DEFAULTS) -> None:
    """Withdraw from a local sandbox, step by step, over real HTTP.

    The demo needs no account and no keys, and moves no money.
    """
    asyncio.run(demo.run(options, Show(console_for(sys.stdout))))
