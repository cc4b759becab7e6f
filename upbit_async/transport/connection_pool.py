"""Connection pool with one connection per slot.

A call holds a slot until it has ended. Connections are reused newest first, so few stay open. A connection on which a
request did not end cleanly is closed, and another is opened when one is needed: that is cheaper than determining its
state.
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
"""Maximum number of event loops whose connections are remembered, newest first."""


@attrs.define(eq=False)
class LoopState:
    """Connections of one event loop; a connection can't move to another loop."""

    slots: anyio.Semaphore
    loop: EventLoopToken
    idle: list[Connection] = attrs.field(factory=list[Connection])
    busy: set[Connection] = attrs.field(factory=set[Connection])
    closed: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether the event loop has ended, so that its connections can no longer be closed as usual."""
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
    """The right to use one connection."""

    connection: Connection
    _state: LoopState

    async def release(self, *, clean: bool) -> None:
        """Return the connection to the pool, or close it if its last request did not end cleanly."""
        try:
            if clean and not self._state.closed:
                self._state.idle.append(self.connection)
            else:
                await self.connection.aclose()
        finally:
            self._state.busy.discard(self.connection)
            self._state.slots.release()


class ConnectionPool:
    """Connection pool with one connection per slot.

    Args:
        size: Maximum number of connections in each event loop.
        connect: Creates a connection; it is opened when it is first used.
        abandon: Closes the socket of a connection whose event loop has ended.
    """

    def __init__(
        self, size: int, connect: Callable[[], Connection], *, abandon: Callable[[Connection], object] = bool
    ) -> None:
        self._size = size
        self._connect = connect
        self._abandon = abandon
        self._states: dict[EventLoopToken, LoopState] = {}
        self._lock = threading.RLock()  # event loops in several threads use one pool

    @property
    def size(self) -> int:
        """Maximum number of connections in each event loop."""
        return self._size

    async def acquire(self) -> Slot:
        """Wait for a free slot."""
        state = self._state_here()
        await state.slots.acquire()
        try:
            connection = state.idle.pop() if state.idle else self._connect()
            state.busy.add(connection)
            return Slot(connection, state)
        except BaseException:
            state.slots.release()
            raise

    async def aclose(self) -> None:
        """Close this loop's connections: the idle ones now, the others when they are released.

        The sockets of event loops that have ended are closed here too.
        """
        with self._lock:
            self._forget_ended_loops()
            state = self._states.pop(anyio.lowlevel.current_token(), None)
        if state is None:
            return
        state.closed = True
        while state.idle:
            await state.idle.pop().aclose()

    def _state_here(self) -> LoopState:
        loop = anyio.lowlevel.current_token()
        state = self._states.get(loop)
        if state is None:
            with self._lock:
                self._forget_ended_loops()
                while len(self._states) >= _MOST_LOOPS:
                    self._states.pop(next(iter(self._states))).closed = True
                slots = anyio.Semaphore(self._size, fast_acquire=True)
                state = self._states[loop] = LoopState(slots, loop)
        return state

    def _forget_ended_loops(self) -> None:
        for loop, state in list(self._states.items()):
            if state.has_ended:
                del self._states[loop]
                for connection in (*state.idle, *state.busy):
                    self._abandon(connection)
