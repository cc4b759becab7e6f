"""Upbit's documented answers with the values that they decode to."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from examples import example

from upbit_async.models import (
    Account,
    BlockState,
    MemberLevel,
    TransactionType,
    WalletState,
    WalletStatus,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalChance,
    WithdrawalCurrency,
    WithdrawalLimit,
    WithdrawalState,
)

__all__ = ["EXPECTED", "HASH", "at", "documented_row"]


def at(*parts: int, zone: float = 0) -> dt.datetime:
    year, month, day, hour, minute, second, micro, *_ = (*parts, 0)
    offset = dt.timezone(dt.timedelta(hours=zone))
    return dt.datetime(year, month, day, hour, minute, second, micro, tzinfo=offset)


def _but(usual: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**usual, **others}


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


BTC_WITHDRAWAL: dict[str, Any] = {
    "currency": "BTC",
    "net_type": "BTC",
    "created_at": at(2025, 7, 4, 15, 0, 0),
    "amount": Decimal("0.01"),
    "fee": Decimal(0),
    "transaction_type": TransactionType.DEFAULT,
}


TUTORIAL: dict[str, Any] = {
    "uuid": _uuid(3),
    "currency": "USDT",
    "net_type": "TRX",
    "created_at": at(2025, 7, 17, 13, 53, 31, zone=9),
    "amount": Decimal(13),
    "fee": Decimal(0),
    "transaction_type": TransactionType.DEFAULT,
    "is_cancelable": False,
}


HASH = "f" * 60


EXPECTED: dict[str, tuple[Any, Any]] = {
    "withdraw_get": (
        Withdrawal,
        Withdrawal(
            **_but(BTC_WITHDRAWAL, net_type=None),
            uuid=_uuid(2),
            state=WithdrawalState.PROCESSING,
            is_cancelable=False,
        ),
    ),
    "withdraw_get_tutorial_done": (
        Withdrawal,
        Withdrawal(
            **TUTORIAL,
            txid=f"{HASH}0003",
            state=WithdrawalState.DONE,
            done_at=at(2025, 7, 17, 13, 56, 0, zone=9),
        ),
    ),
    "withdraws_coin_post_tutorial_waiting": (
        Withdrawal,
        Withdrawal(**TUTORIAL, state=WithdrawalState.WAITING),
    ),
    "withdraws_coin_post": (
        Withdrawal,
        Withdrawal(
            **BTC_WITHDRAWAL,
            uuid=_uuid(4),
            txid="00000000-0000-4000-8000-0000000000aa",
            state=WithdrawalState.PROCESSING,
            is_cancelable=False,
        ),
    ),
    "withdraws_coin_delete": (
        Withdrawal,
        Withdrawal(**BTC_WITHDRAWAL, uuid=_uuid(5), state=WithdrawalState.CANCELLED, is_cancelable=True),
    ),
    "withdraws_coin_delete_kr_2026": (
        Withdrawal,
        Withdrawal(
            **_but(BTC_WITHDRAWAL, created_at=at(2025, 7, 1, 15, 0, 0, zone=9)),
            uuid=_uuid(5),
            state=WithdrawalState.CANCELLED,
            is_cancelable=True,
        ),
    ),
    "withdraws_krw_post_kr": (
        Withdrawal,
        Withdrawal(
            uuid=_uuid(7),
            currency="KRW",
            txid="BKW-2000-01-01-fakefakefakefakefakefake00",
            state=WithdrawalState.PROCESSING,
            created_at=at(2025, 7, 4, 15, 0, 0, zone=9),
            amount=Decimal(10000),
            fee=Decimal(0),
            transaction_type=TransactionType.DEFAULT,
            is_cancelable=False,
        ),
    ),
    "withdraws_get": (
        list[Withdrawal],
        [
            Withdrawal(
                uuid=_uuid(1),
                currency="XRP",
                net_type="XRP",
                txid=f"{HASH}0001",
                state=WithdrawalState.DONE,
                created_at=at(2025, 7, 4, 15, 0, 0),
                done_at=at(2025, 7, 4, 15, 0, 20),
                amount=Decimal(10),
                fee=Decimal(0),
                transaction_type=TransactionType.DEFAULT,
                is_cancelable=False,
            )
        ],
    ),
    "withdraws_get_legacy_2018": (
        list[Withdrawal],
        [
            Withdrawal(
                uuid=_uuid(6),
                currency="BTC",
                state=WithdrawalState.PROCESSING,
                created_at=at(2018, 4, 13, 11, 24, 1, zone=9),
                amount=Decimal("0.01"),
                fee=Decimal(0),
            )
        ],
    ),
    "withdraws_chance_get": (
        WithdrawalChance,
        WithdrawalChance(
            member_level=MemberLevel(
                security_level=4,
                fee_level=0,
                email_verified=True,
                identity_auth_verified=True,
                bank_account_verified=True,
                locked=False,
                wallet_locked=False,
            ),
            currency=WithdrawalCurrency(
                code="BTC",
                withdraw_fee=Decimal("0.0008"),
                is_coin=True,
                wallet_state=WalletState.WORKING,
                wallet_support=("deposit", "withdraw"),
            ),
            account=Account(
                currency="BTC",
                balance=Decimal(0),
                locked=Decimal(0),
                avg_buy_price=Decimal(145115000),
                avg_buy_price_modified=False,
                unit_currency="SGD",
            ),
            withdraw_limit=WithdrawalLimit(
                currency="BTC",
                onetime=Decimal(50),
                daily=None,
                remaining_daily=Decimal(0),
                remaining_daily_fiat=Decimal(1000000),
                fiat_currency="SGD",
                minimum=Decimal("0.00001"),
                fixed=8,
                withdraw_delayed_fiat=Decimal(227),
                can_withdraw=True,
            ),
        ),
    ),
    "withdraws_coin_addresses_get": (
        list[WithdrawalAddress],
        [
            WithdrawalAddress(
                currency="BTC",
                net_type="BTC",
                network_name="Bitcoin",
                withdraw_address="1FakeBtcWithdrawAddressFakeFakeFak",
                beneficiary_name="John",
                beneficiary_type="individual",
                exchange_name="Binance",
            ),
            WithdrawalAddress(
                currency="ETH",
                net_type="ETH",
                network_name="Ethereum",
                withdraw_address="0x2222222222222222222222222222222222222222",
                beneficiary_name="John",
                wallet_type="MetaMask",
            ),
        ],
    ),
    "withdraws_coin_addresses_get_id_th": (
        list[WithdrawalAddress],
        [
            WithdrawalAddress(
                currency="XRP",
                net_type="XRP",
                network_name="XRP Ledger",
                withdraw_address="rFakeXrpWithdrawAddressFakeFakeFak",
                secondary_address="123456789",
            )
        ],
    ),
    "status_wallet_get": (
        list[WalletStatus],
        [
            WalletStatus(
                currency=currency,
                net_type=net_type,
                network_name=network,
                wallet_state=WalletState.WORKING,
                block_state=BlockState.NORMAL,
                block_height=height,
                block_updated_at=updated,
                block_elapsed_minutes=minutes,
            )
            for currency, net_type, network, height, updated, minutes in (
                ("BTC", "BTC", "Bitcoin", 907974, at(2025, 7, 31, 16, 12, 40, 584000), 15),
                ("ETH", "ETH", "Ethereum", 23040230, at(2025, 7, 31, 16, 19, 28, 10000), 2),
                ("USDT", "TRX", "Tron", 74636780, at(2025, 8, 7, 12, 21, 51, 663000), 0),
            )
        ],
    ),
    "status_wallet_get_null_block": (
        list[WalletStatus],
        [
            WalletStatus(
                currency="XYZ",
                net_type="XYZ",
                network_name="Example Network",
                wallet_state=WalletState.PAUSED,
            )
        ],
    ),
    "accounts_get": (
        list[Account],
        [
            Account(
                currency=currency,
                balance=Decimal(balance),
                locked=Decimal(0),
                avg_buy_price=Decimal(price),
                avg_buy_price_modified=False,
                unit_currency="SGD",
            )
            for currency, balance, price in (("SGD", 1000000, 0), ("BTC", 2, 101000))
        ],
    ),
    "accounts_get_kr_observed": (
        list[Account],
        [
            Account(
                currency="KRW",
                balance=Decimal("50000.47088291"),
                locked=Decimal(0),
                avg_buy_price=Decimal(0),
                avg_buy_price_modified=True,
                unit_currency="KRW",
            )
        ],
    ),
}


def documented_row(**members: object) -> dict[str, Any]:
    return {**example("withdraws_get")[0], **members}
