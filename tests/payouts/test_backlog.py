"""`Backlog`: which queued payout is sent next."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

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


class BacklogMachine(RuleBasedStateMachine):
    """No payout is lost or taken twice, and payouts with the same criteria are never taken at once."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog, self.now = Backlog(), 0.0
        self.waiting: dict[str, int] = {}
        self.taken: dict[str, int] = {}

    @rule(amount=st.integers(0, 3), wait=st.integers(0, 3))
    def add(self, amount: int, wait: int) -> None:
        key = f"k{len(self.waiting) + len(self.taken)} at {self.now} of {amount}"
        if key not in self.waiting and key not in self.taken:
            self.waiting[key] = amount
        self.backlog.add(key, criteria(amount), at=self.now + wait)

    @rule()
    def take(self) -> None:
        key = self.backlog.take(self.now)
        if key is not None:
            amount = self.waiting.pop(key)
            assert amount not in self.taken.values()
            self.taken[key] = amount

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.taken)))
        self.backlog.done(key)
        del self.taken[key]

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), wait=st.integers(0, 3), blocks=st.booleans())
    def put_back(self, data: st.DataObject, wait: int, *, blocks: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.taken)))
        self.waiting[key] = self.taken.pop(key)
        if blocks:
            held_up = self.backlog.block(key, [f"x{wait}"], now=self.now, until=self.now + 10)
            assert key in held_up
        else:
            self.backlog.put_back(key, at=self.now + wait)

    @rule(which=st.integers(0, 3))
    def settled(self, which: int) -> None:
        self.backlog.settled(f"x{which}")

    @rule()
    def hurry(self) -> None:
        self.backlog.hurry()

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def every_payout_is_known(self) -> None:
        assert len(self.backlog) == len(self.waiting) + len(self.taken)

    def teardown(self) -> None:
        for key in self.taken:
            self.backlog.done(key)
        while self.waiting:
            assert self.backlog.next_at < math.inf
            self.now = max(self.now, self.backlog.next_at)
            taken = self.backlog.take(self.now)
            if taken is not None:
                del self.waiting[taken]
                self.backlog.done(taken)
        assert len(self.backlog) == 0


TestBacklog = BacklogMachine.TestCase
