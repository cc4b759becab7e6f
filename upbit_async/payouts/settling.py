"""Finding out what became of a payout whose answer was lost, and following one that was accepted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import attrs
from anyio.lowlevel import current_token

from upbit_async.checks import Reading, fits
from upbit_async.errors import PollTimeout
from upbit_async.payouts import transitions
from upbit_async.payouts.fence import new_since
from upbit_async.payouts.journal import Outdated, Taken
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.turns import Turns, between_looks
from upbit_async.payouts.verdict import Adopt, AskPerson, SayNotSent, Sight, WaitFor, judge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from anyio.lowlevel import EventLoopToken

    from upbit_async.client import UpbitClient
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.books import Books
    from upbit_async.payouts.verdict import Verdict

__all__ = ["Settler"]

_SECOND_LOOK = 1.0
"""So long after the first a second look must show nothing either, in seconds."""


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
        self._patience = settle
        self._turns = Turns()
        self._losses: dict[str, tuple[tuple[dt.datetime | None, EventLoopToken], float]] = {}

    async def settle(self, key: str, *, behind: frozenset[str] = frozenset()) -> Payout:
        """Wait until the settling time is over, look, and decide. What is settled already stays as it is.

        Args:
            key: The payout's key.
            behind: The keys of payouts that wait for this one.

        Raises:
            UpbitError: The list could not be read, so nothing is decided.
        """
        while True:
            async with self._turns.take(key):
                found = await self._settle_once(key, behind)
            if isinstance(found, Payout):
                self._losses.pop(key, None)
                return found
            # No turn is held here: two that wait for each other must not stand still.
            for other in found.keys:
                await self.free(other, behind=behind | {key})

    async def free(self, key: str, *, behind: frozenset[str] = frozenset()) -> Payout:
        """Wait until a payout is not under way any more, wherever it is, and settle it if nobody else does."""
        while True:
            payout = await self.arrival(key)
            if payout.state is PayoutState.UNKNOWN:
                payout = await self.settle(key, behind=behind)
            if not payout.state.is_under_way:
                return payout

    async def arrival(self, key: str) -> Payout:
        """Wait until nobody is sending a payout any more, in whatever process: its answer is there, or is lost."""
        pauses = between_looks()
        while True:
            payout = await self.expire(key)
            if payout.state is not PayoutState.SENDING:
                return payout
            await anyio.sleep(next(pauses))

    async def _settle_once(self, key: str, behind: frozenset[str]) -> Payout | WaitFor:
        """Settle a payout, unless others must be settled first."""
        while True:
            payout = await self.expire(key)
            if payout.state is not PayoutState.UNKNOWN:
                return payout
            await anyio.sleep(self.time_left(payout))
            verdict = await self._judge_surely(payout, behind)
            if isinstance(verdict, WaitFor):
                return verdict
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
        while payout.state is PayoutState.NOT_SENT:
            match await self._judge(payout):
                case WaitFor(keys):
                    payout = await self._after(keys, payout)
                    continue
                case Adopt(record):
                    doubt = AskPerson(f"withdrawal {record.uuid}, which fits, has turned up since", (record,))
                case AskPerson(_, [_, *_]) as doubt:
                    pass
                case _:
                    return payout  # what others have withdrawn since then says nothing
            payout = await self._decide(payout, doubt)
        return payout

    async def reconsider(self, payout: Payout) -> Payout:
        """Judge a payout that needs a person once more: what has become known since may settle it.

        Raises:
            UpbitError: The list could not be read.
        """
        while payout.state is PayoutState.NEEDS_PERSON and payout.uuid is None and payout.in_question:
            verdict = await self._judge_surely(payout)
            if isinstance(verdict, WaitFor):
                payout = await self._after(verdict.keys, payout)
            elif isinstance(verdict, AskPerson):
                return payout
            else:
                payout = await self._decide(payout, verdict)
        return payout

    async def _after(self, keys: Collection[str], payout: Payout) -> Payout:
        """Return a payout as it is when others, which may explain what it can't, are settled."""
        for key in keys:
            await self.free(key, behind=frozenset({payout.key}))
        return await self._books.read(payout.key)

    async def _decide(self, payout: Payout, verdict: Adopt | SayNotSent | AskPerson) -> Payout:
        try:
            return await self._books.swap(payout, self._by(verdict, payout))
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

    def time_left(self, payout: Payout) -> float:
        """Return how long a payout is still left to settle, in seconds.

        It counts from when its loss was first seen here, by the event loop's clock: no time of day is believed.
        """
        now = anyio.current_time()
        loss = payout.known_departure.lost_at, current_token()
        known, since = self._losses.get(payout.key, (None, now))
        if known != loss:
            since = now
            self._losses[payout.key] = loss, since
        return max(0.0, since + self._patience - now)

    async def _judge_surely(self, payout: Payout, behind: Collection[str] = ()) -> Verdict:
        verdict = await self._judge(payout, behind)
        if isinstance(verdict, SayNotSent):  # one empty answer may be a slip of the server's
            await anyio.sleep(_SECOND_LOOK)
            verdict = await self._judge(payout, behind)
        return verdict

    async def _judge(self, payout: Payout, behind: Collection[str] = ()) -> Verdict:
        departure = payout.known_departure
        listed = await new_since(self._client.withdraws, payout.kind.currency, departure.fence)
        rows = [await self._completed(row, payout) for row in listed]
        # The journal is read after the list: whoever has made what the list shows is in it by then.
        beside = await self._books.journal.beside(payout, [row.uuid.casefold() for row in rows])
        verdict = judge(
            payout,
            Sight(
                rows=rows,
                beside=beside,
                elsewhere=self._client.caller.answered,
                ruled_out=departure.ruled_out,
                reading=await self._books.reading(),
                behind=behind,
            ),
        )
        is_anothers = departure.signed_by != self._client.caller.key_digest
        if isinstance(verdict, SayNotSent) and not departure.fence and is_anothers:
            return AskPerson("it was signed with another key, and this one's account may be another")
        return verdict

    async def _completed(self, row: Withdrawal, payout: Payout) -> Withdrawal:
        """Return a row with its network: the list may leave it out, and the single withdrawal tell it."""
        if row.net_type is not None or not any(fits(payout.intent, row, reading) for reading in Reading):
            return row
        return attrs.evolve(row, net_type=(await self._client.withdraws.get(row.uuid)).net_type)

    def _by(self, verdict: Adopt | SayNotSent | AskPerson, payout: Payout) -> Payout:
        now = self._books.clock()
        match verdict:
            case Adopt(record):
                return transitions.adopted(payout, record, now)
            case SayNotSent():
                return transitions.not_found(payout, now)
            case AskPerson():
                return transitions.doubtful(payout, verdict.why, verdict.in_question, now)
