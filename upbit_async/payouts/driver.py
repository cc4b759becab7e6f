"""Driver of one payout: sends it, settles it if its answer is lost, follows it once it is accepted.

`Payouts.send` calls `drive` and `finish`, which wait until the payout has ended. `runner` calls `drive` for payouts
that are queued. Concurrent calls of one key in this process share one attempt;
the journal keeps other processes out (see `send_attempt`).
"""

from __future__ import annotations

import contextlib
import copy
import math
from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async.concurrency import KeyedLock
from upbit_async.errors import JournalError, PollTimeout, PreflightFailed, UpbitError
from upbit_async.payouts import queueing
from upbit_async.payouts.arguments import raise_if_other
from upbit_async.payouts.decision import may_turn_up
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.preflight import PayoutPreflight, is_passing
from upbit_async.payouts.unowned import SettleFirst

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.repository import Change, PayoutRepository
    from upbit_async.payouts.sending import Sender
    from upbit_async.payouts.settling import Settler
    from upbit_async.payouts.shared_reads import SharedReads

__all__ = ["Driver"]


class Driver:
    """Advances one payout at a time.

    Args:
        client: Client that checks payouts before they are sent.
        repository: Repository of the payouts.
        sender: Sender of payouts.
        settler: Settler of payouts whose answer was lost, and follower of accepted ones.
        reads: Reads that the tasks share.
        check: Whether a preflight comes before a payout's first copy.
        resends: Whether a ``not_sent`` payout is sent again without a decision.
    """

    def __init__(
        self,
        client: UpbitClient,
        repository: PayoutRepository,
        sender: Sender,
        settler: Settler,
        reads: SharedReads,
        *,
        check: bool,
        resends: bool,
    ) -> None:
        self._client = client
        self._repository = repository
        self._sender = sender
        self._settler = settler
        self._preflight = PayoutPreflight(client.transport, reads)
        self._reads = reads
        self._check = check
        self.resends = resends
        self._locks = KeyedLock()

    async def drive(
        self,
        key: str,
        requested: Payout | None = None,
        *,
        claimed: Payout | None = None,
        waits: bool = True,
    ) -> Payout:
        """Send a payout that is planned or queued; return any other as it is.

        With ``resend="automatic"``, a ``not_sent`` payout is sent too. While another task or process is sending the
        payout, this waits. Concurrent calls share one attempt, and its failure.

        Args:
            key: The payout's key.
            requested: The payout that the caller requests, for a key that may not be in the journal yet; it is
                compared with the row that is sent.
            claimed: The payout as it was when it was claimed, which saves a read of the journal. If it has changed
                since, the journal does not let it depart, and it is read again.
            waits: Whether to wait for other payouts that must be settled first, and for other tasks and processes.

        Returns:
            The updated payout. If it is queued, `error` says why it could not be sent yet.

        Raises:
            PayoutConflict: The row is another payment.
            SettleFirst: Other payouts must be settled first, and `waits` is False.
            UpbitError: Nothing is sent under this key until it is driven again, and no copy was sent before. With
                `may_have_executed`, a copy may have been sent; see `SendAttempt.run`.
        """
        if not waits and self._locks.is_held(key):
            raise SettleFirst(())
        async with self._locks.hold(key) as hold:
            if hold.failure is not None:
                raise copy.copy(hold.failure)  # the failure of the attempt that this call has joined
            payout = claimed or await self._newest(key, requested, waits=waits)
            try:
                return await self._dispatch(payout, waits=waits)
            except UpbitError as error:
                return await self._after_failure(payout, error)

    async def _newest(self, key: str, requested: Payout | None, *, waits: bool) -> Payout:
        payout = await self._repository.find(key)
        if payout is None:
            payout = requested or await self._repository.read(key)  # raises: there is none of that key
        if payout.state is PayoutState.SENDING and waits:
            payout = await self._settler.wait_while_sending(key)
        if requested is not None:
            raise_if_other(payout, requested.intent)
        return payout

    async def _dispatch(self, payout: Payout, *, waits: bool) -> Payout:
        if self.resends_by_itself(payout):
            return await self._sender.send(payout, waits=waits)
        if not payout.state.may_be_sent:
            return payout
        if payout.not_after is not None and queueing.is_overdue(payout, await self._repository.now()):
            return await self._repository.change(payout.key, queueing.overdue)
        if self._check and payout.sent_request is None:
            asked = self._reads.moment
            await self._preflight.check(payout)
            return await self._sender.send(payout, waits=waits, since=asked)
        return await self._sender.send(payout, waits=waits)

    def resends_by_itself(self, payout: Payout) -> bool:
        """Whether a payout is sent again without a decision: not if Upbit would refuse its nonce as used."""
        is_unsent = self.resends and payout.state is PayoutState.NOT_SENT
        return is_unsent and not payout.required_request.arrived

    async def _after_failure(self, before: Payout, error: UpbitError) -> Payout:
        """Return a payout that continues by itself, or of which a copy was sent; else record and raise the failure."""
        payout = await self._repository.find(before.key)
        if payout is not None and payout.state is before.state:
            with contextlib.suppress(JournalError):
                payout = await self._repository.change(before.key, _failed_by(error))
        if payout is None or (payout.state is PayoutState.PLANNED and payout.sent_request is None):
            self._locks.share_failure(before.key, error)
            raise error
        if payout.sent_request is not None or payout.state is PayoutState.QUEUED:
            return attrs.evolve(payout, error=error)
        return payout  # declined or abandoned, or another process has advanced it meanwhile

    async def finish(self, payout: Payout, deadline: float = math.inf) -> Payout:
        """Settle and follow a payout that was sent, until a deadline. A failure is returned as its `error`."""
        try:
            if payout.state.is_under_way:
                with anyio.CancelScope(deadline=deadline):
                    payout = await self._settler.wait_until_settled(payout.key)
            if payout.state is PayoutState.ACCEPTED:
                payout = await self._settler.follow(payout, deadline)
        except PollTimeout:
            return await self._repository.read(payout.key)
        except UpbitError as error:
            return await self._with_error(payout, error)
        if payout.state.is_under_way:
            return await self._repository.read(payout.key)
        return payout

    async def advance(self, key: str, deadline: float) -> Payout | None:
        """Settle a payout if its answer was lost, send it if it is queued, and follow it until a deadline.

        Args:
            key: The payout's key.
            deadline: The deadline, by the loop's clock.

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
            if payout.state is PayoutState.QUEUED or self.resends_by_itself(payout):
                payout = await self._drive_until(payout, deadline)
                if payout.state is PayoutState.UNKNOWN:
                    payout = await self._settler.settle(key, deadline=deadline)
            if payout.state is PayoutState.ACCEPTED:
                payout = await self._settler.follow_until(payout, deadline)
        except UpbitError as error:
            if _concerns_the_journal(error):
                raise
            return await self._with_error(payout, error)
        return payout

    async def follow(self, key: str, accepted: dict[str, Payout], deadline: float) -> Payout:
        """Follow an accepted payout until a deadline.

        Args:
            key: The payout's key.
            accepted: The payout, among others, as it was read. It is removed, and not kept while it is followed: there
                may be thousands.
            deadline: The deadline, by the loop's clock.

        Raises:
            JournalError: The journal can't be used.
        """
        try:
            return await self._settler.follow_until(accepted.pop(key), deadline)
        except UpbitError as error:
            if _concerns_the_journal(error):
                raise
            return attrs.evolve(await self._repository.read(key), error=error)

    async def _settle(self, payout: Payout, deadline: float) -> Payout:
        """Compare a payout with Upbit's list, if that can tell more about it."""
        if payout.state is PayoutState.UNKNOWN:
            return await self._settler.settle(payout.key, deadline=deadline)
        is_considered_unsent = payout.state is PayoutState.ABANDONED or (
            payout.state is PayoutState.NOT_SENT and not self.resends_by_itself(payout)
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


def _concerns_the_journal(error: UpbitError) -> bool:
    """Return whether the journal as a whole failed, and not only one of its rows."""
    return isinstance(error, JournalError) and error.key is None


def _failed_by(error: UpbitError) -> Change:
    """Return the change that records why a payout could not be sent."""

    def fail(payout: Payout, now: Now) -> Payout | None:
        if isinstance(error, PreflightFailed) and not all(map(is_passing, error.reasons)):
            declined = queueing.declined_by_preflight(payout, error, now)
            if declined is not None:
                return declined
        return queueing.overdue(payout, now) or queueing.failed(payout, error)

    return fail
