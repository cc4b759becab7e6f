"""Service for deposits: records them, applies their transitions, and credits each once."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal
from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.exchange.errors import DEPOSIT_NOT_FOUND
from upbit_async.sandbox.exchange.ledger import LedgerEntry
from upbit_async.sandbox.exchange.transfer_service import TransferService
from upbit_async.sandbox.exchange.transfers import SUSPECTED, Arrival, DepositRecord, bank_txid, chain_txid
from upbit_async.sandbox.exchange.transitions import DEPOSIT_STATES, Transitions, TransitionState

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.assets import WalletRecord

__all__ = ["DepositService"]

_ANY_AMOUNT: Final = Context(prec=200)
"""Precision for the largest amounts; with the default of 28 digits, ``quantize`` raises for them."""
_ENDED: Final = frozenset({"ACCEPTED", "CANCELLED", "REJECTED", "REFUNDED"})


class DepositService(TransferService[DepositRecord]):
    """Service for deposits; see https://global-docs.upbit.com/reference/list-deposits."""

    states = ("PROCESSING", "ACCEPTED", "CANCELLED", "REJECTED", SUSPECTED, "REFUNDING", "REFUNDED")
    usual_states = DEPOSIT_STATES
    not_found = DEPOSIT_NOT_FOUND

    def arrive(self, arrival: Arrival, now: datetime) -> DepositRecord:
        """Record a deposit."""
        uuid = arrival.uuid or self._state.new_uuid()
        generated = chain_txid(uuid) if arrival.net_type else bank_txid("BKD", uuid, now)
        progress = TransitionState.begin(self._transitions_for(arrival), self.usual_states, now)
        record = DepositRecord(
            uuid=uuid,
            currency=arrival.currency,
            net_type=arrival.net_type,
            amount=arrival.amount,
            amount_text=arrival.amount_text,
            transaction_type=arrival.transaction_type,
            txid=arrival.txid or generated,
            vasp_name=arrival.vasp_name,
            state=progress.first,
            created_at=now,
            progress=progress,
        )
        self.records.add(record)
        self._start(record, now)
        return record

    def clear(self, record: DepositRecord, now: datetime) -> None:
        """Release a deposit that the travel rule has held.

        Its next transition is applied if it is a manual one. Otherwise the deposit goes through the usual states and is
        credited three seconds later.
        """
        if self._is_too_small(record):
            return
        if record.progress.is_manual:
            self._apply_next(record, now)
        else:
            record.progress.cancel()
            record.progress = TransitionState.begin(Transitions.after_seconds(), self.usual_states, now)
            self._start(record, now)

    def _transitions_for(self, arrival: Arrival) -> Transitions:
        if self._is_too_small(arrival):
            return Transitions.manual()  # documented: never credited
        return arrival.transitions or self.transitions

    def _is_too_small(self, money: Arrival | DepositRecord) -> bool:
        wallet = self._wallet(money)
        return wallet is not None and money.amount < wallet.minimum_deposit

    def _wallet(self, money: Arrival | DepositRecord) -> WalletRecord | None:
        """Return the wallet that receives a deposit; fiat has none."""
        return self._state.wallets.get((money.currency, money.net_type or ""))

    def _apply_effects(self, record: DepositRecord, at: datetime) -> None:
        dated = record.state in _ENDED or (record.state == SUSPECTED and self._state.knobs.suspected_done_at)
        record.done_at = at if dated else None
        if record.state == "ACCEPTED" and not record.credited:
            self._credit(record, at)

    def _credit(self, record: DepositRecord, at: datetime) -> None:
        record.credited = True
        wallet, credited = self._wallet(record), record.amount
        if wallet is not None:
            finest = Decimal(1).scaleb(-wallet.deposit_decimals)
            credited = credited.quantize(finest, rounding=ROUND_DOWN, context=_ANY_AMOUNT)
        self._state.account.fund(record.currency, credited)
        self._state.ledger.append(
            LedgerEntry(
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
