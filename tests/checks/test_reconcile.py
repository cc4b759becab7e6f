"""Matching of a lost withdrawal with Upbit's list."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.checks import FeeConvention, conclude, fits, matches, possible_amounts
from upbit_async.models import Intent, TransactionType, Withdrawal, WithdrawalState

START = dt.datetime(2025, 7, 4, 15, tzinfo=dt.UTC)
MEMBERS = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronAddressFakeFakeFakekeFa",
    "transaction_type": "default",
}
INTENT = Intent(
    endpoint="POST /v1/withdraws/coin", host="sg-api.upbit.com", members=MEMBERS, started_at=START
)
ROW = Withdrawal(
    uuid="9f43",
    currency="USDT",
    net_type="TRX",
    state=WithdrawalState.PROCESSING,
    amount=Decimal("13.0"),
    fee=Decimal(1),
    transaction_type=TransactionType.DEFAULT,
    created_at=START,
)


def row(**changes: Any) -> Withdrawal:
    return attrs.evolve(ROW, **changes)


def matched(*rows: Withdrawal, known: tuple[str, ...] = (), intent: Intent = INTENT) -> list[str]:
    found = matches(intent, rows, known_uuids=known, slack=dt.timedelta(seconds=30))
    return [each.uuid for each in found]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"net_type": None},
        {"transaction_type": None},
        {"created_at": None},
        {"fee": None},
        {"state": WithdrawalState.REJECTED},
        {"created_at": START - dt.timedelta(seconds=30)},
        {"created_at": dt.datetime(2025, 7, 4, 15)},  # noqa: DTZ001 - as Upbit writes it
        {"amount": Decimal(12)},
        {"amount": Decimal(14)},
    ],
)
def test_withdrawal_that_may_be_the_lost_one_matches(changes: dict[str, Any]) -> None:
    assert matched(row(**changes)) == ["9f43"]


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "USDC"},
        {"net_type": "ETH"},
        {"transaction_type": TransactionType.INTERNAL},
        {"transaction_type": TransactionType("by_pigeon")},
        {"created_at": START - dt.timedelta(seconds=31)},
        {"amount": Decimal("12.5")},
        {"amount": Decimal(12), "fee": None},
        {"amount": Decimal(26)},
    ],
)
def test_withdrawal_that_differs_from_the_intent_does_not_match(changes: dict[str, Any]) -> None:
    assert matched(row(**changes)) == []


def test_known_withdrawals_are_excluded_ignoring_case() -> None:
    assert matched(ROW, row(uuid="aaaa"), known=("9F43",)) == ["aaaa"]


@pytest.mark.parametrize("uuid", ["9f43", "9F43"])
@pytest.mark.parametrize("final_first", [True, False])
def test_withdrawal_listed_twice_is_reported_in_its_final_state(uuid: str, final_first: bool) -> None:
    rows = [row(), row(uuid=uuid, state=WithdrawalState.DONE)]
    found = matches(
        INTENT, rows[::-1] if final_first else rows, known_uuids=(), slack=dt.timedelta(seconds=30)
    )
    assert [each.state for each in found] == ["DONE"]
    assert conclude(INTENT, found).status == "found"


def test_withdrawal_listed_twice_counts_once() -> None:
    assert matched(ROW, row(uuid="9F43")) == ["9F43"]


def test_exact_amount_is_preferred_to_one_that_differs_by_the_fee() -> None:
    assert matched(row(uuid="net", amount=Decimal(12)), ROW, row(uuid="gross", amount=Decimal(14))) == [
        "9f43"
    ]
    assert matched(row(uuid="net", amount=Decimal(12)), row(uuid="gross", amount=Decimal(14))) == [
        "net",
        "gross",
    ]


def test_missing_transaction_type_matches_default_only() -> None:
    untyped = attrs.evolve(
        INTENT, members={name: text for name, text in MEMBERS.items() if name != "transaction_type"}
    )

    assert matched(ROW, row(uuid="b", transaction_type=TransactionType.INTERNAL), intent=untyped) == ["9f43"]


def test_intent_of_another_endpoint_is_refused() -> None:
    verification = attrs.evolve(INTENT, endpoint="POST /v1/travel_rule/deposit/uuid", members={})

    with pytest.raises(ValueError, match="no withdrawal"):
        matched(intent=verification)


def test_conclusion_is_not_found_found_or_ambiguous() -> None:
    nothing, one, two = conclude(INTENT, ()), conclude(INTENT, (ROW,)), conclude(INTENT, (ROW, row(uuid="b")))

    assert (nothing.status, nothing.withdrawal, nothing.candidates) == ("not_found", None, ())
    assert (one.status, one.withdrawal, one.candidates) == ("found", ROW, (ROW,))
    assert (two.status, two.withdrawal, len(two.candidates)) == ("ambiguous", None, 2)


@pytest.mark.parametrize("amount", [12, 14])
def test_amount_that_differs_by_the_fee_is_ambiguous_at_most(amount: int) -> None:
    near = row(amount=Decimal(amount))
    result = conclude(INTENT, (near,))

    assert (result.status, result.withdrawal, result.candidates) == ("ambiguous", None, (near,))


@given(
    st.lists(
        st.builds(
            row,
            uuid=st.sampled_from(["a", "A", "b", "c", "d"]),
            currency=st.sampled_from(["USDT", "BTC"]),
            net_type=st.sampled_from([None, "TRX", "ETH"]),
            amount=st.sampled_from([Decimal(12), Decimal(13), Decimal(14), Decimal(15)]),
            fee=st.sampled_from([None, Decimal(0), Decimal(1)]),
        )
    )
)
def test_matches_are_never_known_or_of_another_currency(rows: list[Withdrawal]) -> None:
    found = matches(INTENT, rows, known_uuids={"A"}, slack=dt.timedelta(0))

    assert len({each.uuid.casefold() for each in found}) == len(found)
    assert all(each in rows and each.uuid.casefold() != "a" for each in found)
    assert all(each.currency == "USDT" and each.net_type != "ETH" for each in found)
    assert len({abs(each.amount - 13) == 0 for each in found}) <= 1


@given(
    st.decimals("0.1", 40, places=1),
    st.none() | st.decimals(0, 3, places=1),
    st.decimals("0.1", 40, places=2),
)
def test_withdrawal_fits_requests_of_its_possible_amounts_alone(
    shown: Decimal, fee: Decimal | None, other: Decimal
) -> None:
    record = row(amount=shown, fee=fee)
    possible = possible_amounts(record)
    for amount in {*possible, shown, shown + 1, other}:
        intent = attrs.evolve(INTENT, members=MEMBERS | {"amount": str(amount)})
        assert any(fits(intent, record, each) for each in FeeConvention) == (amount in possible)
