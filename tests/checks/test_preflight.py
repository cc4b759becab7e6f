"""The preflight check: its reasons, warnings and the amount to send."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.checks import Preflight, PreflightRequest, judge
from upbit_async.checks.amounts import truncated
from upbit_async.models import (
    Account,
    MemberLevel,
    TransactionType,
    WalletState,
    WalletStatus,
    WithdrawalAddress,
    WithdrawalChance,
    WithdrawalCurrency,
    WithdrawalLimit,
)
from upbit_async.region import Region

REQUEST = PreflightRequest(currency="USDT", net_type="TRX", amount=Decimal(13))
TRON = WithdrawalAddress(
    currency="USDT",
    net_type="TRX",
    network_name="Tron",
    withdraw_address="TFakeTronAddressFakeFakeFakekeFa",
    exchange_name="Binance",
)
OTHER = attrs.evolve(TRON, withdraw_address="TOtherTronAddressFakeFakeFakeeFb", exchange_name="Kraken")
ETHER = attrs.evolve(TRON, net_type="ETH", withdraw_address="0x2222222222222222222222222222222222222222")
WALLET = WalletStatus(currency="USDT", net_type="TRX", wallet_state=WalletState.WORKING)


def limits(**changes: Any) -> WithdrawalChance:
    """Return the account's limits; 100 USDT at hand, a fee of 1, a minimum of 5, six decimals."""
    facts: dict[str, Any] = {"balance": "100", "fee": "1", "minimum": Decimal(5), "fixed": 6}
    facts |= {"support": ("deposit", "withdraw"), "locked": False, "wallet_locked": False} | changes
    return WithdrawalChance(
        member_level=MemberLevel(locked=facts["locked"], wallet_locked=facts["wallet_locked"]),
        currency=WithdrawalCurrency(
            code="USDT",
            withdraw_fee=Decimal(facts["fee"]),
            wallet_support=facts["support"],
            wallet_state=WalletState.UNSUPPORTED,
        ),
        account=Account(currency="USDT", balance=Decimal(facts["balance"]), locked=Decimal(0)),
        withdraw_limit=WithdrawalLimit(
            currency="USDT", remaining_daily=Decimal(0), minimum=facts["minimum"], fixed=facts["fixed"]
        ),
    )


def check(**changes: Any) -> Preflight:
    """Judge the request, which is fine, with some things changed."""
    world: dict[str, Any] = {
        "region": Region.SG,
        "addresses": [TRON, ETHER],
        "wallets": [WALLET],
        "chance": limits(),
    }
    members = {name: value for name, value in changes.items() if name not in {*world, "chance_refusal"}}
    world |= {name: value for name, value in changes.items() if name not in members}
    return judge(attrs.evolve(REQUEST, **members), **world)


def codes(result: Preflight) -> list[str]:
    return [reason.code for reason in result.reasons]


def test_preflight_of_a_good_withdrawal_passes_with_all_details() -> None:
    result = check()

    assert result == Preflight(
        currency="USDT",
        net_type="TRX",
        amount=Decimal(13),
        address=TRON,
        transaction_type=TransactionType.DEFAULT,
        wallet=WALLET,
        chance=limits(),
        fee=Decimal(1),
        warnings=(),
        reasons=(),
    )
    assert result.ok
    assert result.secondary_address is None


def test_preflight_reports_every_reason_in_the_order_of_the_checks() -> None:
    result = check(
        addresses=[],
        wallets=[attrs.evolve(WALLET, wallet_state=WalletState.PAUSED)],
        chance=limits(locked=True, wallet_locked=True, support=("deposit",), balance="0"),
        amount=Decimal("1.1234567"),
    )

    assert codes(result) == [
        "no_registered_address",
        "wallet_not_working",
        "account_locked",
        "wallet_locked",
        "withdrawals_suspended",
        "too_many_decimals",
        "below_minimum",
        "insufficient_balance",
    ]
    assert not result.ok
    assert result.address is None
    assert result.secondary_address is None


