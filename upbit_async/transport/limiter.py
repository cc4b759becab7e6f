"""Rate limiters: a call waits until the sliding window of its rate group has a permit for it.

One call, step by step:

1. `acquire` puts the call into the queue of its rate group. It returns a `Ticket` once the group's `SlidingWindow` has
   permits for this call and those ahead of it.
2. The transport sends the request.
3. The transport returns the ticket: with `observe` after an answer or a failure, with `refuse` after a 429. From both
   the window learns how much of the budget remains.

The state is plain numbers under a thread lock, so clients in several threads and event loops share one limiter. No
task is woken, because that would tie the limiter to one loop. A waiting call checks again when its turn may have come,
and at intervals, because calls ahead of it may have been cancelled. The interval grows with its rank in the queue.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from typing import Protocol

import anyio
import attrs

from upbit_async.errors import RateLimited
from upbit_async.protocol.rates import budget
from upbit_async.protocol.sliding_window import SlidingWindow
from upbit_async.transport import shared_clock
from upbit_async.transport.penalty_box import lift_bans

__all__ = ["LocalLimiter", "NoLimiter", "RateLimiter", "Ticket"]

_QUEUE_RECHECK = 0.02
"""Maximum re-check interval for the head of the queue, in seconds; the third waits twice as long."""
_SHORTEST_WAIT = 1e-6
"""Minimum wait, in seconds: more than the rounding error of clocks that are sums of floats."""
_OVERDUE = 0.5
"""How late a call may be with its check before it is dropped from the queue, in seconds.

