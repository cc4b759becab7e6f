"""Manual decisions about payouts: checks whether a decision is allowed, and writes it to the journal.

`Payouts` inherits the methods. The functions after them make the checks; the state changes are in `manual`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from upbit_async.checks import contradictions, fits
from upbit_async.errors import PayoutConflict, raise_alone
from upbit_async.escaping import escaped
from upbit_async.payouts import arguments, manual
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_time import is_recent
from upbit_async.payouts.payout import Evidence, Payout, PayoutState
from upbit_async.validation import flag

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.manual import ManualDecision
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler

__all__ = [
    "ManualDecisionMethods",
    "abandon",
    "acknowledge",
    "raise_if_not_resolvable",
    "resolve_as",
    "resolve_as_not_sent",
    "retry",
]

_RESOLVABLE: Final = frozenset({PayoutState.UNKNOWN, PayoutState.NOT_SENT, PayoutState.NEEDS_REVIEW})
_OPEN_IF_SENT: Final = frozenset({PayoutState.QUEUED, PayoutState.ABANDONED})
_ABANDONABLE: Final = frozenset({PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.NOT_SENT})
_FRESH: Final = dt.timedelta(hours=1)
"""Time after a copy was sent for which `abandon` needs `force`."""


class ManualDecisionMethods:
    """Methods of `Payouts` that record manual decisions.

    Args:
        client: Client that reads the withdrawals which a decision names.
        repository: Repository of the payouts.
        settler: Settler of payouts whose lease is over, or that were not sent.
    """

    def __init__(self, client: UpbitClient, repository: PayoutRepository, settler: Settler) -> None:
        self._client = client
        self._repository = repository
        self._settler = settler

    async def resolve(
        self,
        key: str,
        *,
        uuid: str | None = None,
        not_sent: bool = False,
        note: str = "",
        actor: str | None = None,
    ) -> Payout:
        """Record the outcome of a payout that is unknown or needs review. It authorises nothing.

        An outcome that rests on a match or on a manual decision can be corrected in this way, too.

        Args:
            key: The payout's key.
            uuid: Id of the withdrawal that the payout is. It is read from Upbit.
            not_sent: Whether, instead, Upbit does not have the payout. Its `candidates` are acknowledged as no
                payouts. To send it again, call `retry` afterwards.
            note: How the outcome was determined, for the history.
            actor: Who determined it, for the history.

        Raises:
            ValueError: Neither or both of `uuid` and `not_sent` are given, there is no payout of that key, its outcome
                is certain, or the withdrawal has another currency, network or amount or is older than the payout.
            PayoutConflict: The withdrawal belongs to another payout, or the payout has just changed.
            NotFound: Upbit has no such withdrawal.

        Example:
            .. code-block:: python

                invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                address = "TFakeTronWithdrawAddressFakeFakeFa"
                sandbox.faults.add(Fault.lose_answer("POST", "/v1/withdraws/coin"))
                await payouts.send("invoice-42", **invoice, address=address, until="accepted")

                (withdrawal,) = await client.withdraws.list(currency="USDT")
                payout = await payouts.resolve(
                    "invoice-42", uuid=withdrawal.uuid, note="by the txid", actor="Ann"
                )
                assert payout.evidence is Evidence.MANUAL
        """
        if (uuid is None) == (not flag("not_sent", not_sent)):
            raise ValueError("resolve takes either a uuid or not_sent=True")
        decision = arguments.checked_decision(note, actor)
        payout = await self._settler.expire(arguments.checked_key(key))
        raise_if_not_resolvable(payout)
        if uuid is None:
            resolved = await resolve_as_not_sent(self._repository, payout, decision)
        else:
            record = await self._client.withdraws.get(uuid)
            resolved = await resolve_as(self._repository, payout, record, decision)
        self._repository.obstacle_removed()
        return resolved

    async def retry(
        self, key: str, *, new_nonce: bool = False, note: str = "", actor: str | None = None
    ) -> Payout:
        """Release a payout that is ``not_sent`` or ``declined`` to be sent again; it becomes ``queued``.

        `run` sends it, or `send` with the same parameters. A ``not_sent`` payout goes out as exactly the same
        request. Upbit accepts its nonce only once, so even if the first copy was carried out, the next is refused. With
        ``new_nonce=True`` there is no such protection.

        Args:
            key: The payout's key.
            new_nonce: Whether to sign it again, because Upbit has refused the nonce as used or the access key was
                replaced. ``resolve(key, not_sent=True)`` must come before. The default is False.
            note: Reason, for the history.
            actor: Who decided it, for the history.

        Raises:
            ValueError: There is no payout of that key, it is in another state, or it needs a new nonce, or a finding
                before one.
            PayoutConflict: The payout has just changed.

        Example:
            .. code-block:: python

                invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                address = "TFakeTronWithdrawAddressFakeFakeFa"
                sandbox.faults.add(Fault.reset_before("POST", "/v1/withdraws/coin"))
                payout = await payouts.send("invoice-42", **invoice, address=address)
                if payout.state is PayoutState.NOT_SENT:
                    await payouts.retry("invoice-42")
                    payout = await payouts.send("invoice-42", **invoice, address=address)
                assert payout.state is PayoutState.DONE
        """
        decision = arguments.checked_decision(note, actor)
        needs_new_nonce = flag("new_nonce", new_nonce)
        payout = await self._settler.expire(arguments.checked_key(key))
        return await retry(self._repository, payout, decision, new_nonce=needs_new_nonce)

    async def abandon(
        self, key: str, *, force: bool = False, note: str = "", actor: str | None = None
    ) -> Payout:
        """End a payout without a payment: nothing more is sent under its key, and it becomes ``abandoned``.

        That is no proof that nothing was sent before. If a copy was sent, the payout is compared with Upbit's list for
        7 days, and it is open again if a withdrawal turns up. A withdrawal at Upbit stays as it is;
        `client.withdraws.cancel` cancels it.

        Args:
            key: The payout's key.
            force: Whether to abandon a payout of which a copy was sent within the last hour. The default is False.
            note: Reason, for the history.
            actor: Who decided it, for the history.

        Raises:
            ValueError: There is no payout of that key, its outcome is open, a withdrawal that may be it has turned up,
                or a copy was sent within the last hour.
            PayoutConflict: The payout has just changed.
            UpbitError: Upbit's list, which is read again for a ``not_sent`` payout, could not be read.

        Example:
            .. code-block:: python

                invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                address = "TFakeTronWithdrawAddressFakeFakeFa"
                sandbox.faults.add(Fault.reset_before("POST", "/v1/withdraws/coin"))
                payout = await payouts.send("invoice-42", **invoice, address=address)
                if payout.state is PayoutState.NOT_SENT:
                    payout = await payouts.abandon(
                        "invoice-42", force=True, note="cancelled order", actor="Ann"
                    )
                assert payout.state is PayoutState.ABANDONED
        """
        decision = arguments.checked_decision(note, actor)
        force = flag("force", force)
        # This waits for no other call: it may be the one to stop.
        payout = await self._settler.expire(arguments.checked_key(key))
        if payout.state is PayoutState.NOT_SENT:
            payout = await self._settler.read_again(payout)
        return await abandon(self._repository, payout, decision, force=force)

    async def acknowledge(self, uuid: str, *, note: str = "", actor: str | None = None) -> None:
        """Record that a withdrawal is no payout, so that it blocks none and is a candidate of none.

        Args:
            uuid: The withdrawal's id. It is read from Upbit.
            note: What the withdrawal is, for the journal.
            actor: Who says so, for the journal.

        Raises:
            PayoutConflict: It belongs to a payout.
            NotFound: Upbit has no such withdrawal.

        Example:
            .. code-block:: python

                from upbit_async.errors import PayoutBlocked

                invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                address = "TFakeTronWithdrawAddressFakeFakeFa"
                sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=address)
                try:
                    payout = await payouts.send("invoice-42", **invoice, address=address)
                except PayoutBlocked as blocked:
                    for uuid in blocked.uuids:
                        await payouts.acknowledge(uuid, note="paid by hand", actor="Ann")
                    payout = await payouts.send("invoice-42", **invoice, address=address)
        """
        decision = arguments.checked_decision(note, actor)
        record = await self._client.withdraws.get(uuid)
        await self._repository.open()
        await acknowledge(self._repository, record.uuid.casefold(), record.currency, decision)
        self._repository.obstacle_removed()


def raise_if_not_resolvable(payout: Payout) -> None:
    """Check that a payout can be resolved: its outcome is open, or rests on a match or a manual decision.

    Raises:
        ValueError: The outcome is certain, or nothing was sent.
    """
    is_open = (
        payout.state in _RESOLVABLE
        or bool(payout.candidates)
        or (payout.state in _OPEN_IF_SENT and payout.sent_request is not None)
        or payout.evidence in {Evidence.MATCH, Evidence.MANUAL}
    )
    was_never_sent = payout.sent_request is None and payout.uuid is None and not payout.candidates
    if was_never_sent or not is_open:
        raise ValueError(f"{payout} is {payout.state}, and there is nothing to resolve")


async def resolve_as(
    repository: PayoutRepository, payout: Payout, record: Withdrawal, decision: ManualDecision
) -> Payout:
    """Record which withdrawal a payout is.

    Raises:
        ValueError: The withdrawal has another currency, network or amount, or is older than the payout.
        PayoutConflict: It belongs to another payout, or the payout has just changed.
    """
    uuid = record.uuid.casefold()
    related = await repository.journal.related(payout.criteria.currency, [uuid])
    if (owner := related.owner_of(uuid, other_than=payout.key)) is not None:
        raise _belongs_to(owner, uuid)
    if not payout.is_withdrawal(uuid) and (why := await _why_not(repository, payout, record)):
        raise ValueError(f"{payout} can't be withdrawal {escaped(uuid)}, {why}; give another uuid")
    return await _swap(repository, payout, manual.resolved(payout, record, decision, await repository.now()))


async def _why_not(repository: PayoutRepository, payout: Payout, record: Withdrawal) -> str:
    """Return why a withdrawal can't be the payout's; empty if it can."""
    if payout.sent_request is not None and record.uuid.casefold() in payout.sent_request.baseline:
        return "which was there before the payout was first sent"
    if wrong := contradictions(payout.intent, record):
        return f"which is {wrong}"
    fee_convention = await repository.fee_convention()
    if (
        fee_convention is not None
        and record.fee is not None
        and not fits(payout.intent, record, fee_convention)
    ):
        fee = f"{record.amount:f} with a fee of {record.fee:f}"
        return (
            f"which has an amount of {fee}, and Upbit's answers show that amounts are {fee_convention.value}"
        )
    return ""


async def resolve_as_not_sent(
    repository: PayoutRepository, payout: Payout, decision: ManualDecision
) -> Payout:
    """Record that Upbit does not have a payout, and acknowledge its candidates as no payouts.

    Raises:
        ValueError: Upbit's own answer has named its withdrawal.
    """
    if payout.sent_request is not None and payout.sent_request.answered:
        raise ValueError(
            f"{payout} can't be resolved as not sent: Upbit's own answer has named its withdrawal, so it was sent"
        )
    candidates = payout.candidates
    if payout.sent_request is not None:
        payout = await _swap(
            repository, payout, manual.resolved_as_not_sent(payout, decision, await repository.now())
        )
    for uuid in candidates:
        await acknowledge(repository, uuid, payout.criteria.currency, decision)
    return await repository.read(payout.key)


async def acknowledge(
    repository: PayoutRepository, uuid: str, currency: str, decision: ManualDecision
) -> None:
    """Record that a withdrawal is no payout, and remove it from the candidates of all payouts.

    Raises:
        PayoutConflict: It belongs to a payout.
    """
    try:
        await repository.journal.acknowledge(uuid, currency, decision, (await repository.now()).utc)
    except ConflictingPayout as conflict:
        raise_alone(_belongs_to(conflict.by_key, uuid))
    for other in (await repository.journal.related(currency, [uuid])).payouts:
        if uuid in other.candidates:
            await repository.change(
                other.key, lambda payout, now: manual.acknowledged(payout, uuid, decision, now)
            )


async def abandon(
    repository: PayoutRepository, payout: Payout, decision: ManualDecision, *, force: bool
) -> Payout:
    """Record that nothing more is sent for a payout.

    Raises:
        ValueError: Its outcome is open, or a copy was sent within the last hour and `force` is False.
    """
    if payout.state is PayoutState.ABANDONED:
        return payout
    if payout.state not in _ABANDONABLE:
        raise ValueError(
            f"{payout} is {payout.state}, and only a payout that is planned, queued or not_sent can be abandoned"
        )
    now, sent_request = await repository.now(), payout.sent_request
    if (
        sent_request is not None
        and not force
        and is_recent(sent_request.left_at, sent_request.left_utc, _FRESH, now)
    ):
        raise ValueError(
            f"{payout} can't be abandoned yet: a copy was sent at {sent_request.left_utc:%Y-%m-%d %H:%M:%S} UTC, less "
            "than an hour ago, and may still be carried out although Upbit's list does not show it; wait, or call "
            f"abandon({payout.key!r}, force=True) and check Upbit's website later"
        )
    return await _swap(repository, payout, manual.abandoned(payout, decision, now))


async def retry(
    repository: PayoutRepository, payout: Payout, decision: ManualDecision, *, new_nonce: bool
) -> Payout:
    """Record that a payout is sent again.

    Raises:
        ValueError: It is neither not_sent nor declined, or it needs a new nonce, or may not have one yet.
    """
    key, sent_request = repr(payout.key), payout.sent_request
    is_authentic = repository.authenticator.verifies(payout)
    waits_for_key = payout.state.may_be_sent and not is_authentic
    if payout.state not in {PayoutState.NOT_SENT, PayoutState.DECLINED} and not waits_for_key:
        raise ValueError(
            f"{payout} is {payout.state}, and only a payout that is not_sent or declined can be sent again"
        )
    if new_nonce and sent_request is not None and payout.evidence is not Evidence.MANUAL:
        raise ValueError(
            f"{payout} can't be sent again yet: a copy with a new nonce could be carried out in addition to the first; "
            f"compare with Upbit's website and call resolve({key}, not_sent=True) before retry({key}, new_nonce=True)"
        )
    if not new_nonce and sent_request is not None and sent_request.arrived:
        raise ValueError(
            f"{payout} can't be sent again: Upbit has refused its nonce as used, and would refuse it again; compare "
            f"with Upbit's website, call resolve({key}, not_sent=True), then retry({key}, new_nonce=True)"
        )
    if not new_nonce and sent_request is not None and not sent_request.needs_new_nonce and not is_authentic:
        raise ValueError(
            f"{payout} can't be sent again: its row in the journal was written with another journal key, or changed by "
            "something else, so its nonce can't be trusted; compare with Upbit's website, call "
            f"resolve({key}, not_sent=True), then retry({key}, new_nonce=True)"
        )
    needs_new_nonce = sent_request is not None and (
        new_nonce or (waits_for_key and sent_request.needs_new_nonce)
    )
    mac = payout.mac
    if waits_for_key or new_nonce:  # this authorises the payment in the row
        mac = repository.authenticator.payment_mac(payout.key, payout.intent.members)
    return await _swap(
        repository,
        payout,
        manual.queued(payout, decision, await repository.now(), needs_new_nonce=needs_new_nonce, mac=mac),
    )


def _belongs_to(key: str, uuid: str | None) -> PayoutConflict:
    return PayoutConflict(f"withdrawal {uuid} belongs to payout {key!r}")


async def _swap(repository: PayoutRepository, payout: Payout, changed: Payout) -> Payout:
    try:
        return await repository.compare_and_swap(payout, changed)
    except ConflictingPayout as conflict:
        raise_alone(_belongs_to(conflict.by_key, changed.uuid))
    except StaleRevision:
        raise_alone(PayoutConflict(f"{payout} has changed just now; read it again, then repeat the call"))
