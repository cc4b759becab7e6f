"""Withdrawals and deposits in a test's hands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Literal, TypeVar

import attrs

from upbit_async.sandbox.exchange.deposits import Arrival, Deposit
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.transfers import Transfer
from upbit_async.sandbox.exchange.withdrawals import Order, Withdrawal

if TYPE_CHECKING:
    from upbit_async.sandbox.engine import Engine
    from upbit_async.sandbox.exchange.desk import Desk
    from upbit_async.sandbox.exchange.plan import Plan

__all__ = ["DepositControl", "WithdrawalControl"]

T = TypeVar("T", bound=Transfer)


def _amount(amount: Decimal | str | int) -> Decimal:
    try:
        value = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no amount") from None
    if not value.is_finite() or value <= 0:
        raise ValueError(f"an amount is above zero, and not {amount}")
    return value


class _TransferControl(Mapping[str, T]):
    """All transfers of one kind by uuid, oldest first, as they stand at this moment."""

    def __init__(self, engine: Engine, desk: Desk[T]) -> None:
        self._engine = engine
        self._desk = desk

    def __getitem__(self, uuid: str) -> T:
        """The live record; ``KeyError`` when there is none."""
        with self._engine.at_work():
            return self._desk.records[uuid]

    def __iter__(self) -> Iterator[str]:
        """The uuids as of now, oldest first."""
        with self._engine.at_work():
            return iter(tuple(self._desk.records))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._desk.records)

    def advance(self, uuid: str, state: str) -> T:
        """Puts a transfer into any state; from then on its plan does nothing.

        The money follows. For a withdrawal ``DONE`` settles it, ``FAILED``, ``CANCELLED`` and ``REJECTED`` give
        it back; for a deposit ``ACCEPTED`` credits it, once.

        Args:
            uuid: The transfer.
            state: The new state; it may be one that Upbit does not have.

        Raises:
            KeyError: There is no such transfer.
        """
        with self._engine.at_work() as now:
            return self._desk.advance(uuid, state, now)

    def snapshot(self) -> tuple[T, ...]:
        """Copies of all records, oldest first, which do not change any more."""
        with self._engine.at_work():
            return tuple(attrs.evolve(record) for record in self._desk.records.values())


class WithdrawalControl(_TransferControl[Withdrawal]):
    """All withdrawals by uuid, oldest first, as they stand at this moment.

    Args:
        engine: The exchange at work.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, engine.exchange.withdrawals)

    def order(
        self,
        currency: str,
        net_type: str,
        amount: Decimal | str | int,
        *,
        address: str,
        secondary_address: str | None = None,
        transaction_type: Literal["default", "internal"] = "default",
    ) -> Withdrawal:
        """Somebody withdraws on the website, where no request of the API's is needed.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.
            amount: How much.
            address: Where to; it must be registered.
            secondary_address: The memo that is registered with it.
            transaction_type: Over the chain, or to another account of Upbit's.

        Raises:
            ValueError: The exchange does not accept it.
        """
        value = _amount(amount)
        order = Order(
            currency=currency,
            net_type=net_type,
            amount=value,
            amount_text=format(value, "f"),
            address=address,
            secondary_address=secondary_address,
            transaction_type=transaction_type,
        )
        exchange = self._engine.exchange
        with self._engine.at_work() as now:
            try:
                return exchange.withdrawals.withdraw(order, now)
            except Refusal as refusal:
                raise ValueError(f"it is not accepted: {refusal.name}") from None


class DepositControl(_TransferControl[Deposit]):
    """All deposits by uuid, oldest first, as they stand at this moment.

    Args:
        engine: The exchange at work.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, engine.exchange.deposits)

    @property
    def plan(self) -> Plan | None:
        """How new deposits progress; those under way keep theirs.

        ``None``, as in the beginning, is as `Sandbox.plan` says for all transfers if that names no states,
        else three seconds of PROCESSING.
        """
        return self._engine.exchange.deposits.plan

    @plan.setter
    def plan(self, plan: Plan | None) -> None:
        self._engine.exchange.deposits.plan = plan

    def arrive(
        self,
        currency: str,
        net_type: str | None,
        amount: Decimal | str | int,
        *,
        txid: str | None = None,
        transaction_type: Literal["default", "internal"] = "default",
        vasp_name: str | None = None,
        plan: Plan | None = None,
    ) -> Deposit:
        """Somebody sends money to the account.

        Args:
            currency: The currency's code.
            net_type: The network's identifier; ``None`` for fiat.
            amount: How much; less than the wallet's ``minimum_deposit`` is never credited, whatever the plan.
            txid: The chain's id, or the bank's; several deposits may have one. Made up if absent.
            transaction_type: Whether it comes over the chain or from another account of Upbit's.
            vasp_name: The exchange that it comes from; without one, nobody can answer for it to the travel
                rule.
            plan: How it progresses, such as ``Plan.suspected()``; as `plan` says if absent.

        Raises:
            ValueError: The amount is not above zero, or no such wallet is listed.
        """
        exchange, value = self._engine.exchange, _amount(amount)
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
            plan=plan,
        )
        with self._engine.at_work() as now:
            return exchange.deposits.arrive(arrival, now)
