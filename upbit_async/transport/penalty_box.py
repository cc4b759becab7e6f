"""Registry of 418 bans per host and key.

It is shared by all clients of the process, and no limiter switches it off. A ban cuts short the wait of every call
that has not left, in all threads.
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
    """When one key may talk to one host again. Times are the process's monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the garbage collector may end a forgotten call in here
        self._waiting: dict[anyio.CancelScope, EventLoopToken] = {}
        self._banned_at = 0.0
        self._until = 0.0
        self._bans = 0

    def seconds_left(self) -> float:
        """Return for how long nothing may be sent; 0 if all is well."""
        return 0.0 if not self._until else max(0.0, self._until - shared_clock.now())

    @contextlib.contextmanager
    def cutting_short(self, scope: anyio.CancelScope) -> Generator[None, None, None]:
        """Cancel a scope of the running event loop if a ban comes before this context ends."""
        with self._lock:
            self._waiting[scope] = anyio.lowlevel.current_token()
        try:
            yield
        finally:
            with self._lock:
                del self._waiting[scope]

    def ban(self, seconds: Callable[[int], float]) -> float:
        """Record a ban. Answers that come while one lasts belong to it, and count no further.

        Args:
            seconds: Says how long it is, given how many came before.

        Returns:
            How long it is, in seconds.
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
        """End a ban now, and count the next one as the first again."""
        with self._lock:
            self._until = 0.0
            self._bans = 0

    def forgive(self, left_at: float) -> None:
        """Record that a call which left at that time was answered: the next ban counts as the first again."""
        if not self._bans:
            return
        with self._lock:
            if left_at > self._banned_at:
                self._bans = 0

    def is_at_rest(self, now: float) -> bool:
        """Whether the last ban is over, and for as long again as it lasted: one that follows at once is the second."""
        return now >= self._until + max(0.0, self._until - self._banned_at)


def _call_soon(loop: EventLoopToken, function: Callable[[], None]) -> None:
    """Call a function in an event loop, from any thread; an event loop that has ended needs no telling."""
    native: Any = loop.native_token
    call_soon = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon  # asyncio's or trio's
    with contextlib.suppress(RuntimeError):
        call_soon(function)


# The boxes of the keys that each limiter is used for. A limiter itself holds nothing that belongs to an event loop.
_by_limiter: weakref.WeakKeyDictionary[object, weakref.WeakSet[PenaltyBox]] = weakref.WeakKeyDictionary()
_by_limiter_lock = threading.Lock()


def put_under(limiter: object, box: PenaltyBox) -> None:
    """Have `lift_bans` of this limiter lift the bans of this box, too."""
    with _by_limiter_lock:
        _by_limiter.setdefault(limiter, weakref.WeakSet()).add(box)


def lift_bans(limiter: object) -> None:
    """End the bans of all keys that a limiter is used for."""
    with _by_limiter_lock:
        boxes = list(_by_limiter.get(limiter, ()))
    for box in boxes:
        box.lift()
