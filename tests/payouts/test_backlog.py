"""`Backlog`: which queued payout is sent next."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from upbit_async.payouts import MatchCriteria
from upbit_async.payouts.backlog import Backlog


def criteria(amount: int) -> MatchCriteria:
    return MatchCriteria("USDT", "TRX", Decimal(amount))


def test_payouts_are_taken_in_order_of_arrival() -> None:
    backlog = Backlog()
    for number in range(3):
        backlog.add(f"k{number}", criteria(number), at=0)
    assert [backlog.take(0) for _ in range(4)] == ["k0", "k1", "k2", None]


def test_equal_payouts_are_taken_one_at_a_time() -> None:
    backlog = Backlog()
    for key in ("a", "b", "c"):
        backlog.add(key, criteria(13), at=0)
    backlog.add("other", criteria(14), at=0)
    assert [backlog.take(0) for _ in range(3)] == ["a", "other", None]
    backlog.done("a")
    assert [backlog.take(0) for _ in range(2)] == ["b", None]


def test_payout_that_is_known_is_not_added_twice() -> None:
    backlog = Backlog()
    backlog.add("a", criteria(13), at=0)
    backlog.add("a", criteria(13), at=0)
    assert backlog.take(0) == "a"
    backlog.add("a", criteria(13), at=0)
    assert backlog.take(0) is None
    backlog.done("a")
    assert backlog.take(0) is None
    assert len(backlog) == 0


def test_payout_that_was_put_back_waits_and_its_equals_overtake_it() -> None:
    backlog = Backlog()
    backlog.add("a", criteria(13), at=0)
    backlog.add("b", criteria(13), at=0)
    assert backlog.take(0) == "a"
    backlog.put_back("a", at=5)
    assert backlog.take(0) == "b"
    backlog.done("b")
    assert backlog.take(4.9) is None
    assert backlog.next_at == 5
    assert backlog.take(5) == "a"


def test_blocked_payouts_wait_until_the_other_is_settled() -> None:
    backlog = Backlog()
    for key in ("a", "b"):
        backlog.add(key, criteria(13), at=0)
    assert backlog.take(0) == "a"
    assert backlog.block("a", ["x"], now=0, until=30) == ["b", "a"]
    assert backlog.take(29) is None
    backlog.settled("y")
    assert backlog.take(29) is None
    backlog.settled("x")
    assert backlog.take(29) == "b"


def test_block_ends_by_time_if_the_other_is_settled_elsewhere() -> None:
    backlog = Backlog()
    backlog.add("a", criteria(13), at=0)
    backlog.take(0)
    backlog.block("a", ["x"], now=0, until=30)
    assert backlog.next_at == 30
    assert backlog.take(30) == "a"


def test_hurry_lets_every_waiting_payout_be_taken() -> None:
    backlog = Backlog()
    for number, key in enumerate(("a", "b", "c")):
        backlog.add(key, criteria(number), at=100 if key == "c" else 0)
    backlog.take(0)
    backlog.block("a", ["x"], now=0, until=30)
    backlog.take(0)
    backlog.put_back("b", at=60)
    backlog.hurry()
    assert {backlog.take(1) for _ in range(4)} == {"a", "b", "c", None}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "take", "done", "put back", "block", "settled", "hurry", "pass"]),
            st.integers(0, 5),
            st.integers(0, 3),
        ),
        max_size=60,
    )
)
def test_no_payout_is_lost_or_taken_twice_and_equals_never_overlap(
    steps: list[tuple[str, int, int]],
) -> None:
    backlog, now = Backlog(), 0.0
    known: dict[str, int] = {}
    taken: list[str] = []
    for number, (step, which, wait) in enumerate(steps):
        match step:
            case "add":
                known[f"k{number}"] = which
                backlog.add(f"k{number}", criteria(which), at=now + wait)
            case "take":
                key = backlog.take(now)
                if key is not None:
                    assert key not in taken
                    assert known[key] not in {known[each] for each in taken}
                    taken.append(key)
            case "done" if taken:
                key = taken.pop(which % len(taken))
                backlog.done(key)
                del known[key]
            case "put back" if taken:
                backlog.put_back(taken.pop(which % len(taken)), at=now + wait)
            case "block" if taken:
                backlog.block(taken.pop(which % len(taken)), [f"x{which}"], now=now, until=now + 10 * wait)
            case "settled":
                backlog.settled(f"x{which}")
            case "hurry":
                backlog.hurry()
            case _:
                now += wait
    for key in taken:
        backlog.done(key)
        del known[key]
    remaining = set(known)
    while remaining:
        assert backlog.next_at < math.inf
        now = max(now, backlog.next_at)
        key = backlog.take(now)
        if key is not None:
            remaining.remove(key)
            backlog.done(key)
    assert len(backlog) == 0
