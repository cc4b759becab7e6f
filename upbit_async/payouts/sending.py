"""Sending a payout: authorisation, baseline, one at a time among its equals, and repeats where they are safe."""

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
    from upbit_async.payouts.unowned import UnownedGuard

__all__ = ["Sender"]


class Sender:
    """Sends payouts.

    Args:
        client: Sends them.
        repository: The payouts.
        settler: Settles other payouts that must be settled first.
        guard: Takes the baseline, and blocks what an unowned withdrawal could be.
    """

    def __init__(
        self, client: UpbitClient, repository: PayoutRepository, settler: Settler, guard: UnownedGuard
    ) -> None:
        self._client = client
        self._repository = repository
        self._settler = settler
        self._guard = guard
        self._locks = KeyedLock()
        self._name = f"payouts {uuid.uuid4()}"

    async def send(self, payout: Payout) -> Payout:
        """Send a payout that is planned or queued, or one more copy of one that was not sent.

        Returns:
            The payout as it is when something has left, or as another owner has made it.

        Raises:
            PayoutBlocked: A payout of the same amount, currency and network needs review first, or a withdrawal that
                belongs to no payout could be this one.
            JournalError: The row does not prove that it was authorised with the present journal key.
            ConfigurationError: A further copy can't be signed as the first was.
            UpbitError: Nothing has left, or it was turned away unread.
        """
        self._check_authorised(payout)
        self._check_key(payout)
        before = payout.state
        async with self._locks.hold(payout.criteria):
            for attempt in itertools.count(1):
                try:
                    return await self._pass(payout)
                except (NotSent, RateLimited) as error:
                    wait = self._wait_after(error, attempt)
                    if wait is None:
                        raise
                await anyio.sleep(wait)
                payout = await self._repository.read(payout.key)
                if payout.state is not before:
                    break
        return payout

    async def _pass(self, payout: Payout) -> Payout:
        """Send one copy as soon as no other payout must be settled first."""
        before = payout.state
        while payout.state is before:
            try:
                if payout.sent_request is not None:
                    payout = await self._settler.read_again(payout)
                    if payout.state is not before:
                        return payout
                baseline = await self._baseline(payout)
                self._check_authorised(payout)
                passage = SendAttempt(
                    payout,
                    baseline,
                    owner=self._owner,
                    transport=self._client.transport,
                    repository=self._repository,
                    known=self._client.known_withdrawals,
                )
                return await passage.run()
            except ConflictingPayout as taken:
                await self._free_the_way(payout, taken.by_key)
            except StaleRevision:
                payout = await self._repository.read(payout.key)
        return payout

    async def _baseline(self, payout: Payout) -> tuple[str, ...]:
        """Return the baseline of the first copy; the guard is asked before a first copy, or one with a new nonce."""
        known = payout.sent_request
        if known is not None and not known.needs_new_nonce:
            return known.baseline
        taken = await self._guard.baseline(payout)
        return taken if known is None else known.baseline

    @property
    def _owner(self) -> str:
        return f"{self._name} of process {os.getpid()}"  # it may have been forked since

    async def _free_the_way(self, payout: Payout, by_key: str) -> None:
        """Wait until the payout that stands in the way is settled, or settle it."""
        try:
            other = await self._settler.wait_until_settled(by_key)
        except JournalError:
            raise
        except UpbitError as error:
            raise PayoutBlocked(
                f"{payout} is not sent: payout {by_key!r} of the same amount, currency and network must be settled "
                f"first, and that failed ({error}); try again later, or look at Upbit's website and call "
                f"resolve({by_key!r}, …)",
                by_key=by_key,
            ) from error
        if other.state is PayoutState.NEEDS_REVIEW:
            raise PayoutBlocked(
                f"{payout} is not sent: payout {by_key!r} of the same amount, currency and network needs review "
                f"first: {other.reason}",
                by_key=by_key,
            )

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
        if self._repository.authenticator.vouches_for(payout):
            return
        key = repr(payout.key)
        advice = f"make the same call of send again to authorise it; or check what it asks for, then call retry({key})"
        if payout.sent_request is not None and not payout.sent_request.needs_new_nonce:
            released = f"resolve({key}, not_sent=True) and retry({key}, new_nonce=True)"
            advice = f"look at Upbit's website, then call {released}"
        raise JournalError(
            f"{payout} is not sent: its row in the journal was authorised with another journal key, or changed by "
            f"something else; {advice}",
            key=payout.key,
        )

    def _check_key(self, payout: Payout) -> None:
        known = payout.sent_request
        if known is None or known.needs_new_nonce or known.signed_by == self._client.transport.key_digest:
            return
        raise ConfigurationError(
            f"{payout} was signed with key #{known.signed_by[:8]}, and this client has another: a copy signed "
            "otherwise could be carried out a second time; send it again with the former key, or look at Upbit's "
            f"website and call resolve({payout.key!r}, not_sent=True), then retry({payout.key!r}, new_nonce=True)"
        )
