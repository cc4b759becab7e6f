"""How a payout moves: along the edges that are drawn, and never back over what is known."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payout_samples import (
    AGAIN,
    ARRIVED,
    EVERY,
    FOUND,
    IN_DOUBT,
    LATER,
    LOST,
    NOT_SENT,
    PLANNED,
    REFUSED,
    SENDING,
    UNKNOWN,
    WHEN,
    record,
)

from upbit_async import errors
from upbit_async.payouts import Evidence, Payout, PayoutState, payout, transitions
from upbit_async.payouts.payout import EDGES

if TYPE_CHECKING:
    from collections.abc import Callable

HAPPENINGS: dict[str, Callable[[Payout], Payout | None]] = {
    "held back": lambda it: transitions.held_back(it, owner="me", why="x", now=LATER),
    "another's held back": lambda it: transitions.held_back(it, owner="you", why="x", now=LATER),
    "answered": lambda it: transitions.answered(it, record(), LATER),
    "answered otherwise": lambda it: transitions.answered(it, record("w-2"), LATER),
    "answered oddly": lambda it: transitions.answered(it, record(amount="99"), LATER),
    "refused": lambda it: transitions.refused(it, REFUSED, owner="me", now=LATER),
    "refused another": lambda it: transitions.refused(it, REFUSED, owner="you", now=LATER),
    "lost": lambda it: transitions.lost(it, LOST, owner="me", now=LATER),
    "arrived": lambda it: transitions.lost(it, ARRIVED, owner="you", now=LATER),
    "expired": lambda it: transitions.expired(it, LATER),
    "clashing": lambda it: transitions.clashing(it, "x", "other", LATER),
    "disproved": lambda it: transitions.disproved(it, "other", LATER),
    "seen": lambda it: transitions.seen(it, record(state="DONE"), LATER),
}


def test_the_picture_and_the_table_name_the_same_states() -> None:
    drawn = set(re.findall(r"[a-z_]+", (payout.__doc__ or "").split("`EDGES`")[0]))
    assert {state.value for state in PayoutState} <= drawn
    assert set(EDGES) == set(PayoutState)


def test_a_final_state_is_left_on_request_only_or_when_it_proves_wrong() -> None:
    for state in PayoutState:
        if state.is_final:
            assert PayoutState.SENDING not in EDGES[state]
            assert PayoutState.UNKNOWN not in EDGES[state]


@given(st.sampled_from(sorted(EVERY)), st.lists(st.sampled_from(sorted(HAPPENINGS)), max_size=8))
def test_whatever_happens_in_whatever_order_no_edge_is_left_and_no_answer_is_forgotten(
    start: str, happenings: list[str]
) -> None:
    now: Any = EVERY[start]
    for name in happenings:
        try:
            after = HAPPENINGS[name](now)
        except ValueError:
            assert now.departure is None  # nothing has left that could be heard of
            continue
        if after is None:
            continue
        assert after.state is now.state or after.state in EDGES[now.state]
        assert after.history[: len(now.history)] == now.history
        assert after.state is now.state or len(after.history) == len(now.history) + 1
        if now.evidence is Evidence.ANSWER and now.uuid is not None:
            assert after.uuid is not None
            assert after.state is not PayoutState.PLANNED
        if now.departure is not None and now.departure.copies > 1:
            assert after.state is not PayoutState.PLANNED
            assert after.state is not PayoutState.REFUSED or now.state is after.state
        if now.departure is not None and after.departure is not None:
            assert after.departure.seal == now.departure.seal
            assert after.departure.arrived >= now.departure.arrived
        now = after


def test_an_edge_that_is_not_drawn_can_not_be_taken() -> None:
    with pytest.raises(ValueError, match="is planned and can't become not_sent"):
        transitions.not_found(PLANNED, WHEN)
    with pytest.raises(ValueError, match="without a request"):
        transitions.departing_again(PLANNED, owner="me", lease_until=LATER, now=WHEN)


def test_only_the_owner_takes_his_request_back() -> None:
    assert transitions.held_back(SENDING, owner="you", why="x", now=WHEN) is None
    back = transitions.held_back(SENDING, owner="me", why=errors.NotSent("down"), now=WHEN)
    assert back is not None
    assert (back.state, back.departure, str(back.error)) == (PayoutState.PLANNED, None, "down")
    again = transitions.held_back(AGAIN, owner="me", why="x", now=WHEN)
    assert again is not None
    assert NOT_SENT.departure is not None
    assert (again.state, again.departure) == (
        PayoutState.NOT_SENT,
        attrs.evolve(NOT_SENT.departure, lost_at=None),
    )


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (WHEN, True),
        (LATER - dt.timedelta(seconds=1), True),
        (LATER, False),
        (LATER + dt.timedelta(days=1), False),
        (WHEN - dt.timedelta(seconds=59), True),  # clocks may disagree a little
        (WHEN - dt.timedelta(seconds=60), False),  # but not by more than a lease is long
        (WHEN - dt.timedelta(days=1), False),
    ],
)
def test_a_lease_is_over_at_its_end_and_does_not_hold_long_before_its_beginning(
    now: dt.datetime, holds: bool
) -> None:
    over = transitions.expired(SENDING, now)
    assert (over is None) is holds
    if over is not None:
        assert over.departure is not None
        assert (over.state, over.departure.lost_at) == (PayoutState.UNKNOWN, now)


def test_what_was_found_is_confirmed_by_the_answer_or_denied() -> None:
    same = transitions.answered(FOUND, record("W-1"), WHEN)
    assert same is not None
    assert (same.state, same.evidence) == (PayoutState.ACCEPTED, Evidence.ANSWER)
    other = transitions.answered(FOUND, record("w-2"), WHEN)
    assert other is not None
    assert (other.state, other.uuid) == (PayoutState.NEEDS_PERSON, "w-2")
    assert "w-1" in other.history[-1].note
    taken = transitions.disproved(FOUND, "other", WHEN)
    assert taken is not None
    assert (taken.state, taken.uuid, taken.record) == (PayoutState.NEEDS_PERSON, None, None)


def test_an_answer_ends_every_doubt_but_its_own() -> None:
    for before in (SENDING, UNKNOWN, NOT_SENT, AGAIN, IN_DOUBT):
        after = transitions.answered(before, record(), WHEN)
        assert after is not None
        assert (after.state, after.uuid) == (PayoutState.ACCEPTED, "w-1")
        assert after.departure is not None
        assert after.departure.fence == ()
        odd = transitions.answered(before, record(amount="99"), WHEN)
        assert odd is not None
        assert (odd.state, odd.uuid) == (PayoutState.NEEDS_PERSON, "w-1")


def test_an_answer_that_nobody_waits_for_goes_to_a_person() -> None:
    refused: Any = EVERY["refused"]
    for before in (PLANNED, refused):
        after = transitions.answered(before, record(), WHEN)
        assert after is not None
        assert (after.state, after.uuid) == (PayoutState.NEEDS_PERSON, "w-1")


def test_a_late_refusal_of_the_only_copy_is_certain_and_of_one_of_two_is_not() -> None:
    for before in (SENDING, UNKNOWN, NOT_SENT, IN_DOUBT):
        after = transitions.refused(before, REFUSED, owner="me", now=WHEN)
        assert after is not None
        assert after.state is PayoutState.REFUSED
    again = transitions.refused(AGAIN, REFUSED, owner="me", now=WHEN)
    assert again is not None
    assert again.state is PayoutState.UNKNOWN
    assert transitions.refused(FOUND, REFUSED, owner="me", now=WHEN) is None


def test_that_a_copy_has_arrived_is_remembered_whoever_hears_it() -> None:
    heard = transitions.lost(AGAIN, ARRIVED, owner="you", now=WHEN)
    assert heard is not None
    assert heard.departure is not None
    assert (heard.state, heard.departure.arrived) == (PayoutState.SENDING, True)
    late = transitions.lost(NOT_SENT, ARRIVED, owner="me", now=WHEN)
    assert late is not None
    assert late.state is PayoutState.UNKNOWN
    assert transitions.lost(NOT_SENT, LOST, owner="me", now=WHEN) is None


def test_the_same_record_again_changes_nothing() -> None:
    assert transitions.seen(FOUND, record(), WHEN) is None
    further = transitions.seen(FOUND, record(state="PROCESSING"), WHEN)
    assert further is not None
    assert (further.state, further.history) == (PayoutState.ACCEPTED, FOUND.history)
    assert transitions.seen(NOT_SENT, record(), WHEN) is None


def test_a_payout_is_frozen_and_shows_no_whole_address() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        PLANNED.state = PayoutState.DONE  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    for each in EVERY.values():
        assert "CANARY" not in f"{each} {each!r}"


def test_a_copy_whose_owner_has_died_rests_on_nothing() -> None:
    again = transitions.departing_again(NOT_SENT, owner="me", lease_until=LATER, now=WHEN)
    over = transitions.expired(again, LATER)
    assert over is not None
    assert over.evidence is None


def test_a_loss_after_a_lease_that_was_held_to_be_over_settles_from_then_on() -> None:
    over = transitions.expired(SENDING, LATER)
    assert over is not None
    much_later = LATER + dt.timedelta(seconds=10)
    lost = transitions.lost(over, LOST, owner="me", now=much_later)
    assert lost is not None
    assert lost.departure is not None
    assert (lost.state, lost.departure.lost_at) == (PayoutState.UNKNOWN, much_later)
    assert transitions.lost(over, LOST, owner="you", now=much_later) is None


def test_that_what_was_given_up_has_arrived_is_a_persons_matter() -> None:
    given_up: Any = EVERY["given up unsent"]
    told = transitions.lost(given_up, ARRIVED, owner="me", now=LATER)
    assert told is not None
    assert told.state is PayoutState.NEEDS_PERSON
    assert transitions.lost(given_up, LOST, owner="me", now=LATER) is None


def test_what_upbit_has_answered_can_be_resolved_even_if_nothing_was_known_to_have_left() -> None:
    from upbit_async.payouts.resolving import raise_if_settled  # noqa: PLC0415

    answered = transitions.answered(PLANNED, record(), WHEN)
    assert answered is not None
    raise_if_settled(answered)
