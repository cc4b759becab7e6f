"""Transitions of a payout: only along the edges, and never back over what is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payout_samples import (
    AGAIN,
    ANN,
    ARRIVED,
    EVERY,
    FOUND,
    IN_DOUBT,
    LATER,
    LEASE,
    LOST,
    NOT_SENT,
    PLANNED,
    REFUSED,
    SENDING,
    UNKNOWN,
    WHEN,
    at,
    record,
)

from upbit_async import errors
from upbit_async.payouts import Evidence, Payout, PayoutState, manual, states, transitions
from upbit_async.payouts.journal_time import JournalTime, Moment, Now
from upbit_async.payouts.payout import EDGES

if TYPE_CHECKING:
    from collections.abc import Callable

HAPPENINGS: dict[str, Callable[[Payout], Payout | None]] = {
    "held back": lambda it: transitions.reverted(it, lease_holder="me", why="x", now=LATER),
    "another's held back": lambda it: transitions.reverted(it, lease_holder="you", why="x", now=LATER),
    "answered": lambda it: transitions.answered(it, record(), LATER),
    "answered otherwise": lambda it: transitions.answered(it, record("w-2"), LATER),
    "answered oddly": lambda it: transitions.answered(it, record(amount="99"), LATER),
    "refused": lambda it: transitions.declined(it, REFUSED, lease_holder="me", now=LATER),
    "refused another": lambda it: transitions.declined(it, REFUSED, lease_holder="you", now=LATER),
    "lost": lambda it: transitions.lost(it, LOST, lease_holder="me", now=LATER),
    "arrived": lambda it: transitions.lost(it, ARRIVED, lease_holder="you", now=LATER),
    "expired": lambda it: transitions.expired(it, LATER),
    "clashing": lambda it: transitions.contested(it, "x", "other", LATER),
    "disproved": lambda it: transitions.disproved(it, "other", LATER),
    "seen": lambda it: transitions.followed(it, record(state="DONE"), LATER),
}


def test_drawing_and_edges_name_the_same_states() -> None:
    drawn = set(re.findall(r"[a-z_]+", (states.__doc__ or "").split("`EDGES`")[0]))
    assert {state.value for state in PayoutState} <= drawn
    assert set(EDGES) == set(PayoutState)


def test_final_states_never_lead_back_to_sending() -> None:
    for state in PayoutState:
        if state.is_final:
            assert PayoutState.SENDING not in EDGES[state]
            assert PayoutState.UNKNOWN not in EDGES[state]


@given(st.sampled_from(sorted(EVERY)), st.lists(st.sampled_from(sorted(HAPPENINGS)), max_size=8))
def test_any_sequence_of_events_keeps_to_the_edges_and_the_answer(start: str, happenings: list[str]) -> None:
    now: Any = EVERY[start]
    for name in happenings:
        try:
            after = HAPPENINGS[name](now)
        except ValueError:
            assert now.sent_request is None  # nothing was sent that could be answered
            continue
        if after is None:
            continue
        assert after.state is now.state or after.state in EDGES[now.state]
        assert after.history[: len(now.history)] == now.history
        assert after.state is now.state or len(after.history) == len(now.history) + 1
        if now.evidence is Evidence.ANSWER and now.uuid is not None:
            assert after.uuid is not None
            assert after.state is not PayoutState.PLANNED
        if now.sent_request is not None and now.sent_request.copies > 1:
            assert after.state is not PayoutState.PLANNED
            assert after.state is not PayoutState.DECLINED or now.state is after.state
        if now.sent_request is not None and after.sent_request is not None:
            assert after.sent_request.signing == now.sent_request.signing
            assert after.sent_request.arrived >= now.sent_request.arrived
        now = after


def test_missing_edge_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="is planned and can't become not_sent"):
        transitions.not_found(PLANNED, WHEN)
    with pytest.raises(ValueError, match="without a request"):
        transitions.departing_again(PLANNED, transitions.Lease("me", LEASE), WHEN)


def test_only_the_owner_can_take_a_request_back() -> None:
    assert transitions.reverted(SENDING, lease_holder="you", why="x", now=WHEN) is None
    back = transitions.reverted(SENDING, lease_holder="me", why=errors.NotSent("down"), now=WHEN)
    assert back is not None
    assert (back.state, back.sent_request, str(back.error)) == (PayoutState.PLANNED, None, "down")
    again = transitions.reverted(AGAIN, lease_holder="me", why="x", now=WHEN)
    assert again is not None
    assert NOT_SENT.sent_request is not None
    assert (again.state, again.sent_request) == (
        PayoutState.NOT_SENT,
        attrs.evolve(NOT_SENT.sent_request, lost_at=None, previous_state=PayoutState.NOT_SENT),
    )


@pytest.mark.parametrize(
    ("seconds", "holds"),
    [
        (0, True),
        (LEASE - 1, True),
        (LEASE, False),
        (LEASE + 86400, False),
        (1 - LEASE, True),  # two processes may write in turn
        (-LEASE, False),  # but no lease begins so far in the future
        (-86400, False),
    ],
)
def test_lease_ends_at_its_end_and_not_before_its_start(seconds: float, holds: bool) -> None:
    over = transitions.expired(SENDING, at(seconds))
    assert (over is None) is holds
    if over is not None:
        assert over.sent_request is not None
        assert over.state is PayoutState.UNKNOWN
        assert over.sent_request.lost_at == Moment.at(LATER.journal)  # the lease's end, whenever that is seen


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_time_of_day_ends_no_lease(days: int) -> None:
    wrong = attrs.evolve(at(1), utc=at(days * 86400).utc)
    assert transitions.expired(SENDING, wrong) is None
    late = attrs.evolve(wrong, journal=LATER.journal)
    assert transitions.expired(SENDING, late) is not None


def test_reboot_ends_a_lease_and_a_new_epoch_restarts_it() -> None:
    booted = transitions.expired(SENDING, Now(WHEN.utc, JournalTime(5.0, "next boot/clock")))
    assert booted is not None
    assert booted.sent_request is not None
    assert booted.state is PayoutState.UNKNOWN
    assert booted.sent_request.lost_at == Moment((("next boot/clock", 5.0),))
    seen = transitions.expired(SENDING, Now(WHEN.utc, JournalTime(5.0, "boot/shifted")))
    assert seen is not None
    assert (seen.state, seen.history) == (PayoutState.SENDING, SENDING.history)
    assert transitions.expired(seen, Now(WHEN.utc, JournalTime(4.0 + LEASE, "boot/shifted"))) is None
    over = transitions.expired(seen, Now(WHEN.utc, JournalTime(5.0 + LEASE, "boot/shifted")))
    assert over is not None
    assert over.state is PayoutState.UNKNOWN


def test_answer_confirms_or_disproves_a_match() -> None:
    same = transitions.answered(FOUND, record("W-1"), WHEN)
    assert same is not None
    assert (same.state, same.evidence) == (PayoutState.ACCEPTED, Evidence.ANSWER)
    other = transitions.answered(FOUND, record("w-2"), WHEN)
    assert other is not None
    assert (other.state, other.uuid) == (PayoutState.NEEDS_REVIEW, "w-2")
    assert "w-1" in other.history[-1].note
    taken = transitions.disproved(FOUND, "other", WHEN)
    assert taken is not None
    assert (taken.state, taken.uuid, taken.record) == (PayoutState.NEEDS_REVIEW, None, None)


def test_answer_ends_every_doubt_unless_it_contradicts() -> None:
    for before in (SENDING, UNKNOWN, NOT_SENT, AGAIN, IN_DOUBT):
        after = transitions.answered(before, record(), WHEN)
        assert after is not None
        assert (after.state, after.uuid) == (PayoutState.ACCEPTED, "w-1")
        assert after.sent_request is not None
        assert after.sent_request.baseline == ()
        odd = transitions.answered(before, record(amount="99"), WHEN)
        assert odd is not None
        assert (odd.state, odd.uuid) == (PayoutState.NEEDS_REVIEW, "w-1")


def test_unexpected_answer_needs_review() -> None:
    declined: Any = EVERY["declined"]
    for before in (PLANNED, declined):
        after = transitions.answered(before, record(), WHEN)
        assert after is not None
        assert (after.state, after.uuid) == (PayoutState.NEEDS_REVIEW, "w-1")


def test_late_refusal_is_certain_for_a_single_copy_only() -> None:
    for before in (SENDING, UNKNOWN, NOT_SENT, IN_DOUBT):
        after = transitions.declined(before, REFUSED, lease_holder="me", now=WHEN)
        assert after is not None
        assert after.state is PayoutState.DECLINED
    again = transitions.declined(AGAIN, REFUSED, lease_holder="me", now=WHEN)
    assert again is not None
    assert again.state is PayoutState.UNKNOWN
    assert transitions.declined(FOUND, REFUSED, lease_holder="me", now=WHEN) is None


def test_arrival_of_a_copy_is_recorded_by_any_owner() -> None:
    arrived = transitions.lost(AGAIN, ARRIVED, lease_holder="you", now=WHEN)
    assert arrived is not None
    assert arrived.sent_request is not None
    assert (arrived.state, arrived.sent_request.arrived) == (PayoutState.SENDING, True)
    late = transitions.lost(NOT_SENT, ARRIVED, lease_holder="me", now=WHEN)
    assert late is not None
    assert late.state is PayoutState.UNKNOWN
    released: Any = EVERY["released"]
    for before in (NOT_SENT, released):  # its owner had been slow, and settling begins once more
        again = transitions.lost(before, LOST, lease_holder="me", now=LATER)
        assert again is not None
        assert again.sent_request is not None
        assert (again.state, again.sent_request.lost_at) == (PayoutState.UNKNOWN, Moment.at(LATER.journal))


def test_same_record_again_changes_nothing() -> None:
    assert transitions.followed(FOUND, record(), WHEN) is None
    further = transitions.followed(FOUND, record(state="PROCESSING"), WHEN)
    assert further is not None
    assert (further.state, further.history) == (PayoutState.ACCEPTED, FOUND.history)
    assert transitions.followed(NOT_SENT, record(), WHEN) is None


def test_payout_is_frozen_and_shows_no_whole_address() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        PLANNED.state = PayoutState.DONE  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    for each in EVERY.values():
        assert "CANARY" not in f"{each} {each!r}"


def test_copy_of_a_crashed_owner_has_no_evidence() -> None:
    again = transitions.departing_again(NOT_SENT, transitions.Lease("me", LEASE), WHEN)
    over = transitions.expired(again, LATER)
    assert over is not None
    assert over.evidence is None


def test_loss_after_an_expired_lease_settles_from_then_on() -> None:
    over = transitions.expired(SENDING, LATER)
    assert over is not None
    much_later = at(LEASE + 10)
    lost = transitions.lost(over, LOST, lease_holder="me", now=much_later)
    assert lost is not None
    assert lost.sent_request is not None
    assert (lost.state, lost.sent_request.lost_at) == (
        PayoutState.UNKNOWN,
        Moment.at(much_later.journal),
    )


def test_loss_that_is_written_after_the_loss_of_the_next_copy_does_not_shorten_its_settling() -> None:
    over = transitions.expired(SENDING, LATER)
    assert over is not None
    not_sent = manual.resolved_as_not_sent(over, ANN, LATER)
    queued = manual.queued(not_sent, ANN, LATER, needs_new_nonce=False, mac="")
    much_later = at(10 * LEASE)
    again = transitions.departing_again(queued, transitions.Lease("you", LEASE), much_later)
    lost = transitions.lost(again, LOST, lease_holder="you", now=much_later)
    assert lost is not None
    for earlier in (WHEN, LATER):
        both = transitions.lost(lost, LOST, lease_holder="me", now=earlier)
        assert both is not None
        assert both.required_request.lost_at == Moment.at(much_later.journal)
    afterwards = at(11 * LEASE)
    both = transitions.lost(lost, LOST, lease_holder="me", now=afterwards)
    assert both is not None
    assert both.required_request.lost_at == Moment.at(afterwards.journal)


@pytest.mark.parametrize("error", [LOST, ARRIVED], ids=["lost", "arrived"])
@pytest.mark.parametrize("name", ["given up unsent", "done", "said by a person"])
def test_late_loss_is_recorded_and_reopens_the_question(name: str, error: errors.UpbitError) -> None:
    before: Any = EVERY[name]
    recorded = transitions.lost(before, error, lease_holder="me", now=LATER)
    assert recorded is not None
    assert recorded.sent_request is not None
    assert (recorded.state, recorded.uuid, recorded.evidence) == (before.state, before.uuid, before.evidence)
    assert len(recorded.history) == len(before.history) + 1
    assert recorded.reason.startswith(f"recorded late, when it was {before.state}: ")
    assert recorded.sent_request.reopened
    assert recorded.sent_request.lost_at == Moment.at(LATER.journal)
    assert recorded.sent_request.arrived is (error is ARRIVED)
    assert recorded.may_be_unseen
    assert recorded.is_open is (before.is_open or before.state is PayoutState.ABANDONED)


def test_abandoned_payout_in_doubt_stays_abandoned() -> None:
    given_up: Any = EVERY["given up unsent"]
    assert not given_up.is_open
    doubt = transitions.doubtful(given_up, "w-8 has turned up", ["w-8"], LATER)
    assert doubt is not None
    assert (doubt.state, doubt.candidates, doubt.is_open) == (PayoutState.ABANDONED, ("w-8",), True)
    assert not doubt.holds_up_equals
    assert transitions.doubtful(doubt, "w-8 has turned up", ["w-8"], LATER) is None
    settled = manual.acknowledged(doubt, "w-8", ANN, LATER)
    assert settled is not None
    assert (settled.state, settled.candidates, settled.is_open) == (PayoutState.ABANDONED, (), False)


def test_unexpected_answer_can_be_resolved() -> None:
    from upbit_async.payouts.recording import raise_if_not_resolvable  # noqa: PLC0415

    answered = transitions.answered(PLANNED, record(), WHEN)
    assert answered is not None
    raise_if_not_resolvable(answered)
