"""Service for withdrawals: checks them, applies their transitions, and writes the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from upbit_async.sandbox.exchange.errors import ADDRESS_NOT_REGISTERED, WITHDRAW_NOT_FOUND, Refusal
from upbit_async.sandbox.exchange.ledger import LedgerEntry
from upbit_async.sandbox.exchange.transfer_service import TransferService
from upbit_async.sandbox.exchange.transfers import (
    RETURNED,
    WithdrawalOrder,
    WithdrawalRecord,
    bank_txid,
    chain_txid,
)
from upbit_async.sandbox.exchange.transitions import WITHDRAWAL_STATES, Transitions, TransitionState

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.assets import WalletRecord

__all__ = ["WithdrawalService"]

_DATED: Final = frozenset({"DONE", "FAILED", "REJECTED"})
"""States with a ``done_at``. The published sample of a cancelled withdrawal has none."""


class WithdrawalService(TransferService[WithdrawalRecord]):
    """Service for withdrawals; see https://global-docs.upbit.com/reference/withdraw."""

    states = ("WAITING", "PROCESSING", "DONE", "FAILED", "CANCELLED", "REJECTED")
    usual_states = WITHDRAWAL_STATES
    not_found = WITHDRAW_NOT_FOUND

    def withdraw(self, order: WithdrawalOrder, now: datetime) -> WithdrawalRecord:
        """Check a withdrawal, hold its money, and record it.

        Raises:
            Refusal: The withdrawal is not accepted; nothing was changed.
        """
        wallet = self._state.wallet(order.currency, order.net_type)
        self._check(order, wallet)
        progress = TransitionState.begin(self.transitions, self.usual_states, now)
        record = WithdrawalRecord(
            uuid=order.uuid or self._state.new_uuid(),
            currency=order.currency,
            net_type=order.net_type,
            amount=order.amount,
            amount_text=order.amount_text,
            fee=_fee(order, wallet),
            total=self._total(order, wallet),
            address=order.address,
            secondary_address=order.secondary_address,
            transaction_type=order.transaction_type,
            state=progress.first,
            created_at=now,
            progress=progress,
        )
        self._record(record, now)
        return record

    def withdraw_fiat(self, amount: Decimal, amount_text: str, now: datetime) -> WithdrawalRecord:
        """Record a withdrawal to the account's bank, which waits for the user's confirmation (``set_state``).

        Raises:
            Refusal: The withdrawal is not accepted; nothing was changed.
        """
        currency = self._state.region.fiat
        self._check_locks()
        self._check_balance(currency, amount)
        uuid = self._state.new_uuid()
        progress = TransitionState.begin(Transitions.manual(first="PROCESSING"), self.usual_states, now)
        record = WithdrawalRecord(
            uuid=uuid,
            currency=currency,
            net_type=None,
            amount=amount,
            amount_text=amount_text,
            total=amount,
            txid=bank_txid("BKW", uuid, now),
            state=progress.first,
            created_at=now,
            progress=progress,
        )
        self._record(record, now)
        return record

    def cancel(self, uuid: str, now: datetime) -> WithdrawalRecord:
        """Cancel a withdrawal.

        Raises:
            Refusal: There is none, or it can no longer be cancelled.
        """
        record = self.find(uuid, now)
        if not record.is_cancelable:
            raise Refusal(self._state.knobs.not_cancelable)
        return self.set_state(uuid, "CANCELLED", now)

    # -- checks ------------------------------------------------------------------------------------

    def _check(self, order: WithdrawalOrder, wallet: WalletRecord) -> None:
        knobs = self._state.knobs
        self._check_locks()
        destination = (order.currency, order.net_type, order.address, order.secondary_address)
        if "withdraw" not in wallet.support:
            raise Refusal(knobs.wallet_suspended)
        if not self._state.account.has_registered(destination):
            raise Refusal(ADDRESS_NOT_REGISTERED)
        if _decimals(order.amount) > wallet.decimals:
            raise Refusal(knobs.too_many_decimals)
        if order.amount < wallet.minimum:
            raise Refusal(knobs.below_minimum)
        self._check_balance(order.currency, self._total(order, wallet))

    def _check_locks(self) -> None:
        level = self._state.account.member_level
        if level.locked or level.wallet_locked:
            raise Refusal(self._state.knobs.account_locked)

    def _check_balance(self, currency: str, total: Decimal) -> None:
        if total > self._state.account.balance(currency).available:
            raise Refusal(self._state.knobs.insufficient_balance)

    def _total(self, order: WithdrawalOrder, wallet: WalletRecord) -> Decimal:
        return order.amount + _fee(order, wallet) if self._state.knobs.fee_on_top else order.amount

    # -- money -------------------------------------------------------------------------------------

    def _record(self, record: WithdrawalRecord, now: datetime) -> None:
        self._state.account.hold(record.currency, record.total)
        self.records.add(record)
        self._write("created", record, now)
        self._start(record, now)

    def _apply_effects(self, record: WithdrawalRecord, at: datetime) -> None:
        if record.state in record.progress.transitions.txid_at and record.txid is None:
            record.txid = chain_txid(record.uuid)
        if record.state in _DATED:
            record.done_at = at
        if record.state == "DONE":
            self._settle(record, at)
        elif record.state in RETURNED:
            self._release(record, at)

    def _settle(self, record: WithdrawalRecord, at: datetime) -> None:
        if record.money == "settled":
            return
        account = self._state.account
        if record.money == "released":  # it was executed despite its cancellation: take the money again
            account.hold(record.currency, record.total)
        account.spend(record.currency, record.total)
        record.money = "settled"
        self._write("settled", record, at)

    def _release(self, record: WithdrawalRecord, at: datetime) -> None:
        if record.money == "held":  # money that has left the exchange is not returned
            self._state.account.release(record.currency, record.total)
            record.money = "released"
            self._write("released", record, at)

    def _write(
        self, kind: Literal["created", "settled", "released"], record: WithdrawalRecord, at: datetime
    ) -> None:
        self._state.ledger.append(
            LedgerEntry(
                kind=kind,
                uuid=record.uuid,
                currency=record.currency,
                net_type=record.net_type,
                amount=record.amount,
                fee=record.fee,
                total=record.total,
                address=record.address,
                secondary_address=record.secondary_address,
                at=at,
            )
        )


def _fee(order: WithdrawalOrder, wallet: WalletRecord) -> Decimal:
    return Decimal(0) if order.transaction_type == "internal" else wallet.withdraw_fee


def _decimals(amount: Decimal) -> int:
    """Return how many decimals an amount needs, not counting trailing zeros."""
    _, _, fraction = format(amount, "f").partition(".")
    return len(fraction.rstrip("0"))
