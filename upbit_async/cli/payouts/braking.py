"""Commands that stop payouts and let them go: pause, resume and acknowledge."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from upbit_async.cli.exits import CommandError, Exit
from upbit_async.cli.payouts import text
from upbit_async.cli.payouts.confirmation import confirm, require_terminal
from upbit_async.cli.payouts.journals import journal_for
from upbit_async.cli.payouts.options import Decision, DecisionOptions, JournalOptions
from upbit_async.cli.payouts.session import opened
from upbit_async.cli.show import Show, console_for, digits
from upbit_async.payouts import PayoutState

if TYPE_CHECKING:
    from upbit_async.cli.payouts.session import Session

__all__ = ["acknowledge", "pause", "resume"]

_MAY_HAVE_CANDIDATES: Final = tuple(
    state for state in PayoutState if not state.is_final or state is PayoutState.ABANDONED
)
_ACKNOWLEDGED: Final = (
    "It is recorded that this withdrawal is no payout of this journal, so it blocks none. If it is one of these "
    "payments, THAT PAYMENT MAY BE MADE TWICE."
)


def pause(*, options: Decision) -> Exit:
    """Let nothing more be sent from this journal, by any process, until resume. Needs no API keys.

    What was sent before is settled and followed all the same.
    """

    async def work() -> None:
        async with opened(options) as session:
            await session.payouts.pause(note=options.note, actor=options.actor)
            _print_brake(session, options, paused=True, sentence="Nothing more is sent until resume.")

    asyncio.run(work())
    return Exit.OK


def resume(*, options: Decision) -> Exit:
    """Let payouts be sent again after pause. It can lead to payments."""
    journal_for(options)
    require_terminal(options)
    if not asyncio.run(_show_what_waits(options)):
        raise CommandError("payouts are not paused, so there is nothing to resume")
    confirm(options, "resume", "to let them be sent")

    async def work() -> None:
        async with opened(options) as session:
            await session.payouts.resume(note=options.note, actor=options.actor)
            _print_brake(session, options, paused=False, sentence="Payouts are sent again.")

    asyncio.run(work())
    return Exit.OK


async def _show_what_waits(options: JournalOptions) -> bool:
    """Show what may be sent after `resume`, and return whether payouts are paused."""
    show, waiting = Show(console_for(sys.stderr)), defaultdict[str, list[Decimal]](list)
    async with opened(options) as session:
        async for payout in session.payouts.iter(states=[PayoutState.QUEUED]):
            waiting[payout.criteria.currency].append(payout.criteria.amount)
        paused = (await session.payouts.health()).paused
    show.title("Queued payouts, which run sends after this")
    for currency, amounts in waiting.items():
        show.row(currency, f"{len(amounts)} of {digits(sum(amounts, Decimal()))} in total")
    if not waiting:
        show.row("none", "")
    return paused


def _print_brake(session: Session, options: DecisionOptions, *, paused: bool, sentence: str) -> None:
    if options.json:
        session.print_json({"paused": paused, "note": options.note, "actor": options.actor})
    else:
        session.show.line(sentence)


def acknowledge(uuid: str, /, *, options: Decision) -> Exit:
    """Record that a withdrawal is no payout, so that it blocks none. It can lead to a payment.

    Args:
        uuid: The withdrawal's id.
    """
    journal_for(options)
    require_terminal(options)
    blocked = asyncio.run(_show_withdrawal(uuid, options))
    confirm(options, uuid, "to acknowledge it as no payout")

    async def work() -> None:
        async with opened(options) as session:
            await session.payouts.acknowledge(uuid, note=options.note, actor=options.actor)
            if options.json:
                record = {"uuid": uuid, "payouts": blocked, "note": options.note, "actor": options.actor}
                session.print_json(record)
            else:
                session.show.line(f"Withdrawal {uuid} is no payout.")

    asyncio.run(work())
    return Exit.OK


async def _show_withdrawal(uuid: str, options: JournalOptions) -> list[str]:
    """Show a withdrawal and the payouts that it concerns, and return their keys."""
    show = Show(console_for(sys.stderr))
    async with opened(options) as session:
        record = await session.client.withdraws.get(uuid)
        wanted = record.uuid.casefold()
        concerned = [
            payout
            async for payout in session.payouts.iter(states=_MAY_HAVE_CANDIDATES)
            if wanted in payout.candidates
        ]
        owner = (await session.journal.related(record.currency, [wanted])).owner_of(wanted)
    if owner is not None:
        raise CommandError(f"withdrawal {wanted} belongs to payout {owner!r}, so it can't be acknowledged")
    text.show_withdrawals({record.uuid: record}, show, "Withdrawal")
    show.heading("Payouts that it blocks, or that it may be")
    text.show_rows(concerned, show)
    show.heading("What will happen")
    show.paragraph(_ACKNOWLEDGED, "bold red")
    return [payout.key for payout in concerned]
