"""`client.withdraws`: withdrawals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from upbit_async.checks import Preflight, PreflightRequest, Reconciliation
from upbit_async.errors import APIError, OutcomeUnknown, UpbitError
from upbit_async.models import (
    TransactionType,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalChance,
    WithdrawalState,
)
from upbit_async.polling import Watcher, WithdrawalPoller, read_token
from upbit_async.protocol.endpoints import (
    CANCEL_WITHDRAWAL,
    CREATE_WITHDRAWAL,
    GET_WITHDRAWAL,
    GET_WITHDRAWAL_CHANCE,
    LIST_WITHDRAWAL_ADDRESSES,
    LIST_WITHDRAWALS,
)
from upbit_async.protocol.message import compose
from upbit_async.resources import inputs, procedure
from upbit_async.resources.records import TransferRecords

if TYPE_CHECKING:
    import builtins
    from collections.abc import Collection, Mapping

    from upbit_async.policy import PollSchedule
    from upbit_async.protocol.endpoint import Param, Transport
    from upbit_async.resources.known_withdrawals import KnownWithdrawals

__all__ = ["Withdraws"]

_MEMBERS = ("currency", "net_type", "amount", "address", "secondary_address", "transaction_type")
_Amount = Decimal | int | str


class Withdraws(TransferRecords[Withdrawal]):
    """Withdrawals of digital assets.

    `send` is the whole procedure of https://global-docs.upbit.com/docs/digital-asset-withdrawal; the others
    are its parts. Every method may raise any `UpbitError`; its docstring names those that are its own.
    """

    def __init__(self, transport: Transport, schedule: PollSchedule, known: KnownWithdrawals) -> None:
        super().__init__(
            transport,
            listing=LIST_WITHDRAWALS,
            single=GET_WITHDRAWAL,
            states=WithdrawalState,
        )
        self._known = known
        self._watcher: Watcher[Withdrawal] = Watcher(
            self._poll, schedule, kind="withdrawal", host=transport.host, emit=transport.emit
        )

    async def chance(self, currency: str, net_type: str) -> WithdrawalChance:
        """Return whether and how much can be withdrawn.

        Its `currency.wallet_state` does not tell whether the wallet works now (`currency.wallet_support`
        does), and its `withdraw_limit.remaining_daily` is no cap.
        See https://global-docs.upbit.com/reference/available-withdrawal-information.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.

        Raises:
            ValidationError: Upbit does not know the currency or the network.
        """
        return await self._transport.call(
            GET_WITHDRAWAL_CHANCE, inputs.currency_and_network(currency, net_type)
        )

    async def addresses(
        self,
        currency: str | None = None,
        net_type: str | None = None,
        exchange_name: str | None = None,
    ) -> builtins.list[WithdrawalAddress]:
        """Return the registered addresses; withdrawals go nowhere else.

        Upbit always tells all of them; the choice is made here.
        See https://global-docs.upbit.com/reference/list-withdrawal-addresses.

        Args:
            currency: Only this currency.
            net_type: Only this network.
            exchange_name: Only addresses at this exchange, in any case; told in Singapore and Korea only.
        """
        currency = inputs.optional_text("currency", currency)
        net_type = inputs.optional_text("net_type", net_type)
        exchange = inputs.optional_text("exchange_name", exchange_name)
        return [
            address
            for address in await self._transport.call(LIST_WITHDRAWAL_ADDRESSES)
            if currency in {None, address.currency}
            and net_type in {None, address.net_type}
            and (exchange is None or (address.exchange_name or "").casefold() == exchange.casefold())
        ]

    # Moving money

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
        """Ask Upbit for a withdrawal, and check nothing before. `send` checks.

        Upbit knows no key against repetition, so this is sent at most once, unless it provably never left or
        was refused. If the caller is cancelled while it is under way, it is finished first.
        See https://global-docs.upbit.com/reference/withdraw.

        Args:
            currency: The currency's code.
            net_type: The network's identifier, from `addresses`.
            amount: How much, as decimal text, a whole number or a Decimal; whether the fee is inside is
                undocumented.
            address: The destination, which must be registered.
            secondary_address: Its tag or memo; where there is one it must be given.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
                Their names are made of letters, digits and underscores, and repeat none of the parameters.

        Returns:
            The withdrawal as Upbit has accepted it, which is not yet paid.

        Raises:
            OutcomeUnknown: The answer was lost. Do not try again: `reconcile` finds out.
            NotSent: It provably never left.
            APIError: Upbit refused it.
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
            uuid: The withdrawal's id.

        Returns:
            The withdrawal. Its `state` tells whether it was cancelled, and `wait` whether it stays so.

        Raises:
            APIError: Upbit refused; it may be too late.
        """
        wanted = inputs.text("uuid", uuid)
        try:
            return await self._transport.call(CANCEL_WITHDRAWAL, {"uuid": wanted})
        except APIError as refusal:
            if not refusal.may_have_executed:
                raise
            # It was repeated, so the refusal may only mean that an earlier copy has done it.
            try:
                record = await self.get(wanted)
            except UpbitError as blindness:
                raise refusal from blindness
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
        """Do all the checks that `send` does, and send no money.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.
            amount: How much, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            exchange_name: Instead: the exchange whose address is registered (Singapore and Korea). Without
                either it is the only address that is registered for the currency and network.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            round_down: Cut off decimals that the currency does not have, rather than refuse them.

        Returns:
            What was found, with the amount and destination that would be used, and warnings.

        Raises:
            PreflightFailed: Something stands in the way; `reasons` holds all of it.
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
        """Withdraw to a registered address.

        Find it, check wallet and limits, withdraw, and return what waits: the whole of
        https://global-docs.upbit.com/docs/digital-asset-withdrawal. The address's memo is taken along.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.
            amount: How much, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            exchange_name: Instead: the exchange whose address is registered (Singapore and Korea). Without
                either it is the only address that is registered for the currency and network.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            round_down: Cut off decimals that the currency does not have, rather than refuse them.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
                Their names are made of letters, digits and underscores, and repeat none of the parameters.

        Returns:
            A poller that has seen the withdrawal as it was accepted.

        Raises:
            PreflightFailed: Something stands in the way; `reasons` holds all of it. Nothing was sent.
            OutcomeUnknown: The answer was lost. Do not try again: `reconcile` finds out.
            APIError: Upbit refused it.
        """
        # What can't be sent is refused now, rather than when all has been read.
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
        timeout: float = 60,  # noqa: ASYNC109 - it ends with one last look
    ) -> Reconciliation:
        """Find out what became of a withdrawal whose answer was lost, by looking for it in the list.

        Upbit shows neither a reference of ours nor the destination, so a withdrawal is told by its currency,
        network, amount, way and time. Withdrawals that this client got an answer for, or has found for
        another lost one, are known to be others; name those that you also know of (another process's, say).

        Args:
            unknown: The error that `create` or `send` raised.
            known_uuids: Withdrawals that are known to be others.
            timeout: How long to look before saying ``not_found``, in seconds: Upbit's list may lag behind.

        Raises:
            OutcomeUnknown: The list could not be read in time, or can't be (a refused key, a ban): it is as
                unknown as before, and the error's ``__cause__`` says why.
            ValueError: The error is not a withdrawal's, or is another host's.
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

    # Waiting

    def poller(self, uuid: str) -> WithdrawalPoller:
        """Return what waits for a withdrawal; this asks nothing yet.

        Args:
            uuid: The withdrawal's id.
        """
        return self._poller(inputs.text("uuid", uuid), None)

    async def wait(
        self,
        uuid: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with one last look
    ) -> Withdrawal:
        """Wait until a withdrawal has ended, however it did, and return it.

        Args:
            uuid: The withdrawal's id.
            timeout: How long to wait at most, in seconds; None is for ever.

        Raises:
            PollTimeout: The time is over; the withdrawal goes on.
        """
        return await self.poller(uuid).wait(timeout=timeout)

    def resume(self, resume_token: str) -> WithdrawalPoller:
        """Return what goes on waiting for a withdrawal, perhaps in another process.

        Args:
            resume_token: From a poller or from an error that ended a wait.

        Raises:
            ValueError: It is no such token, or is for another region, host or kind of transfer.
        """
        transport = self._transport
        point = read_token(resume_token, kind="withdrawal", region=transport.region, host=transport.host)
        return self._poller(point.id, None)

    def _poller(self, uuid: str, last: Withdrawal | None) -> WithdrawalPoller:
        transport = self._transport
        return WithdrawalPoller(
            uuid, watcher=self._watcher, region=transport.region, host=transport.host, last=last
        )
