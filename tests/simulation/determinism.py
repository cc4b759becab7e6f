"""Everything that would make two runs of one seed differ, replaced in one place.

These are ids, random waits and the time of day. `simulated_loop` does the same for the clock and the order of tasks.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import random
import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import anyio._backends._asyncio as anyio_on_asyncio

import upbit_async.events
import upbit_async.payouts.memory.journal
import upbit_async.polling.poller
import upbit_async.polling.watcher
import upbit_async.transport.attempt
import upbit_async.transport.failures
import upbit_async.transport.http_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import ModuleType

__all__ = ["CLOCK_READERS", "START", "deterministic", "time_of_day"]

START: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""The time of day at the virtual time 0."""

CLOCK_READERS: Final[tuple[ModuleType, ...]] = (
    upbit_async.events,
    upbit_async.payouts.memory.journal,
    upbit_async.polling.poller,
    upbit_async.polling.watcher,
    upbit_async.transport.attempt,
    upbit_async.transport.failures,
    upbit_async.transport.http_transport,
)
"""Modules that read the machine's time of day and can't be given another clock."""


def time_of_day(seconds: float) -> dt.datetime:
    """Return the time of day at a virtual time."""
    return START + dt.timedelta(seconds=seconds)


@contextlib.contextmanager
def deterministic(seed: int, clock: Callable[[], float]) -> Generator[None]:
    """Replace every source of chance and time by one that a seed determines, and write no logs, within the block.

    Args:
        seed: The seed.
        clock: The virtual time, in seconds.
    """
    ids = random.Random(f"ids of {seed}")
    before = random.getstate()
    random.seed(f"waits of {seed}")
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, before)
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        patches: list[tuple[Any, str, Any]] = [
            (uuid, "uuid4", lambda: uuid.UUID(int=ids.getrandbits(128), version=4)),
            (os, "getpid", lambda: 1),
            (time, "monotonic", clock),
            # Sets of scopes: within its block, a scope belongs to one task, which is hashed by its number.
            (anyio_on_asyncio.CancelScope, "__hash__", _hash_of_scope),
        ]
        times = SimpleNamespace(**{**vars(dt), "datetime": _datetimes(clock)})
        patches += [(module, "dt", times) for module in CLOCK_READERS]
        for owner, name, replacement in patches:
            stack.enter_context(mock.patch.object(owner, name, replacement))
        yield


def _hash_of_scope(scope: anyio_on_asyncio.CancelScope) -> int:
    return hash(getattr(scope, "_host_task", None) or 0)


def _datetimes(clock: Callable[[], float]) -> type[dt.datetime]:
    class VirtualDatetime(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]  # no subclass is returned
            return time_of_day(clock())

    return VirtualDatetime
