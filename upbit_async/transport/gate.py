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

from upbit_async.transport.http_port import Lane

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Gate", "Pass"]


_MOST_LOOPS = 16
"""Of so many event loops, counted from the newest, the lanes are remembered."""


@attrs.define(eq=False)
class _Yard:
    """The lanes of one event loop; connections can't move to another."""

    places: anyio.Semaphore
    loop: EventLoopToken
    idle: list[Lane] = attrs.field(factory=list[Lane])
    busy: set[Lane] = attrs.field(factory=set[Lane])
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
class Pass:
    """The right to use one lane."""

    lane: Lane
    _yard: _Yard

    async def hand_back(self, *, clean: bool) -> None:
        """Leave the lane to others, or close it if its last request did not end cleanly."""
        try:
            if clean and not self._yard.closed:
                self._yard.idle.append(self.lane)
            else:
                await self.lane.aclose()
        finally:
            self._yard.busy.discard(self.lane)
            self._yard.places.release()


class Gate:
    """Hands out lanes.

    Args:
        size: Lanes at once, in each event loop.
        make_lane: Makes a lane.
        abandon: Closes what a lane has left open, if its event loop has ended and can't do that any more.
    """

    def __init__(
        self, size: int, make_lane: Callable[[], Lane], *, abandon: Callable[[Lane], object] = bool
    ) -> None:
        self._size = size
        self._make_lane = make_lane
        self._abandon = abandon
        self._yards: dict[EventLoopToken, _Yard] = {}
        self._lock = threading.RLock()  # event loops of several threads may come at once

    @property
    def size(self) -> int:
        """How many lanes there are in each event loop."""
        return self._size

    async def enter(self) -> Pass:
        """Wait for a free lane."""
        yard = self._yard_here()
        await yard.places.acquire()
        try:
            lane = yard.idle.pop() if yard.idle else self._make_lane()
            yard.busy.add(lane)
            return Pass(lane, yard)
        except BaseException:
            yard.places.release()
            raise

    async def aclose(self) -> None:
        """Close this loop's lanes: the idle ones now, the others when they come back.

        Loops that have ended can't close theirs any more, so their sockets are closed here.
        """
        with self._lock:
            self._forget_ended_loops()
            yard = self._yards.pop(anyio.lowlevel.current_token(), None)
        if yard is None:
            return
        yard.closed = True
        while yard.idle:
            await yard.idle.pop().aclose()

    def _yard_here(self) -> _Yard:
        loop = anyio.lowlevel.current_token()
        yard = self._yards.get(loop)
        if yard is None:
            with self._lock:
                self._forget_ended_loops()
                while len(self._yards) >= _MOST_LOOPS:
                    self._yards.pop(next(iter(self._yards))).closed = True
                places = anyio.Semaphore(self._size, fast_acquire=True)
                yard = self._yards[loop] = _Yard(places, loop)
        return yard

    def _forget_ended_loops(self) -> None:
        for loop, yard in list(self._yards.items()):
            if yard.has_ended:
                del self._yards[loop]
                for lane in (*yard.idle, *yard.busy):
                    self._abandon(lane)
