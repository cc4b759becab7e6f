"""Waiting for many transfers at once, of several regions perhaps."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, cast

import anyio
import anyio.lowlevel

from upbit_async.errors import UpbitError
from upbit_async.polling.progress import StateChange, Transfer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from anyio.abc import TaskGroup

    from upbit_async.polling.poller import TransferPoller
    from upbit_async.polling.subscription import Subscription
    from upbit_async.region import Region

__all__ = ["RegionChanges", "side_by_side"]

PATIENCE: Final = 1.0
"""For how many seconds a step leaves a region's look alone although another region has something to tell."""

R = TypeVar("R", bound=Transfer)


class RegionChanges(Generic[R]):
    """An async iterator over pairs of region and change.

    Nothing runs between its steps, neither a task nor a request, and it is forgotten with its last reference.
    So it may be left at any time, with `aclose` or without. A step that is cancelled loses nothing: the next
    goes on from there.
    """

    def __init__(self, pollers: Iterable[TransferPoller[R]]) -> None:
        self._pollers = deque(pollers)
        self._lines: dict[Subscription[R], tuple[TransferPoller[R], ExitStack]] = {}
        self._told: deque[tuple[Region, StateChange[R]]] = deque()
        self._errors: list[UpbitError | ValueError] = []
        self._guard = anyio.ResourceGuard("iterating over")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Region, StateChange[R]]:
        with self._guard:
            await anyio.lowlevel.checkpoint()
            while self._pollers:
                self._open(self._pollers.popleft())
            while self._lines and not self._told:
                await self._step()
            if self._told:
                return self._told.popleft()
        errors, self._errors = self._errors, []
        if errors:
            raise ExceptionGroup("waits have failed, and can be resumed", errors)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Wait no longer; what was seen and not told is dropped."""
        with self._guard:
            for kept in (self._pollers, self._told, self._errors):
                kept.clear()
            for subscription in tuple(self._lines):
                self._close(subscription)

    async def _step(self) -> None:
        if not any(subscription.served for subscription in self._lines):
            await self._wait()
        for subscription in tuple(self._lines):
            while subscription in self._lines and subscription.served:
                self._note(subscription, await _next(subscription))  # that returns at once

    async def _wait(self) -> None:
        # In the end a look under way is cut off, and taken again by the next step. Without patience a busy
        # region would cut off a slow one again and again.
        homes = {(poller.region, poller.host) for poller, _ in self._lines.values()}
        until = anyio.current_time() + (PATIENCE if len(homes) > 1 else 0)
        taken: list[tuple[Subscription[R], StateChange[R] | UpbitError | ValueError]] = []

        async def take(subscription: Subscription[R]) -> None:
            # Without `self`: the frames of a cancelled task may linger, and must not keep the iterator alive.
            taken.append((subscription, await _next(subscription)))
            group.cancel_scope.deadline = until

        try:
            async with side_by_side() as group:
                for subscription in tuple(self._lines):
                    group.start_soon(take, subscription)
        finally:
            for subscription, outcome in taken:
                self._note(subscription, outcome)

    def _note(self, subscription: Subscription[R], outcome: StateChange[R] | UpbitError | ValueError) -> None:
        poller, _ = self._lines[subscription]
        if isinstance(outcome, (UpbitError, ValueError)):
            self._errors.append(outcome)
        else:
            poller._note(subscription.record)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            self._told.append((poller.region, outcome))
        if isinstance(outcome, (UpbitError, ValueError)) or outcome.state.is_final:
            self._close(subscription)

    def _open(self, poller: TransferPoller[R]) -> None:
        stack, watcher = ExitStack(), poller._watcher  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        watching = watcher.subscribe(poller.uuid, last=poller.last, resume_token=poller.resume_token)
        self._lines[stack.enter_context(watching)] = poller, stack

    def _close(self, subscription: Subscription[R]) -> None:
        _, stack = self._lines.pop(subscription)
        stack.close()


async def _next(subscription: Subscription[R]) -> StateChange[R] | UpbitError | ValueError:
    # Not `poller.changes()`: a generator that is cancelled has ended, while this may be called again.
    try:
        return cast("StateChange[R]", await subscription.next())  # there is no deadline, and so no None
    except (UpbitError, ValueError) as error:
        return error


@asynccontextmanager
async def side_by_side() -> AsyncGenerator[TaskGroup]:
    """Open a task group that raises a lone exception as it is."""
    lone: BaseException | None = None
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as failed:
        if len(failed.exceptions) != 1:
            raise
        lone = failed.exceptions[0]
    if lone is not None:
        raise lone
