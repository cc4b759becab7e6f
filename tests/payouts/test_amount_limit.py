"""Limits of the amounts that payouts may send."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from payout_samples import PLANNED, planned

from upbit_async.errors import AmountLimitExceeded
from upbit_async.payouts import AmountLimit
from upbit_async.payouts.departure import check_amounts


@pytest.mark.parametrize(
    ("per_payout", "per_day"), [("500", None), (None, 20_000), (Decimal("0.1"), "1000.50"), ("5", "5")]
)
def test_amounts_are_decimals(per_payout: Any, per_day: Any) -> None:
    limit = AmountLimit("USDT", per_payout=per_payout, per_day=per_day)
    assert limit.per_payout == (None if per_payout is None else Decimal(per_payout))
    assert limit.per_day == (None if per_day is None else Decimal(per_day))


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"currency": "USDT"}, ValueError),
        ({"currency": "", "per_day": 1}, ValueError),
        ({"currency": None, "per_day": 1}, TypeError),
        ({"currency": "USDT", "per_day": 0}, ValueError),
        ({"currency": "USDT", "per_day": -1}, ValueError),
        ({"currency": "USDT", "per_payout": "NaN"}, ValueError),
        ({"currency": "USDT", "per_payout": "much"}, ValueError),
        ({"currency": "USDT", "per_payout": "1e3"}, ValueError),
        ({"currency": "USDT", "per_payout": 1.5}, TypeError),
        ({"currency": "USDT", "per_payout": True}, TypeError),
    ],
)
def test_invalid_limit_is_refused(arguments: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        AmountLimit(**arguments)


def test_limit_without_amounts_names_what_is_missing() -> None:
    with pytest.raises(ValueError, match="AmountLimit must have per_payout, per_day or both"):
        AmountLimit("USDT")


@pytest.mark.parametrize("amount", ["0.01", "12.99", "13"])
def test_amount_within_a_limit_passes(amount: str) -> None:
    limit = AmountLimit("USDT", per_payout=13, per_day=20)
    limit.check_amount(planned("k", amount=amount))
    limit.check_day(planned("k", amount=amount), Decimal(7))


def test_larger_amount_exceeds_the_limit_per_payout() -> None:
    with pytest.raises(AmountLimitExceeded) as exceeded:
        AmountLimit("USDT", per_payout="12.9").check_amount(PLANNED)
    error = exceeded.value
    assert (error.currency, error.limit, error.departed) == ("USDT", Decimal("12.9"), None)
    assert not error.may_have_executed
    assert "payout 'k'" in str(error)
    assert "was not sent: its amount exceeds the limit of 12.9 USDT per payout" in str(error)


def test_larger_sum_exceeds_the_limit_per_day() -> None:
    with pytest.raises(AmountLimitExceeded) as exceeded:
        AmountLimit("USDT", per_day=20).check_day(PLANNED, Decimal("7.5"))
    error = exceeded.value
    assert (error.currency, error.limit, error.departed) == ("USDT", Decimal(20), Decimal("7.5"))
    assert "7.5 USDT of at most 20 may have been sent within 24 hours" in str(error)


def test_limit_of_another_currency_does_not_apply() -> None:
    limit = AmountLimit("XRP", per_payout=1, per_day=1)
    limit.check_amount(PLANNED)
    limit.check_day(PLANNED, Decimal(1000))
    check_amounts(PLANNED, [limit], lambda: pytest.fail("nothing needs to be added up"))


def test_sum_is_computed_only_for_a_limit_per_day() -> None:
    check_amounts(PLANNED, [AmountLimit("USDT", per_payout=13)], lambda: pytest.fail("no limit per day"))
    with pytest.raises(AmountLimitExceeded):
        check_amounts(PLANNED, [AmountLimit("USDT", per_day=20)], lambda: Decimal(8))


def test_strictest_of_several_limits_applies() -> None:
    limits = [AmountLimit("USDT", per_payout=100), AmountLimit("USDT", per_payout=10)]
    with pytest.raises(AmountLimitExceeded, match="10 USDT per payout"):
        check_amounts(PLANNED, limits, Decimal)
