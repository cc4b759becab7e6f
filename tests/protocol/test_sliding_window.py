"""When a call may leave, as arithmetic."""

from __future__ import annotations

import itertools

import pytest

from upbit_async.protocol.sliding_window import SlidingWindow

NOW = 1000.0
TRIP = 0.05


def _call(places: SlidingWindow, now: float, remaining: int | None = None) -> None:
    places.take(call := object(), now)
    places.give_back(call, now + TRIP, remaining)


def _leaves_at(places: SlidingWindow, now: float) -> float:
    """Return when the next call may leave if nothing else happens."""
    while wait := places.wait(0, now):
        now += wait + 1e-9
    return now


def test_a_place_is_free_a_second_after_its_answer() -> None:
    places = SlidingWindow(2)
    _call(places, NOW)
    assert _leaves_at(places, NOW + TRIP) == pytest.approx(NOW + TRIP + 1.002)


@pytest.mark.parametrize("budget", [0, 1, 2])
def test_there_is_always_a_place(budget: int) -> None:
    assert SlidingWindow(budget).wait(0, NOW) == 0


def test_whoever_stands_behind_waits_for_a_place_of_his_own() -> None:
    places = SlidingWindow(4)
    for step in range(3):
        _call(places, NOW + step / 10)
    waits = [places.wait(ahead, NOW + 0.5) for ahead in range(4)]
    assert waits == [pytest.approx(0.552 + step / 10) for step in range(3)] + [1.002]


def test_a_call_under_way_holds_its_place_as_long_as_it_lasts() -> None:
    places = SlidingWindow(2)
    places.take("call", NOW)
    assert places.wait(0, NOW + 90) == 1.002
    places.give_back("call", NOW + 90, None)
    assert _leaves_at(places, NOW + 90) == pytest.approx(NOW + 91.002)


def test_a_call_that_nobody_calls_over_holds_its_place_for_two_minutes() -> None:
    places = SlidingWindow(2)
    places.take("call", NOW)
    assert places.wait(0, NOW + 121) == 0
    assert places.under_way == 0


def test_a_call_is_over_once() -> None:
    places = SlidingWindow(3)
    places.take("call", NOW)
    for _ in range(3):
        places.give_back("call", NOW, 1)
        places.refuse("another", NOW, 0.0)
    assert places.wait(0, NOW + 1) > 0
    assert places.wait(0, NOW + 1.01) == 0


def test_no_word_of_the_server_lets_more_calls_leave() -> None:
    places = SlidingWindow(2)
    _call(places, NOW, 10**9 - 1)
    assert _leaves_at(places, NOW + TRIP) == pytest.approx(NOW + TRIP + 1.002)


@pytest.mark.parametrize("trip", [TRIP, 5.0])
def test_a_spent_second_is_waited_for(trip: float) -> None:
    places = SlidingWindow(30)
    places.take("call", NOW)
    places.give_back("call", NOW + trip, 0)
    assert places.standstill(NOW + trip) == pytest.approx(1.002)
    assert _leaves_at(places, NOW + trip) == pytest.approx(NOW + trip + 1.002)


@pytest.mark.parametrize("seconds", [1.0, 17.5])
def test_a_refusal_stops_everything_for_as_long_as_the_server_asks(seconds: float) -> None:
    places = SlidingWindow(30)
    places.take("call", NOW)
    places.refuse("call", NOW + TRIP, seconds)
    assert places.standstill(NOW + TRIP) >= seconds
    assert _leaves_at(places, NOW + TRIP) == pytest.approx(NOW + TRIP + seconds + 0.002)
    assert places.standstill(NOW + 20) == 0


def test_a_shorter_standstill_does_not_cut_a_longer_one() -> None:
    places = SlidingWindow(30)
    for number, seconds in enumerate((20.0, 1.0)):
        places.take(number, NOW)
        places.refuse(number, NOW, seconds)
    assert places.standstill(NOW) >= 20


def test_what_is_left_covers_the_calls_under_way_and_no_more() -> None:
    places = SlidingWindow(30)
    for number in range(5):
        places.take(number, NOW)
    places.give_back(0, NOW + TRIP, 5)
    now = _leaves_at(places, NOW + TRIP)
    assert now < NOW + 0.2
    places.take("the fifth", now)
    assert _leaves_at(places, now) > NOW + 1
    places.give_back(1, NOW + 0.2, 5)
    assert _leaves_at(places, NOW + 0.2) < NOW + 0.3


def test_of_answers_that_crossed_the_smallest_number_holds() -> None:
    places = SlidingWindow(30)
    for number in range(6):
        places.take(number, NOW + number / 100)
    for number, remaining in ((3, 26), (0, 2), (5, 27), (1, 28)):
        places.give_back(number, NOW + 0.1 + remaining / 1000, remaining)
    assert places.wait(0, NOW + 0.5) > 0


