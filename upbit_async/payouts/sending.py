"""Sending a payout: the fence, its turn among its likes, and as many passages as are allowed."""

from __future__ import annotations

import itertools
import os
import random
import uuid
from typing import TYPE_CHECKING

import anyio

from upbit_async.errors import (
    ConfigurationError,
    JournalError,
    NotSent,
    PayoutBlocked,
    RateLimited,
    UpbitError,
)
from upbit_async.payouts.fence import take_fence
from upbit_async.payouts.journal import Outdated, Taken
from upbit_async.payouts.passage import Passage
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.turns import Turns
from upbit_async.policy import Safety
from upbit_async.protocol.replies import Fault
from upbit_async.protocol.retry import Situation, wait_before_retry

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.payouts.books import Books
    from upbit_async.payouts.settling import Settler

__all__ = ["Sender"]


class Sender:
    """Sends payouts.

    Args:
        client: Sends them.
        books: The payouts.
        settler: Settles what stands in the way.
    """

    def __init__(self, client: UpbitClient, books: Books, settler: Settler) -> None:
        self._client = client
        self._books = books
        self._settler = settler
        self._turns = Turns()
        self._name = f"payouts {uuid.uuid4()}"

    async def send(self, payout: Payout) -> Payout:
        """Send a payout that is planned, or one more copy of one that was not sent.

        Returns:
            The payout as it is when something has left, or as somebody else has made it.

        Raises:
            PayoutBlocked: A payout of the same amount, currency and network needs a person first.
            ConfigurationError: A further copy can't be signed as the first was.
            UpbitError: Nothing has left, or it was turned away unread.
        """
        self._check_key(payout)
        before = payout.state
        async with self._turns.take(payout.kind):
            for attempt in itertools.count(1):
                try:
                    return await self._pass(payout)
                except (NotSent, RateLimited) as error:
                    wait = self._wait_after(error, attempt)
                    if wait is None:
                        raise
                await anyio.sleep(wait)
                payout = await self._books.read(payout.key)
                if payout.state is not before:
                    break
        return payout

    async def _pass(self, payout: Payout) -> Payout:
        """Make one passage, when the way is free."""
        before = payout.state
        while payout.state is before:
            try:
                if before is PayoutState.NOT_SENT:
                    payout = await self._settler.look_again(payout)
                    if payout.state is not before:
                        return payout
                fence = (
                    payout.departure.fence
                    if payout.departure
                    else await take_fence(self._client.withdraws, payout.kind.currency)
                )
                passage = Passage(
                    payout, fence, owner=self._owner, caller=self._client.caller, books=self._books
                )
                return await passage.make()
            except Taken as taken:
                await self._free_the_way(payout, taken.by_key)
            except Outdated:
                payout = await self._books.read(payout.key)
        return payout

    @property
    def _owner(self) -> str:
        return f"{self._name} of process {os.getpid()}"  # which may be another's child by now

    async def _free_the_way(self, payout: Payout, by_key: str) -> None:
        """Wait until the payout that stands in the way is settled, or settle it."""
        try:
            other = await self._settler.free(by_key)
        except JournalError:
            raise
        except UpbitError as error:
            raise PayoutBlocked(
                f"{payout} is not sent: payout {by_key!r} of the same amount, currency and network must be settled "
                f"first, and that failed ({error}); try again later, or look at Upbit's website and resolve it",
                by_key=by_key,
            ) from error
        if other.state is PayoutState.NEEDS_PERSON:
            raise PayoutBlocked(
                f"{payout} is not sent: payout {by_key!r} of the same amount, currency and network needs a "
                f"person first: {other.reason}",
                by_key=by_key,
            )

    def _wait_after(self, error: NotSent | RateLimited, attempt: int) -> float | None:
        throttled = isinstance(error, RateLimited)
        situation = Situation(
            Safety.ONCE,
            Fault.THROTTLED if throttled else Fault.NOT_SENT,
            attempt,
            hint=error.retry_after if isinstance(error, RateLimited) else None,
        )
        return wait_before_retry(self._client.caller.retry, situation, rand=random.random)

    def _check_key(self, payout: Payout) -> None:
        signed_by = payout.departure.signed_by if payout.departure is not None else None
        if signed_by is not None and signed_by != self._client.caller.key_digest:
            raise ConfigurationError(
                f"{payout} was signed with key #{signed_by[:8]}, and this client has another: a copy signed otherwise "
                "could be carried out a second time; send it again with the former key, or resolve it"
            )
