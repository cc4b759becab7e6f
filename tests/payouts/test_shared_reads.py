"""Shared reads: one request for all that asked before it began, and never an older answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async.errors import ServerError
from upbit_async.payouts.shared_reads import SharedReads

if TYPE_CHECKING:
    from collections.abc import Sequence


class Upbit:
    """Answers each request with its number, after a given time; some requests fail."""

    def __init__(self, seconds: Sequence[float], failing: Sequence[bool] = ()) -> None:
        self.requests = 0
        self.in_flight = 0
        self._seconds = seconds
        self._failing = failing

    async def read(self) -> int:
        self.requests += 1
        number = self.requests
        self.in_flight += 1
        assert self.in_flight == 1
        try:
            await anyio.sleep(self._seconds[number % len(self._seconds)])
        finally:
            self.in_flight -= 1
        if self._failing and self._failing[number % len(self._failing)]:
            raise ServerError(f"request {number}", status=500)
        return number


async def _asked_at(seconds: float, reads: SharedReads, upbit: Upbit, answers: list[int]) -> None:
    await anyio.sleep(seconds)
    answers.append(await reads.share("list", upbit.read))


async def test_tasks_that_ask_at_once_share_a_request() -> None:
    reads, upbit, answers = SharedReads(), Upbit([1.0]), list[int]()
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(_asked_at, 0, reads, upbit, answers)
    assert len(answers) == 100
    assert upbit.requests <= 2


async def test_task_that_asks_during_a_request_waits_for_the_next() -> None:
    reads, upbit, answers = SharedReads(), Upbit([1.0]), list[int]()
    async with anyio.create_task_group() as tasks:
        for seconds in (0, 0.2, 0.5, 0.9, 1.5):
            tasks.start_soon(_asked_at, seconds, reads, upbit, answers)
    assert answers == [1, 2, 2, 2, 3]
    assert await reads.share("list", upbit.read) == 4  # an answer is not kept


async def test_answer_serves_a_task_that_had_asked_before_its_request_began() -> None:
    reads, upbit = SharedReads(), Upbit([1.0])
    earlier = reads.moment
    assert await reads.share("list", upbit.read) == 1
    assert await reads.share("list", upbit.read, since=earlier) == 1
    assert await reads.share("list", upbit.read, since=reads.moment) == 2
    assert await reads.share("list", upbit.read, since=earlier) == 2
    assert upbit.requests == 2


async def test_task_joins_a_request_in_flight_that_began_after_its_moment() -> None:
    reads, upbit, answers = SharedReads(), Upbit([1.0]), list[int]()
    earlier = reads.moment
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_asked_at, 0, reads, upbit, answers)
        await anyio.sleep(0.5)
        assert await reads.share("list", upbit.read, since=earlier) == 1
    assert upbit.requests == 1


async def test_requests_begin_a_second_apart_only_while_many_ask() -> None:
    reads, upbit, answers = SharedReads(), Upbit([0.1]), list[int]()

    async def ask(number: int) -> None:
        await anyio.sleep(number / 100)
        answers.append(await reads.share("list", upbit.read, period=1))

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(ask, number)
    assert len(answers) == 200
    assert upbit.requests <= 5  # in two seconds; the first one serves one task
    began = anyio.current_time()
    for _ in range(10):
        await anyio.sleep(0.6)
        await reads.share("list", upbit.read, period=1)
    assert anyio.current_time() - began < 10 * 0.75


async def test_urgent_task_makes_the_request_sooner_for_all_that_wait() -> None:
    reads, upbit, answered = SharedReads(), Upbit([0.1]), list[float]()
    began = anyio.current_time()

    async def ask(seconds: float, period: float) -> None:
        await anyio.sleep(seconds)
        await reads.share("list", upbit.read, period=period)
        answered.append(anyio.current_time() - began)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask, 0, 0)  # the first request serves many
        tasks.start_soon(ask, 1, 30)
        tasks.start_soon(ask, 2, 20)
        tasks.start_soon(ask, 3, 5)
        tasks.start_soon(ask, 6, 7)
    assert answered == pytest.approx([0.1] * 4 + [5.1] * 3 + [6.1], abs=0.05)
    assert upbit.requests == 3


async def test_questions_do_not_wait_for_each_other() -> None:
    reads, other = SharedReads(), Upbit([5.0])
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reads.share, "slow", other.read)
        await anyio.sleep(0.1)
        await reads.share("quick", Upbit([1.0]).read)
        assert anyio.current_time() - began < 2


async def test_failure_reaches_those_who_shared_the_request() -> None:
    reads, upbit = SharedReads(), Upbit([1.0], failing=[False, False, True])  # the second request fails
    seen: list[Any] = []

    async def ask(seconds: float) -> None:
        await anyio.sleep(seconds)
        try:
            seen.append(await reads.share("list", upbit.read))
        except ServerError as error:
            seen.append(error)

    async with anyio.create_task_group() as tasks:
        for seconds in (0, 0.5, 0.6, 1.5):
            tasks.start_soon(ask, seconds)
    first, second, third, last = seen
    assert (first, last) == (1, 3)
    assert str(second) == str(third) == "request 2"
    assert second is not third


async def test_cancelled_task_leaves_the_request_to_another() -> None:
    reads, upbit, answers = SharedReads(), Upbit([1.0]), list[int]()
    async with anyio.create_task_group() as tasks:
        with anyio.move_on_after(0.5):
            tasks.start_soon(_asked_at, 0.1, reads, upbit, answers)
            tasks.start_soon(_asked_at, 0.2, reads, upbit, answers)
            await reads.share("list", upbit.read)
        assert answers == []
    assert answers == [2, 2]


async def test_unexpected_exception_is_not_shared() -> None:
    reads = SharedReads()
    calls: list[str] = []

    async def broken() -> str:
        calls.append("call")
        await anyio.sleep(1)
        if len(calls) == 1:
            raise KeyError("broken")
        return "answer"

    async def fail() -> None:
        with pytest.raises(KeyError):
            await reads.share("list", broken)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fail)
        await anyio.sleep(0.5)
        assert await reads.share("list", broken) == "answer"
    assert len(calls) == 2


@attrs.frozen
class Question:
    """A task that asks at a time, and may be cancelled later."""

    at: float
    patience: float
    hesitates: float = 0.0


questions = st.builds(
    Question,
    st.integers(0, 40).map(float),
    st.sampled_from([0.0, 1.0, 3.0, 7.0, 1000.0]),
    st.sampled_from([0.0, 0.0, 1.0, 4.0]),
)


@given(
    st.lists(questions, min_size=1, max_size=15),
    st.lists(st.sampled_from([0.5, 2.0, 5.0]), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=1, max_size=4),
)
async def test_no_answer_is_older_than_its_question(
    asked: list[Question], seconds: list[float], failing: list[bool]
) -> None:
    reads, upbit = SharedReads(), Upbit(seconds, failing)
    answered, cancelled = 0, 0

    async def ask(question: Question) -> None:
        nonlocal answered, cancelled
        await anyio.sleep(question.at)
        begun, moment = upbit.requests, reads.moment
        await anyio.sleep(question.hesitates)  # it asks something else first
        with anyio.move_on_after(question.patience) as scope:
            try:
                number = await reads.share("list", upbit.read, since=moment)
            except ServerError as error:
                number = int(str(error).removeprefix("request "))
            assert begun < number
            if not question.hesitates:
                assert number <= begun + 1 + cancelled  # a cancelled task's request is made again
            answered += 1
        cancelled += scope.cancelled_caught

    async with anyio.create_task_group() as tasks:
        for question in asked:
            tasks.start_soon(ask, question)
    assert answered + cancelled == len(asked)
    assert upbit.in_flight == 0
    assert upbit.requests <= len(asked)
