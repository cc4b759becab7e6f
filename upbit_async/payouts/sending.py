"""Sender of payouts: checks the row, takes the baseline, waits for equal payouts, repeats where that is safe."""

from __future__ import annotations

import itertools
import os
import random
import uuid
from typing import TYPE_CHECKING

import anyio

from upbit_async.concurrency import KeyedLock
from upbit_async.errors import (
    ConfigurationError,
    JournalError,
    NotSent,
    PayoutBlocked,
    RateLimited,
    UpbitError,
)
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.send_attempt import SendAttempt
from upbit_async.policy import Safety
from upbit_async.protocol.replies import Failure
from upbit_async.protocol.retry import Situation, wait_before_retry

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler
    from upbit_async.payouts.unowned import UnownedCheck

__all__ = ["Sender"]


class Sender:
    """Sends payouts, one at a time of each amount, currency and network.

    Args:
        client: Client that sends them.
        repository: Repository of the payouts.
        settler: Settler of other payouts that must be settled first.
        guard: Guard that takes the baseline, and blocks a payout that an unowned withdrawal may have paid.
    """

    def __init__(
        self, client: UpbitClient, repository: PayoutRepository, settler: Settler, guard: UnownedCheck
    ) -> None:
        self._client = client
        self._repository = repository
        self._settler = settler
        self._guard = guard
        self._locks = KeyedLock()
        self._name = f"payouts {uuid.uuid4()}"

    async def send(self, payout: Payout) -> Payout:
        """Send a payout that is planned or queued, or one more copy of a payout that was not sent.

        Returns:
            The updated payout: a copy was sent, or another task or process has changed it.

        Raises:
            PayoutBlocked: A payout of the same amount, currency and network needs review first, or a withdrawal that
                belongs to no payout could be this one.
            JournalError: The row was not authorised with the present journal key.
            ConfigurationError: A further copy can't be signed as the first was.
            UpbitError: Nothing was sent, or Upbit rejected it unprocessed.
        """
        self._check_authorised(payout)
        self._check_access_key(payout)
        before = payout.state
        async with self._locks.hold(payout.criteria):
            for attempt in itertools.count(1):
                try:
                    return await self._send_copy(payout)
                except (NotSent, RateLimited) as error:
                    wait = self._wait_after(error, attempt)
                    if wait is None:
                        raise
                await anyio.sleep(wait)
                payout = await self._repository.read(payout.key)
                if payout.state is not before:
                    break
        return payout

    async def _send_copy(self, payout: Payout) -> Payout:
        """Send one copy as soon as every payout that must be settled first is settled."""
        before = payout.state
        while payout.state is before:
            try:
                if payout.sent_request is not None:
                    payout = await self._settler.read_again(payout)
                    if payout.state is not before:
                        return payout
                baseline = await self._baseline(payout)
                self._check_authorised(payout)
                attempt = SendAttempt(
                    payout,
                    baseline,
                    owner=self._owner,
                    transport=self._client.transport,
                    repository=self._repository,
                    known=self._client.known_withdrawals,
                )
                return await attempt.run()
            except ConflictingPayout as conflict:
                await self._wait_for_equal(payout, conflict.by_key)
            except StaleRevision:
                payout = await self._repository.read(payout.key)
        return payout

    async def _baseline(self, payout: Payout) -> tuple[str, ...]:
        """Return the baseline of the first copy. The guard is asked before a first copy and before a new nonce."""
        known = payout.sent_request
        if known is not None and not known.needs_new_nonce:
            return known.baseline
        newest = await self._guard.baseline(payout)
        return newest if known is None else known.baseline

    @property
    def _owner(self) -> str:
        return f"{self._name} of process {os.getpid()}"  # read each time: the process may have forked

    async def _wait_for_equal(self, payout: Payout, by_key: str) -> None:
        """Wait until an equal payout is settled, or settle it.

        Raises:
            PayoutBlocked: That failed, or the equal payout needs review.
            JournalError: The journal can't be used.
        """
        blocked = f"{payout} was not sent: payout {by_key!r} of the same amount, currency and network"
        try:
            other = await self._settler.wait_until_settled(by_key)
        except JournalError:
            raise
        except UpbitError as error:
            raise PayoutBlocked(
                f"{blocked} must be settled first, and that failed ({error}); try again later, or compare with "
                f"Upbit's website and call resolve({by_key!r}, …)",
                by_key=by_key,
            ) from error
        if other.state is PayoutState.NEEDS_REVIEW:
            raise PayoutBlocked(f"{blocked} needs review first: {other.reason}", by_key=by_key)

    def _wait_after(self, error: NotSent | RateLimited, attempt: int) -> float | None:
        throttled = isinstance(error, RateLimited)
        situation = Situation(
            Safety.ONCE,
            Failure.THROTTLED if throttled else Failure.NOT_SENT,
            attempt,
            hint=error.retry_after if isinstance(error, RateLimited) else None,
        )
        return wait_before_retry(self._client.transport.retry, situation, rand=random.random)

    def _check_authorised(self, payout: Payout) -> None:
        if self._repository.authenticator.verifies(payout):
            return
        key = repr(payout.key)
        advice = (
            f"repeat the same call of send to authorise it; or check what it asks for, then call retry({key})"
        )
        if payout.sent_request is not None and not payout.sent_request.needs_new_nonce:
            released = f"resolve({key}, not_sent=True) and retry({key}, new_nonce=True)"
            advice = f"compare with Upbit's website, then call {released}"
        raise JournalError(
            f"{payout} was not sent: its row in the journal was authorised with another journal key, or changed by "
            f"something else; {advice}",
            key=payout.key,
        )

    def _check_access_key(self, payout: Payout) -> None:
        known = payout.sent_request
        if known is None or known.needs_new_nonce or known.signed_by == self._client.transport.key_digest:
            return
        raise ConfigurationError(
            f"{payout} was not sent: it was signed with access key #{known.signed_by[:8]}, and a copy that this "
            "client's access key signs could be carried out in addition; send it again with the former key, or "
            f"compare with Upbit's website and call resolve({payout.key!r}, not_sent=True), then "
            f"retry({payout.key!r}, new_nonce=True)"
        )
