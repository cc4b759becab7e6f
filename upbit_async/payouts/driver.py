"""Advances one payout: sends it, settles it if its answer is lost, follows it if it was accepted."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async.concurrency import KeyedLock
from upbit_async.errors import JournalError, PollTimeout, UpbitError
from upbit_async.payouts import arguments, transitions
from upbit_async.payouts.decision import may_turn_up
from upbit_async.payouts.payout import Payout, PayoutState

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.models import Intent
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.sending import Sender
    from upbit_async.payouts.settling import Settler

__all__ = ["Driver"]


class Driver:
    """Takes one payout at a time as far as it gets.

    Args:
        client: Checks payouts before they are sent.
        repository: The payouts.
        sender: Sends them.
        settler: Settles and follows them.
        check: Whether `client.withdraws.check` comes before each payout.
        resends: Whether what is not sent is sent again without being asked.
    """

    def __init__(
        self,
        client: UpbitClient,
        repository: PayoutRepository,
        sender: Sender,
        settler: Settler,
        *,
        check: bool,
        resends: bool,
    ) -> None:
        self._client = client
        self._repository = repository
        self._sender = sender
        self._settler = settler
        self._check = check
        self._resends = resends
        self._locks = KeyedLock()

    async def drive(self, key: str, asked: Intent | None = None) -> Payout:
        """Bring a payout as far as sending gets it; concurrent calls share one attempt, and its failure.

        Args:
            key: The payout's key.
            asked: What the caller asks for, with which the row that leaves is compared.

        Raises:
            PayoutConflict: The row asks for something else.
            UpbitError: Nothing of it has left.
        """
        async with self._locks.hold(key) as lock:
            if lock.failure is not None:
                raise copy.copy(lock.failure)  # of the attempt that this call has joined
            payout = await self._settler.wait_until_sent(key)
            if asked is not None:
                arguments.raise_if_other(payout, asked)
            try:
                return await self._send(payout)
            except UpbitError as error:
                return await self._after_failure(payout, error)

    async def _send(self, payout: Payout) -> Payout:
        if self._resends_by_itself(payout):
            return await self._sender.send(payout)
        if not payout.state.may_leave:
            return payout
        if self._check and payout.sent_request is None:
            await arguments.check(self._client, payout)
        return await self._sender.send(payout)

    def _resends_by_itself(self, payout: Payout) -> bool:
        """Whether a payout is sent again without a decision: not if Upbit would refuse its nonce as used."""
        is_unsent = self._resends and payout.state is PayoutState.NOT_SENT
        return is_unsent and not payout.required_request.arrived

    async def _after_failure(self, before: Payout, error: UpbitError) -> Payout:
        """Return a payout of which a copy has left, now or before; else record and raise what prevented it."""
        known = await self._repository.read(before.key)
        if known.state is before.state:
            with contextlib.suppress(JournalError):
                known = await self._repository.change(
                    before.key, lambda payout, _now: transitions.held_up(payout, error)
                )
        if known.sent_request is not None:
            return attrs.evolve(known, error=error)
        if known.state is before.state:
            self._locks.share_failure(before.key, error)
            raise error
        return known  # another process got further meanwhile

    async def see_out(self, payout: Payout) -> Payout:
        """Wait for the end of what has left. What goes wrong with that is in its `error`, and not raised."""
        try:
            if payout.state.is_under_way:
                payout = await self._settler.wait_until_settled(payout.key)
            if payout.state is PayoutState.ACCEPTED:
                payout = await self._settler.follow(payout)
        except UpbitError as error:
            return await self._with_error(payout, error)
        return payout

    async def take_up(self, key: str, deadline: float) -> Payout | None:
        """Look for what is lost, send what is queued, and follow what was accepted until a deadline.

        Returns:
            The payout as it is then; None if it was abandoned, and still is nobody's concern.

        Raises:
            JournalError: The journal can't be used.
        """
        payout = await self._settler.expire(key)
        was_open = payout.is_open
        payout = await self._taken_up(payout, deadline)
        return payout if was_open or payout.is_open else None

    async def _taken_up(self, payout: Payout, deadline: float) -> Payout:
        key = payout.key
        try:
            payout = await self._look_into(payout, deadline)
            if payout.state is PayoutState.QUEUED or self._resends_by_itself(payout):
                payout = await self._driven(payout, deadline)
                if payout.state is PayoutState.UNKNOWN:
                    payout = await self._settler.settle(key, deadline=deadline)
            if payout.state is PayoutState.ACCEPTED:
                payout = await self._settler.follow(payout, deadline)
        except PollTimeout:
            return await self._repository.read(key)
        except UpbitError as error:
            if isinstance(error, JournalError) and error.key is None:
                raise
            return await self._with_error(payout, error)
        return payout

    async def _driven(self, payout: Payout, deadline: float) -> Payout:
        """Send a payout, but wait for others that must be settled first only until a deadline.

        A deadline that has passed leaves the time that one call may take: what waits for nobody is sent all the same.
        """
        latest = max(deadline, anyio.current_time() + self._client.transport.timeouts.total)
        with anyio.CancelScope(deadline=latest):
            return await self.drive(payout.key)
        return await self._repository.read(payout.key)

    async def _look_into(self, payout: Payout, deadline: float) -> Payout:
        if payout.state is PayoutState.UNKNOWN:
            return await self._settler.settle(payout.key, deadline=deadline)
        is_held_for_unsent = payout.state is PayoutState.ABANDONED or (
            payout.state is PayoutState.NOT_SENT and not self._resends_by_itself(payout)
        )
        if is_held_for_unsent and may_turn_up(payout, await self._repository.now()):
            return await self._settler.read_again(payout, deadline)
        if payout.state is PayoutState.NEEDS_REVIEW:
            return await self._settler.reconsider(payout, deadline)
        return payout

    async def _with_error(self, payout: Payout, error: UpbitError) -> Payout:
        with contextlib.suppress(JournalError):
            payout = await self._repository.read(payout.key)
        return attrs.evolve(payout, error=error)
