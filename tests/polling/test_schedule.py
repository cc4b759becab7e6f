"""The poll schedule as arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.policy import PollSchedule
from upbit_async.polling.schedule import draw_jitter_factor, next_poll_time, wait_after

schedules = st.builds(
    PollSchedule,
    first=st.floats(0.01, 10),
    longest=st.floats(10, 100),
    factor=st.floats(1, 10),
    jitter=st.floats(0, 0.99),
)
seconds = st.floats(0, 1e9)
rands = st.floats(0, 1, exclude_max=True)


def test_waits_grow_by_the_factor_up_to_the_longest() -> None:
    schedule = PollSchedule(first=1, factor=1.5, longest=30, jitter=0)
    now, waits = 0.0, list[float]()
    for _ in range(12):
        waits.append(wait_after(schedule, now))
        now += waits[-1]

    assert waits == pytest.approx([min(1.5**n, 30) for n in range(12)])


@given(schedules, seconds)
def test_wait_is_between_first_and_longest(schedule: PollSchedule, quiet: float) -> None:
    assert schedule.first <= wait_after(schedule, quiet) <= schedule.longest


@given(schedules, rands)
def test_stretch_stays_within_the_jitter(schedule: PollSchedule, rand: float) -> None:
    factor = draw_jitter_factor(schedule, lambda: rand)

    assert factor > 0
    assert factor == pytest.approx(1, abs=schedule.jitter + 1e-12)


@given(schedules, st.floats(0, 1e6), st.floats(0, 1e6), rands)
def test_poll_joins_a_batch_only_when_almost_due(
    schedule: PollSchedule, began: float, quiet: float, rand: float
) -> None:
    now = began + quiet
    poll = next_poll_time(
        schedule, now=now, quiet_since=began, jitter_factor=draw_jitter_factor(schedule, lambda: rand)
    )

    assert now <= poll.earliest <= poll.due
    assert poll.due <= now + schedule.longest * (1 + schedule.jitter) + 1e-6


def test_polls_are_fast_again_after_a_change() -> None:
    schedule = PollSchedule(first=2, jitter=0)

    assert next_poll_time(schedule, now=1000, quiet_since=1000, jitter_factor=1).due == 1002
