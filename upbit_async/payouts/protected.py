"""Work that is seen through when its caller is cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["see_to_the_end"]

T = TypeVar("T")


async def see_to_the_end(work: Callable[[], Awaitable[T]], *, stop: Callable[[], None]) -> T:
    """Do work in a task of its own, which neither anyio's cancellation nor asyncio's own reaches.

    Args:
        work: What to do.
        stop: Called once if the caller is cancelled: it asks the work to end early, if it still may. The caller
            waits for it either way, and is cancelled then.
    """
    ended = anyio.Event()
    results: list[T] = []
    failures: list[Exception] = []

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            try:
                results.append(await work())
            except Exception as failure:  # noqa: BLE001 - it is the caller's, and raised there
                failures.append(failure)
            finally:
                ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            await ended.wait()
        except anyio.get_cancelled_exc_class():
            stop()
            raise
    if failures:
        raise failures.pop()
    (result,) = results
    return result
