"""Replay: runs the library's coroutines step by step, from a record of the replies that they have received.

A coroutine can't be copied, so a state that contains one can't be explored twice. But a coroutine of this library is
deterministic: what it does next follows from its arguments and from the replies of the journal, the exchange and the
clock so far. So a step is taken by running the coroutine from its beginning with the recorded replies, until it makes
its next call. The arguments and the record are its state, and they are plain values.

A record is kept short. When a `summarised` function returns, its result replaces the replies that it has received:
nothing that comes later can depend on them. And a function that sleeps until something has changed begins again
(`waiting`): the replies that it has received are forgotten.
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
from upbit_async.payouts import (
    Related,
    driver,
    judging,
    send_attempt,
    sending,
    settling,
    shared_reads,
    snapshot,
)
from upbit_async.payouts.decision import DeclareNotSent, WaitFor
from upbit_async.payouts.memory import journal as memory_journal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator

    from upbit_async.payouts import Payout

__all__ = [
    "NO_REPLY",
    "Call",
    "Ended",
    "Judged",
    "Raised",
    "Record",
    "call",
    "next_call",
    "peek",
    "replaying",
    "summarised",
    "waiting",
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


class _Asleep(BaseException):
    """Sleep until something has changed.

    Attributes:
        begin: Length of the record before the function that waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begin = 0


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
        The call or the end, and the record up to there. An operation that would only wait ends.
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
    except _Asleep as asleep:
        waits_in = tuple(run.record[: asleep.begin])
    except Exception as error:  # noqa: BLE001 - any failure is an end
        return Ended(error=error), ()
    finally:
        coroutine.close()
        _runs.pop()
    return next_call(start, waits_in, _without_reply) if waits_in else (Ended(), ())


def _without_reply(_call: Call) -> Any:
    return NO_REPLY


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


def waiting(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Return a coroutine function that begins again when it sleeps."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> T:
        begin = len(_runs[-1].record)
        try:
            return await function(*args, **kwargs)
        except _Asleep as asleep:
            asleep.begin = asleep.begin or begin
            raise

    return wrapper


@attrs.frozen
class Judged:
    """Result of `Judge.judge`, in place of the replies that it has received.

    Attributes:
        result: The conclusion.
        key: Key of the payout.
        revision: Revision of the payout that the snapshots are for.
        snapshots: The snapshots, if it may be judged by them again; without what is read again then.
    """

    result: Any
    key: str
    revision: int = -1
    snapshots: tuple[snapshot.Snapshot, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether others must be settled first, and the payout is judged by these snapshots again."""
        return isinstance(self.result, WaitFor)


def _judging(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return `Judge.judge` so that its replies are forgotten when it returns, except for the snapshots."""

    @functools.wraps(function)
    async def wrapper(
        judge: Any, payout: Payout, looks: judging.Looks, waiting_for_this: Any = (), *, number: int = 0
    ) -> Any:
        run = _runs[-1]
        known = run.next_reply
        begin = len(run.record)
        if isinstance(known, Judged):
            run.position += 1
            looks.revision, looks.snapshots = known.revision, list(known.snapshots)
        else:
            try:
                result = await function(judge, payout, looks, waiting_for_this, number=number)
            except Exception as error:  # noqa: BLE001 - it is raised below
                result = Raised(error)
            known = _judged(result, payout.key, looks, number)
            if number:  # the snapshots of the first look are in this summary, too
                run.record[begin - 1] = attrs.evolve(run.record[begin - 1], revision=-1, snapshots=())
        run.record[begin:] = [known]
        if isinstance(known.result, Raised):
            raise known.result.error
        return known.result

    return wrapper


def _judged(result: Any, key: str, looks: judging.Looks, number: int) -> Judged:
    is_needed = isinstance(result, WaitFor) or (isinstance(result, DeclareNotSent) and not number)
    if not is_needed:
        return Judged(result, key)
    nothing = Related(payouts=())
    kept = (attrs.evolve(each, related=nothing, fee_convention=None, position=0) for each in looks.snapshots)
    return Judged(result, key, looks.revision, tuple(kept))


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


async def _sleep_until_changed(seconds: float) -> None:
    """Sleep while another payout is sent, or settling takes time."""
    await _sleep(seconds)
    raise _Asleep


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
_SETTLING_ANYIO = SimpleNamespace(**{**vars(_ANYIO), "sleep": _sleep_until_changed})
_ANYIO_OF_READS = SimpleNamespace(**{**vars(_ANYIO), "current_time": lambda: math.inf})
"""A clock by which every request is due."""


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
            snapshot,
            memory_journal,
        )
        for module in uses_anyio:
            stack.enter_context(mock.patch.object(module, "anyio", _ANYIO))
        stack.enter_context(mock.patch.object(settling, "anyio", _SETTLING_ANYIO))
        stack.enter_context(mock.patch.object(shared_reads, "anyio", _ANYIO_OF_READS))
        stack.enter_context(mock.patch.object(judging.Judge, "judge", _judging(judging.Judge.judge)))
        for module in (driver, sending, settling):
            stack.enter_context(mock.patch.object(module, "KeyedLock", _Locks))
        stack.enter_context(mock.patch.object(send_attempt, "run_to_completion", _run))
        yield
