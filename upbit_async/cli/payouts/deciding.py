"""Commands that record a manual decision about one payout: retry, resolve and abandon.

Each shows the payout and what will happen, asks for a confirmation if the decision can lead to money, and records the
decision only if the payout is still as it was shown.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.cli.exits import CommandError, Exit
from upbit_async.cli.payouts import text
from upbit_async.cli.payouts.confirmation import confirm, require_terminal
from upbit_async.cli.payouts.journals import journal_for
from upbit_async.cli.payouts.options import Decision, DecisionOptions, Flag
from upbit_async.cli.payouts.reading import withdrawals_of
from upbit_async.cli.payouts.session import opened
from upbit_async.cli.show import Show, console_for
from upbit_async.payouts import PayoutState
from upbit_async.payouts.recording import raise_if_not_resolvable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upbit_async.cli.payouts.session import Session
    from upbit_async.payouts import Payout

__all__ = ["abandon", "resolve", "retry"]

_RETRIED: Final = frozenset(
    {PayoutState.NOT_SENT, PayoutState.DECLINED, PayoutState.QUEUED, PayoutState.PLANNED}
)
"""States in which a payout can be retried; ``queued`` and ``planned`` if the journal key was replaced."""
_ABANDONED: Final = frozenset(
    {PayoutState.NOT_SENT, PayoutState.QUEUED, PayoutState.PLANNED, PayoutState.ABANDONED}
)

_SAME_REQUEST: Final = (
    "The same request is sent again, by run, with the same nonce. Upbit accepts a nonce only once: if the first copy "
    "was carried out after all, Upbit refuses this one."
)
_NEW_NONCE: Final = (
    "It is sent again, by run, with a new nonce. If the first copy was carried out after all, THE PAYMENT IS MADE "
    "TWICE: nothing but the recorded finding prevents it."
)
_FIRST_REQUEST: Final = "It is sent, by run. It was not accepted before, so nothing was paid."
_NOT_SENT: Final = (
    "It is recorded that Upbit has no withdrawal for this payout. Nothing is sent now, but the payout may be retried "
    "then. If it was paid after all, it may be paid twice. Upbit's list may show a withdrawal late: be sure that it is "
    "complete."
)
_FORCED: Final = (
    "Nothing more is sent under this key. But a copy was sent recently, and it may still be carried out although "
    "Upbit's list does not show it. This does not stop it. IF YOU PAY IN ANOTHER WAY NOW, THE PAYMENT MAY BE MADE "
    "TWICE. run compares the payout with Upbit's list for 7 days."
)


@attrs.frozen
class _Case:
    """One decision about one payout.

    Attributes:
        key: The payout's key.
        options: Options of the command.
        purpose: What the confirmation is for; empty if none is needed.
    """

    key: str
    options: DecisionOptions
    purpose: str = ""

    def decide(
        self,
        explain: Callable[[Session, Payout, Show], Awaitable[None]],
        record: Callable[[Session], Awaitable[Payout]],
    ) -> Exit:
        """Show the payout, ask for a confirmation, record the decision, and print the result.

        Args:
            explain: Function that shows what will happen. It raises if the decision is not possible.
            record: Function that records the decision.

        Raises:
            CommandError: The decision is not possible or not confirmed, or the payout has changed.
        """
        journal_for(self.options)  # a user who must not use the journal gets no further
        if self.purpose:
            require_terminal(self.options)
        shown = asyncio.run(self._explain(explain))
        if self.purpose:
            confirm(self.options, self.key, self.purpose)
        asyncio.run(self._record(record, shown))
        return Exit.OK

    async def _explain(self, explain: Callable[[Session, Payout, Show], Awaitable[None]]) -> Payout:
        show = Show(console_for(sys.stderr))  # standard output has the result only
        async with opened(self.options) as session:
            payout = await session.payout(self.key)
            text.show_payout(payout, self.options, show)
            try:
                await explain(session, payout, show)
            except ValueError as problem:
                raise CommandError(str(problem)) from None
            if not self.purpose:  # else the typed line ends the summary
                show.line()
        return payout

    async def _record(self, record: Callable[[Session], Awaitable[Payout]], shown: Payout) -> None:
        async with opened(self.options) as session:
            payout = await session.payout(self.key)
            if _essence(payout) != _essence(shown):
                raise CommandError(
                    f"{payout} has become {payout.state} meanwhile, so nothing was recorded; look at it again"
                )
            try:
                payout = await record(session)
            except ValueError as problem:
                raise CommandError(str(problem)) from None
            session.print_payout(payout)


def _essence(payout: Payout) -> tuple[object, ...]:
    """Return what a person decides by."""
    return payout.state, payout.uuid, payout.candidates, payout.evidence, payout.sent_request


def retry(key: str, /, *, options: Decision, new_nonce: Flag = False) -> Exit:
    """Release a payout that is not_sent or declined to be sent again. It can lead to a payment.

    Args:
        key: The payout's key.
        new_nonce: Send it with a new nonce. Only after resolve --not-sent.
    """

    async def explain(_: Session, payout: Payout, show: Show) -> None:
        if payout.state not in _RETRIED:
            raise ValueError(
                f"{payout} is {payout.state}, and only a payout that is not_sent or declined can be retried"
            )
        show.heading("What will happen")
        if new_nonce:
            show.paragraph(_NEW_NONCE, "bold red")
        else:
            show.paragraph(_SAME_REQUEST if payout.state is PayoutState.NOT_SENT else _FIRST_REQUEST)

    async def record(session: Session) -> Payout:
        return await session.payouts.retry(key, new_nonce=new_nonce, note=options.note, actor=options.actor)

    return _Case(key, options, "to retry it").decide(explain, record)


def resolve(key: str, /, *, options: Decision, uuid: str | None = None, not_sent: Flag = False) -> Exit:
    """Record the outcome of a payout that is unknown or needs review. It sends nothing.

    Args:
        key: The payout's key.
        uuid: The withdrawal that the payout is.
        not_sent: Upbit has no withdrawal for the payout. Its candidates are no payouts.
    """
    if (uuid is None) is not not_sent:
        raise CommandError("resolve takes either --uuid or --not-sent", Exit.USAGE)

    async def explain(session: Session, payout: Payout, show: Show) -> None:
        if payout.state is not PayoutState.SENDING:  # its lease may be over, which only recording it shows
            raise_if_not_resolvable(payout)
        if uuid is not None:
            text.show_comparison(payout, await session.client.withdraws.get(uuid), options, show)
            return
        candidates = await withdrawals_of(session, payout.intent.currency, payout.candidates)
        if candidates:
            text.show_withdrawals(candidates, show, "Candidates, which are acknowledged as no payouts")
        show.heading("What will happen")
        show.paragraph(_NOT_SENT)

    async def record(session: Session) -> Payout:
        return await session.payouts.resolve(
            key, uuid=uuid, not_sent=not_sent, note=options.note, actor=options.actor
        )

    purpose = "to record that it was not sent" if not_sent else ""
    return _Case(key, options, purpose).decide(explain, record)


def abandon(key: str, /, *, options: Decision, force: Flag = False) -> Exit:
    """End a payout without a payment: nothing more is sent under its key.

    Args:
        key: The payout's key.
        force: Abandon it although a copy was sent within the last hour, and may still be carried out.
    """

    async def explain(_: Session, payout: Payout, show: Show) -> None:
        if payout.state not in _ABANDONED:
            raise ValueError(
                f"{payout} is {payout.state}, and only a payout that is planned, queued or not_sent can be abandoned"
            )
        if force:
            show.heading("What will happen")
            show.paragraph(_FORCED, "bold red")

    async def record(session: Session) -> Payout:
        return await session.payouts.abandon(key, force=force, note=options.note, actor=options.actor)

    return _Case(key, options, "to abandon it" if force else "").decide(explain, record)
