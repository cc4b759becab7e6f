"""Initial contents of a sandbox: account, wallets, and one past transfer in each state."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.sandbox.exchange.accounts import AccountRecord, RegisteredAddress
from upbit_async.sandbox.exchange.assets import WalletRecord, Wallets
from upbit_async.sandbox.exchange.deposit_addresses import DepositAddressRecord
from upbit_async.sandbox.exchange.transfers import (
    RETURNED,
    SUSPECTED,
    DepositRecord,
    WithdrawalRecord,
    chain_txid,
)
from upbit_async.sandbox.exchange.transitions import (
    DEPOSIT_STATES,
    WITHDRAWAL_STATES,
    Transitions,
    TransitionState,
)

if TYPE_CHECKING:
    from upbit_async.region import Region
    from upbit_async.sandbox.exchange.exchange import Exchange

__all__ = ["add_history", "default_account", "default_wallets"]

# The account and its amounts follow Upbit's examples.
_FUNDS: Final = {
    "BTC": ("2.0", "101000"),
    "ETH": ("30.0", "3200"),
    "XRP": ("5000.0", "2.1"),
    "USDT": ("10000.0", "1.34"),
}

_EXCHANGE: Final = {"beneficiary_name": "John", "beneficiary_type": "individual", "exchange_name": "Binance"}
_PERSONAL: Final = {"beneficiary_name": "John", "wallet_type": "MetaMask"}
_ETH_NETWORK: Final = ("ETH", "Ethereum")
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


def default_wallets() -> Wallets:
    """Return wallets for BTC, ETH, XRP, USDT on three networks, and a paused one without block data."""
    return Wallets(
        (
            _wallet("BTC", "BTC", "Bitcoin", "0.0008", "0.00001", height=907_974, age=924.0),
            _wallet("ETH", *_ETH_NETWORK, "0.001", "0.0001", height=23_040_230, age=152.0),
            _wallet("XRP", "XRP", "XRP Ledger", "1.0", "2.0", height=97_636_970, age=3.5, decimals=6),
            _wallet("USDT", *_ETH_NETWORK, "4.0", "10.0", height=23_089_140, age=75.1, decimals=6),
            _wallet("USDT", "TRX", "Tron", "1.0", "5.0", height=74_636_780, age=2.0, decimals=6),
            _wallet("USDT", "APT", "Aptos", "0.1", "1.0", height=3_191_769_000, age=0.7, decimals=6),
            attrs.evolve(
                _wallet("XYZ", "XYZ", "Example Network", "1.0", "1.0"),
                wallet_state="paused",
                block_state=None,
            ),
        )
    )


def default_account(region: Region) -> AccountRecord:
    """Return an account with money in every currency and registered addresses of each kind."""
    account = AccountRecord()
    account.fund(region.fiat, Decimal(1_000_000))
    for currency, (amount, price) in _FUNDS.items():
        account.fund(currency, Decimal(amount))
        account.balances[currency].avg_buy_price = price
    account.addresses += [
        _address("BTC", "BTC", "Bitcoin", "1FakeBtcWithdrawAddressFakeFakeFak", **_EXCHANGE),
        _address("ETH", *_ETH_NETWORK, "0x2222222222222222222222222222222222222222", **_PERSONAL),
        _address("USDT", *_ETH_NETWORK, "0x3333333333333333333333333333333333333333", **_PERSONAL),
        _address("USDT", "TRX", "Tron", "TFakeTronWithdrawAddressFakeFakeFa", **_EXCHANGE),
        _address("USDT", "APT", "Aptos", f"0x{'4' * 64}", **_EXCHANGE),
        _address(
            "XRP",
            "XRP",
            "XRP Ledger",
            "rFakeXrpWithdrawAddressFakeFakeFak",
            secondary_address="123456789",
            **_EXCHANGE,
        ),
    ]
    return account


def _wallet(
    currency: str,
    net_type: str,
    network_name: str,
    fee: str,
    minimum: str,
    *,
    height: int | None = None,
    age: float | None = None,
    decimals: int = 8,
) -> WalletRecord:
    return WalletRecord(
        currency=currency,
        net_type=net_type,
        network_name=network_name,
        withdraw_fee=Decimal(fee),
        minimum=Decimal(minimum),
        decimals=decimals,
        block_height=height,
        block_age=age,
        deposit_decimals=decimals,
        has_memo=currency == "XRP",
    )


def _address(
    currency: str, net_type: str, network_name: str, address: str, **others: str
) -> RegisteredAddress:
    return RegisteredAddress(
        currency=currency, net_type=net_type, network_name=network_name, withdraw_address=address, **others
    )


def add_history(exchange: Exchange, now: datetime) -> None:
    """Add one past withdrawal and one past deposit in each state, and three deposit addresses.

    Open transfers keep their state. The money of open withdrawals is held; the balance already includes the accepted
    deposit.
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
        money="settled" if state == "DONE" else "released" if state in RETURNED else "held",
        progress=TransitionState.begin(Transitions.manual(), WITHDRAWAL_STATES, created_at),
    )


def _past_deposit(number: int, state: str, created_at: datetime, fiat: str) -> DepositRecord:
    """Return a past deposit: fiat for the accepted one, as in the listing's example, else USDT on Tron."""
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
