"""Sender of payouts: makes send attempts when that is safe, and repeats them while nothing was sent.

Before each attempt the row must be authorised with a present journal key. Other payouts with the same criteria must be
settled, because Upbit's list could not tell them apart. Before a first copy or a new nonce, `unowned` compares Upbit's
newest withdrawals with the journal. An attempt is repeated if it was not sent, or was throttled.
"""

from __future__ import annotations

import itertools
import math
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
    PayoutsPaused,
    RateLimited,
    UpbitError,
    raise_alone,
)
from upbit_async.payouts.departure import DeparturePaused, StaleBaseline
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.send_attempt import AttemptOptions, SendAttempt
from upbit_async.payouts.unowned import SettleFirst
from upbit_async.policy import Safety
from upbit_async.protocol.replies import Failure
from upbit_async.protocol.retry import Situation, wait_before_retry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.client import UpbitClient
    from upbit_async.payouts.amount_limit import AmountLimit
    from upbit_async.payouts.baseline import Baseline
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler
    from upbit_async.payouts.unowned import UnownedCheck

__all__ = ["Sender"]

_MOST_TOO_OLD = 3
"""Number of baselines that may become too old one after the other before an attempt ends."""


class Sender:
    """Sends payouts, one at a time of those with the same criteria.

    Args:
        client: Client that sends them.
        repository: Repository of the payouts.
        settler: Settler of other payouts that must be settled first.
        unowned_check: Check that no unowned withdrawal may be the payout; it returns the baseline.
        amount_limits: Limits of the amounts, which the journal checks.

    Attributes:
        shutdown_timeout: Time for which a cancelled caller waits for a request that has begun, in seconds.
    """

    def __init__(
        self,
        client: UpbitClient,
        repository: PayoutRepository,
        settler: Settler,
        unowned_check: UnownedCheck,
        *,
        amount_limits: Sequence[AmountLimit] = (),
    ) -> None:
        self.shutdown_timeout = math.inf
        self._client = client
        self._repository = repository
        self._settler = settler
        self._unowned_check = unowned_check
        self._amount_limits = amount_limits
        self._locks = KeyedLock()
        self._name = f"payouts {uuid.uuid4()}"
        self._attempts = itertools.count(1)

    async def send(self, payout: Payout, *, waits: bool = True, since: int | None = None) -> Payout:
        """Send a payout that is planned or queued, or one more copy of a payout that was not sent.

        Args:
            payout: The payout.
            waits: Whether to wait for other payouts that must be settled first, and to settle them.
            since: Moment after which the baseline must have been requested, see `SharedReads.share`; None for the
                present.

        Returns:
            The updated payout: a copy was sent, or another task or process has changed it.

        Raises:
            SettleFirst: Other payouts must be settled first, and `waits` is False.
            PayoutBlocked: A payout of the same amount, currency and network needs review first, or a withdrawal that
                belongs to no payout could be this one.
            PayoutsPaused: The journal is paused.
            AmountLimitExceeded: The amount exceeds a limit.
            JournalError: The row was not authorised with the present journal key.
            ConfigurationError: A further copy can't be signed as the first was.
            UpbitError: Nothing was sent, or Upbit throttled or banned it without processing it. With
                `may_have_executed`, the copy may have been sent; see `SendAttempt.run`.
        """
        self._check_authorised(payout)
        self._check_access_key(payout)
        before = payout.state
        if self._locks.is_held(payout.criteria):
            if not waits:
                raise SettleFirst(())
            since = None  # the payout that is sent now must be in the baseline
        async with self._locks.hold(payout.criteria):
            for number in itertools.count(1):
                try:
                    return await self._send_copy(payout, waits=waits, since=since)
                except (NotSent, RateLimited) as error:
                    wait = self._wait_after(error, number)
                    if wait is None:
                        raise
                since = None
                await anyio.sleep(wait)
                payout = await self._repository.find(payout.key) or payout
                if payout.state is not before:
                    break
        return payout

    async def _send_copy(self, payout: Payout, *, waits: bool, since: int | None) -> Payout:
        """Send one copy as soon as every payout that must be settled first is settled."""
        before, too_old = payout.state, 0
        while payout.state is before:
            try:
                if payout.sent_request is not None:
                    payout = await self._settler.read_again(payout)
                    if payout.state is not before:
                        return payout
                baseline = await self._check_unowned(payout, waits=waits, since=since)
                since = None  # another one is taken only because this one has become stale
                self._check_authorised(payout)
                attempt = SendAttempt(
                    payout,
                    baseline,
                    options=self._options,
                    transport=self._client.transport,
                    repository=self._repository,
                    known_withdrawals=self._client.known_withdrawals,
                )
                return await attempt.run()
            except ConflictingPayout as conflict:
                await self._wait_for_other(payout, conflict.by_key, waits=waits)
            except StaleBaseline as stale:
                if stale.by_key != payout.key:
                    continue
                too_old += 1
                if too_old >= _MOST_TOO_OLD:
                    raise_alone(_too_slow(payout))
            except DeparturePaused as paused:
                raise_alone(_paused(payout, paused.decision))
            except StaleRevision:
                payout = await self._repository.read(payout.key)
        return payout

    async def _check_unowned(self, payout: Payout, *, waits: bool, since: int | None) -> Baseline | None:
        """Check before a first copy or a new nonce that no unowned withdrawal may be the payout.

        Returns:
            The baseline; None for a copy of the same request, which keeps the first one's.
        """
        earlier = payout.sent_request
        if earlier is not None and not earlier.needs_new_nonce:
            return None
        return await self._unowned_check.check_and_take_baseline(payout, waits=waits, since=since)

    @property
    def _options(self) -> AttemptOptions:
        # Each attempt has its own name, so that its outcome is never recorded for the copy of another. The process may
        # have forked since the last one.
        name = f"{self._name} of process {os.getpid()}, attempt {next(self._attempts)}"
        return AttemptOptions(name, self._amount_limits, self.shutdown_timeout)

    async def _wait_for_other(self, payout: Payout, by_key: str, *, waits: bool) -> None:
        """Wait until another payout with the same criteria is settled, or settle it.

        Raises:
            SettleFirst: It is not settled, and `waits` is False.
            PayoutBlocked: That failed, or the other payout needs review.
            JournalError: The journal can't be used.
        """
        blocked = f"{payout} was not sent: payout {by_key!r} of the same amount, currency and network"
        try:
            other = await self._settler.expire(by_key)
            if other.state.is_under_way and not waits:
                raise SettleFirst((by_key,))
            other = await self._settler.wait_until_settled(by_key)
        except UpbitError as error:
            if isinstance(error, JournalError) and error.key != by_key:  # else only its row is damaged
                raise
            raise PayoutBlocked(
                f"{blocked} must be settled first, and that failed ({error}); try again later, or compare with "
                f"Upbit's website and call resolve({by_key!r}, …)",
                by_key=by_key,
            ) from error
        if other.state is PayoutState.NEEDS_REVIEW:
            raise PayoutBlocked(f"{blocked} needs review first: {other.reason}", by_key=by_key)

    def _wait_after(self, error: NotSent | RateLimited, number: int) -> float | None:
        """Return how long to wait after an attempt, in seconds; None if it was the last."""
        throttled = isinstance(error, RateLimited)
        situation = Situation(
            Safety.ONCE,
            Failure.THROTTLED if throttled else Failure.NOT_SENT,
            number,
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
            calls = f"resolve({key}, not_sent=True) and retry({key}, new_nonce=True)"
            advice = f"compare with Upbit's website, then call {calls}"
        raise JournalError(
            f"{payout} was not sent: its row in the journal was authorised with another journal key, or changed by "
            f"something else; {advice}",
            key=payout.key,
        )

    def _check_access_key(self, payout: Payout) -> None:
        earlier = payout.sent_request
        if earlier is None or earlier.needs_new_nonce:
            return
        if earlier.signed_by == self._client.transport.key_digest:
            return
        raise ConfigurationError(
            f"{payout} was not sent: it was signed with access key #{earlier.signed_by[:8]}, and a copy that this "
            "client's access key signs could be carried out in addition; send it again with the former key, or "
            f"compare with Upbit's website and call resolve({payout.key!r}, not_sent=True), then "
            f"retry({payout.key!r}, new_nonce=True)"
        )


def _too_slow(payout: Payout) -> NotSent:
    return NotSent(
        f"{payout} was not sent: Upbit's list of withdrawals could not be read in time, so it was too old for a "
        "departure; check the network, and whether `reconcile` can move the mark"
    )


def _paused(payout: Payout, decision: ManualDecision) -> PayoutsPaused:
    by = f" by {decision.actor}" if decision.actor else ""
    why = f": {decision.note}" if decision.note else ""
    return PayoutsPaused(f"{payout} was not sent: payouts are paused{by}{why}; call resume to send again")
