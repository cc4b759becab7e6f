"""Staying inside Upbit's limits: at most so many calls a second, whatever second one looks at.

A group has as many places as the second has calls. A call takes a place when it leaves, and the place is free
again one second after the call's *answer*, less the shortest round trip seen on an open connection: no earlier
can a further call reach Upbit a whole second after the first. So no window of one second, wherever it starts and
whichever kind the server uses, sees more calls than there are places.

State is plain numbers under a thread lock, so clients in several threads and event loops share one limiter.
See https://global-docs.upbit.com/reference/rate-limits.
"""

from __future__ import annotations

import heapq
import threading
import weakref
from typing import Protocol

import anyio
import attrs

from upbit_async.errors import RateLimited
from upbit_async.protocol.rates import budget
from upbit_async.transport import clock

__all__ = ["LocalLimiter", "NoLimiter", "RateLimiter", "Ticket", "shared_limiter"]

_WINDOW = 1.0 + 0.002
"""A second and what clocks are out by."""
_SPARE = 1
"""Calls a second left unused: the server's clock is not ours."""
_LONGEST_CALL = 600.0
"""No call is under way for longer, in seconds."""
_NAP = 0.01
"""How soon to look again when every place is waiting for its answer, in seconds."""


@attrs.define(eq=False)
class Ticket:
    """The right to send one call now.

    Attributes:
        group: The rate group it was issued for.
        taken_at: When, in the limiter's own time.
        cold: Whether the call had to open its connection first, so that its time is no round trip's.
    """

    group: str
    taken_at: float
    cold: bool = False


class RateLimiter(Protocol):
    """Whoever says when a call may leave. Every `acquire` is followed by one `observe` or `refuse`."""

    async def acquire(self, group: str) -> Ticket:
        """Wait until a call of the group may leave."""
        ...

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        """Take note that a call has ended.

        Args:
            ticket: What `acquire` returned.
            remaining: Calls that the server says are left of the second; None if no answer came.
        """
        ...

    def refuse(self, ticket: Ticket, seconds: float) -> None:
        """Take note that the server refused a call (429): its group stands still for so many seconds."""
        ...


@attrs.define(eq=False)
class _Group:
    """The places of one rate group."""

    places: int
    free_at: list[float] = attrs.field(factory=list[float])  # a heap: when each place that is not out is free
    out: dict[Ticket, None] = attrs.field(factory=dict[Ticket, None])  # calls that have left and not ended
    departures: list[float] = attrs.field(
        factory=list[float]
    )  # of the calls of the last window, oldest first
    standstill_until: float = 0.0
    shortest_trip: float | None = None  # of calls on open connections
    queue: list[int] = attrs.field(factory=list[int])  # callers that wait, in the order they came
    numbers: int = 0

    def wait(self, place_in_queue: int, now: float) -> float:
        """Say how long a caller has to wait, in seconds; 0 if it may go."""
        if now < self.standstill_until:
            return self.standstill_until - now
        if place_in_queue >= len(self.free_at):
            return _NAP
        due = heapq.nsmallest(place_in_queue + 1, self.free_at)[-1] if place_in_queue else self.free_at[0]
        return max(0.0, due - now)

    def leave(self, ticket: Ticket) -> None:
        """Take the place that is free the longest."""
        heapq.heappop(self.free_at)
        self.out[ticket] = None
        self._forget(ticket.taken_at)
        self.departures.append(ticket.taken_at)

    def give_back(self, ticket: Ticket, free_at: float) -> None:
        """Put a place back, free from then on."""
        if ticket in self.out:
            del self.out[ticket]
            heapq.heappush(self.free_at, free_at)

    def reclaim(self, now: float) -> None:
        """Take back the places of calls that never ended: their event loop was closed under them."""
        for ticket in [ticket for ticket in self.out if ticket.taken_at < now - _LONGEST_CALL]:
            self.give_back(ticket, now)

    def head_start(self) -> float:
        """Return how much sooner than a second after its answer a place is free, in seconds."""
        return self.shortest_trip or 0.0

    def occupy(self, places: int, until: float) -> None:
        """Leave places to others who spend the same budget, until then."""
        for _ in range(min(places, len(self.free_at))):
            heapq.heapreplace(self.free_at, max(self.free_at[0], until))

    def spent(self, since: float) -> int:
        """Count our own calls that have left since then."""
        return sum(1 for departure in self.departures if departure > since)

    def _forget(self, now: float) -> None:
        horizon = now - 4 * _WINDOW
        while self.departures and self.departures[0] < horizon:
            del self.departures[0]


