"""Runs work to completion although its caller is cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

from upbit_async.errors import UpbitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["run_to_completion"]

T = TypeVar("T")


async def run_to_completion(work: Callable[[], Awaitable[T]], *, stop: Callable[[], None]) -> T:
    """Do work in a task of its own, which neither anyio's cancellation nor asyncio's own reaches.

    Args:
        work: What to do.
        stop: Called once if the caller is cancelled: it asks the work to end early, if it still may. The caller
            waits for it either way, and is cancelled then.

    Raises:
        UpbitError: Something inside the work was cancelled, although its caller was not: a journal that waits for
            a future that was cancelled, for example. What the work has done by then is not known.
    """
    ended = anyio.Event()
    results: list[T] = []
    failures: list[BaseException] = []

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            try:
                results.append(await work())
            except BaseException as failure:  # noqa: BLE001 - whatever it is, it is the caller's, and raised there
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
    for failure in failures:
        if isinstance(failure, anyio.get_cancelled_exc_class()):
            raise UpbitError(
                "the payout was stopped by a cancellation that did not come from its caller, so it may or may not "
                "have been sent; call send again with the same key, which looks it up first",
                may_have_executed=True,
            )
        raise failure
    (result,) = results
    return result
