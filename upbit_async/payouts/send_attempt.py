"""Sends one copy of a payout's request: recorded before it leaves, and its outcome after."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async.concurrency import OnCancel, run_to_completion
from upbit_async.errors import APIError, Banned, RateLimited, UpbitError
from upbit_async.payouts import transitions
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_moments import lease_is_over
from upbit_async.payouts.payout import PayoutState
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.payouts.journal_moments import Now
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.repository import Change, PayoutRepository
    from upbit_async.protocol.endpoint import Transport
    from upbit_async.resources.known_withdrawals import KnownWithdrawals

__all__ = ["SendAttempt"]

_PAY = attrs.evolve(CREATE_WITHDRAWAL, recovery_hint="its payout is looked for in Upbit's list")
_LEASE = 1.5
"""How long a lease is, in multiples of the longest that a call may take."""


class SendAttempt:
    """Sends one copy of a payout's request; see `upbit_async.protocol.send_guard.SendGuard`.

    Args:
        payout: The payout, which may be sent.
        baseline: The newest withdrawals before the first copy.
        owner: Who sends it.
        transport: Sends it.
        repository: The payouts.
        known: The withdrawals that the client knows from answers.
    """

    def __init__(
        self,
        payout: Payout,
        baseline: Sequence[str],
        *,
        owner: str,
        transport: Transport,
        repository: PayoutRepository,
        known: KnownWithdrawals,
    ) -> None:
        self._payout = payout
        self._baseline = baseline
        self._owner = owner
        self._transport = transport
        self._repository = repository
        self._known = known
        self._scope = anyio.CancelScope()
        self._is_cancelled = False
        self._is_released = False

    async def run(self) -> Payout:
        """Send the copy and note what became of it; a cancelled caller waits for that if it has left.

        Returns:
            The payout as it is then: something has left.

        Raises:
            StaleRevision: Somebody else has changed the payout, and nothing has left.
            ConflictingPayout: Another payout must be settled first, and nothing has left.
            UpbitError: Nothing has left, or it was turned away unread.
        """
        try:
            return await run_to_completion(self._make, on_cancel=self._stop)
        except anyio.get_cancelled_exc_class():
            if self._is_cancelled:
                raise
        raise UpbitError(
            "the payout was stopped by a cancellation that did not come from its caller, so it may or may not "
            "have been sent; call send again with the same key, which looks it up first",
            may_have_executed=True,
        )

    async def signing_params(self) -> SigningParams:
        """Record that a copy is about to leave, and return what to sign it with."""
        departing = self._departing(await self._repository.now())
        with anyio.CancelScope(shield=True):  # or it might be recorded without our knowledge
            self._payout = await self._repository.compare_and_swap(self._payout, departing)
        return self._payout.required_request.signing

    def _departing(self, now: Now) -> Payout:
        known = self._payout.sent_request
        lease = _LEASE * self._transport.timeouts.total
        is_bounded = self._transport.bounds_connections
        if known is not None and not known.needs_new_nonce:
            return transitions.departing_again(
                self._payout, owner=self._owner, lease=lease, now=now, is_bounded=is_bounded
            )
        signing = SigningParams(nonce=str(uuid.uuid4()), algorithm=self._transport.algorithm)
        signed_by = self._transport.key_digest
        mac = self._repository.authenticator.departure_mac(self._payout, signing, signed_by)
        if known is not None:
            return transitions.departing_again(
                self._payout,
                owner=self._owner,
                lease=lease,
                now=now,
                signing=signing,
                signed_by=signed_by,
                is_bounded=is_bounded,
                mac=mac,
            )
        return transitions.departing(
            self._payout,
            signing=signing,
            signed_by=signed_by,
            baseline=self._baseline,
            owner=self._owner,
            lease=lease,
            now=now,
            is_bounded=is_bounded,
            mac=mac,
        )

    async def may_send(self) -> bool:
        """Return whether the first byte may leave: the lease and the row must still be ours, by the journal itself."""
        self._is_released = False
        if self._is_cancelled:
            return False
        known = await self._repository.journal.get(self._payout.key)
        now = (await self._repository.now()).journal
        sent_request = self._payout.required_request
        is_ours = known is not None and _is_same_request(known, self._payout)
        in_time = not lease_is_over(sent_request.left_at, sent_request.lease, now)
        # Nothing comes between this and the first byte.
        self._is_released = is_ours and in_time and not self._is_cancelled
        return self._is_released

    def _stop(self) -> OnCancel:
        self._is_cancelled = True
        if not self._is_released:
            self._scope.cancel()
        return OnCancel.WAIT

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
            record = await self._transport.call(_PAY, body, guard=self)
        except (StaleRevision, ConflictingPayout):
            raise
        except UpbitError as error:
            return await self._take_error(error)
        except Exception as error:
            if self._is_released:
                # Its text may hold anything.
                unknown = UpbitError(
                    f"{type(error).__name__} was raised while it was under way", may_have_executed=True
                )
                return await self._take_error(unknown)
            await self._note_held_back(type(error).__name__)
            raise
        if whose := await self._other_owner(record.uuid.casefold()):
            text = f"the answer names withdrawal {record.uuid}, which {whose}"
            return await self._take_error(UpbitError(text, may_have_executed=True))
        return await self._conclude(lambda payout, now: transitions.answered(payout, record, now))

    async def _other_owner(self, uuid: str) -> str:
        """Return whose withdrawal an answer names, if it can't be this payout's; else nothing.

        An answer over a connection that is not known to be fresh may belong to an earlier request, so it is compared
        with everything that the journal knows.
        """
        if uuid in self._payout.required_request.baseline:
            return "was there before"
        if uuid not in self._known.unproven:
            return ""
        try:
            related = await self._repository.journal.related(self._payout.criteria.currency, [uuid])
        except Exception:  # noqa: BLE001 - whatever a journal raises: the withdrawal is looked for when it works again
            return "can't be compared with the journal"
        if uuid in related.acknowledged:
            return "is no payout"
        for other in related.payouts:
            if other.uuid is not None and other.uuid.casefold() == uuid and other.key != self._payout.key:
                return f"belongs to payout {other.key!r}"
        return ""

    async def _take_error(self, error: UpbitError) -> Payout:
        if error.may_have_executed:
            return await self._conclude(
                lambda payout, now: transitions.lost(payout, error, owner=self._owner, now=now)
            )
        if isinstance(error, APIError) and not isinstance(error, (RateLimited, Banned)):
            return await self._conclude(
                lambda payout, now: transitions.declined(payout, error, owner=self._owner, now=now)
            )
        await self._note_held_back(error)
        raise error

    async def _note_held_back(self, why: UpbitError | str) -> Payout:
        if self._payout.state is not PayoutState.SENDING:
            return self._payout
        return await self._conclude(
            lambda payout, now: transitions.held_back(payout, owner=self._owner, why=why, now=now)
        )

    async def _conclude(self, change: Change) -> Payout:
        return await self._repository.conclude(self._payout, change)


def _is_same_request(known: Payout, sent: Payout) -> bool:
    """Whether the journal's row is the one that was recorded as leaving, in everything that is sent."""
    return (
        known.revision == sent.revision
        and known.intent.members == sent.intent.members
        and list(known.intent.members) == list(sent.intent.members)
        and known.sent_request is not None
        and known.sent_request.signing == sent.required_request.signing
    )
