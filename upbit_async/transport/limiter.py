"""Rate limiters: calls wait here until the sliding window lets them leave.

State is plain numbers under a thread lock, so clients in several threads and event loops share one limiter. Nobody
is woken, because that would tie the limiter to a loop: a waiting call checks again when its turn may have come, and
at intervals, because calls before it may have been cancelled. The interval grows with its rank in the queue.
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

_GLANCE = 0.02
"""Maximum re-check interval for the head of the queue, in seconds; the third waits twice as long."""
_SHORTEST_NAP = 1e-6
"""Clocks are sums of numbers; nobody sleeps for less than what rounding may cost, in seconds."""
_PATIENCE = 0.5
"""Who is so late to look again is passed over, in seconds: most likely its event loop was closed."""


@attrs.define(eq=False)
class Ticket:
    """The right to send one call now.

    Attributes:
        group: The rate group it was issued for.
        taken_at: When, in the limiter's own time.
        lost: Whether the call was given up without an answer, so that it may still be on its way.
    """

    group: str
    taken_at: float
    lost: bool = False


class RateLimiter(Protocol):
    """Decides when a call may leave. Every `acquire` is followed by one `observe`, `refuse` or `ban`.

    A limiter may also have ``ban(ticket, seconds)``. It is called, in place of `observe`, when the server has
    blocked the key or the address (418) for this many seconds. The client itself obeys a ban with or without it;
    a limiter that several processes share can pass it on to them.
    """

    async def acquire(self, group: str) -> Ticket:
        """Wait until a call of the group may leave."""
        ...

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        """Record that a call has ended.

        Args:
            ticket: What `acquire` returned.
            remaining: Calls that the server says are left of the second; None if it does not say, or no answer came.
        """
        ...

    def refuse(self, ticket: Ticket, seconds: float) -> None:
        """Record that the server refused a call (429): its group stands still for this many seconds."""
        ...


@attrs.define(eq=False)
class _Group:
    """One rate group: its sliding window, and the calls that wait for it."""

    window: SlidingWindow
    queue: list[int] = attrs.field(factory=list[int])  # the numbers of those who wait, in the order they came
    looks_at: dict[int, float] = attrs.field(factory=dict[int, float])  # when each of them looks again
    newest: int = 0

    def look(self, number: int, now: float) -> float:
        """Say when a caller has to look again, in seconds; 0 if it may go."""
        if number not in self.looks_at:  # it is new, or was passed over
            insort(self.queue, number)
        self.looks_at[number] = now
        while self.looks_at.get(self.queue[0], now) < now - _PATIENCE:
            self.leave(self.queue[0])
        ahead = bisect_left(self.queue, number)
        wait = self.window.wait(ahead, now)
        if wait > 0:
            wait = max(_SHORTEST_NAP, min(wait, _GLANCE * (1 + ahead / 2)))
            self.looks_at[number] = now + wait
        return wait

    def leave(self, number: int) -> None:
        """Forget a caller."""
        if self.looks_at.pop(number, None) is not None:
            self.queue.remove(number)


class LocalLimiter:
    """A limiter for one account, in one process.

    Args:
        budgets: Calls a second by group (``default``, ``order``, ``order-test``), where they differ from what
            Upbit documents. One of them stays unused.

    Raises:
        ValueError: A budget is less than one call.
    """

    def __init__(self, budgets: dict[str, int] | None = None) -> None:
        for group, calls in (budgets or {}).items():
            if calls < 1:
                raise ValueError(
                    f"the budget of group {group!r} must be at least one call a second, not {calls}"
                )
        self._budgets = dict(budgets or {})
        self._groups: dict[str, _Group] = {}
        # Wherever this thread is, the garbage collector may end a forgotten call, which then comes here as well.
        self._lock = threading.RLock()

    async def acquire(self, group: str) -> Ticket:
        """Wait until a call of the group may leave; who came first goes first.

        Raises:
            RateLimited: The group stands still for longer than the call may take.
        """
        with self._lock:
            state = self._group(group)
            state.newest = number = state.newest + 1
        try:
            while True:
                with self._lock:
                    now = shared_clock.now()
                    wait = state.look(number, now)
                    if wait <= 0:
                        ticket = Ticket(group, now)
                        state.window.take(ticket, now)
                        return ticket
                    standstill = state.window.standstill(now)
                _refuse_beyond_deadline(group, standstill)
                await anyio.sleep(wait)
        finally:
            with self._lock:
                state.leave(number)

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        """Record that a call has ended, and slow down if the server has counted more than it should."""
        with self._lock:
            window = self._group(ticket.group).window
            window.give_back(ticket, shared_clock.now(), remaining, lost=ticket.lost)

    def refuse(self, ticket: Ticket, seconds: float) -> None:
        """Let the whole group stand still."""
        with self._lock:
            self._group(ticket.group).window.refuse(ticket, shared_clock.now(), seconds)

    def reset(self) -> None:
        """End standstills (429), and the bans (418) of all keys that this limiter is used for.

        Waiting calls go on at once. Call it when a hint is known to be wrong, such as a proxy's. If a ban was Upbit's
        own, the next call may prolong it.
        """
        with self._lock:
            for state in self._groups.values():
                state.window.reset()
        lift_bans(self)

    def is_at_rest(self, now: float) -> bool:
        """Whether a new limiter would let calls leave at the same times."""
        with self._lock:
            return all(not group.queue and group.window.is_at_rest(now) for group in self._groups.values())

    def _group(self, name: str) -> _Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group(SlidingWindow(self._budgets.get(name, budget(name))))
        return group


def _refuse_beyond_deadline(group: str, standstill: float) -> None:
    """Fail now rather than at the deadline, if the server has asked to wait longer than there is time."""
    if standstill > 0 and anyio.current_time() + standstill >= anyio.current_effective_deadline():
        raise RateLimited(
            f"Upbit has asked to send nothing of group {group!r} for {standstill:.1f} s more, "
            "and that is longer than this call may take; try again later",
            retry_after=standstill,
            status=429,
        )


class NoLimiter:
    """Lets every call leave at once. 418 is obeyed all the same."""

    async def acquire(self, group: str) -> Ticket:
        """Return at once."""
        return Ticket(group, 0.0)

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        """Take no note."""

    def refuse(self, ticket: Ticket, seconds: float) -> None:
        """Take no note; the call itself waits all the same."""
