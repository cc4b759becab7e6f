"""The sliding window: when a call may be sent, as arithmetic."""

from __future__ import annotations

import itertools

import pytest

from upbit_async.protocol.sliding_window import SlidingWindow

NOW = 1000.0
TRIP = 0.05


def _call(window: SlidingWindow, now: float, remaining: int | None = None) -> None:
    window.take(call := object(), now)
    window.give_back(call, now + TRIP, remaining)


def _sent_at(window: SlidingWindow, now: float) -> float:
    """Return when the next call may be sent if nothing else happens."""
    while delay := window.delay(0, now):
        now += delay + 1e-9
    return now


def test_permit_is_free_one_second_after_its_answer() -> None:
    window = SlidingWindow(2)
    _call(window, NOW)
    assert _sent_at(window, NOW + TRIP) == pytest.approx(NOW + TRIP + 1.002)


@pytest.mark.parametrize("budget", [0, 1, 2])
def test_first_call_never_waits(budget: int) -> None:
    assert SlidingWindow(budget).delay(0, NOW) == 0


def test_waiters_behind_wait_for_later_permits() -> None:
    window = SlidingWindow(4)
    for step in range(3):
        _call(window, NOW + step / 10)
    waits = [window.delay(ahead, NOW + 0.5) for ahead in range(4)]
    assert waits == [pytest.approx(0.552 + step / 10) for step in range(3)] + [1.002]


def test_call_in_flight_holds_its_permit() -> None:
    window = SlidingWindow(2)
    window.take("call", NOW)
    assert window.delay(0, NOW + 90) == 1.002
    window.give_back("call", NOW + 90, None)
    assert _sent_at(window, NOW + 90) == pytest.approx(NOW + 91.002)


def test_call_that_never_ends_holds_its_permit_for_two_minutes() -> None:
    window = SlidingWindow(2)
    window.take("call", NOW)
    assert window.delay(0, NOW + 121) == 0
    assert window.in_flight == 0


def test_call_ends_only_once() -> None:
    window = SlidingWindow(3)
    window.take("call", NOW)
    for _ in range(3):
        window.give_back("call", NOW, 1)
        window.refuse("another", NOW, 0.0)
    assert window.delay(0, NOW + 1) > 0
    assert window.delay(0, NOW + 1.01) == 0


def test_remaining_count_never_raises_the_budget() -> None:
    window = SlidingWindow(2)
    _call(window, NOW, 10**9 - 1)
    assert _sent_at(window, NOW + TRIP) == pytest.approx(NOW + TRIP + 1.002)


@pytest.mark.parametrize("trip", [TRIP, 5.0])
def test_used_up_second_is_waited_for(trip: float) -> None:
    window = SlidingWindow(30)
    window.take("call", NOW)
    window.give_back("call", NOW + trip, 0)
    assert window.standstill(NOW + trip) == pytest.approx(1.002)
    assert _sent_at(window, NOW + trip) == pytest.approx(NOW + trip + 1.002)


@pytest.mark.parametrize("seconds", [1.0, 17.5])
def test_refusal_pauses_for_as_long_as_the_server_asks(seconds: float) -> None:
    window = SlidingWindow(30)
    window.take("call", NOW)
    window.refuse("call", NOW + TRIP, seconds)
    assert window.standstill(NOW + TRIP) >= seconds
    assert _sent_at(window, NOW + TRIP) == pytest.approx(NOW + TRIP + seconds + 0.002)
    assert window.standstill(NOW + 20) == 0


def test_shorter_pause_does_not_shorten_a_longer_one() -> None:
    window = SlidingWindow(30)
    for number, seconds in enumerate((20.0, 1.0)):
        window.take(number, NOW)
        window.refuse(number, NOW, seconds)
    assert window.standstill(NOW) >= 20


def test_remaining_count_covers_the_calls_in_flight() -> None:
    window = SlidingWindow(30)
    for number in range(5):
        window.take(number, NOW)
    window.give_back(0, NOW + TRIP, 5)
    now = _sent_at(window, NOW + TRIP)
    assert now < NOW + 0.2
    window.take("the fifth", now)
    assert _sent_at(window, now) > NOW + 1
    window.give_back(1, NOW + 0.2, 5)
    assert _sent_at(window, NOW + 0.2) < NOW + 0.3


def test_smallest_of_reordered_remaining_counts_holds() -> None:
    window = SlidingWindow(30)
    for number in range(6):
        window.take(number, NOW + number / 100)
    for number, remaining in ((3, 26), (0, 2), (5, 27), (1, 28)):
        window.give_back(number, NOW + 0.1 + remaining / 1000, remaining)
    assert window.delay(0, NOW + 0.5) > 0


