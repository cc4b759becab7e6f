"""Test-side control of withdrawals and deposits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeVar

import attrs

from upbit_async.sandbox.controls.amounts import amount_of
from upbit_async.sandbox.exchange.deposits import Arrival, DepositRecord
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.transfers import TransferRecord
from upbit_async.sandbox.exchange.withdrawals import Order, WithdrawalRecord

if TYPE_CHECKING:
    from decimal import Decimal

    from upbit_async.sandbox.exchange.transfer_service import TransferService
    from upbit_async.sandbox.exchange.transitions import Transitions
    from upbit_async.sandbox.exchange_lock import ExchangeLock

__all__ = ["DepositControl", "WithdrawalControl"]

T = TypeVar("T", bound=TransferRecord)


class _TransferControl(Mapping[str, T]):
    """All transfers of one kind by uuid, oldest first, as they stand at this moment."""

    def __init__(self, engine: ExchangeLock, service: TransferService[T]) -> None:
        self._engine = engine
        self._service = service

    @property
    def transitions(self) -> Transitions:
        """How new transfers of this kind progress; those under way keep theirs."""
        return self._service.transitions

    @transitions.setter
    def transitions(self, transitions: Transitions) -> None:
        self._service.transitions = transitions

    def __getitem__(self, uuid: str) -> T:
        """The live record; ``KeyError`` when there is none."""
        with self._engine.at_work():
            return self._service.records[uuid]

    def __iter__(self) -> Iterator[str]:
        """The uuids as of now, oldest first."""
        with self._engine.at_work():
            return iter(tuple(self._service.records))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._service.records)

    def set_state(self, uuid: str, state: str) -> T:
        """Puts a transfer into any state; its transitions end with that.

        The money follows. For a withdrawal ``DONE`` settles it, ``FAILED``, ``CANCELLED`` and ``REJECTED`` give
        it back; for a deposit ``ACCEPTED`` credits it, once.

        Args:
            uuid: The transfer.
            state: The new state; it may be one that Upbit does not have.

        Raises:
            KeyError: There is no such transfer.
        """
        with self._engine.at_work() as now:
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
            raise ValueError(f"uuid must be new, in any case of letters, got {uuid!r}")

    def snapshot(self) -> tuple[T, ...]:
        """Copies of all records, oldest first, which do not change any more."""
        with self._engine.at_work():
            return tuple(attrs.evolve(record) for record in self._service.records.values())


class WithdrawalControl(_TransferControl[WithdrawalRecord]):
    """All withdrawals by uuid, oldest first, as they stand at this moment.

    Args:
        engine: The exchange at work.
    """

    def __init__(self, engine: ExchangeLock) -> None:
        super().__init__(engine, engine.exchange.withdrawals)

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
            currency: The currency's code.
            net_type: The network's identifier.
            amount: How much.
            address: Where to; it must be registered.
            secondary_address: The memo that is registered with it.
            transaction_type: Over the chain, or to another account of Upbit's.
            uuid: The id of the withdrawal; random if absent.

        Raises:
            ValueError: The exchange does not accept it, or another withdrawal has this id.

        Example:
            .. code-block:: python

                address = "TFakeTronWithdrawAddressFakeFakeFa"
                record = sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=address)
                assert (await client.withdraws.get(record.uuid)).amount == 13
        """
        value = amount_of(amount, positive=True)
        order = Order(
            currency=currency,
            net_type=net_type,
            amount=value,
            amount_text=format(value, "f"),
            address=address,
            secondary_address=secondary_address,
            transaction_type=transaction_type,
            uuid=uuid,
        )
        exchange = self._engine.exchange
        with self._engine.at_work() as now:
            self._check_new(uuid)
            try:
                return exchange.withdrawals.withdraw(order, now)
            except Refusal as refusal:
                raise ValueError(f"it is not accepted: {refusal.name}") from None


class DepositControl(_TransferControl[DepositRecord]):
    """All deposits by uuid, oldest first, as they stand at this moment.

    Args:
        engine: The exchange at work.
    """

    def __init__(self, engine: ExchangeLock) -> None:
        super().__init__(engine, engine.exchange.deposits)

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
        """Somebody sends money to the account.

        Args:
            currency: The currency's code.
            net_type: The network's identifier; ``None`` for fiat.
            amount: How much; less than the wallet's ``minimum_deposit`` is never credited, whatever the transitions.
            txid: The chain's id, or the bank's; several deposits may have one. Made up if absent.
            transaction_type: Whether it comes over the chain or from another account of Upbit's.
            vasp_name: The exchange that it comes from; without one, nobody can answer for it to the travel
                rule.
            transitions: How it progresses, such as ``Transitions.suspected()``; as ``transitions`` says if absent.
            uuid: The id of the deposit; random if absent.

        Raises:
            ValueError: The amount is not above zero, no such wallet is listed, or another deposit has this id.
        """
        exchange, value = self._engine.exchange, amount_of(amount, positive=True)
        listed = (currency, net_type) in exchange.wallets if net_type else currency == exchange.region.fiat
        if not listed:
            raise ValueError(f"no wallet of {currency} on {net_type} is listed")
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
        with self._engine.at_work() as now:
            self._check_new(uuid)
            return exchange.deposits.arrive(arrival, now)
