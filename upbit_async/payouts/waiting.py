"""Wait for the end of one payout, up to a deadline. It sends no money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from upbit_async.concurrency import backoff
from upbit_async.errors import JournalError, PollTimeout, UpbitError
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.settling import LEASE_POLLS
from upbit_async.polling import ends_waits

if TYPE_CHECKING:
    from upbit_async.payouts.following import Follower
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler

__all__ = ["Wait"]

_FIRST_RETRY: Final = 1.0
_LONGEST_RETRY: Final = 30.0


class Wait:
    """One wait for one payout.

    Args:
        key: The payout's key.
        seconds: Timeout, in seconds; infinity for none.
        repository: Repository of the payouts.
        settler: Settler of payouts whose answer was lost.
        follower: Follower of accepted payouts.
        last_settling: Time that settling at the deadline may take, in seconds.
    """

    def __init__(
        self,
        key: str,
        seconds: float,
        *,
        repository: PayoutRepository,
        settler: Settler,
        follower: Follower,
        last_settling: float,
    ) -> None:
        self._key = key
        self._seconds = seconds
        self._deadline = anyio.current_time() + seconds
        self._repository = repository
        self._settler = settler
        self._follower = follower
        self._last_settling = last_settling
        self._retries = backoff(_FIRST_RETRY, _LONGEST_RETRY, 2.0)

    async def end(self) -> Payout:
        """Return the payout once it has ended, was declined, was not sent or needs review, or at the deadline.

        Raises:
            UpbitError: The payout can't be followed any more.
        """
        try:
            return await self._end()
        except PollTimeout:
            return await self._repository.read(self._key)

    async def _end(self) -> Payout:
        pauses = backoff(*LEASE_POLLS)
        while True:
            payout = await self._settler.expire(self._key)
            match payout.state:
                case PayoutState.PLANNED | PayoutState.QUEUED | PayoutState.SENDING:
                    await self._pause(next(pauses))
                case PayoutState.UNKNOWN:
                    await self._settle(payout)
                case PayoutState.ACCEPTED:
                    await self._follower.follow(payout, self._deadline)
                case _:
                    return payout

    async def _pause(self, seconds: float) -> None:
        remaining = self._deadline - anyio.current_time()
        if remaining <= 0:
            raise PollTimeout("the deadline has passed")
        await anyio.sleep(min(seconds, remaining))

    async def _settle(self, payout: Payout) -> None:
        remaining = max(0.0, self._deadline - anyio.current_time())
        if await self._settler.remaining_settling_time(payout) > remaining:
            await anyio.sleep(remaining)
            raise PollTimeout("the deadline comes before the settling time is over")
        try:
            # The settling time ends before the deadline, so this is the last attempt, and it is not cut short.
            with anyio.move_on_after(remaining + self._last_settling) as scope:
                await self._settler.settle(self._key)
        except UpbitError as error:
            if ends_waits(error) or isinstance(error, JournalError):
                raise
            await self._pause(next(self._retries))
            return
        if scope.cancelled_caught:
            raise PollTimeout("settling took too long")
