"""Finding out what became of a payout whose answer was lost, and following one that was accepted."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import anyio

from upbit_async.checks import reading_of
from upbit_async.errors import PollTimeout
from upbit_async.payouts import transitions
from upbit_async.payouts.fence import new_since
from upbit_async.payouts.journal import Outdated, Taken
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.turns import Turns
from upbit_async.payouts.verdict import Adopt, AskPerson, SayNotSent, judge

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.books import Books
    from upbit_async.payouts.verdict import Verdict

__all__ = ["Settler"]


class Settler:
    """Settles payouts by what Upbit shows. Nothing here sends money.

    Args:
        client: Reads Upbit's list.
        books: The payouts.
        settle: How long after the loss of an answer the list is believed to be complete, in seconds.
    """

    def __init__(self, client: UpbitClient, books: Books, settle: float) -> None:
        self._client = client
        self._books = books
        self._settle = settle
        self._turns = Turns()

    async def settle(self, key: str) -> Payout:
        """Wait until the settling time is over, look once, and decide. What is settled already stays as it is.

        Raises:
            UpbitError: The list could not be read, so nothing is decided.
        """
        async with self._turns.take(key):
            while True:
                payout = await self.expire(key)
                if payout.state is not PayoutState.UNKNOWN:
                    return payout
                await anyio.sleep(self._time_left(payout))
                verdict = await self._judge(payout)
                try:
                    return await self._books.swap(payout, self._by(verdict, payout))
                except (Outdated, Taken):
                    continue

    async def expire(self, key: str) -> Payout:
        """Return a payout, which is unknown if whoever was sending it has not told in time."""
        return await self._books.change(key, lambda payout: transitions.expired(payout, self._books.clock()))

    async def look_again(self, payout: Payout) -> Payout:
        """Look once more for a payout that was not sent: what has turned up since is for a person.

        Raises:
            UpbitError: The list could not be read.
        """
        if payout.departure is None:
            return payout
        match await self._judge(payout):
            case Adopt(record):
                why = f"withdrawal {record.uuid}, which fits, has turned up since"
            case AskPerson(why, candidates) if candidates:
                pass
            case _:
                return payout  # what others have withdrawn since then says nothing
        try:
            return await self._books.swap(payout, transitions.doubtful(payout, why, self._books.clock()))
        except (Outdated, Taken):
            return await self._books.read(payout.key)

    async def follow(self, payout: Payout, deadline: float = math.inf) -> Payout:
        """Wait until an accepted payout's withdrawal has ended, or until a deadline by the loop's clock.

        Raises:
            PollTimeout: The deadline has come.
            UpbitError: It can't be waited for any more.
        """
        poller = self._client.withdraws.poller(payout.uuid or "")
        timeout = None if math.isinf(deadline) else max(0.0, deadline - anyio.current_time())
        try:
            record = await poller.wait(timeout=timeout)
        except PollTimeout:
            if poller.last is not None:
                await self._see(payout.key, poller.last)
            raise
        return await self._see(payout.key, record)

    async def _see(self, key: str, record: Withdrawal) -> Payout:
        return await self._books.change(
            key, lambda payout: transitions.seen(payout, record, self._books.clock())
        )

    def _time_left(self, payout: Payout) -> float:
        lost_at = payout.departure.lost_at if payout.departure is not None else None
        if lost_at is None:
            return self._settle
        passed = (self._books.clock() - lost_at) / dt.timedelta(seconds=1)
        return min(self._settle, max(0.0, self._settle - passed))

    async def _judge(self, payout: Payout) -> Verdict:
        departure, currency = payout.departure, payout.intent.currency or ""
        fence = departure.fence if departure is not None else ()
        rows = await new_since(self._client.withdraws, currency, fence)
        # The journal is read after the list: whoever has made what the list shows is in it by then.
        beside = await self._books.beside(payout, [row.uuid.casefold() for row in rows])
        answered = await self._books.journal.answered()
        return judge(
            payout,
            rows,
            beside=beside,
            elsewhere=self._client.caller.answered,
            reading=reading_of(
                (other.intent, other.record) for other in answered if other.record is not None
            ),
        )

    def _by(self, verdict: Verdict, payout: Payout) -> Payout:
        now = self._books.clock()
        match verdict:
            case Adopt(record):
                return transitions.adopted(payout, record, now)
            case SayNotSent():
                return transitions.not_found(payout, now)
            case _:
                return transitions.doubtful(payout, verdict.why, now)
