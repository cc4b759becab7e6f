"""The account that a sandbox starts with, as in Upbit's examples."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.sandbox.exchange.accounts import AccountRecord, RegisteredAddress
from upbit_async.sandbox.exchange.assets import WalletRecord, Wallets

if TYPE_CHECKING:
    from upbit_async.region import Region

__all__ = ["default_account", "default_wallets"]

_FUNDS: Final = {
    "BTC": ("2.0", "101000"),
    "ETH": ("30.0", "3200"),
    "XRP": ("5000.0", "2.1"),
    "USDT": ("10000.0", "1.34"),
}

_EXCHANGE: Final = {"beneficiary_name": "John", "beneficiary_type": "individual", "exchange_name": "Binance"}
_PERSONAL: Final = {"beneficiary_name": "John", "wallet_type": "MetaMask"}
_ETH_NETWORK: Final = ("ETH", "Ethereum")


def default_wallets() -> Wallets:
    """BTC, ETH, XRP, USDT on three networks, and a paused wallet without block data."""
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
    """Money in every currency, and addresses at an exchange, in a personal wallet and with a memo."""
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
