"""One attempt to send a payout: the copy is recorded, checked, sent, and its outcome recorded.

This is where money is at stake. A copy is sent only if the journal has it on the disk, and shows it unchanged right
before the first byte. Whatever happens then, the journal is given the outcome: the answer, that the answer is lost, or
that nothing was sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from upbit_async.concurrency import OnCancel, run_to_completion
from upbit_async.errors import AmountLimitExceeded, APIError, Banned, RateLimited, UpbitError
from upbit_async.payouts import transitions
from upbit_async.payouts.amount_limit import AmountLimit
from upbit_async.payouts.departure import DepartureConditions, DeparturePaused, StaleBaseline
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_time import lease_is_over
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.queueing import is_overdue
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.protocol.send_guard import SendGuard, SigningParams

if TYPE_CHECKING:
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.baseline import Baseline
    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.repository import Change, PayoutRepository
    from upbit_async.protocol.endpoint import Transport
    from upbit_async.resources.known_withdrawals import KnownWithdrawals

__all__ = ["AttemptOptions", "SendAttempt"]

_PAY: Final = attrs.evolve(
    CREATE_WITHDRAWAL, recovery_hint="its payout is compared with Upbit's list of withdrawals"
)
_LEASE: Final = 1.5
"""Length of a lease, as a multiple of the longest time that a call may take."""
_LONGEST_AGE: Final = 10.0
"""Age up to which a baseline may be used for a departure, in seconds."""


@attrs.frozen
class AttemptOptions:
    """Options of all attempts of a sender.

    Attributes:
        lease_holder: Name of the sender, which holds the leases of its copies.
        amount_limits: Limits that the journal checks when a copy is recorded.
        shutdown_timeout: Time for which a cancelled caller waits for a request that has begun, in seconds.
    """

    lease_holder: str
    amount_limits: Sequence[AmountLimit]
    shutdown_timeout: float


class SendAttempt(SendGuard):
    """Attempt to send one copy of a payout's request, and the guard of the call that does it.

    `run` calls the transport. The transport calls `record_departure` and `may_send` on the way to the first byte. Then
    `run` writes the outcome to the journal. `upbit_async.payouts` shows all steps in order.

    Args:
        payout: The payout, in a state in which it may be sent.
        baseline: The account's newest withdrawals before a first copy or a new nonce; None for other copies.
        options: Options of all attempts of the sender.
        transport: Transport that makes the call.
        repository: Repository of the payouts.
        known_withdrawals: The withdrawals that the client knows from answers.
    """

    def __init__(
        self,
        payout: Payout,
        baseline: Baseline | None,
        *,
        options: AttemptOptions,
        transport: Transport,
        repository: PayoutRepository,
        known_withdrawals: KnownWithdrawals,
    ) -> None:
        self._payout = payout
        self._baseline = baseline
        self._options = options
        self._lease_holder = options.lease_holder
        self._transport = transport
        self._repository = repository
        self._known_withdrawals = known_withdrawals
        self._scope = anyio.CancelScope()
        self._is_cancelled = False
        self._may_have_left = False  # whether the first byte may have been sent

    async def run(self) -> Payout:
        """Send the copy and record its outcome.

        A cancelled caller always waits until the outcome is recorded. If the first byte was
        not sent, the attempt is stopped before. Otherwise the request is finished, and its answer recorded. At the
        shutdown timeout its connection is closed if it is the client's own, and its answer is lost.

        Returns:
            The updated payout: a copy was sent, or may have been.

        Raises:
            StaleRevision: Another task or process has changed the payout; nothing was sent.
            ConflictingPayout: Another payout must be settled first; nothing was sent.
            StaleBaseline: The baseline is too old, or a payout with the same criteria has changed since; nothing was
                sent.
            DeparturePaused: The journal is paused; nothing was sent.
            UpbitError: The copy was not sent, or Upbit throttled or banned it without processing it. With
                `may_have_executed`, a cancellation that did not come from the caller interrupted the attempt, and it
                may have been sent.
        """
        try:
            return await run_to_completion(
                self._call,
                on_cancel=self._cancel,
            )
        except anyio.get_cancelled_exc_class():
            if self._is_cancelled:
                raise
        raise UpbitError(
            f"{self._payout} was interrupted by a cancellation that did not come from its caller, so it may or may "
            "not have been sent; call send again with the same key: it determines the outcome first",
            may_have_executed=True,
        )

    def _cancel(self) -> OnCancel:
        self._is_cancelled = True
        if self._may_have_left and self._transport.can_stop_requests:
            latest = anyio.current_time() + self._options.shutdown_timeout
            self._scope.deadline = min(self._scope.deadline, latest)
        elif not self._may_have_left:
            self._scope.cancel()
        return OnCancel.WAIT

    # -- SendGuard: called by transport/attempt.py on the way to the first byte --------------------

    async def record_departure(self) -> SigningParams:
        """Commit ``sending`` to the journal, with nonce, baseline and lease; return nonce and algorithm."""
        now = await self._repository.now()
        self._check_time(now)
        departing = self._departing(now)
        conditions = DepartureConditions(
            baseline_position=None if self._baseline is None else self._baseline.position,
            amount_limits=self._options.amount_limits,
        )
        if self._is_cancelled:
            raise UpbitError("its caller was cancelled")
        with anyio.CancelScope(shield=True):  # or it might be recorded without this attempt knowing
            self._payout = await self._repository.compare_and_swap(self._payout, departing, conditions)
        return self._payout.required_request.signing

    def _check_time(self, now: Now) -> None:
        """Check that the copy may still depart after its wait for the limiter."""
        if is_overdue(self._payout, now):
            raise UpbitError(f"{self._payout} was not sent: its not_after has passed")
        if self._baseline is None:
            return
        age = self._baseline.requested_at.elapsed(now.journal)
        if age is None or not 0 <= age <= _LONGEST_AGE:
            raise StaleBaseline(self._payout.key)

    def _departing(self, now: Now) -> Payout:
        lease = transitions.Lease(
            self._lease_holder,
            _LEASE * self._transport.timeouts.total,
            is_bounded=self._transport.bounds_connections,
        )
        again = partial(transitions.departing_again, self._payout, lease, now)
        earlier = self._payout.sent_request
        if earlier is not None and not earlier.needs_new_nonce:
            return again()
        signing = SigningParams(nonce=str(uuid.uuid4()), algorithm=self._transport.algorithm)
        signed_by = self._transport.key_digest
        mac = self._repository.authenticator.departure_mac(self._payout, signing, signed_by)
        record = transitions.SigningRecord(signing, signed_by, mac)
        if earlier is not None:
            return again(record)
        baseline = () if self._baseline is None else self._baseline.uuids
        return transitions.departing(self._payout, lease, now, record, baseline=baseline)

    async def may_send(self) -> bool:
        """Return whether the lease still runs, and the journal still shows the copy that this attempt recorded."""
        if self._is_cancelled:
            return False
        stored = await self._repository.journal.get(self._payout.key)
        now = (await self._repository.now()).journal
        sent_request = self._payout.required_request
        is_unchanged = stored is not None and _shows_same_copy(stored, self._payout)
        in_time = not lease_is_over(sent_request.left_at, sent_request.lease, now)
        # The first byte follows at once, on a connection of the client's own and in an injected client that reports
        # its first byte. For other injected clients this runs before they connect, and never again.
        permitted = is_unchanged and in_time and not self._is_cancelled
        self._may_have_left |= permitted  # stays: an injected client may ask again after the first byte
        return permitted

    @property
    def must_stop(self) -> bool:
        """Whether the shutdown timeout is over."""
        return self._scope.cancel_called

    # -- the call and its outcome ------------------------------------------------------------------

    async def _call(self) -> Payout:
        record: Withdrawal | None = None
        try:
            with self._scope:  # not around what follows: an outcome that is known is recorded
                record = await self._transport.call(_PAY, dict(self._payout.intent.members), guard=self)
        except (StaleRevision, ConflictingPayout, StaleBaseline, DeparturePaused, AmountLimitExceeded):
            raise  # the journal has recorded nothing
        except UpbitError as error:
            return await self._conclude_failed(error)
        except Exception as error:
            if self._may_have_left:
                # Only the class: the text may contain secrets.
                unknown = UpbitError(
                    f"{type(error).__name__} was raised while it was being sent", may_have_executed=True
                )
                return await self._conclude_failed(unknown)
            await self._conclude_unsent(type(error).__name__)
            raise
        if record is None:
            return await self._conclude_stopped()
        if problem := await self._mistaken_answer(record.uuid.casefold()):
            text = f"the answer names withdrawal {record.uuid}, which {problem}"
            return await self._conclude_failed(UpbitError(text, may_have_executed=True))
        return await self._conclude(lambda payout, now: transitions.answered(payout, record, now))

    async def _conclude_stopped(self) -> Payout:
        """Conclude a call that its caller's cancellation has stopped."""
        if not self._may_have_left:
            return await self._conclude_unsent("its caller was cancelled")
        stopped = UpbitError(
            "its process was shut down before the answer arrived, so it may or may not have been carried out",
            may_have_executed=True,
        )
        return await self._conclude_failed(stopped)

    async def _mistaken_answer(self, uuid: str) -> str:
        """Return why the withdrawal that an answer names can't be this payout's; empty if it can be.

        An answer over a connection that is not known to be fresh may belong to an earlier request, so it is compared
        with everything that the journal knows.
        """
        if uuid in self._payout.required_request.baseline:
            return "was there before"
        if uuid not in self._known_withdrawals.unproven:
            return ""
        try:
            related = await self._repository.journal.related(self._payout.criteria.currency, [uuid])
        except Exception:  # noqa: BLE001 - whatever a journal raises: the payout is settled when it works again
            return "can't be compared with the journal"
        if uuid in related.acknowledged:
            return "is no payout"
        owner = related.owner_of(uuid, other_than=self._payout.key)
        return "" if owner is None else f"belongs to payout {owner!r}"

    async def _conclude_failed(self, error: UpbitError) -> Payout:
        if error.may_have_executed:
            return await self._conclude(
                lambda payout, now: transitions.lost(payout, error, lease_holder=self._lease_holder, now=now)
            )
        if isinstance(error, APIError) and not isinstance(error, (RateLimited, Banned)):
            return await self._conclude(
                lambda payout, now: transitions.declined(
                    payout, error, lease_holder=self._lease_holder, now=now
                )
            )
        await self._conclude_unsent(error)
        raise error

    async def _conclude_unsent(self, why: UpbitError | str) -> Payout:
        if self._payout.state is not PayoutState.SENDING:
            return self._payout
        return await self._conclude(
            lambda payout, now: transitions.reverted(
                payout, lease_holder=self._lease_holder, why=why, now=now
            )
        )

    async def _conclude(self, change: Change) -> Payout:
        return await self._repository.conclude(self._payout, change)


def _shows_same_copy(stored: Payout, recorded: Payout) -> bool:
    """Whether the journal still shows the copy that this attempt has recorded, in everything that is sent.

    The revision may have changed. A process whose clock can't be compared with the recorded time adds a reading of its
    clock to the row, and that is no reason to stop (see `transitions.expired`).

    The state, the nonce and the number of copies identify one recorded copy. After this copy has left `sending`, the
    next one has a higher number or a new nonce: only this attempt's own outcome takes the number back. The owner is
    compared too, and whether a copy with this nonce has arrived, since Upbit would refuse another.
    """
    now, then = stored.sent_request, recorded.required_request
    return (
        stored.state is PayoutState.SENDING
        and now is not None
        and now.owner == then.owner
        and now.copies == then.copies
        and now.signing == then.signing
        and now.arrived == then.arrived
        and list(stored.intent.members.items()) == list(recorded.intent.members.items())
    )
