"""Registry of 418 bans per host and key.

All clients of a process share it, whatever their limiter. A ban ends the wait of every call that has not left, in all
threads.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from upbit_async.transport import shared_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from anyio.lowlevel import EventLoopToken

__all__ = ["PenaltyBox", "lift_bans", "put_under"]


class PenaltyBox:
    """Ban of one key at one host. Times are the process's monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the garbage collector may close a forgotten call while a method runs
        self._waiting: dict[anyio.CancelScope, EventLoopToken] = {}
        self._banned_at = 0.0
        self._until = 0.0
        self._bans = 0

    def seconds_left(self) -> float:
        """Return for how long nothing may be sent, in seconds; 0 without a ban."""
        return 0.0 if not self._until else max(0.0, self._until - shared_clock.now())

    @contextlib.contextmanager
    def cutting_short(self, scope: anyio.CancelScope) -> Generator[None, None, None]:
        """Cancel a scope of the running event loop if a ban begins while the block runs."""
        with self._lock:
            self._waiting[scope] = anyio.lowlevel.current_token()
        try:
            yield
        finally:
            with self._lock:
                del self._waiting[scope]

    def ban(self, seconds: Callable[[int], float]) -> float:
        """Record a ban. Further 418 answers while it lasts belong to it, and are not counted.

        Args:
            seconds: Returns the ban's length, given the number of bans before it.

        Returns:
            Length of the ban, in seconds.
        """
        with self._lock:
            now = shared_clock.now()
            if now >= self._until:
                self._bans += 1
            length = seconds(self._bans - 1)
            self._banned_at = now
            self._until = max(self._until, now + length)
            waiting = list(self._waiting.items())
        for scope, loop in waiting:
            _call_soon(loop, scope.cancel)
        return length

    def lift(self) -> None:
        """End a ban now. The next one counts as the first again."""
        with self._lock:
            self._until = 0.0
            self._bans = 0

    def forgive(self, started_at: float) -> None:
        """Record that an attempt that started at that time was answered. The next ban counts as the first again."""
        if not self._bans:
            return
        with self._lock:
            if started_at > self._banned_at:
                self._bans = 0

    def is_at_rest(self, now: float) -> bool:
        """Whether the last ban has been over for as long as it lasted; until then, another ban counts as a repeat."""
        return now >= self._until + max(0.0, self._until - self._banned_at)


def _call_soon(loop: EventLoopToken, function: Callable[[], None]) -> None:
    """Call a function in an event loop from any thread; do nothing if the loop has ended."""
    native: Any = loop.native_token
    call_soon = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon  # asyncio's or trio's
    with contextlib.suppress(RuntimeError):
        call_soon(function)


# The penalty boxes of the keys that use each limiter.
_by_limiter: weakref.WeakKeyDictionary[object, weakref.WeakSet[PenaltyBox]] = weakref.WeakKeyDictionary()
_by_limiter_lock = threading.Lock()


def put_under(limiter: object, box: PenaltyBox) -> None:
    """Let `lift_bans` for this limiter also lift the bans of this box."""
    with _by_limiter_lock:
        _by_limiter.setdefault(limiter, weakref.WeakSet()).add(box)


def lift_bans(limiter: object) -> None:
    """End the bans of all keys that use a limiter."""
    with _by_limiter_lock:
        boxes = list(_by_limiter.get(limiter, ()))
    for box in boxes:
        box.lift()
