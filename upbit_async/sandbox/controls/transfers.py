"""Test-side control of withdrawals and deposits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeVar

import attrs

from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.transfers import (
    Arrival,
    DepositRecord,
    TransferRecord,
    WithdrawalOrder,
    WithdrawalRecord,
)
from upbit_async.sandbox.validation import valid_amount

if TYPE_CHECKING:
    from decimal import Decimal

    from upbit_async.sandbox.exchange.transfer_service import TransferService
    from upbit_async.sandbox.exchange.transitions import Transitions
    from upbit_async.sandbox.exchange_lock import ExchangeLock

__all__ = ["DepositControl", "WithdrawalControl"]

T = TypeVar("T", bound=TransferRecord)


class _TransferControl(Mapping[str, T]):
    """Current transfers of one kind by uuid, oldest first."""

    def __init__(self, exchange_lock: ExchangeLock, service: TransferService[T]) -> None:
        self._exchange_lock = exchange_lock
        self._service = service

    @property
    def transitions(self) -> Transitions:
        """Transitions of new transfers of this kind; existing transfers keep theirs."""
        return self._service.transitions

    @transitions.setter
    def transitions(self, transitions: Transitions) -> None:
        self._service.transitions = transitions

    def __getitem__(self, uuid: str) -> T:
        """Return the live record; ``KeyError`` if there is none."""
        with self._exchange_lock.held():
            return self._service.records[uuid]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the current uuids, oldest first."""
        with self._exchange_lock.held():
            return iter(tuple(self._service.records))

    def __len__(self) -> int:
        """Return the number of transfers."""
        return len(self._service.records)

    def set_state(self, uuid: str, state: str) -> T:
        """Put a transfer into a state and cancel its remaining transitions.

        The account changes with it. ``DONE`` settles a withdrawal; ``FAILED``, ``CANCELLED`` and ``REJECTED`` return
        its money. ``ACCEPTED`` credits a deposit, once.

        Args:
            uuid: Id of the transfer.
            state: New state; it may be one that Upbit does not have.

        Raises:
            KeyError: There is no such transfer.

        Example:
            .. code-block:: python

                record = sandbox.deposits.arrive("USDT", "TRX", "100")
                sandbox.deposits.set_state(record.uuid, "REJECTED")
        """
        with self._exchange_lock.held() as now:
            return self._service.set_state(uuid, state, now)

    def _check_new(self, uuid: str | None) -> None:
        if uuid is None:
            return
        if not uuid.strip():
            raise ValueError(f"uuid must not be empty, got {uuid!r}")
        try:
            uuid.encode()
        except UnicodeEncodeError:
            raise ValueError(f"uuid must be Unicode, got {uuid!r}") from None
        if self._service.records.in_any_case(uuid) in self._service.records:
            raise ValueError(f"uuid must be new, regardless of case, got {uuid!r}")

    def snapshot(self) -> tuple[T, ...]:
        """Return copies of all records, oldest first.

        Example:
            .. code-block:: python

                before = sandbox.withdrawals.snapshot()
                assert [record.state for record in before].count("DONE") == 1
        """
        with self._exchange_lock.held():
            return tuple(attrs.evolve(record) for record in self._service.records.values())


class WithdrawalControl(_TransferControl[WithdrawalRecord]):
    """Current withdrawals by uuid, oldest first.

    Args:
        exchange_lock: Access to the exchange.
    """

    def __init__(self, exchange_lock: ExchangeLock) -> None:
        super().__init__(exchange_lock, exchange_lock.exchange.withdrawals)

    def create_on_website(
        self,
        currency: str,
        net_type: str,
        amount: Decimal | str | int,
        *,
        address: str,
        secondary_address: str | None = None,
        transaction_type: Literal["default", "internal"] = "default",
        uuid: str | None = None,
    ) -> WithdrawalRecord:
        """Create a withdrawal as the account's owner does on the website, without a request to the API.

        Args:
            currency: Currency code.
            net_type: Network identifier.
            amount: Amount.
            address: Registered destination address.
            secondary_address: Memo that is registered with the address, if any.
            transaction_type: ``default`` for the chain, ``internal`` for another account at Upbit.
            uuid: Id of the withdrawal; random if absent.

        Raises:
            ValueError: The exchange does not accept it, or another withdrawal has this id.

        Example:
            .. code-block:: python

                record = sandbox.withdrawals.create_on_website(
                    "USDT", "TRX", "13", address="TFakeTronWithdrawAddressFakeFakeFa", uuid="C56E62C9-1"
                )
                withdrawal = await client.withdraws.get(record.uuid)
        """
        value = valid_amount(amount, positive=True)
        order = WithdrawalOrder(
            currency=currency,
            net_type=net_type,
            amount=value,
            amount_text=format(value, "f"),
            address=address,
            secondary_address=secondary_address,
            transaction_type=transaction_type,
            uuid=uuid,
        )
        exchange = self._exchange_lock.exchange
        with self._exchange_lock.held() as now:
            self._check_new(uuid)
            try:
                return exchange.withdrawals.withdraw(order, now)
            except Refusal as refusal:
                raise ValueError(f"withdrawal was refused: {refusal.name}") from None


class DepositControl(_TransferControl[DepositRecord]):
    """Current deposits by uuid, oldest first.

    Args:
        exchange_lock: Access to the exchange.
    """

    def __init__(self, exchange_lock: ExchangeLock) -> None:
        super().__init__(exchange_lock, exchange_lock.exchange.deposits)

    def arrive(
        self,
        currency: str,
        net_type: str | None,
        amount: Decimal | str | int,
        *,
        txid: str | None = None,
        transaction_type: Literal["default", "internal"] = "default",
        vasp_name: str | None = None,
        transitions: Transitions | None = None,
        uuid: str | None = None,
    ) -> DepositRecord:
        """Create a deposit, as if money was sent to the account.

        Args:
            currency: Currency code.
            net_type: Network identifier; ``None`` for fiat.
            amount: Amount. Less than the wallet's ``minimum_deposit`` is never credited, whatever the transitions.
            txid: Id on the chain or at the bank, which several deposits may share; generated if absent.
            transaction_type: ``default`` for the chain, ``internal`` for another account at Upbit.
            vasp_name: Exchange that sent it; without one, a travel-rule verification fails.
            transitions: Its transitions, such as ``Transitions.suspected()``; those of ``transitions`` if absent.
            uuid: Id of the deposit; random if absent.

        Raises:
            ValueError: The amount is not above zero, no such wallet is listed, or another deposit has this id.

        Example:
            .. code-block:: python

                record = sandbox.deposits.arrive("USDT", "TRX", "100", uuid="an-id")
                deposit = await client.deposits.get(record.uuid)
        """
        exchange, value = self._exchange_lock.exchange, valid_amount(amount, positive=True)
        listed = (currency, net_type) in exchange.wallets if net_type else currency == exchange.region.fiat
        if not listed:
            raise ValueError(f"currency and net_type must name a listed wallet, got {currency} on {net_type}")
        arrival = Arrival(
            currency=currency,
            net_type=net_type,
            amount=value,
            amount_text=format(value, "f"),
            txid=txid,
            transaction_type=transaction_type,
            vasp_name=vasp_name,
            transitions=transitions,
            uuid=uuid,
        )
        with self._exchange_lock.held() as now:
            self._check_new(uuid)
            return exchange.deposits.arrive(arrival, now)