# --- the destination ---


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"addresses": []}, "no_registered_address", Region.SG.address_registration_page),
        ({"addresses": [ETHER], "region": Region.TH}, "no_address_for_network", "only on ETH"),
        ({"addresses": [attrs.evolve(TRON, currency="BTC")]}, "no_address_for_currency", "for USDT"),
        ({"addresses": [attrs.evolve(TRON, net_type=None)]}, "no_address_for_network", r"only on \?"),
        ({"exchange_name": "Bitstamp"}, "no_address_for_exchange", "only of Binance"),
        (
            {"exchange_name": "Bitstamp", "addresses": [attrs.evolve(TRON, exchange_name=None)]},
            "no_address_for_exchange",
            "without an exchange",
        ),
        ({"address": TRON.withdraw_address.swapcase()}, "address_not_registered", "tfAK…KEfA is not"),
        ({"addresses": [TRON, OTHER]}, "several_addresses", "pass the address of one"),
        (
            {"addresses": [TRON, attrs.evolve(TRON, secondary_address="7")]},
            "several_addresses",
            "differ only in the memo",
        ),
        (
            {
                "addresses": [TRON, attrs.evolve(TRON, secondary_address="7")],
                "address": TRON.withdraw_address,
            },
            "several_addresses",
            "2 destinations",
        ),
        (
            {"exchange_name": "Binance", "region": Region.ID},
            "exchange_name_unsupported",
            "pass the address instead",
        ),
        (
            {"addresses": [TRON, OTHER], "exchange_name": "kraken", "address": TRON.withdraw_address},
            "no_address_for_exchange",
            "not as an address of exchange kraken",
        ),
    ],
)
def test_unsuitable_destination_is_a_reason(changes: dict[str, Any], code: str, says: str) -> None:
    result = check(**changes)

    assert codes(result) == [code]
    assert re.search(says, result.reasons[0].text)
    for address in (TRON, OTHER):
        assert address.withdraw_address not in result.reasons[0].text


@pytest.mark.parametrize(
    "choice",
    [
        {"address": OTHER.withdraw_address},
        {"exchange_name": "KRAKEN"},
        {"exchange_name": "kraken", "address": OTHER.withdraw_address},
    ],
)
def test_address_or_exchange_selects_one_of_several_destinations(choice: dict[str, str]) -> None:
    result = check(addresses=[TRON, OTHER, ETHER], **choice)

    assert result.ok
    assert result.address == OTHER


def test_wrong_address_and_wrong_exchange_are_both_reported() -> None:
    assert codes(check(address="TNowhere", exchange_name="Bitstamp")) == [
        "no_address_for_exchange",
        "address_not_registered",
    ]


def test_memo_is_taken_from_the_registered_address() -> None:
    assert check(addresses=[attrs.evolve(TRON, secondary_address="123")]).secondary_address == "123"
    assert check(addresses=[attrs.evolve(TRON, secondary_address="")]).secondary_address is None


def test_destination_listed_twice_counts_once() -> None:
    assert check(addresses=[TRON, attrs.evolve(TRON, beneficiary_name="Jane", secondary_address="")]).ok


# --- the wallet and the account ---


@pytest.mark.parametrize("state", ["deposit_only", "paused", "unsupported", "moon_phase"])
def test_wallet_that_cannot_withdraw_is_a_reason(state: str) -> None:
    result = check(wallets=[attrs.evolve(WALLET, wallet_state=WalletState(state))])

    assert codes(result) == ["wallet_not_working"]
    assert state in result.reasons[0].text
    assert Region.SG.wallet_status_page in result.reasons[0].text


def test_withdraw_only_wallet_passes() -> None:
    assert check(wallets=[attrs.evolve(WALLET, wallet_state=WalletState.WITHDRAW_ONLY)]).ok


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        (
            {"wallets": [], "chance": None, "chance_refusal": "no such code"},
            "unknown_currency",
            "no such code",
        ),
        ({"wallets": [], "chance": None}, "unknown_currency", "no reason given"),
        ({"wallets": []}, "unknown_network", "no wallet on TRX"),
        (
            {"wallets": [attrs.evolve(WALLET, net_type="ETH")], "chance": None},
            "unknown_network",
            "only on ETH",
        ),
        ({"chance": None, "chance_refusal": "invalid_parameter"}, "chance_refused", "invalid_parameter"),
    ],
)
def test_unknown_currency_or_network_is_a_reason(changes: dict[str, Any], code: str, says: str) -> None:
    result = check(**changes)

    assert codes(result) == [code]
    assert says in result.reasons[0].text


