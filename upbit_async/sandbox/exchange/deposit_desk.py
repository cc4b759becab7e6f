"""The desk for deposits: notes what arrives, moves it along, and credits it once."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal
from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.exchange.deposits import SUSPECTED, Arrival, Deposit
from upbit_async.sandbox.exchange.desk import Desk
from upbit_async.sandbox.exchange.errors import DEPOSIT_NOT_FOUND
from upbit_async.sandbox.exchange.ledger import Entry
from upbit_async.sandbox.exchange.plan import DEPOSIT_WAY, Journey, Plan
from upbit_async.sandbox.exchange.transfers import bank_txid, chain_txid

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.assets import Wallet
    from upbit_async.sandbox.exchange.shared import Shared

__all__ = ["DepositDesk"]

_ANY_AMOUNT: Final = Context(prec=200)
"""Precision for the largest amounts that arrive; with the usual 28 digits, rounding them is an error."""
_ENDED: Final = frozenset({"ACCEPTED", "CANCELLED", "REJECTED", "REFUNDED"})


class DepositDesk(Desk[Deposit]):
    """Notes deposits; see https://global-docs.upbit.com/reference/list-deposits.

    Args:
        shared: What it shares with the other desks.

    Attributes:
        plan: How new deposits progress; ``None`` is like all transfers, as far as that names no states.
    """

    states = ("PROCESSING", "ACCEPTED", "CANCELLED", "REJECTED", SUSPECTED, "REFUNDING", "REFUNDED")
    usual = DEPOSIT_WAY
    not_found = DEPOSIT_NOT_FOUND

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.plan: Plan | None = None

    def arrive(self, arrival: Arrival, now: datetime) -> Deposit:
        """Notes that money has arrived, and starts it on its plan."""
        uuid = arrival.uuid or self._shared.new_uuid()
        made_up = chain_txid(uuid) if arrival.net_type else bank_txid("BKD", uuid, now)
        journey = Journey.begin(self._plan_for(arrival), self.usual, now)
        record = Deposit(
            uuid=uuid,
            currency=arrival.currency,
            net_type=arrival.net_type,
            amount=arrival.amount,
            amount_text=arrival.amount_text,
            transaction_type=arrival.transaction_type,
            txid=arrival.txid or made_up,
            vasp_name=arrival.vasp_name,
            state=journey.first,
            created_at=now,
            journey=journey,
        )
        self.records.add(record)
        self._set_out(record, now)
        return record

    def clear(self, record: Deposit, now: datetime) -> None:
        """Lets a deposit go on that the travel rule has held up.

        A step of its plan that waits for a hand is taken; without one it goes the usual way, and is credited
        three seconds later.
        """
        if self._is_too_small(record):
            return
        if record.journey.waits_for_hand:
            self._step(record, now)
        else:
            record.journey.abandon()
            record.journey = Journey.begin(Plan.after_seconds(), self.usual, now)
            self._set_out(record, now)

    def _plan_for(self, arrival: Arrival) -> Plan:
        if self._is_too_small(arrival):
            return Plan.by_hand()  # documented: never credited
        common = self._shared.plan
        return arrival.plan or self.plan or (Plan.after_seconds() if common.names_states else common)

    def _is_too_small(self, money: Arrival | Deposit) -> bool:
        wallet = self._wallet(money)
        return wallet is not None and money.amount < wallet.minimum_deposit

    def _wallet(self, money: Arrival | Deposit) -> Wallet | None:
        """The wallet in which it arrives; fiat has none."""
        return self._shared.wallets.get((money.currency, money.net_type or ""))

    def _follow_up(self, record: Deposit, at: datetime) -> None:
        dated = record.state in _ENDED or (record.state == SUSPECTED and self._shared.knobs.suspected_done_at)
        record.done_at = at if dated else None
        if record.state == "ACCEPTED" and not record.credited:
            self._credit(record, at)

    def _credit(self, record: Deposit, at: datetime) -> None:
        record.credited = True
        wallet, credited = self._wallet(record), record.amount
        if wallet is not None:
            finest = Decimal(1).scaleb(-wallet.deposit_decimals)
            credited = credited.quantize(finest, rounding=ROUND_DOWN, context=_ANY_AMOUNT)
        self._shared.account.fund(record.currency, credited)
        self._shared.ledger.append(
            Entry(
                kind="credited",
                uuid=record.uuid,
                currency=record.currency,
                net_type=record.net_type,
                amount=record.amount,
                fee=record.fee,
                total=credited,
                at=at,
            )
        )
