"""Event loop in virtual time, and the processes of a simulation, which crash and stop at any await.

All processes share one event loop. Every task belongs to the process in whose context it was created. A process that
has crashed never runs again: none of its tasks takes another step, so no clean-up code runs either. The steps of a
process that is stopped are kept until it is resumed.

Nothing depends on addresses in memory: tasks are hashed by their numbers, so that sets of them have the same order in
every run.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import warnings
from collections import deque
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

__all__ = ["Crashed", "SimulatedLoop", "SimulatedProcess"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_MOST_CLOSINGS: Final = 20
"""Number of times that a coroutine is closed: each time it may await something in a `finally` block."""

_current: ContextVar[SimulatedProcess | None] = ContextVar("simulated process", default=None)


class Crashed(Exception):
    """Failure of a call to a process that crashed meanwhile."""


class SimulatedProcess:
    """Process of a simulation.

    Args:
        name: Name, for the event log.
        loop: The event loop.

    Attributes:
        has_crashed: Whether it has crashed.
        steps_left: Number of steps until `interrupt` is called; None for never.
        interrupt: Function that crashes or stops the process.
    """

    def __init__(self, name: str, loop: SimulatedLoop) -> None:
        self.name = name
        self.has_crashed = False
        self.steps_left: int | None = None
        self.interrupt: Callable[[], None] = self.crash
        self._loop = loop
        self._is_stopped = False
        self._kept: list[_Step] = []
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._calls: list[asyncio.Task[Any]] = []

    @staticmethod
    def current() -> SimulatedProcess | None:
        """Return the process whose step runs now; None outside of all processes."""
        return _current.get()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task of this process."""
        context = copy_context()
        context.run(_current.set, self)
        return self._loop.create_task(work, context=context)

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Let the process do some work, and return its result to the caller, who belongs to no process.

        Raises:
            Crashed: The process has crashed before it could answer.
        """
        if self.has_crashed:
            raise Crashed
        answer: asyncio.Future[T] = self._loop.create_future()
        task = self.start(_answer(work, answer))
        number = len(self._calls)
        self._calls.append(task)
        self._answers[number] = answer
        try:
            return await answer
        finally:
            del self._answers[number]

    def cancel_calls(self) -> None:
        """Cancel the work of all calls, as a service does that shuts down."""
        for task in self._calls:
            task.cancel()

    def crash(self) -> None:
        """End the process at once: nothing of it runs any more."""
        if self.has_crashed:
            return
        self.has_crashed = True
        self.steps_left = None
        self._kept.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Crashed())

    def stop(self) -> None:
        """Stop the process, as SIGSTOP does."""
        self._is_stopped = True
        self.steps_left = None

    def resume(self) -> None:
        """Continue the process where it was stopped, as SIGCONT does."""
        self._is_stopped = False
        self._loop.take_back(self._kept)
        self._kept.clear()

    def withholds(self, step: _Step) -> bool:
        """Return whether a step must not run now: the process has crashed, or is stopped and keeps the step."""
        if self.steps_left is not None:
            if self.steps_left <= 0:
                self.steps_left = None
                self.interrupt()
            else:
                self.steps_left -= 1
        if self.has_crashed:
            return True
        if self._is_stopped:
            self._kept.append(step)
            return True
        return False


async def _answer(work: Callable[[], Awaitable[T]], answer: asyncio.Future[T]) -> None:
    try:
        result = await work()
    except asyncio.CancelledError:
        if not answer.done():
            answer.set_exception(Crashed())
        raise
    except Exception as error:  # noqa: BLE001 - the caller receives it
        if not answer.done():
            answer.set_exception(error)
    else:
        if not answer.done():
            answer.set_result(result)


class _NumberedTask(asyncio.Task[Any]):
    """Task that is hashed by its number."""

    def __init__(self, coro: Coroutine[Any, Any, Any], number: int, **options: Any) -> None:
        self.number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self.number


class _Step(asyncio.TimerHandle):
    """Call that the event loop makes. It has what a handle of asyncio's has, and is cheaper."""

    __slots__ = ("is_cancelled", "process", "run")

    def __init__(self, callback: Callable[..., object], arguments: Any, context: Context | None) -> None:
        context = copy_context() if context is None else context
        self.is_cancelled = False
        self.process = context.get(_current)
        self.run: Callable[[], object] = partial(context.run, callback, *arguments)

    def cancel(self) -> None:
        """Cancel the call."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Return whether the call was cancelled."""
        return self.is_cancelled


class SimulatedLoop(asyncio.BaseEventLoop):
    """Event loop whose clock stands still while anything runs, and leaps when everything waits. It has no I/O.

    Attributes:
        failures: Exceptions that nothing caught.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[str] = []
        self._now = 0.0
        self._soon: deque[_Step] = deque()
        self._later: list[tuple[float, int, _Step]] = []
        self._timers = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._new_task)  # type: ignore[arg-type]  # its type lacks subclasses of tasks
        self.set_exception_handler(self._record_failure)

    def _new_task(
        self, _loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> _NumberedTask:
        task = _NumberedTask(coro, len(self._tasks) + 1, loop=self, **options)
        # All are kept: the garbage collector would run the clean-up code of those that have crashed.
        self._tasks.append(task)
        return task

    def _record_failure(self, _loop: asyncio.AbstractEventLoop, failure: dict[str, Any]) -> None:
        self.failures.append(f"{failure.get('message')}: {failure.get('exception')!r}")

    # -- what asyncio calls ------------------------------------------------------------------------

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Let a function run in the next round."""
        step = _Step(callback, args, context)
        self._soon.append(step)
        return step

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Let a function run in the next round: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Let a function run after some time."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Let a function run at a time."""
        step = _Step(callback, args, context)
        self._timers += 1
        heapq.heappush(self._later, (when, self._timers, step))
        return step

    def _run_once(self) -> None:
        """Run what is ready. If nothing is, let the time leap to the next timer."""
        soon = self._soon
        if not soon:
            self._leap()
        for _ in range(len(soon)):
            step = soon.popleft()
            if step.is_cancelled:
                continue
            process = step.process
            if process is not None and process.withholds(step):
                continue
            try:
                step.run()
            except Exception as error:  # noqa: BLE001 - a failure of the simulation itself, which the judge reports
                self.call_exception_handler({"message": "a callback failed", "exception": error})

    def _leap(self) -> None:
        soon, later = self._soon, self._later
        while later and (not soon or later[0][0] <= self._now):
            when, _, step = heapq.heappop(later)
            if not step.is_cancelled:
                self._now = max(self._now, when)
                soon.append(step)
        if not soon:
            raise RuntimeError("nothing can happen any more, and the simulation has not ended")

    def take_back(self, steps: list[_Step]) -> None:
        """Let the steps run that a process kept while it was stopped."""
        self._soon.extend(steps)

    def discard(self) -> None:
        """Discard all tasks and close the loop, when nothing counts any more."""
        with warnings.catch_warnings(), mock.patch.object(sys, "unraisablehook", _ignore):
            warnings.simplefilter("ignore", RuntimeWarning)  # some have never begun
            for task in self._tasks:
                if not task.done():
                    _discard(task)
        self._tasks.clear()
        self._soon.clear()
        self._later.clear()
        self.close()


def _ignore(_failure: object) -> None:
    """Ignore a failure of clean-up code, which runs outside of its event loop."""


def _discard(task: asyncio.Task[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - it never ends
    coroutine: Any = task.get_coro()
    for _ in range(_MOST_CLOSINGS):
        try:
            coroutine.close()
        except Exception:  # noqa: BLE001, S112 - it has awaited something once more
            continue
        return
