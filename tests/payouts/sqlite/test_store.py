"""The store: what it keeps, which payouts exclude each other, and what its queries return."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from internals import reading, writing
from payout_samples import EVERY, INTENT, LOST, PLANNED, WHEN, departing, planned, record

from upbit_async import errors
from upbit_async.models import Intent
from upbit_async.payouts import (
    ConflictingPayout,
    Payout,
    PayoutState,
    StaleRevision,
    manual,
    queueing,
    transitions,
)
from upbit_async.payouts.sqlite.store import Store

if TYPE_CHECKING:
    from pathlib import Path


NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def unsettled(store: Store, key: str, **members: str) -> Payout:
    payout = store.add(planned(key, **members))
    return store.compare_and_swap(payout, departing(payout))


@pytest.mark.parametrize("name", EVERY)
def test_payout_in_every_state_is_read_back(store: Store, name: str) -> None:
    payout: Any = EVERY[name]
    store.add(PLANNED)
    kept = store.compare_and_swap(PLANNED, payout)
    store.close()
    again = store.get("k")
    assert again == kept == attrs.evolve(payout, revision=1)
    assert again is not None
    assert type(again.error) is type(payout.error)
    assert str(again.error) == str(payout.error)


ERRORS = [
    LOST,
    errors.OutcomeUnknown("x", intent=INTENT, status=401, name="nonce_used"),
    errors.OutcomeUnknown("x", intent=INTENT, status=201, uuid="u"),
    errors.NotFound("none", status=404, asked_for="uuid u"),
    errors.OutcomeUnknown("x", intent=INTENT, connection_bounded=True),
    errors.ValidationError("no", status=400, name="n", message="m", endpoint="POST /v1/withdraws/coin"),
    errors.RateLimited("slow", retry_after=1.5, status=429),
    errors.Banned("banned", until=NOW, status=418),
    errors.NotSent("down"),
    errors.PreflightFailed("no", reasons=(errors.Reason("a", "b"),)),
    errors.JournalError("full"),
    errors.DecodeError("odd", path="$.x"),
    errors.PayoutBlocked("wait", by_key="j"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_is_read_back_as_its_class(store: Store, error: errors.UpbitError) -> None:
    store.add(PLANNED)
    store.compare_and_swap(PLANNED, attrs.evolve(PLANNED, error=error))
    kept = store.get("k")
    assert kept is not None
    again = kept.error
    assert type(again) is type(error)
    assert str(again) == str(error)
    attributes = {name: value for name, value in vars(error).items() if name not in {"raw", "intent"}}
    assert {name: vars(again)[name] for name in attributes} == attributes


def test_error_class_of_a_later_version_is_read_as_upbit_error(store: Store) -> None:
    store.add(PLANNED)
    store.compare_and_swap(PLANNED, attrs.evolve(PLANNED, error=errors.NotSent("down")))
    with writing(store) as connection:
        connection.execute("UPDATE payouts SET error = replace(error, 'NotSent', 'FromTheFuture')")
    kept = store.get("k")
    assert kept is not None
    assert type(kept.error) is errors.UpbitError


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()))
def test_any_key_and_text_is_read_back(text: str) -> None:
    payout = planned(text, address=text)
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Store(f"{folder}/any.db", 1)) as store:
        store.bind("h", "sg")
        store.add(payout)
        assert store.get(text) == payout


def test_key_is_added_once(store: Store) -> None:
    assert store.add(PLANNED) is PLANNED
    assert store.add(planned("k", amount="99")) == PLANNED


def test_one_of_two_concurrent_changes_succeeds(store: Store, path: Path) -> None:
    other = Store(str(path), 1)
    known = store.add(PLANNED)
    same = other.get("k")
    assert same is not None
    store.compare_and_swap(known, departing(known))
    with pytest.raises(StaleRevision):
        other.compare_and_swap(same, departing(same))
    other.close()


@pytest.mark.parametrize("amount", ["13", "13.0", "013.000"])
def test_two_equal_payouts_are_never_unsettled_at_once(store: Store, amount: str) -> None:
    unsettled(store, "a")
    with pytest.raises(ConflictingPayout) as caught:
        unsettled(store, "b", amount=amount)
    assert caught.value.by_key == "a"
    for name, value in (("amount", "13.01"), ("currency", "XRP"), ("net_type", "ETH")):
        unsettled(store, f"c {name}", **{name: value})


def test_payout_in_review_blocks_equal_ones_and_is_always_stored(store: Store) -> None:
    first = unsettled(store, "a")
    doubt = store.compare_and_swap(first, attrs.evolve(first, state=PayoutState.NEEDS_REVIEW))
    with pytest.raises(ConflictingPayout) as caught:
        unsettled(store, "b", amount="13.0")
    assert caught.value.by_key == "a"
    second = store.get("b")
    assert second is not None
    store.compare_and_swap(second, attrs.evolve(second, state=PayoutState.NEEDS_REVIEW))
    assert store.get("a") == doubt


@pytest.mark.parametrize("state", [state for state in PayoutState if not state.may_have_unknown_withdrawal])
def test_settled_payout_blocks_nothing(store: Store, state: PayoutState) -> None:
    first = unsettled(store, "a")
    store.compare_and_swap(first, attrs.evolve(first, state=state))
    unsettled(store, "b")


def test_withdrawal_belongs_to_one_payout(store: Store) -> None:
    first = unsettled(store, "a")
    answered = transitions.answered(first, record("w-1"), WHEN)
    assert answered is not None
    store.compare_and_swap(first, answered)
    second = unsettled(store, "b")
    same = transitions.answered(second, record("W-1"), WHEN)
    assert same is not None
    with pytest.raises(ConflictingPayout) as caught:
        store.compare_and_swap(second, same)
    assert caught.value.by_key == "a"
    assert store.get("b") == second


def test_open_payouts_are_listed_oldest_first(store: Store) -> None:
    for number in range(3):
        store.add(planned(f"k{number}", amount=str(number + 1)))
    last = unsettled(store, "k3", amount="50")
    done = transitions.answered(last, record(state="DONE", amount="50"), WHEN)
    assert done is not None
    store.compare_and_swap(last, done)
    assert store.open_keys() == ["k0", "k1", "k2"]


def test_related_returns_all_possible_owners(store: Store) -> None:
    unsettled(store, "me")
    unsettled(store, "unsettled", amount="20")
    unsettled(store, "other currency", currency="XRP")
    store.add(planned("planned"))
    owner = unsettled(store, "owner", amount="30", currency="BTC")
    answered = transitions.answered(owner, record("w-9"), WHEN)
    assert answered is not None
    store.compare_and_swap(owner, attrs.evolve(answered, uuid="W-9"))
    unsent = unsettled(store, "not sent", amount="40")
    store.compare_and_swap(unsent, attrs.evolve(unsent, state=PayoutState.NOT_SENT))
    given_up = unsettled(store, "given up", amount="41")
    store.compare_and_swap(given_up, attrs.evolve(given_up, state=PayoutState.ABANDONED))
    store.acknowledge("x7", "USDT", manual.ManualDecision(note="mine"), NOW)
    store.reconcile("USDT", [record("X8"), record("X7"), record("W-9")], None, "x8", NOW)
    found = store.related("USDT", ["w-9", *(f"x{number}" for number in range(1200))])
    assert {payout.key for payout in found.payouts} == {"me", "unsettled", "not sent", "given up", "owner"}
    assert found.acknowledged == {"x7"}
    assert [each.uuid for each in found.unowned] == ["X8"]
    assert (store.mark("USDT"), store.mark("XRP")) == ("x8", None)
    store.reconcile("USDT", [], "w-0", "x9", NOW)
    assert store.mark("USDT") == "x8"
    with pytest.raises(ConflictingPayout):
        store.acknowledge("w-9", "USDT", manual.ManualDecision(), NOW)
    assert [payout.key for payout in store.recent_answered()] == ["owner"]


def test_index_compares_the_canonical_amount(store: Store) -> None:
    intent = Intent(endpoint="x", host="h", started_at=NOW, members={**INTENT.members, "amount": "00013.10"})
    store.add(queueing.planned("k", intent))
    with reading(store) as connection:
        assert connection.execute("SELECT amount FROM payouts").fetchone()[0] == "13.1"
    assert intent.amount == Decimal("13.1")
