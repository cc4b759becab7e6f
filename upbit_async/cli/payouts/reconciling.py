"""The command ``upbit-async payouts reconcile``: compares Upbit's list of withdrawals with the journal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from upbit_async.cli.exits import CommandError, Exit
from upbit_async.cli.payouts import text
from upbit_async.cli.payouts.options import Options
from upbit_async.cli.payouts.records import reconciliation_record
from upbit_async.cli.payouts.session import opened

if TYPE_CHECKING:
    from upbit_async.cli.payouts.session import Session
    from upbit_async.payouts.reconciliation import AccountReconciliation

__all__ = ["reconcile"]


def reconcile(*, options: Options, currency: str | None = None) -> Exit:
    """Compare Upbit's list of withdrawals with the journal once. run does it every minute. It sends nothing.

    The exit code is 6 if people must look at a payout, and 1 if the comparison is not complete.

    Args:
        currency: The currency to compare. Default: all.
    """

    async def work() -> AccountReconciliation:
        async with opened(options) as session:
            found = await session.payouts.reconcile(currency)
            if options.json:
                session.print_json(reconciliation_record(found))
            else:
                await _show(found, session)
        return found

    found = asyncio.run(work())
    if not found.is_complete:
        raise CommandError(f"the comparison is not complete: {found.problem}")
    return Exit.NEEDS_REVIEW if found.reviews else Exit.OK


async def _show(found: AccountReconciliation, session: Session) -> None:
    show = session.show
    show.check("compared", f"at {text.moment(found.read_at)}", ok=found.is_complete)
    if found.unowned:
        rows = {row.uuid: row for row in found.unowned}
        text.show_withdrawals(rows, show, "Withdrawals that belong to no payout")
    else:
        show.check("unowned", "every withdrawal belongs to a payout or is acknowledged")
    if found.reviews:
        show.heading("Payouts that people must look at")
        text.show_rows([await session.payout(key) for key in found.reviews], show)
