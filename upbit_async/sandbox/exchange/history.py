"""Old transfers that a sandbox starts with, one in each state."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.exchange.deposit_addresses import DepositAddressRecord
from upbit_async.sandbox.exchange.deposits import SUSPECTED, DepositRecord
from upbit_async.sandbox.exchange.transfers import chain_txid
from upbit_async.sandbox.exchange.transitions import (
    DEPOSIT_STATES,
    WITHDRAWAL_STATES,
    Transitions,
    TransitionState,
)
from upbit_async.sandbox.exchange.withdrawals import GIVEN_BACK, WithdrawalRecord

if TYPE_CHECKING:
    from upbit_async.sandbox.exchange.exchange import Exchange

__all__ = ["write_history"]

_WITHDRAWALS: Final = ("DONE", "FAILED", "CANCELLED", "REJECTED", "PROCESSING", "WAITING")
_DEPOSITS: Final = (
    "ACCEPTED",
    SUSPECTED,
    "CANCELLED",
    "REJECTED",
    "REFUNDING",
    "REFUNDED",
    "PROCESSING",
)
_ADDRESSES: Final = (
    ("BTC", "3FakeBtcDepositAddressFakeFakeFake", None),
    ("ETH", "0x1111111111111111111111111111111111111111", None),
    ("XRP", "rFakeXrpDepositAddressFakeFakeFake", "3000000001"),
)


def write_history(exchange: Exchange, now: datetime) -> None:
    """One old withdrawal and one old deposit in each state, and three deposit addresses.

    Transfers that are still open stay as they are. The open withdrawals hold their money; that of the accepted
    deposit is in the balance already.
    """
    for number, state in enumerate(_WITHDRAWALS, start=1):
        created_at = now - timedelta(days=len(_WITHDRAWALS) + 1 - number)
        withdrawal = _past_withdrawal(number, state, created_at)
        exchange.withdrawals.records.add(withdrawal)
        if withdrawal.money == "held":
            exchange.account.hold(withdrawal.currency, withdrawal.total)
    for number, state in enumerate(_DEPOSITS, start=1):
        created_at = now - timedelta(days=len(_DEPOSITS) + 1 - number)
        exchange.deposits.records.add(_past_deposit(100 + number, state, created_at, exchange.region.fiat))
    for currency, address, memo in _ADDRESSES:
        exchange.deposit_addresses.add(
            DepositAddressRecord(
                currency=currency,
                net_type=currency,
                deposit_address=address,
                secondary_address=memo,
                requested_at=now,
                is_ready=True,
            )
        )


def _past_withdrawal(number: int, state: str, created_at: datetime) -> WithdrawalRecord:
    uuid = _uuid(number)
    ended = state in {"DONE", "FAILED", "REJECTED"}
    amount, fee = Decimal("10.0"), Decimal("1.0")
    return WithdrawalRecord(
        uuid=uuid,
        currency="XRP",
        net_type="XRP",
        amount=amount,
        amount_text="10.00",
        fee=fee,
        total=amount + fee,
        address="rFakeXrpWithdrawAddressFakeFakeFak",
        secondary_address="123456789",
        state=state,
        created_at=created_at,
        done_at=created_at + timedelta(seconds=20) if ended else None,
        txid=chain_txid(uuid) if state == "DONE" else None,
        money="settled" if state == "DONE" else "released" if state in GIVEN_BACK else "held",
        progress=TransitionState.begin(Transitions.manual(), WITHDRAWAL_STATES, created_at),
    )


def _past_deposit(number: int, state: str, created_at: datetime, fiat: str) -> DepositRecord:
    """The accepted one is of fiat, as in the example of a listing; the others are of USDT on Tron."""
    of_fiat = state == "ACCEPTED"
    amount_text = "100000.0" if of_fiat else "35.72344"
    return DepositRecord(
        uuid=_uuid(number),
        currency=fiat if of_fiat else "USDT",
        net_type=None if of_fiat else "TRX",
        amount=Decimal(amount_text),
        amount_text=amount_text,
        txid="BKD-2000-12-29-fakefakefakefakefakefake00" if of_fiat else f"{'f' * 60}{number:04x}",
        state=state,
        created_at=created_at,
        done_at=None if state in {"PROCESSING", "REFUNDING"} else created_at + timedelta(seconds=10),
        vasp_name=None if of_fiat else "Example Exchange A",
        credited=of_fiat,
        progress=TransitionState.begin(Transitions.manual(), DEPOSIT_STATES, created_at),
    )


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"
