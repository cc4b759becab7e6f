"""Runs a request to completion although its caller is cancelled.

anyio's shields hold off anyio's cancellation, but not asyncio's own (``task.cancel()``, ``asyncio.timeout``). So
on asyncio the work runs in a task that belongs to us, and on trio under a shield. Either way it can be stopped
as long as nothing has left this machine, and not after.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel

from upbit_async.transport.request_progress import RequestProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["OwnedTasks", "run_to_completion"]

T = TypeVar("T")


class OwnedTasks:
    """The tasks that belong to a client; a loop itself keeps only weak references."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._left_behind: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work in a task that is kept until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def leave_behind(self, task: asyncio.Task[Any]) -> None:
        """Let a task end by itself: nobody waits for it any more."""
        self._left_behind.add(task)

    async def aclose(self) -> None:
        """Stop what nobody waits for."""
        left_behind = list(self._left_behind)  # other threads change the set
        here = [task for task in left_behind if task.get_loop() is asyncio.get_running_loop()]
        for task in here:
            task.cancel()
        if here:
            await asyncio.wait(here)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task in self._left_behind:
            self._left_behind.discard(task)
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not report it as never retrieved


async def run_to_completion(
    work: Callable[[RequestProgress], Coroutine[Any, Any, T]],
    *,
    tasks: OwnedTasks,
    late: Callable[[T], None] | None,
    stoppable: bool,
) -> T:
    """Do work that a cancelled caller must not tear apart.

    Args:
        work: Gets a `RequestProgress` to tell when the request leaves.
        tasks: Keeps the task, on asyncio.
        late: Takes the result if the caller was cancelled while the request was out; the caller then waits for
            it. With None the caller leaves at once, and the work ends by itself.
        stoppable: Whether the work may be cancelled as long as nothing has left.
    """
    progress = RequestProgress()
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return await _in_own_task(work, progress, tasks, late, stoppable=stoppable)
    return await _in_shield(work, progress, late)


async def _in_own_task(
    work: Callable[[RequestProgress], Coroutine[Any, Any, T]],
    progress: RequestProgress,
    tasks: OwnedTasks,
    late: Callable[[T], None] | None,
    *,
    stoppable: bool,
) -> T:

    async def departing() -> None:
        if progress.unwanted:
            raise asyncio.CancelledError

    progress.departing = departing
    task = tasks.start(work(progress))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # asyncio.wait leaves the task alone when it is cancelled itself.
            with anyio.CancelScope(shield=cancelled is not None):
                await asyncio.wait([task])
        except asyncio.CancelledError as cancellation:
            cancelled = cancellation
            progress.unwanted = True  # a library that tells is stopped at the first byte
            progress.abandoned = progress.abandoned or progress.certainly_here
            if progress.abandoned and stoppable and progress.begun:
                task.cancel()
            elif progress.begun and not task.done() and (progress.abandoned or late is None):
                tasks.leave_behind(task)
                raise
    if cancelled is None:
        return task.result()
    if late is not None and not progress.abandoned and not task.cancelled() and task.exception() is None:
        late(task.result())
    raise cancelled


async def _in_shield(
    work: Callable[[RequestProgress], Coroutine[Any, Any, T]],
    progress: RequestProgress,
    late: Callable[[T], None] | None,
) -> T:
    scope = anyio.CancelScope()

    async def departing() -> None:
        scope.shield = False  # an injected client may have waited for long since the first time
        await anyio.lowlevel.checkpoint_if_cancelled()
        scope.shield = late is not None

    progress.departing = departing
    results: list[T] = []
    with scope:
        results.append(await work(progress))
    (result,) = results
    try:
        await anyio.lowlevel.checkpoint_if_cancelled()
    except anyio.get_cancelled_exc_class():
        if late is not None and not progress.certainly_here:
            late(result)
        raise
    return result
