"""So many connections at once, and no more.

A caller that gets through the gate holds a lane until it comes back. Lanes are reused newest first, so few stay
open. A lane on which something did not end cleanly is closed and made anew at the next need: that is cheaper than
finding out what state it is in.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import attrs
from anyio.lowlevel import EventLoopToken

from upbit_async.transport.http_port import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ConnectionPool", "Slot"]


_MOST_LOOPS = 16
"""Of so many event loops, counted from the newest, the lanes are remembered."""


@attrs.define(eq=False)
class LoopState:
    """The lanes of one event loop; connections can't move to another."""

    slots: anyio.Semaphore
    loop: EventLoopToken
    idle: list[Connection] = attrs.field(factory=list[Connection])
    busy: set[Connection] = attrs.field(factory=set[Connection])
    closed: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether its event loop has ended; its connections can't be closed as usual any more."""
        native: Any = self.loop.native_token
        is_closed = getattr(native, "is_closed", None)
        if is_closed is not None:  # asyncio
            return bool(is_closed())
        try:
            native.run_sync_soon(bool)
        except RuntimeError:  # trio's run has finished
            return True
        return False


@attrs.define(eq=False)
class Slot:
    """The right to use one lane."""

    connection: Connection
    _state: LoopState

    async def release(self, *, clean: bool) -> None:
        """Leave the lane to others, or close it if its last request did not end cleanly."""
        try:
            if clean and not self._state.closed:
                self._state.idle.append(self.connection)
            else:
                await self.connection.aclose()
        finally:
            self._state.busy.discard(self.connection)
            self._state.slots.release()


class ConnectionPool:
    """Hands out lanes.

    Args:
        size: Lanes at once, in each event loop.
        connect: Makes a lane.
        abandon: Closes what a lane has left open, if its event loop has ended and can't do that any more.
    """

    def __init__(
        self, size: int, connect: Callable[[], Connection], *, abandon: Callable[[Connection], object] = bool
    ) -> None:
        self._size = size
        self._connect = connect
        self._abandon = abandon
        self._states: dict[EventLoopToken, LoopState] = {}
        self._lock = threading.RLock()  # event loops of several threads may come at once

    @property
    def size(self) -> int:
        """How many lanes there are in each event loop."""
        return self._size

    async def acquire(self) -> Slot:
        """Wait for a free lane."""
        yard = self._state_here()
        await yard.slots.acquire()
        try:
            lane = yard.idle.pop() if yard.idle else self._connect()
            yard.busy.add(lane)
            return Slot(lane, yard)
        except BaseException:
            yard.slots.release()
            raise

    async def aclose(self) -> None:
        """Close this loop's lanes: the idle ones now, the others when they come back.

        Loops that have ended can't close theirs any more, so their sockets are closed here.
        """
        with self._lock:
            self._forget_ended_loops()
            yard = self._states.pop(anyio.lowlevel.current_token(), None)
        if yard is None:
            return
        yard.closed = True
        while yard.idle:
            await yard.idle.pop().aclose()

    def _state_here(self) -> LoopState:
        loop = anyio.lowlevel.current_token()
        yard = self._states.get(loop)
        if yard is None:
            with self._lock:
                self._forget_ended_loops()
                while len(self._states) >= _MOST_LOOPS:
                    self._states.pop(next(iter(self._states))).closed = True
                places = anyio.Semaphore(self._size, fast_acquire=True)
                yard = self._states[loop] = LoopState(places, loop)
        return yard

    def _forget_ended_loops(self) -> None:
        for loop, yard in list(self._states.items()):
            if yard.has_ended:
                del self._states[loop]
                for lane in (*yard.idle, *yard.busy):
                    self._abandon(lane)
