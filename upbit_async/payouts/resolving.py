"""Methods of `Payouts` that record manual decisions: resolve, retry, abandon, acknowledge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.payouts import arguments, recording
from upbit_async.payouts.payout import PayoutState
from upbit_async.validation import flag

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler

__all__ = ["ManualDecisionMethods"]


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
                payouts, unless another open payout has them as well. To send it again, call `retry` afterwards.
            note: How the outcome was determined, for the history.
            actor: Who determined it, for the history.

        Raises:
            ValueError: Neither or both of `uuid` and `not_sent` are given, there is no payout of that key, its outcome
                is certain, a copy of it is being sent, or the withdrawal has another currency, network or amount or is
                older than the payout.
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
        recording.raise_if_not_resolvable(payout)
        if uuid is None:
            resolved = await recording.resolve_as_not_sent(self._repository, payout, decision)
        else:
            record = await self._client.withdraws.get(uuid)
            resolved = await recording.resolve_as(self._repository, payout, record, decision)
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
        return await recording.retry(self._repository, payout, decision, new_nonce=needs_new_nonce)

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
        return await recording.abandon(self._repository, payout, decision, force=force)

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
        await recording.acknowledge(self._repository, record.uuid.casefold(), record.currency, decision)
        self._repository.obstacle_removed()