def test_fee_is_unknown_without_limits_except_for_internal_transfers() -> None:
    assert check(chance=None).fee is None
    assert check(chance=None, transaction_type="internal").fee == 0


# --- the amount ---


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": Decimal("4.999999")}, ["below_minimum"]),
        ({"amount": Decimal(5)}, []),
        ({"amount": Decimal("13.0000000")}, []),
        ({"amount": Decimal("13.1234567")}, ["too_many_decimals"]),
        ({"amount": Decimal("13.1234567"), "round_down": True}, []),
        ({"amount": Decimal("5.0000001"), "round_down": True}, []),
        ({"amount": Decimal("4.9999999"), "round_down": True}, ["below_minimum"]),
        ({"amount": Decimal("0.0000009"), "round_down": True}, ["below_minimum"]),
        ({"amount": Decimal(99)}, []),
        ({"amount": Decimal("99.000001")}, ["insufficient_balance"]),
        ({"amount": Decimal(100), "transaction_type": "internal"}, []),
        ({"amount": Decimal("0.5"), "chance": limits(minimum=None)}, []),
        ({"amount": Decimal("13.123456789"), "chance": limits(fixed=None), "round_down": True}, []),
    ],
)
def test_amount_is_checked_against_minimum_decimals_and_balance(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert codes(check(**changes)) == expected


def test_amount_that_rounds_to_zero_is_named_in_the_reason() -> None:
    result = check(amount=Decimal("1E-9"), round_down=True)

    assert "0.000000001 USDT is 0 when rounded down to 6 decimals" in result.reasons[0].text


def test_round_down_returns_the_amount_to_send() -> None:
    assert str(check(amount=Decimal("13.12345678"), round_down=True).amount) == "13.123456"
    assert str(check(amount=Decimal("13.12345678")).amount) == "13.12345678"


@pytest.mark.parametrize(
    ("amount", "transaction_type", "warned"),
    [
        ("98.5", "default", True),
        ("99", "default", True),
        ("98", "default", False),
        ("100", "internal", False),
    ],
)
def test_balance_that_may_not_cover_the_fee_is_a_warning(
    amount: str, transaction_type: str, warned: bool
) -> None:
    result = check(amount=Decimal(amount), transaction_type=transaction_type)

    assert result.ok
    assert [warning.code for warning in result.warnings] == ["fee_side_undocumented"] * warned


def test_preflight_request_shortens_the_address_in_its_repr() -> None:
    assert "TFak…keFa" in repr(attrs.evolve(REQUEST, address=TRON.withdraw_address))
    assert TRON.withdraw_address not in repr(attrs.evolve(REQUEST, address=TRON.withdraw_address))
    assert "address=None" in repr(REQUEST)


@given(st.decimals(min_value=0, max_value=10**30, places=18), st.integers(0, 20))
def test_truncation_is_exact(amount: Decimal, places: int) -> None:
    result = truncated(amount, places)

    scale: int = 10**places
    assert Fraction(result) == Fraction(math.floor(Fraction(amount) * scale), scale)
    assert truncated(result, places) == result


@given(
    amount=st.decimals("0.000001", 200, places=7),
    balance=st.decimals(0, 200, places=8),
    fee=st.decimals(0, 5, places=8),
    round_down=st.booleans(),
)
def test_amount_that_passes_is_covered_by_the_balance(
    amount: Decimal, balance: Decimal, fee: Decimal, round_down: bool
) -> None:
    result = check(amount=amount, round_down=round_down, chance=limits(balance=str(balance), fee=str(fee)))

    assert result.amount <= amount
    if result.ok:
        assert result.amount >= 5
        assert result.amount + fee <= balance
        assert result.amount == result.amount.quantize(Decimal("1E-6"))
    if not round_down:
        assert result.amount == amount