Its event loop was most likely closed."""


@attrs.define(eq=False)
class Ticket:
    """The right to send one call now.

    Attributes:
        group: The rate group it was issued for.
        taken_at: When it was issued, in the limiter's own time.
        lost: Whether the call ended without an answer, so that the request may still arrive.

    Example:
        .. code-block:: python

            ticket = await client.limiter.acquire("default")  # counts like a call of this client
            client.limiter.observe(ticket, None)
    """

    group: str
    taken_at: float
    lost: bool = False


class RateLimiter(Protocol):
    """Interface of rate limiters: when a call may be sent.

    Every `acquire` is followed by one `observe` or `refuse`, or by one ``ban(ticket, seconds)`` if the limiter defines
    it. ``ban`` is called when the server has
    blocked the key or the address (418) for this many seconds. The client itself obeys a ban either way; a limiter that
    several processes share can pass it on to them.

    Example:
        .. code-block:: python

            from upbit_async import LocalLimiter, RateLimiter

            shared: RateLimiter = LocalLimiter()  # for two keys of one account
            first, second = (UpbitClient("sg", limiter=shared) for _ in range(2))
    """

    async def acquire(self, group: str) -> Ticket:
        """Wait until a call of the group may be sent."""
        ...

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        """Record that a call has ended.

        Args:
            ticket: What `acquire` returned.
            remaining: Calls that are left in this second, as the server says; None if it does not say, or if no
                answer came.
        """
        ...

    def refuse(self, ticket: Ticket, seconds: float) -> None:
        """Record that the server refused a call (429): no call of its group is sent for this many seconds."""
        ...


@attrs.define(eq=False)
class _Group:
    """One rate group: its sliding window, and the calls that wait for it."""

    window: SlidingWindow
    queue: list[int] = attrs.field(factory=list[int])  # numbers of the waiting calls, in order of arrival
    checks_at: dict[int, float] = attrs.field(factory=dict[int, float])  # when each of them checks again
    newest: int = 0

    def check(self, number: int, now: float) -> float:
        """Return after how many seconds a call may be sent or must check again; 0 means now.

        This also puts a new call into the queue, and drops calls whose event loop seems to be closed.
        """
        if number not in self.checks_at:  # it is new, or was dropped
            insort(self.queue, number)
        self.checks_at[number] = now
        while self.checks_at.get(self.queue[0], now) < now - _OVERDUE:
            self.remove(self.queue[0])
        ahead = bisect_left(self.queue, number)
        wait = self.window.delay(ahead, now)
        if wait > 0:
            wait = max(_SHORTEST_WAIT, min(wait, _QUEUE_RECHECK * (1 + ahead / 2)))
            self.checks_at[number] = now + wait
        return wait

    def remove(self, number: int) -> None:
        """Remove a call from the queue."""
        if self.checks_at.pop(number, None) is not None:
            self.queue.remove(number)


class LocalLimiter:
    """Rate limiter for one account, in one process.

    Args:
        budgets: Calls per second by rate group (``default``, ``order``, ``order-test``), where they differ from
            Upbit's documents. One call of each budget stays unused.

    Raises:
        ValueError: A budget is less than one call.

    Example:
        .. code-block:: python

            limiter = LocalLimiter({"default": 10})  # leave the other 20 to other programs
    """

    def __init__(self, budgets: dict[str, int] | None = None) -> None:
        for group, calls in (budgets or {}).items():
            if calls < 1:
                raise ValueError(
                    f"the budget of group {group!r} must be at least one call a second, not {calls}"
                )
        self._budgets = dict(budgets or {})
        self._groups: dict[str, _Group] = {}
        # The garbage collector may close a forgotten call while its thread holds the lock; that takes the lock again.
        self._lock = threading.RLock()

    async def acquire(self, group: str) -> Ticket:
        """Wait until a call of the group may be sent; calls are sent in order of arrival.

        Raises:
            RateLimited: The server refused a call, and the group must wait longer than this call may take.
        """
        with self._lock:
            state = self._group(group)
            state.newest = number = state.newest + 1
        try:
            while True:
                with self._lock:
                    now = shared_clock.now()
                    wait = state.check(number, now)
                    if wait <= 0:
                        ticket = Ticket(group, now)
                        state.window.take(ticket, now)
                        return ticket
                    standstill = state.window.standstill(now)
                _raise_if_beyond_deadline(group, standstill)
                await anyio.sleep(wait)
        finally:
            with self._lock:
                state.remove(number)

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        """Record that a call has ended, and slow down if the server counts more calls than this limiter."""
        with self._lock:
            window = self._group(ticket.group).window
            window.give_back(ticket, shared_clock.now(), remaining, lost=ticket.lost)

    def refuse(self, ticket: Ticket, seconds: float) -> None:
        """Hold back the whole group for this many seconds."""
        with self._lock:
            self._group(ticket.group).window.refuse(ticket, shared_clock.now(), seconds)

    def reset(self) -> None:
        """End the waits after a 429, and the bans (418) of all keys that use this limiter.

        Waiting calls continue at once. Use it if the answer that caused them is known not to be Upbit's, but a
        proxy's. If a ban was Upbit's own, the next call may prolong it.
        """
        with self._lock:
            for state in self._groups.values():
                state.window.reset()
        lift_bans(self)

    def is_at_rest(self, now: float) -> bool:
        """Whether a new limiter would send calls at the same times, so that this one can be dropped."""
        with self._lock:
            return all(not group.queue and group.window.is_at_rest(now) for group in self._groups.values())

    def _group(self, name: str) -> _Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group(SlidingWindow(self._budgets.get(name, budget(name))))
        return group


def _raise_if_beyond_deadline(group: str, standstill: float) -> None:
    """Raise now rather than at the deadline if the server asks for a wait beyond it."""
    if standstill > 0 and anyio.current_time() + standstill >= anyio.current_effective_deadline():
        raise RateLimited(
            f"Upbit has asked to send nothing of group {group!r} for another {standstill:.1f} s, "
            "which is longer than this call may take; try again later",
            retry_after=standstill,
            status=429,
        )


class NoLimiter:
    """Limiter that lets every call be sent at once. Bans (418) are obeyed all the same.

    Example:
        .. code-block:: python

            client = UpbitClient("sg", limiter=NoLimiter())  # another part of the system limits the calls
    """

    async def acquire(self, group: str) -> Ticket:
        """Return at once."""
        return Ticket(group, 0.0)

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        """Do nothing."""

    def refuse(self, ticket: Ticket, seconds: float) -> None:
        """Do nothing; the retry loop waits all the same."""