def test_a_call_that_left_after_an_answer_knows_better() -> None:
    places = SlidingWindow(30)
    for number in range(8):
        places.take(number, NOW)
    _call(places, NOW, 9)
    places.take("later", NOW + 0.2)
    assert _leaves_at(places, NOW + 0.2) > NOW + 1
    places.give_back("later", NOW + 0.25, 20)
    assert _leaves_at(places, NOW + 0.25) < NOW + 0.3


def test_a_word_is_good_for_a_second() -> None:
    places = SlidingWindow(30)
    for number in range(3):
        places.take(number, NOW)
    places.give_back(0, NOW + TRIP, 2)
    assert _leaves_at(places, NOW + TRIP) == pytest.approx(NOW + TRIP + 1.002)


def test_a_slow_answer_speaks_of_a_second_long_past() -> None:
    places = SlidingWindow(30)
    for number in range(3):
        places.take(number, NOW)
    places.give_back(0, NOW + 5, 1)
    assert places.wait(0, NOW + 5) == 0


def test_no_word_is_no_information() -> None:
    places = SlidingWindow(30)
    for number in range(3):
        places.take(number, NOW)
    places.give_back(0, NOW + TRIP, 2)
    places.give_back(1, NOW + TRIP, None)
    places.take("next", NOW + TRIP)
    assert places.wait(0, NOW + TRIP) > 0


def test_calls_that_cannot_be_ours_are_left_their_places_and_one_more() -> None:
    places = SlidingWindow(30)
    _call(places, NOW, 9)  # twenty more than ours
    now = NOW + TRIP
    for _ in range(7):
        now = _leaves_at(places, now)
        _call(places, now, None)
    assert now < NOW + TRIP + 1.002
    assert _leaves_at(places, now + TRIP) > NOW + TRIP + 1.002


def test_calls_of_ours_that_may_have_been_counted_are_not_taken_for_others() -> None:
    places = SlidingWindow(30)
    for step in range(10):
        places.take(step, NOW + step / 100)
    for step in range(9):
        places.give_back(step, NOW + 0.2, None)
    places.give_back(9, NOW + 0.2, 20)  # ten calls, all ours
    assert [places.wait(0, NOW + 0.2), places.wait(18, NOW + 0.2)] == [0, 0]


def test_while_another_process_calls_ours_are_evenly_spread() -> None:
    places = SlidingWindow(30)
    _call(places, NOW, 19)  # ten more than ours
    now, times = NOW + TRIP, list[float]()
    for _ in range(5):
        now = _leaves_at(places, now)
        times.append(now)
        _call(places, now, 19)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == [pytest.approx(1.002 / 18, rel=0.1)] * 4


def test_after_a_standstill_one_call_goes_ahead_and_its_answer_is_awaited() -> None:
    places = SlidingWindow(30)
    places.take("refused", NOW)
    places.refuse("refused", NOW, 1.0)
    now = _leaves_at(places, NOW)
    places.take("ahead", now)
    assert places.wait(0, now + 0.5) > 0
    places.give_back("ahead", now + 0.5, 25)
    assert places.wait(0, now + 0.5) == 0


def test_a_call_gone_ahead_that_is_never_answered_is_not_awaited_for_longer_than_a_second() -> None:
    places = SlidingWindow(30)
    places.take("refused", NOW)
    places.refuse("refused", NOW, 1.0)
    now = _leaves_at(places, NOW)
    places.take("ahead", now)
    assert 1 < _leaves_at(places, now) - now < 1.02


def test_an_answer_from_before_a_standstill_does_not_stand_for_the_one_after() -> None:
    places = SlidingWindow(30)
    for name in ("refused", "older"):
        places.take(name, NOW)
    places.refuse("refused", NOW + 0.01, 1.0)
    places.give_back("older", NOW + 0.9, 29)
    now = _leaves_at(places, NOW + 0.9)
    places.take("ahead", now)
    assert places.wait(0, now + 0.1) > 0


def test_a_word_from_before_a_standstill_does_not_stand_for_the_one_after() -> None:
    places = SlidingWindow(30)
    places.take("refused", NOW)
    _call(places, NOW, 28)
    places.refuse("refused", NOW + TRIP, 0.2)
    now = _leaves_at(places, NOW + TRIP)
    places.take("ahead", now)
    assert places.wait(0, now + 0.1) > 0


def test_care_ends_after_a_while() -> None:
    places = SlidingWindow(30)
    places.take("refused", NOW)
    places.refuse("refused", NOW, 1.0)
    later = NOW + 1.002 + 5.001
    for number in range(29):
        assert places.wait(0, later) == 0
        places.take(number, later)
    assert places.wait(0, later) > 0
