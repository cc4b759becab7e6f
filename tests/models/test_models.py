"""The models, and the intent of a request."""

from __future__ import annotations

import copy
import datetime as dt
import inspect
import pickle
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async import models
from upbit_async.models import Intent, WalletState, WalletStatus, Withdrawal, WithdrawalState
from upbit_async.models._base import Amount
from upbit_async.models.intent import shortened
from upbit_async.models.reason import Reason

WHEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ADDRESS = "TFakeTronWithdrawAddressFakeFakeFa"
CLASSES = [getattr(models, name) for name in models.__all__ if attrs.has(getattr(models, name))]


def _withdrawal(**members: Any) -> Withdrawal:
    usual: dict[str, Any] = {
        "uuid": "u",
        "currency": "BTC",
        "state": WithdrawalState.DONE,
        "amount": Decimal(1),
    }
    return Withdrawal(**(usual | members))


def _intent(**members: str) -> Intent:
    return Intent(
        endpoint="POST /v1/withdraws/coin", host="sg-api.upbit.com", members=members, started_at=WHEN
    )


@pytest.mark.parametrize("kind", CLASSES)
def test_every_model_is_keyword_only_and_documents_each_field(kind: type) -> None:
    assert all(field.kw_only for field in attrs.fields(kind))
    assert not hasattr(kind, "__dict__") or "__slots__" in kind.__dict__
    text = inspect.getdoc(kind) or ""
    assert [field.name for field in attrs.fields(kind) if f"{field.name}: " not in text] == []


def test_models_cannot_be_changed_or_extended() -> None:
    record = _withdrawal()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        record.amount = Decimal(2)  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises((AttributeError, TypeError)):
        record.other = 1  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def test_models_can_be_hashed_copied_and_pickled() -> None:
    record = _withdrawal(created_at=WHEN, state=WithdrawalState("NEWER"))
    for twin in (pickle.loads(pickle.dumps(record)), copy.copy(record), copy.deepcopy(record)):  # noqa: S301
        assert twin == record
        assert hash(twin) == hash(record)
        assert not twin.state.known


def test_times_without_a_zone_are_read_as_utc() -> None:
    korea = dt.timezone(dt.timedelta(hours=9))
    record = _withdrawal(created_at=dt.datetime(2026, 1, 1), done_at=dt.datetime(2026, 1, 1, 9, tzinfo=korea))  # noqa: DTZ001
    assert record.created_at == WHEN
    assert record.done_at == WHEN
    assert record.done_at is not None
    assert record.done_at.tzinfo is korea
    wallet = WalletStatus(
        currency="X",
        net_type=None,
        wallet_state=WalletState.PAUSED,
        block_updated_at=dt.datetime(2026, 1, 1),  # noqa: DTZ001
    )
    assert wallet.block_updated_at == WHEN


def test_withdrawal_without_a_uuid_is_refused() -> None:
    with pytest.raises(ValueError, match="without a uuid"):
        _withdrawal(uuid="")


def test_amount_type_is_a_decimal_at_run_time() -> None:
    assert isinstance(Decimal(1), Amount)
    assert not isinstance("1", Amount)
    assert not isinstance(1.0, Amount)


def test_intent_reads_its_members() -> None:
    intent = _intent(
        currency="USDT",
        net_type="TRX",
        amount="13.0",
        address=ADDRESS,
        secondary_address="memo",
        transaction_type="default",
    )
    assert (intent.currency, intent.net_type, intent.amount) == ("USDT", "TRX", Decimal(13))
    assert (intent.address, intent.secondary_address) == (ADDRESS, "memo")
    assert intent.transaction_type == "default"
    assert str(intent) == "withdrawal of 13.0 USDT on TRX to TFak…keFa"


def test_intent_shows_no_whole_address() -> None:
    intent = _intent(
        currency="USDT", net_type="TRX", amount="13", address=ADDRESS, secondary_address="CANARY"
    )
    for shown in (str(intent), repr(intent)):
        assert ADDRESS not in shown
        assert "CANARY" not in shown


def test_intent_without_an_amount_is_described_by_its_endpoint() -> None:
    intent = _intent(deposit_uuid="u")
    absent = (intent.currency, intent.net_type, intent.amount, intent.address, intent.secondary_address)
    assert (*absent, intent.transaction_type) == (None,) * 6
    assert str(intent) == "POST /v1/withdraws/coin"


def test_intent_with_only_an_amount_has_a_description() -> None:
    assert str(_intent(amount="1")) == "withdrawal of 1 None on None to "


@given(
    text=st.text() | st.sampled_from(["NaN", "sNaN", "-Infinity", "1,000", "", " ", "1e9999999999999999999"])
)
def test_intent_with_any_text_as_its_amount_has_a_description(text: str) -> None:
    intent = _intent(amount=text, currency="X")
    assert intent.amount is None or intent.amount.is_finite()
    assert str(intent)


@pytest.mark.parametrize(
    ("address", "shown"),
    [("", ""), ("short", "short"), ("123456789012", "123456789012"), ("1234567890123", "1234…0123")],
)
def test_only_long_addresses_are_shortened(address: str, shown: str) -> None:
    assert shortened(address) == shown


def test_intent_can_be_pickled() -> None:
    intent = _intent(currency="USDT", address=ADDRESS)
    assert pickle.loads(pickle.dumps(intent)) == intent  # noqa: S301


def test_reason_has_a_code_and_a_text() -> None:
    assert attrs.astuple(Reason("code", "text")) == ("code", "text")
