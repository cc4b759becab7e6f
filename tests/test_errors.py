"""The error classes: their tree, attributes, copies and tracebacks."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import io
import pickle
import re
import traceback
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async import errors
from upbit_async.errors import RAW_CAP, DecodeError, OutcomeUnknown, PollTimeout, UpbitError
from upbit_async.models import Deposit, DepositState, Intent, Withdrawal, WithdrawalState
from upbit_async.models.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

WHEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
INTENT = Intent(
    endpoint="POST /v1/withdraws/coin",
    host="sg-api.upbit.com",
    members={
        "currency": "XRP",
        "net_type": "XRP",
        "amount": "10",
        "address": "rFakeXrpWithdrawAddressFakeFakeFak",
    },
    started_at=WHEN,
)
RECORD = Withdrawal(
    uuid="u", currency="XRP", state=WithdrawalState("NEWER"), amount=Decimal(10), created_at=WHEN
)
DEPOSIT = Deposit(uuid="d", currency="XRP", state=DepositState("NEWER"), amount=Decimal(10), created_at=WHEN)
REASONS = (Reason("below_minimum", "too little"), Reason("locked", "unlock it"))
ABOUT: dict[str, Any] = {
    "status": 400,
    "name": "n",
    "message": "m",
    "endpoint": "GET /v1/x",
    "may_have_executed": True,
}

MAKERS: dict[str, Callable[[], UpbitError]] = {
    "UpbitError": lambda: UpbitError("text"),
    "ConfigurationError": lambda: errors.ConfigurationError("text"),
    "PreflightFailed": lambda: errors.PreflightFailed("text", reasons=REASONS),
    "TransportError": lambda: errors.TransportError("text", may_have_executed=True),
    "NotSent": lambda: errors.NotSent("text"),
    "OutcomeUnknown": lambda: OutcomeUnknown("text", intent=INTENT, raw="CANARY"),
    "DecodeError": lambda: DecodeError("text", path="$[3].amount", raw="CANARY"),
    "APIError": lambda: errors.APIError("text", **ABOUT),
    "AuthenticationError": lambda: errors.AuthenticationError("text", **ABOUT),
    "PermissionDenied": lambda: errors.PermissionDenied("text", **ABOUT),
    "NotFound": lambda: errors.NotFound("text", **ABOUT),
    "ValidationError": lambda: errors.ValidationError("text", **ABOUT),
    "RateLimited": lambda: errors.RateLimited("text", retry_after=1.5, **ABOUT),
    "Banned": lambda: errors.Banned("text", until=WHEN, **ABOUT),
    "ServerError": lambda: errors.ServerError("text", **ABOUT),
    "RepeatTooSoon": lambda: errors.RepeatTooSoon("text", retry_after=600.0),
    "PollTimeout": lambda: PollTimeout("text", record=RECORD),
    "WithdrawalNotDone": lambda: errors.WithdrawalNotDone("text", record=RECORD),
    "WithdrawalFailed": lambda: errors.WithdrawalFailed("text", record=RECORD),
    "WithdrawalCancelled": lambda: errors.WithdrawalCancelled("text", record=RECORD),
    "WithdrawalRejected": lambda: errors.WithdrawalRejected("text", record=RECORD),
    "DepositNotAccepted": lambda: errors.DepositNotAccepted("text", record=DEPOSIT),
    "PayoutConflict": lambda: errors.PayoutConflict("text"),
    "PayoutBlocked": lambda: errors.PayoutBlocked("text", by_key="invoice-41"),
    "PayoutNotDone": lambda: errors.PayoutNotDone("text", payout="a payout"),
    "PayoutsPaused": lambda: errors.PayoutsPaused("text"),
    "AmountLimitExceeded": lambda: errors.AmountLimitExceeded("text", currency="USDT", limit=Decimal(10)),
    "ChangesCompacted": lambda: errors.ChangesCompacted("text", oldest=7),
    "JournalError": lambda: errors.JournalError("text"),
}
every_error = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def _drawn() -> dict[str, tuple[str | None, set[str]]]:
    """Read the tree in the docstring: each class, its parent and its attributes."""
    tree: dict[str, tuple[str | None, set[str]]] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.fullmatch(r" {4}([│├└─ ]*)([A-Z]\w+)(.*)", line)
        if found is None:
            continue
        depth = len(found[1])
        path = [(level, name) for level, name in path if level < depth]
        tree[found[2]] = (path[-1][1] if path else None, set(re.findall(r"\.(\w+)", found[3])))
        path.append((depth, found[2]))
    return tree


def _descendants(kind: type[UpbitError]) -> list[type[UpbitError]]:
    children = [
        child for child in kind.__subclasses__() if child.__module__.startswith(f"{errors.__name__}.")
    ]
    return [kind, *(below for child in children for below in _descendants(child))]


def test_docstring_tree_matches_the_classes() -> None:
    drawn = {name: parent for name, (parent, _) in _drawn().items()}
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in _descendants(UpbitError)}
    assert drawn == real | {"UpbitError": None}


def test_every_error_class_is_public_and_tested() -> None:
    names = {kind.__name__ for kind in _descendants(UpbitError)}
    assert set(errors.__all__) == names | {"Reason"}
    assert set(MAKERS) == names
    assert {type(make()).__name__ for make in MAKERS.values()} == names


@pytest.mark.parametrize("name", MAKERS)
def test_every_error_class_has_the_documented_attributes(name: str) -> None:
    tree = _drawn()
    error = MAKERS[name]()
    parent: str | None = name
    while parent is not None:
        above, attributes = tree[parent]
        assert [attribute for attribute in attributes if not hasattr(error, attribute)] == []
        parent = above


@every_error
def test_every_error_has_may_have_executed(make: Callable[[], UpbitError]) -> None:
    assert isinstance(make().may_have_executed, bool)
    assert make().resume_token is None
    assert make().__doc__


def test_unknown_outcome_may_always_have_executed() -> None:
    assert MAKERS["OutcomeUnknown"]().may_have_executed is True
    quiet = (
        "UpbitError",
        "ConfigurationError",
        "PreflightFailed",
        "NotSent",
        "RepeatTooSoon",
        "PayoutBlocked",
        "PayoutsPaused",
        "AmountLimitExceeded",
    )
    assert not any(MAKERS[name]().may_have_executed for name in quiet)


def test_unknown_outcome_is_neither_transport_nor_api_error() -> None:
    assert not issubclass(OutcomeUnknown, errors.TransportError | errors.APIError)
    assert not issubclass(UpbitError, OSError | ValueError | RuntimeError)


def _attributes(error: UpbitError) -> dict[str, Any]:
    return {"text": str(error), "args": error.args} | vars(error)


@every_error
def test_every_error_can_be_pickled_with_its_attributes(make: Callable[[], UpbitError]) -> None:
    error = make()
    error.resume_token = "token"
    error.add_note("a note")
    expected = _attributes(error) | ({"raw": ""} if hasattr(error, "raw") else {})
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(error, protocol)
        assert b"CANARY" not in pickled
        twin = pickle.loads(pickled)  # noqa: S301
        assert type(twin) is type(error)
        assert _attributes(twin) == expected


@every_error
def test_every_error_can_be_copied_with_its_attributes(make: Callable[[], UpbitError]) -> None:
    error = make()
    for twin in (copy.copy(error), copy.deepcopy(error)):
        assert twin is not error
        assert type(twin) is type(error)
        assert _attributes(twin) == _attributes(error)
        twin.resume_token = "token"
        assert error.resume_token is None


@every_error
def test_with_resume_token_returns_a_copy(make: Callable[[], UpbitError]) -> None:
    error = make()
    cause = OSError("cause")
    error.__cause__ = cause
    one, other = error.with_resume_token("one"), error.with_resume_token("other")

    assert (one.resume_token, other.resume_token, error.resume_token) == ("one", "other", None)
    assert type(one) is type(error)
    assert one.__cause__ is cause
    assert _attributes(one) == _attributes(error) | {"resume_token": "one"}
    assert one.__traceback__ is None


def test_subclass_with_another_signature_can_be_pickled_and_copied() -> None:
    error = _OfAUser(7, "x")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert (type(twin), str(twin), twin.number) == (_OfAUser, "7 x", 7)


class _OfAUser(UpbitError):
    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{number} {text}")
        self.number = number


@every_error
def test_errors_show_neither_raw_text_nor_a_whole_address(make: Callable[[], UpbitError]) -> None:
    error = make()
    shown = [str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error))]
    assert [text for text in shown if "CANARY" in text or "rFakeXrpWithdrawAddress" in text] == []


@pytest.mark.parametrize("kind", [OutcomeUnknown, DecodeError])
def test_raw_is_capped(kind: Any) -> None:
    about: dict[str, Any] = {"intent": INTENT} if kind is OutcomeUnknown else {}
    assert kind("text", raw="x" * (RAW_CAP + 1), **about).raw == "x" * RAW_CAP
    assert kind("text", **about).raw == ""
    assert RAW_CAP == 64 * 1024


def test_preflight_failure_lists_all_reasons() -> None:
    assert str(errors.PreflightFailed("not sent", reasons=REASONS)) == "not sent: too little; unlock it"


def test_api_error_requires_only_a_status() -> None:
    error = errors.APIError("text", status=500)
    assert (error.status, error.name, error.message, error.endpoint) == (500, "", "", "")


def test_unpickled_error_can_be_raised_and_printed() -> None:
    twin: UpbitError = pickle.loads(pickle.dumps(MAKERS["Banned"]()))  # noqa: S301
    with pytest.raises(errors.APIError, match="text") as caught:
        raise twin
    printed = io.StringIO()
    traceback.print_exception(caught.value, file=printed)
    assert "Banned: text" in printed.getvalue()


def _handling(error: Exception) -> UpbitError:
    """Raise an error while a foreign one is handled, and return it as the caller catches it."""
    try:
        try:
            raise OSError("CANARY")  # noqa: TRY301 - as a foreign library would
        except OSError:
            errors.raise_alone(error)
    except UpbitError as arrived:
        return arrived
    raise AssertionError("it was not raised")


@every_error
def test_raise_alone_drops_the_foreign_exception(make: Callable[[], UpbitError]) -> None:
    error = make()
    arrived = _handling(error)
    assert arrived is error
    assert arrived.__cause__ is None
    assert arrived.__context__ is None
    assert "CANARY" not in "".join(traceback.format_exception(arrived)).replace('OSError("CANARY")', "")


def test_raise_alone_works_in_a_context_manager() -> None:
    @contextlib.contextmanager
    def translated() -> Generator[None]:
        try:
            yield
        except OSError:
            errors.raise_alone(errors.JournalError("plain"))

    with pytest.raises(errors.JournalError) as caught, translated():
        raise OSError("CANARY")
    assert caught.value.__context__ is None