class LocalLimiter:
    """A limiter for one account, in one process.

    Args:
        budgets: Calls a second by group, where they differ from what Upbit documents.
    """

    def __init__(self, budgets: dict[str, int] | None = None) -> None:
        self._budgets = dict(budgets or {})
        self._groups: dict[str, _Group] = {}
        self._lock = threading.Lock()

    async def acquire(self, group: str) -> Ticket:
        """Wait until a call of the group may leave; who came first goes first.

        Raises:
            RateLimited: The group stands still for longer than the call may take.
        """
        state, number = self._enqueue(group)
        try:
            while True:
                with self._lock:
                    now = clock.now()
                    state.reclaim(now)
                    wait = state.wait(state.queue.index(number), now)
                    if wait <= 0:
                        ticket = Ticket(group, now)
                        state.leave(ticket)
                        return ticket
                    standstill = state.standstill_until - now
                _refuse_beyond_deadline(group, standstill)
                await anyio.sleep(wait)
        finally:
            with self._lock:
                state.queue.remove(number)

    def observe(self, ticket: Ticket, remaining: int | None) -> None:
        """Free the ticket's place in due time, and yield to others if the server has counted more than we did."""
        now = clock.now()
        with self._lock:
            state = self._groups[ticket.group]
            trip = max(0.0, now - ticket.taken_at)
            if remaining is not None and not ticket.cold:
                state.shortest_trip = trip if state.shortest_trip is None else min(state.shortest_trip, trip)
            state.give_back(ticket, now + _WINDOW - min(state.head_start(), trip))
            if remaining is not None:
                self._yield_to_others(state, ticket, remaining, now)

    def refuse(self, ticket: Ticket, seconds: float) -> None:
        """Let the whole group stand still."""
        now = clock.now()
        with self._lock:
            state = self._groups[ticket.group]
            state.give_back(ticket, now + _WINDOW)
            state.standstill_until = max(state.standstill_until, now + seconds)

    def _yield_to_others(self, state: _Group, ticket: Ticket, remaining: int, now: float) -> None:
        """Occupy the places that the server counts and we don't: another process spends the same budget."""
        counted = state.places + _SPARE - remaining
        ours = state.spent(ticket.taken_at - _WINDOW)
        if counted > ours:
            state.occupy(counted - ours, now + _WINDOW)
        if remaining <= 0:
            state.standstill_until = max(state.standstill_until, now + _WINDOW - state.head_start())

    def _enqueue(self, group: str) -> tuple[_Group, int]:
        with self._lock:
            state = self._groups.get(group)
            if state is None:
                places = max(1, self._budgets.get(group, budget(group)) - _SPARE)
                state = self._groups[group] = _Group(places, free_at=[0.0] * places)
            state.numbers += 1
            state.queue.append(state.numbers)
            return state, state.numbers


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


_shared: weakref.WeakValueDictionary[tuple[str, str], LocalLimiter] = weakref.WeakValueDictionary()
_shared_lock = threading.Lock()


def shared_limiter(host: str, key: str) -> LocalLimiter:
    """Return the limiter that all clients of this process share for one key (told by its fingerprint) at one host."""
    with _shared_lock:
        limiter = _shared.get((host, key))
        if limiter is None:
            limiter = _shared[host, key] = LocalLimiter()
        return limiter
