"""Driver of one payout: sends it, settles it if its answer is lost, follows it once it is accepted.

`Payouts.send` calls `drive` and `finish`, which wait until the payout has ended. `Payouts.recover` calls `advance` for
each open payout, which does the same up to a deadline. Concurrent calls of one key in this process share one attempt;
the journal keeps other processes out (see `send_attempt`).
"""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async.concurrency import KeyedLock
from upbit_async.errors import JournalError, PollTimeout, UpbitError
from upbit_async.payouts import transitions
from upbit_async.payouts.arguments import raise_if_other
from upbit_async.payouts.decision import may_turn_up
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.preflight import Preflight

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.models import Intent
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.sending import Sender
    from upbit_async.payouts.settling import Settler

__all__ = ["Driver"]


class Driver:
    """Advances one payout at a time.

    Args:
        client: Client that checks payouts before they are sent.
        repository: Repository of the payouts.
        sender: Sender of payouts.
        settler: Settler of payouts whose answer was lost, and follower of accepted ones.
        check: Whether a preflight comes before a payout's first copy.
        resends: Whether a ``not_sent`` payout is sent again without a decision.
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
        self._preflight = Preflight(client.transport)
        self._check = check
        self._resends = resends
        self._locks = KeyedLock()

    async def drive(self, key: str, requested: Intent | None = None) -> Payout:
        """Send a payout that is planned or queued; return any other as it is.

        With ``resend="automatic"``, a ``not_sent`` payout is sent too. While another task or process is sending the
        payout, this waits. Concurrent calls share one attempt, and its failure.

        Args:
            key: The payout's key.
            requested: The payment that the caller requests; it is compared with the row that is sent.

        Raises:
            PayoutConflict: The row is another payment.
            UpbitError: No copy under this key was sent, now or before. With `may_have_executed`, one may have been; see
                `SendAttempt.run`.
        """
        async with self._locks.hold(key) as hold:
            if hold.failure is not None:
                raise copy.copy(hold.failure)  # the failure of the attempt that this call has joined
            payout = await self._settler.wait_while_sending(key)
            if requested is not None:
                raise_if_other(payout, requested)
            try:
                return await self._dispatch(payout)
            except UpbitError as error:
                return await self._after_failure(payout, error)

    async def _dispatch(self, payout: Payout) -> Payout:
        if self._resends_by_itself(payout):
            return await self._sender.send(payout)
        if not payout.state.may_be_sent:
            return payout
        if self._check and payout.sent_request is None:
            await self._preflight.check(payout)
        return await self._sender.send(payout)

    def _resends_by_itself(self, payout: Payout) -> bool:
        """Whether a payout is sent again without a decision: not if Upbit would refuse its nonce as used."""
        is_unsent = self._resends and payout.state is PayoutState.NOT_SENT
        return is_unsent and not payout.required_request.arrived

    async def _after_failure(self, before: Payout, error: UpbitError) -> Payout:
        """Return a payout of which a copy was sent, now or before; else record and raise the failure."""
        payout = await self._repository.read(before.key)
        if payout.state is before.state:
            with contextlib.suppress(JournalError):
                payout = await self._repository.change(
                    before.key, lambda newest, _now: transitions.failed_before_sending(newest, error)
                )
        if payout.sent_request is not None:
            return attrs.evolve(payout, error=error)
        if payout.state is before.state:
            self._locks.share_failure(before.key, error)
            raise error
        return payout  # another process has advanced it meanwhile

    async def finish(self, payout: Payout) -> Payout:
        """Settle and follow a payout that was sent. A failure is returned as its `error`, not raised."""
        try:
            if payout.state.is_under_way:
                payout = await self._settler.wait_until_settled(payout.key)
            if payout.state is PayoutState.ACCEPTED:
                payout = await self._settler.follow(payout)
        except UpbitError as error:
            return await self._with_error(payout, error)
        return payout

    async def advance(self, key: str, deadline: float) -> Payout | None:
        """Settle a payout if its answer was lost, send it if it is queued, and follow it until a deadline.

        Returns:
            The updated payout; None if it was abandoned, and nothing has turned up since.

        Raises:
            JournalError: The journal can't be used.
        """
        payout = await self._settler.expire(key)
        was_open = payout.is_open
        payout = await self._advance(payout, deadline)
        return payout if was_open or payout.is_open else None

    async def _advance(self, payout: Payout, deadline: float) -> Payout:
        key = payout.key
        try:
            payout = await self._settle(payout, deadline)
            if payout.state is PayoutState.QUEUED or self._resends_by_itself(payout):
                payout = await self._drive_until(payout, deadline)
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

    async def _settle(self, payout: Payout, deadline: float) -> Payout:
        """Compare a payout with Upbit's list, if that can tell more about it."""
        if payout.state is PayoutState.UNKNOWN:
            return await self._settler.settle(payout.key, deadline=deadline)
        is_considered_unsent = payout.state is PayoutState.ABANDONED or (
            payout.state is PayoutState.NOT_SENT and not self._resends_by_itself(payout)
        )
        if is_considered_unsent and may_turn_up(payout, await self._repository.now()):
            return await self._settler.read_again(payout, deadline)
        if payout.state is PayoutState.NEEDS_REVIEW:
            return await self._settler.reconsider(payout, deadline)
        return payout

    async def _drive_until(self, payout: Payout, deadline: float) -> Payout:
        """Send a payout, and wait for payouts that must be settled first only until a deadline.

        After the deadline there is still time for one call: a payout that waits for no other is sent all the same.
        """
        latest = max(deadline, anyio.current_time() + self._client.transport.timeouts.total)
        with anyio.CancelScope(deadline=latest):
            return await self.drive(payout.key)
        return await self._repository.read(payout.key)

    async def _with_error(self, payout: Payout, error: UpbitError) -> Payout:
        with contextlib.suppress(JournalError):
            payout = await self._repository.read(payout.key)
        return attrs.evolve(payout, error=error)
