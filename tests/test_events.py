"""Events that an observer receives."""

from __future__ import annotations

import datetime as dt
import inspect
import typing
from decimal import Decimal
from typing import Any

import attrs
import pytest

from upbit_async import errors, events
from upbit_async.models import Intent, Withdrawal, WithdrawalState

WHEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
INTENT = Intent(endpoint="POST /v1/withdraws/coin", host="h", members={"address": "CANARY"}, started_at=WHEN)
RECORD = Withdrawal(uuid="u", currency="USDT", net_type="TRX", state=WithdrawalState.DONE, amount=Decimal(13))
SAMPLES: dict[str, dict[str, Any]] = {
    "Event": {},
    "AttemptStarted": {"endpoint": "GET /v1/x", "attempt": 1},
    "AttemptFinished": {"endpoint": "GET /v1/x", "attempt": 1, "seconds": 0.1, "status": 200, "fault": None},
    "RetryPlanned": {"endpoint": "GET /v1/x", "attempt": 1, "seconds": 0.1, "fault": "throttled"},
    "LimitWaited": {"group": "default", "seconds": 0.1},
    "ConnectionReplaced": {},
    "FieldIgnored": {"endpoint": "GET /v1/x", "field": "fee"},
    "AnswerAfterCancellation": {"intent": INTENT, "result": None, "error": errors.NotSent("x")},
    "StateChanged": {"uuid": "u", "previous": None, "state": "DONE"},
    "PayoutChanged": {"key": "k", "previous": None, "state": "planned", "uuid": None, "note": "asked for"},
    "UnownedWithdrawal": {"uuid": "u", "record": RECORD},
    "PollFailed": {"uuids": ("u",), "error": errors.NotSent("x")},
}
# Not `__subclasses__`: until the next garbage collection it includes the classes that attrs has replaced.
CLASSES: list[type[events.Event]] = [getattr(events, name) for name in events.__all__ if name != "Observer"]
every_event = pytest.mark.parametrize("kind", CLASSES)


def test_every_event_is_public_and_tested() -> None:
    assert {kind.__name__ for kind in CLASSES} == set(SAMPLES)
    assert set(events.__all__) == set(SAMPLES) | {"Observer"}


@every_event
def test_events_are_frozen_and_have_host_and_time(kind: type[events.Event]) -> None:
    before = dt.datetime.now(dt.UTC)
    event = kind(host="h", **SAMPLES[kind.__name__])
    assert event.host == "h"
    assert event.at.tzinfo is dt.UTC
    assert event.at >= before
    assert kind(host="h", at=WHEN, **SAMPLES[kind.__name__]).at == WHEN
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.host = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


@every_event
def test_events_are_keyword_only_and_document_each_field(kind: type[events.Event]) -> None:
    with pytest.raises(TypeError):
        kind("h")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    own = [name for name in kind.__annotations__ if f"{name}: " not in (inspect.getdoc(kind) or "")]
    assert own == []


@every_event
def test_event_types_can_be_resolved(kind: type[events.Event]) -> None:
    assert typing.get_type_hints(kind)["at"] is dt.datetime


def test_event_repr_shows_no_request_members() -> None:
    late = events.AnswerAfterCancellation(host="h", intent=INTENT, result=None, error=None)
    assert "CANARY" not in repr(late)
