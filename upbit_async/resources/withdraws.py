"""`client.withdraws`: withdrawals of digital assets."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from upbit_async.checks import Preflight, PreflightRequest, Reconciliation
from upbit_async.errors import APIError, OutcomeUnknown, UpbitError
from upbit_async.models import TransactionType, Withdrawal, WithdrawalState
from upbit_async.protocol.endpoints import CANCEL_WITHDRAWAL, CREATE_WITHDRAWAL
from upbit_async.protocol.message import compose
from upbit_async.resources import inputs, procedure
from upbit_async.resources.withdrawal_records import WithdrawalRecords

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from upbit_async.policy import PollSchedule
    from upbit_async.polling import WithdrawalPoller
    from upbit_async.protocol.endpoint import Param, Transport
    from upbit_async.resources.known_withdrawals import KnownWithdrawals

__all__ = ["Withdraws"]

_MEMBERS = ("currency", "net_type", "amount", "address", "secondary_address", "transaction_type")
_Amount = Decimal | int | str


class Withdraws(WithdrawalRecords):
    """Withdrawals of digital assets.

    `send` is the whole procedure of https://global-docs.upbit.com/docs/digital-asset-withdrawal; the other methods
    are its parts. Every method may raise any `UpbitError`. A docstring names the errors that are specific to its
    method.
    """

    def __init__(self, transport: Transport, schedule: PollSchedule, known: KnownWithdrawals) -> None:
        super().__init__(transport, schedule)
        self._known = known

    async def create(
        self,
        *,
        currency: str,
        net_type: str,
        amount: _Amount,
        address: str,
        secondary_address: str | None = None,
        transaction_type: TransactionType | str = TransactionType.DEFAULT,
        extra: Mapping[str, Param] | None = None,
    ) -> Withdrawal:
        """Create a withdrawal, without any check. `send` checks first.

        Upbit has no idempotency key, so a lost answer is ambiguous. The request is sent again only if it provably
        did not reach Upbit or was not processed. If the caller is cancelled after the first byte, the request is
        finished first.
        See https://global-docs.upbit.com/reference/withdraw.

        Args:
            currency: Currency code.
            net_type: Network identifier, from `addresses`.
            amount: Amount, as decimal text, whole number or Decimal. Whether it includes the fee is undocumented.
            address: Destination, which must be registered.
            secondary_address: Tag or memo of the destination. It is required if the registered address has one.
            transaction_type: ``default`` for a transfer on the chain, ``internal`` for one between Upbit accounts.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
                Names consist of letters, digits and underscores, and must not repeat a parameter.

        Returns:
            The withdrawal that Upbit accepted. It is not paid yet.

        Raises:
            OutcomeUnknown: The answer was lost. Don't send it again: call `reconcile`.
            NotSent: The request provably did not reach Upbit.
            APIError: Upbit refused the withdrawal.

        Example:
            .. code-block:: python

                withdrawal = await client.withdraws.create(
                    currency="USDT", net_type="TRX", amount="13", address="TFakeTronWithdrawAddressFakeFakeFa"
                )
                print(withdrawal.uuid, withdrawal.state)
        """
        members = inputs.withdrawal(
            currency=currency,
            net_type=net_type,
            amount=amount,
            address=address,
            secondary_address=secondary_address,
            transaction_type=transaction_type,
            extra=extra,
        )
        return await self._transport.call(CREATE_WITHDRAWAL, members)

    async def cancel(self, uuid: str) -> Withdrawal:
        """Cancel a withdrawal that is still cancelable.

        See https://global-docs.upbit.com/reference/cancel-withdrawal.

        Args:
            uuid: Id of the withdrawal.

        Returns:
            The withdrawal. Its `state` says whether it is cancelled already; `wait` returns its final state.

        Raises:
            APIError: Upbit refused the cancellation; it may be too late.

        Example:
            .. code-block:: python

                sandbox.withdrawals.transitions = Transitions.manual()
                poller = await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
                withdrawal = await client.withdraws.cancel(poller.uuid)
        """
        wanted = inputs.text("uuid", uuid)
        try:
            return await self._transport.call(CANCEL_WITHDRAWAL, {"uuid": wanted})
        except APIError as refusal:
            if not refusal.may_have_executed:
                raise
            # The request was repeated, so an earlier copy may have cancelled it already.
            try:
                record = await self.get(wanted)
            except UpbitError as failure:
                raise refusal from failure
            if record.state != WithdrawalState.CANCELLED:
                raise refusal from None
            return record

    async def check(
        self,
        *,
        currency: str,
        net_type: str,
        amount: _Amount,
        address: str | None = None,
        exchange_name: str | None = None,
        transaction_type: TransactionType | str = TransactionType.DEFAULT,
        round_down: bool = False,
    ) -> Preflight:
        """Run all checks of `send`, and move no money.

        Args:
            currency: Currency code.
            net_type: Network identifier.
            amount: Amount, as decimal text, whole number or Decimal.
            address: Destination, which must be registered.
            exchange_name: Exchange of the registered destination, instead (Singapore and Korea). Without either, the
                only address registered for the currency and network is used.
            transaction_type: ``default`` for a transfer on the chain, ``internal`` for one between Upbit accounts.
            round_down: Whether to truncate decimals that the currency does not have, instead of refusing them.

        Returns:
            The result, with the amount and the destination that `send` would use, and warnings.

        Raises:
            PreflightFailed: At least one check failed; `reasons` has all of them.

        Example:
            .. code-block:: python

                checked = await client.withdraws.check(currency="USDT", net_type="TRX", amount="13")
                print(checked.address, checked.fee, checked.warnings)
        """
        request = PreflightRequest(
            currency=inputs.text("currency", currency),
            net_type=inputs.text("net_type", net_type),
            amount=Decimal(inputs.decimal_text("amount", amount)),
            address=inputs.optional_text("address", address),
            exchange_name=inputs.optional_text("exchange_name", exchange_name),
            transaction_type=inputs.transaction_type_of(transaction_type),
            round_down=inputs.flag("round_down", round_down),
        )
        return await procedure.preflight(self._transport, request)

    async def send(
        self,
        *,
        currency: str,
        net_type: str,
        amount: _Amount,
        address: str | None = None,
        exchange_name: str | None = None,
        transaction_type: TransactionType | str = TransactionType.DEFAULT,
        round_down: bool = False,
        extra: Mapping[str, Param] | None = None,
    ) -> WithdrawalPoller:
        """Check a withdrawal, create it, and return a poller for it.

        This is the whole procedure of https://global-docs.upbit.com/docs/digital-asset-withdrawal. The destination
        must be registered; its memo is sent with it. To pay at most once across crashes, use `Payouts.send`.

        Args:
            currency: Currency code.
            net_type: Network identifier.
            amount: Amount, as decimal text, whole number or Decimal.
            address: Destination, which must be registered.
            exchange_name: Exchange of the registered destination, instead (Singapore and Korea). Without either, the
                only address registered for the currency and network is used.
            transaction_type: ``default`` for a transfer on the chain, ``internal`` for one between Upbit accounts.
            round_down: Whether to truncate decimals that the currency does not have, instead of refusing them.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
                Names consist of letters, digits and underscores, and must not repeat a parameter.

        Returns:
            A poller whose `last` is the withdrawal that Upbit accepted.

        Raises:
            PreflightFailed: At least one check failed; `reasons` has all of them. Nothing was sent.
            OutcomeUnknown: The answer was lost. Don't send it again: call `reconcile`.
            APIError: Upbit refused the withdrawal.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="13", address="TFakeTronWithdrawAddressFakeFakeFa"
                )
                withdrawal = await poller.result(timeout=3600)
        """
        # Refuse what can't be sent before the first request, instead of after the checks.
        compose(
            CREATE_WITHDRAWAL.method, CREATE_WITHDRAWAL.path, inputs.added(dict.fromkeys(_MEMBERS), extra)
        )
        checked = await self.check(
            currency=currency,
            net_type=net_type,
            amount=amount,
            address=address,
            exchange_name=exchange_name,
            transaction_type=transaction_type,
            round_down=round_down,
        )
        if checked.address is None:  # pragma: no cover - a preflight that did not fail has one
            raise ValueError("no destination")
        record = await self.create(
            currency=currency,
            net_type=net_type,
            amount=checked.amount,
            address=checked.address.withdraw_address,
            secondary_address=checked.secondary_address,
            transaction_type=transaction_type,
            extra=extra,
        )
        return self._poller(record.uuid, record)

    async def reconcile(
        self,
        unknown: OutcomeUnknown,
        *,
        known_uuids: Collection[str] = (),
        timeout: float = 60,  # noqa: ASYNC109 - it ends with one last poll
    ) -> Reconciliation:
        """Search the list of withdrawals for one whose answer was lost.

        Upbit shows neither a reference of the caller's nor the destination. A withdrawal is therefore recognised by its
        currency, network, amount, transaction type and time. Withdrawals that this client got an answer for, or matched
        with another lost answer, are excluded. Pass the ids of any others that you know, such as another process's.

        Args:
            unknown: Error that `create` or `send` raised.
            known_uuids: Ids of withdrawals that are known to be others.
            timeout: Time to search before the result is ``not_found``, in seconds. Upbit's list may lag behind.

        Raises:
            OutcomeUnknown: The list could not be read. The outcome is as unknown as before, and ``__cause__`` says why.
            ValueError: The error is not about a withdrawal, or about one on another host.

        Example:
            .. code-block:: python

                try:
                    poller = await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
                except errors.OutcomeUnknown as unknown:
                    found = await client.withdraws.reconcile(unknown)
                    print(found.status, found.withdrawal)
        """
        if not isinstance(unknown, OutcomeUnknown):
            raise TypeError(f"reconcile takes an OutcomeUnknown, not {type(unknown).__name__}")
        about = unknown.intent
        if about.endpoint != CREATE_WITHDRAWAL.label or about.currency is None or about.amount is None:
            raise ValueError(f"{about.endpoint} is no withdrawal: there is nothing to reconcile")
        if about.host != self._transport.host:
            raise ValueError(
                f"that withdrawal was sent to {about.host}, and this client talks to {self._transport.host}"
            )
        known = inputs.id_set("known_uuids", known_uuids)
        patience = inputs.seconds("timeout", timeout)
        try:
            result = await procedure.reconcile(
                about,
                lambda currency: self.iter(currency=currency),
                others=lambda: known | self._known.claimed_by_others(about),
                timeout=patience,
            )
        except UpbitError as blindness:  # a NotSent, say, would seem to speak of the withdrawal
            raise OutcomeUnknown(
                f"{about}: still unknown, because Upbit's list could not be read ({blindness}); "
                "do not send it again: reconcile later",
                intent=about,
                connection_bounded=unknown.connection_bounded,
            ) from blindness
        if result.withdrawal is not None:
            self._known.claim(result.withdrawal.uuid, about)
        return result
