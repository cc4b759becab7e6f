"""Replay: runs the library's coroutines step by step, from a record of the replies that they have received.

A coroutine can't be copied, so a state that contains one can't be explored twice. But a coroutine of this library is
deterministic: what it does next follows from its arguments and from the replies of the journal, the exchange and the
clock so far. So a step is taken by running the coroutine from its beginning with the recorded replies, until it makes
its next call. The arguments and the record are its state, and they are plain values.

A record is kept short. When a `summarised` function returns, its result replaces the replies that it has received:
nothing that comes later can depend on them.
"""

from __future__ import annotations

import contextlib
import functools
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar
from unittest import mock

import anyio
import attrs

from upbit_async import concurrency
from upbit_async.payouts import driver, judging, send_attempt, sending, settling, shared_reads, snapshot
from upbit_async.payouts.memory import journal as memory_journal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator

__all__ = [
    "NO_REPLY",
    "Call",
    "Ended",
    "Raised",
    "Record",
    "call",
    "next_call",
    "peek",
    "replaying",
    "summarised",
]

T = TypeVar("T")
Record = tuple[Any, ...]
"""The replies that a coroutine has received, oldest first."""


@attrs.frozen
class Call:
    """A call of a coroutine to the world around it.

    Attributes:
        name: What it calls.
        arguments: The arguments.
    """

    name: str
    arguments: tuple[Any, ...] = ()

    def __await__(self) -> Generator[Call, Any, Any]:
        return (yield self)


NO_REPLY: Final = object()
"""Stands for the reply to a call that a run stops at."""


@attrs.frozen
class Raised:
    """Reply to a call that raises an exception."""

    error: Exception


@attrs.frozen
class Ended:
    """End of a coroutine.

    Attributes:
        result: What it has returned; None if it has raised.
        error: What it has raised.
    """

    result: Any = None
    error: Exception | None = None


@attrs.frozen
class _Summary:
    """Result of a function that has returned or raised, in place of the replies that it has received."""

    name: str
    result: Any


@attrs.define
class _Run:
    """The present replay: what is left of the old record, and the new one."""

    replies: list[Any]
    position: int = 0
    record: list[Any] = attrs.field(factory=list[Any])

    @property
    def next_reply(self) -> Any:
        return self.replies[self.position] if self.position < len(self.replies) else None


_runs: list[_Run] = []


async def call(name: str, *arguments: Any) -> Any:
    """Call the world, and return its reply."""
    return await Call(name, arguments)


def peek() -> Any:
    """Return the reply to the next call; None if it has none yet."""
    return _runs[-1].next_reply


def next_call(
    start: Callable[[], Coroutine[Any, Any, Any]], replies: Record, respond: Callable[[Call], Any]
) -> tuple[Call | Ended, Record]:
    """Run a coroutine until a call that has no reply yet, or to its end.

    Args:
        start: Function that starts it.
        replies: The replies that it has received.
        respond: Function that returns the reply to a further call, or `NO_REPLY` at which the run stops.

    Returns:
        The call or the end, and the record up to there.
    """
    run = _Run(list(replies))
    _runs.append(run)
    coroutine = start()
    try:
        pending: Call = coroutine.send(None)
        while True:
            if run.position < len(replies):
                reply = replies[run.position]
                run.position += 1
            elif (reply := respond(pending)) is NO_REPLY:
                return pending, tuple(run.record)
            run.record.append(reply)
            pending = coroutine.throw(reply.error) if isinstance(reply, Raised) else coroutine.send(reply)
    except StopIteration as stop:
        return Ended(stop.value), ()
    except Exception as error:  # noqa: BLE001 - any failure is an end
        return Ended(error=error), ()
    finally:
        coroutine.close()
        _runs.pop()


def summarised(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Return a coroutine function whose replies are forgotten when it returns."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> T:
        run = _runs[-1]
        reply = run.next_reply
        if isinstance(reply, _Summary) and reply.name == function.__qualname__:
            run.position += 1
            run.record.append(reply)
            if isinstance(reply.result, Raised):
                raise reply.result.error
            known: T = reply.result
            return known
        begin = len(run.record)
        try:
            result = await function(*args, **kwargs)
        except Exception as error:
            run.record[begin:] = [_Summary(function.__qualname__, Raised(error))]
            raise
        run.record[begin:] = [_Summary(function.__qualname__, result)]
        return result

    return wrapper


# -- anyio without an event loop ---------------------------------------------------------------------


class _Cancelled(BaseException):
    """Cancellation by a deadline that has passed."""


class _CancelScope(contextlib.AbstractContextManager["_CancelScope"]):
    """Cancel scope: work in it is cancelled at its next sleep if the deadline has passed at the beginning."""

    open: ClassVar[list[_CancelScope]] = []

    def __init__(self, *, deadline: float = math.inf, shield: bool = False) -> None:
        self.deadline = deadline
        self.cancel_called = False
        self.cancelled_caught = False

    def __enter__(self) -> Self:
        self.open.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.open.remove(self)
        self.cancelled_caught = kind is _Cancelled
        return self.cancelled_caught


async def _sleep(_seconds: float) -> None:
    """Sleep for no time: how time passes is a step of the world."""
    if any(scope.deadline < 0 for scope in _CancelScope.open):
        raise _Cancelled


async def _checkpoint() -> None:
    """Let no other task run: journals are used one call at a time."""


_ANYIO = SimpleNamespace(
    CancelScope=_CancelScope,
    Event=anyio.Event,
    current_time=lambda: 0.0,
    get_cancelled_exc_class=lambda: _Cancelled,
    lowlevel=SimpleNamespace(checkpoint=_checkpoint),
    sleep=_sleep,
)


class _Locks(Generic[T]):
    """Locks per key that are always free: each process works on one payout at a time."""

    @contextlib.asynccontextmanager
    async def hold(self, _key: object) -> AsyncGenerator[concurrency.Hold]:
        yield concurrency.Hold()

    def is_held(self, _key: object) -> bool:
        return False

    def share_failure(self, _key: object, _failure: Exception) -> None:
        """Share nothing: there is no other task."""


async def _run(work: Callable[[], Awaitable[T]], **_: object) -> T:
    """Run work whose caller is never cancelled; a crash ends both."""
    return await work()


@contextlib.contextmanager
def replaying() -> Generator[None]:
    """Replace what coroutines need an event loop for."""
    with contextlib.ExitStack() as stack:
        uses_anyio = (
            driver,
            judging,
            send_attempt,
            sending,
            settling,
            shared_reads,
            snapshot,
            memory_journal,
        )
        for module in uses_anyio:
            stack.enter_context(mock.patch.object(module, "anyio", _ANYIO))
        for module in (driver, sending, settling):
            stack.enter_context(mock.patch.object(module, "KeyedLock", _Locks))
        stack.enter_context(mock.patch.object(send_attempt, "run_to_completion", _run))
        yield