def test_answer_of_a_later_call_replaces_the_remaining_count() -> None:
    window = SlidingWindow(30)
    for number in range(8):
        window.take(number, NOW)
    _call(window, NOW, 9)
    window.take("later", NOW + 0.2)
    assert _sent_at(window, NOW + 0.2) > NOW + 1
    window.give_back("later", NOW + 0.25, 20)
    assert _sent_at(window, NOW + 0.25) < NOW + 0.3


def test_remaining_count_is_valid_for_one_second() -> None:
    window = SlidingWindow(30)
    for number in range(3):
        window.take(number, NOW)
    window.give_back(0, NOW + TRIP, 2)
    assert _sent_at(window, NOW + TRIP) == pytest.approx(NOW + TRIP + 1.002)


def test_remaining_count_of_a_slow_answer_is_outdated() -> None:
    window = SlidingWindow(30)
    for number in range(3):
        window.take(number, NOW)
    window.give_back(0, NOW + 5, 1)
    assert window.delay(0, NOW + 5) == 0


def test_missing_remaining_count_changes_nothing() -> None:
    window = SlidingWindow(30)
    for number in range(3):
        window.take(number, NOW)
    window.give_back(0, NOW + TRIP, 2)
    window.give_back(1, NOW + TRIP, None)
    window.take("next", NOW + TRIP)
    assert window.delay(0, NOW + TRIP) > 0


def test_permits_are_left_for_the_calls_of_others() -> None:
    window = SlidingWindow(30)
    _call(window, NOW, 9)  # twenty more than ours
    now = NOW + TRIP
    for _ in range(7):
        now = _sent_at(window, now)
        _call(window, now, None)
    assert now < NOW + TRIP + 1.002
    assert _sent_at(window, now + TRIP) > NOW + TRIP + 1.002


def test_own_calls_are_not_mistaken_for_those_of_others() -> None:
    window = SlidingWindow(30)
    for step in range(10):
        window.take(step, NOW + step / 100)
    for step in range(9):
        window.give_back(step, NOW + 0.2, None)
    window.give_back(9, NOW + 0.2, 20)  # ten calls, all ours
    assert [window.delay(0, NOW + 0.2), window.delay(18, NOW + 0.2)] == [0, 0]


def test_calls_are_spread_evenly_while_others_call() -> None:
    window = SlidingWindow(30)
    _call(window, NOW, 19)  # ten more than ours
    now, times = NOW + TRIP, list[float]()
    for _ in range(5):
        now = _sent_at(window, now)
        times.append(now)
        _call(window, now, 19)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == [pytest.approx(1.002 / 18, rel=0.1)] * 4


def test_one_call_probes_after_a_pause() -> None:
    window = SlidingWindow(30)
    window.take("refused", NOW)
    window.refuse("refused", NOW, 1.0)
    now = _sent_at(window, NOW)
    window.take("ahead", now)
    assert window.delay(0, now + 0.5) > 0
    window.give_back("ahead", now + 0.5, 25)
    assert window.delay(0, now + 0.5) == 0


def test_unanswered_probe_is_awaited_for_one_second() -> None:
    window = SlidingWindow(30)
    window.take("refused", NOW)
    window.refuse("refused", NOW, 1.0)
    now = _sent_at(window, NOW)
    window.take("ahead", now)
    assert 1 < _sent_at(window, now) - now < 1.02


def test_answer_from_before_a_pause_does_not_count_as_the_probe() -> None:
    window = SlidingWindow(30)
    for name in ("refused", "older"):
        window.take(name, NOW)
    window.refuse("refused", NOW + 0.01, 1.0)
    window.give_back("older", NOW + 0.9, 29)
    now = _sent_at(window, NOW + 0.9)
    window.take("ahead", now)
    assert window.delay(0, now + 0.1) > 0


def test_remaining_count_from_before_a_pause_is_dropped() -> None:
    window = SlidingWindow(30)
    window.take("refused", NOW)
    _call(window, NOW, 28)
    window.refuse("refused", NOW + TRIP, 0.2)
    now = _sent_at(window, NOW + TRIP)
    window.take("ahead", now)
    assert window.delay(0, now + 0.1) > 0


def test_caution_after_a_pause_ends() -> None:
    window = SlidingWindow(30)
    window.take("refused", NOW)
    window.refuse("refused", NOW, 1.0)
    later = NOW + 1.002 + 5.001
    for number in range(29):
        assert window.delay(0, later) == 0
        window.take(number, later)
    assert window.delay(0, later) > 0
