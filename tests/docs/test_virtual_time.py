"""The virtual clock that the documentation shows waits for worker threads, and so does the one of these tests."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from virtual_time import VirtualTimeLoop

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-your-code-with-the-sandbox.md"
SELECTS = 3
"""Number of polls of the event loop while the thread works; the clock could jump at each."""

LoopFactory = Callable[[], Any]


def shown_loop() -> Any:
    """Return a loop of the class in the page's ``conftest.py``."""
    block = re.search(r"```python\n(# conftest\.py\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(compile(block[1], str(PAGE), "exec"), names)  # noqa: S102 - the lines that a reader copies
    return names["VirtualTimeLoop"]()


@pytest.mark.parametrize("loop_factory", [VirtualTimeLoop, shown_loop])
def test_the_clock_stands_still_while_a_worker_thread_works(loop_factory: LoopFactory) -> None:
    loop = loop_factory()
    selected = threading.Semaphore(0)
    select = loop._selector.select  # noqa: SLF001 - asyncio's

    def counted(timeout: float | None = None) -> Any:
        selected.release()
        return select(timeout)

    loop._selector.select = counted  # noqa: SLF001

    def work() -> None:
        for _ in range(SELECTS):
            selected.acquire(timeout=10)

    async def clock_while_a_thread_works() -> float:
        timer = asyncio.ensure_future(asyncio.sleep(3600))
        await asyncio.sleep(0)
        while selected.acquire(blocking=False):
            pass
        before = loop.time()
        await anyio.to_thread.run_sync(work)
        timer.cancel()
        return float(loop.time() - before)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(clock_while_a_thread_works()) == 0


@pytest.mark.parametrize("loop_factory", [VirtualTimeLoop, shown_loop])
def test_the_clock_jumps_where_no_thread_works(loop_factory: LoopFactory) -> None:
    async def clock_after_an_hour() -> float:
        await anyio.to_thread.run_sync(int)  # leaves an idle thread behind
        before = asyncio.get_running_loop().time()
        await anyio.sleep(3600)
        return asyncio.get_running_loop().time() - before

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(clock_after_an_hour()) == pytest.approx(3600)
