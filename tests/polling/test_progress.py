"""Changes of state as a pure function of the records seen."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transfer_list import withdrawal

from upbit_async.models import DepositState, Withdrawal, WithdrawalState
from upbit_async.polling.progress import Progress, StateChange, goes_back

NOW = dt.datetime(2025, 7, 4, tzinfo=dt.UTC)


@attrs.frozen
class Row:
    uuid: str
    state: WithdrawalState | DepositState


def run(*words: str, kind: Any = WithdrawalState) -> list[StateChange[Row]]:
    progress = Progress[Row]()
    changes = [progress.feed(Row("u", kind(word)), NOW) for word in words]
    return [change for change in changes if change is not None]


def states(*words: str, kind: Any = WithdrawalState) -> list[str]:
    return [change.state.value for change in run(*words, kind=kind)]


def test_change_contains_previous_state_record_and_time() -> None:
    progress = Progress[Withdrawal]()
    first = withdrawal("u", "WAITING")
    second = withdrawal("u", "PROCESSING")
    progress.feed(first, NOW)

    change = progress.feed(second, NOW + dt.timedelta(seconds=1))

    assert change == StateChange(
        previous=WithdrawalState.WAITING,
        state=WithdrawalState.PROCESSING,
        record=second,
        skipped=False,
        at=NOW + dt.timedelta(seconds=1),
    )


def test_each_state_is_reported_once_and_in_order() -> None:
    words = ["WAITING", "WAITING", "PROCESSING", "PROCESSING", "DONE", "DONE"]

    changes = run(*words)

    assert [change.state for change in changes] == ["WAITING", "PROCESSING", "DONE"]
    assert [change.previous for change in changes] == [None, "WAITING", "PROCESSING"]
    assert not any(change.skipped for change in changes)


@pytest.mark.parametrize(
    ("words", "skipped"),
    [
        (["WAITING", "DONE"], True),
        (["WAITING", "FAILED"], True),
        (["WAITING", "CANCELLED"], False),
        (["WAITING", "REJECTED"], False),
        (["PROCESSING", "DONE"], False),
        (["DONE"], False),
        (["WAITING", "PAUSED_BY_MOON", "DONE"], True),
        (["PAUSED_BY_MOON", "DONE"], False),
        (["PROCESSING", "PAUSED_BY_MOON", "DONE"], False),
    ],
)
def test_skipped_states_are_marked(words: list[str], skipped: bool) -> None:
    assert run(*words)[-1].skipped is skipped


def test_backward_state_is_reported() -> None:
    changes = run("WAITING", "PROCESSING", "WAITING", "PROCESSING", "DONE")

    assert [change.state for change in changes] == ["WAITING", "PROCESSING", "WAITING", "PROCESSING", "DONE"]
    assert [goes_back(change) for change in changes] == [False, False, True, False, False]


def test_unknown_state_is_reported_and_not_final() -> None:
    changes = run("WAITING", "PAUSED_BY_MOON", "PROCESSING")

    assert [change.state.known for change in changes] == [True, False, True]
    assert not any(goes_back(change) for change in changes)
    assert not changes[1].state.is_final


def test_no_change_is_reported_after_a_final_state() -> None:
    assert states("DONE", "WAITING", "FAILED") == ["DONE"]


def test_deposit_through_the_travel_rule_skips_nothing() -> None:
    words = ["PROCESSING", "TRAVEL_RULE_SUSPECTED", "PROCESSING", "ACCEPTED"]

    changes = run(*words, kind=DepositState)

    assert [change.state for change in changes] == words
    assert not any(change.skipped or goes_back(change) for change in changes)


@given(st.lists(st.sampled_from([*WithdrawalState.__members__, "NEW_WORD", "OTHER_WORD"]), max_size=20))
def test_changes_are_consistent_for_any_sequence(words: list[str]) -> None:
    changes = run(*words)

    final = [change.state.is_final for change in changes]
    assert final.count(True) <= 1
    assert True not in final[:-1]
    previous = None
    for change in changes:
        assert change.previous == previous
        assert change.state != previous
        previous = change.state
    if words:
        assert changes[0].state == words[0]
