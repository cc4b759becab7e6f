"""The passage of one copy of a payout's request: noted down before it leaves, and its end after."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async.errors import APIError, Banned, RateLimited, UpbitError
from upbit_async.payouts import transitions
from upbit_async.payouts.journal import Outdated, Taken
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.protected import see_to_the_end
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.protocol.escort import Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from upbit_async.payouts.books import Books
    from upbit_async.payouts.payout import Payout
    from upbit_async.protocol.endpoint import Caller

__all__ = ["Passage"]

_PAY = attrs.evolve(CREATE_WITHDRAWAL, aftermath="its payout is looked for in Upbit's list")
_LEASE = 1.5
"""A lease is so many times as long as a call may take at most."""


class Passage:
    """Carries one copy of a payout's request; see `upbit_async.protocol.escort.Escort`.

    Args:
        payout: The payout, planned or not sent.
        fence: The newest withdrawals before the first copy.
        owner: Who carries it.
        caller: Sends it.
        books: The payouts.
    """

    def __init__(
        self, payout: Payout, fence: Sequence[str], *, owner: str, caller: Caller, books: Books
    ) -> None:
        self._payout = payout
        self._fence = fence
        self._owner = owner
        self._caller = caller
        self._books = books
        self._scope = anyio.CancelScope()
        self._is_unwanted = False
        self._is_released = False

    async def make(self) -> Payout:
        """Send the copy and note what became of it; a cancelled caller waits for that if it has left.

        Returns:
            The payout as it is then: something has left.

        Raises:
            Outdated: Somebody else has changed the payout, and nothing has left.
            Taken: Another payout must be settled first, and nothing has left.
            UpbitError: Nothing has left, or it was turned away unread.
        """
        return await see_to_the_end(self._make, stop=self._stop)

    async def seal(self) -> Seal:
        """Note down that a copy is about to leave, and say what to sign it with."""
        now = self._books.clock()
        lease = dt.timedelta(seconds=_LEASE * self._caller.timeouts.total)
        known = self._payout.departure
        if known is None:
            departing = transitions.departing(
                self._payout,
                seal=Seal(nonce=str(uuid.uuid4()), algorithm=self._caller.algorithm),
                signed_by=self._caller.key_digest,
                fence=self._fence,
                owner=self._owner,
                lease_until=now + lease,
                now=now,
            )
        else:
            departing = transitions.departing_again(
                self._payout, owner=self._owner, lease_until=now + lease, now=now
            )
        with anyio.CancelScope(shield=True):  # or it might be noted without our knowing
            self._payout = await self._books.swap(self._payout, departing)
        return self._payout.known_departure.seal

    async def release(self) -> bool:
        """Say whether the first byte may leave: the lease must still be ours, by the journal itself."""
        self._is_released = False
        if self._is_unwanted:
            return False
        now_known = await self._books.journal.get(self._payout.key)
        is_ours = now_known is not None and now_known.revision == self._payout.revision
        in_time = self._books.clock() < self._payout.known_departure.lease_until
        # Nothing comes between this and the first byte.
        self._is_released = is_ours and in_time and not self._is_unwanted
        return self._is_released

    def _stop(self) -> None:
        self._is_unwanted = True
        if not self._is_released:
            self._scope.cancel()

    async def _make(self) -> Payout:
        result: Payout | None = None
        with self._scope:
            result = await self._send()
        if result is None:  # the caller has gone before the first byte left
            return await self._note_held_back("its caller was cancelled")
        return result

    async def _send(self) -> Payout:
        body = dict(self._payout.intent.members)
        try:
            record = await self._caller.call(_PAY, body, escort=self)
        except (Outdated, Taken):
            raise
        except UpbitError as error:
            return await self._take_error(error)
        except Exception as error:
            if self._is_released:
                unknown = UpbitError(
                    f"{type(error).__name__} while it was under way: {error}", may_have_executed=True
                )
                return await self._take_error(unknown)
            await self._note_held_back(type(error).__name__)
            raise
        return await self._conclude(functools.partial(transitions.answered, record=record))

    async def _take_error(self, error: UpbitError) -> Payout:
        if error.may_have_executed:
            return await self._conclude(functools.partial(transitions.lost, error=error, owner=self._owner))
        if isinstance(error, APIError) and not isinstance(error, (RateLimited, Banned)):
            return await self._conclude(
                functools.partial(transitions.refused, error=error, owner=self._owner)
            )
        await self._note_held_back(error)
        raise error

    async def _note_held_back(self, why: UpbitError | str) -> Payout:
        if self._payout.state is not PayoutState.SENDING:
            return self._payout
        return await self._conclude(functools.partial(transitions.held_back, owner=self._owner, why=why))

    async def _conclude(self, happening: Callable[..., Payout | None]) -> Payout:
        now = self._books.clock()
        return await self._books.conclude(self._payout, functools.partial(happening, now=now))
