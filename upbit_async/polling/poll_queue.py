"""Queue of the transfers that one event loop polls: determines the next batch. Pure: time is an argument.

A *sweep* polls the transfers that are due, in batches of up to 100. For example, at 10.0 s::

    transfer   A       B             C             D
    due at     10.0    10.1          10.3          14.0
    polled     yes     yes           yes           if the batch has room

A is due, and begins the sweep. B and C are almost due (since their `earliest` time), so they join it: transfers that
began together stay together. D fills up the last batch of the sweep, since the request is made anyway.

While many transfers are polled, sweeps begin at least almost `first` seconds apart. Otherwise transfers that began one
after the other would each cause a sweep of their own. A last poll at a deadline does not wait for that.

A transfer whose row makes the answer for others unreadable is polled alone (`SinglePolls`).

No transfer starves:

- Shared batches are in the order of due times. A poll moves the due time of its transfers behind the present. So a
  transfer that is due can be passed only by transfers that were due before it, each until a poll of it has ended, and
  by last polls at a deadline, of which each wait has one.
- A batch always includes the first transfer of the order. Those that do not fit keep their due time.
- A poll that was cancelled leaves the due times as they were, so its transfers are due again at once.
- Single polls take turns, also by due time. Shared batches go before them, but only until a single poll is late by the
  longest wait of the schedule. Single polls run one at a time and four a second at
  most, so other polls stay free for shared batches.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from urllib.parse import quote

from upbit_async.polling.progress import TransferSnapshot
from upbit_async.polling.schedule import draw_jitter_factor, next_poll_time
from upbit_async.protocol.endpoint import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from upbit_async.policy import PollSchedule
    from upbit_async.polling.subscription import WatchedTransfer

__all__ = ["SINGLE_POLL_SPACING", "PollQueue", "SinglePolls"]

SINGLE_POLL_SPACING: Final = 0.25
"""Minimum time between two single polls, in seconds: four of the thirty calls a second that an account has."""

_MAX_QUERY: Final = 8 * 1024
"""Characters of ids per request. Servers commonly accept lines of 8 KiB: nginx and Apache do by default."""
_MANY: Final = 10
"""Number of transfers from which on sweeps keep a distance."""
_ORDER_LIFETIME: Final = 0.25
"""Time for which an order of transfers is used, in seconds. Sorting many for each batch would be slow."""

R = TypeVar("R", bound=TransferSnapshot)


class PollQueue(Generic[R]):
    """Queue of watched transfers.

    Args:
        schedule: How often a transfer is polled.
        rand: Function that returns random numbers from 0 (included) to 1 (excluded), for the jitter.

    Attributes:
        singles: The transfers that are polled alone.
    """

    def __init__(self, schedule: PollSchedule, rand: Callable[[], float]) -> None:
        self.singles: SinglePolls[R] = SinglePolls()
        self._schedule = schedule
        self._rand = rand
        self._transfers: dict[str, WatchedTransfer[R]] = {}
        self._sweep_began = -math.inf
        self._next_sweep_at = -math.inf
        self._order: list[WatchedTransfer[R]] = []
        self._ordered_at = -math.inf
        self._jitter_factor = draw_jitter_factor(schedule, rand)

    def __len__(self) -> int:
        return len(self._transfers)

    def __contains__(self, transfer: WatchedTransfer[R]) -> bool:
        # A transfer that was removed and added again is another object.
        return self._transfers.get(transfer.key) is transfer

    def __iter__(self) -> Iterator[WatchedTransfer[R]]:
        return iter(self._transfers.values())

    def get(self, id_: str) -> WatchedTransfer[R] | None:
        """Return the transfer with an id, ignoring upper and lower case, or None."""
        return self._transfers.get(id_.casefold())

    def still_in(self, batch: Iterable[WatchedTransfer[R]]) -> list[WatchedTransfer[R]]:
        """Return the transfers of a batch that have not been removed."""
        return [transfer for transfer in batch if transfer in self]

    def add(self, transfer: WatchedTransfer[R]) -> None:
        """Add a transfer."""
        self._transfers[transfer.key] = transfer

    def remove(self, transfer: WatchedTransfer[R]) -> None:
        """Remove a transfer."""
        del self._transfers[transfer.key]
        self.singles.discard(transfer)
        if not self._transfers:
            self._order.clear()

    def plan_next_poll(self, transfer: WatchedTransfer[R], now: float) -> None:
        """Set the time of a transfer's next poll, after one that ends now."""
        single_since, quiet_since = transfer.single_since, transfer.quiet_since
        time = next_poll_time(
            self._schedule,
            now=now,
            quiet_since=quiet_since if single_since is None else single_since,
            jitter_factor=self._jitter_factor,
        )
        transfer.plan_next_poll(time, now)

    def next_batch(self, now: float) -> list[WatchedTransfer[R]]:
        """Return the transfers to poll now; none if none is due.

        Shared batches go first, so that single polls do not delay other transfers. A single poll that is late by
        more than the longest wait goes before them, so that shared batches do not displace it for ever.
        """
        overdue = self.singles.pick(now, overdue=self._schedule.longest)
        if overdue is not None:
            return [overdue]
        batch = self._shared_batch(now)
        if batch:
            return batch
        single = self.singles.pick(now) or self.singles.pick_expired(now)
        return [] if single is None else [single]

    def next_due_time(self) -> float:
        """Return when `next_batch` may return a batch; infinity if only the end of a poll can change that."""
        due = deadline = math.inf
        for each in self._idle():
            due, deadline = min(due, self._poll_time(each)), min(deadline, each.deadline)
        return min(due, deadline, self.singles.next_due_time())

    def _poll_time(self, transfer: WatchedTransfer[R]) -> float:
        """Return when a sweep may poll a transfer that is due: in the present sweep, or in the next one."""
        is_in_this_sweep = transfer.earliest <= self._sweep_began
        return transfer.due if is_in_this_sweep else max(transfer.due, self._next_sweep_at)

    def next_due_time_after(self, batch: Iterable[WatchedTransfer[R]]) -> float:
        """Return when, after a poll of a batch, its transfers or a single poll are due."""
        return min(
            min((each.due for each in self.still_in(batch)), default=math.inf), self.singles.next_due_time()
        )

    def _idle(self) -> Iterator[WatchedTransfer[R]]:
        """Iterate over the transfers that may be polled together now."""
        return (each for each in self if not each.in_flight and each.single_since is None)

    def _shared_batch(self, now: float) -> list[WatchedTransfer[R]]:
        if not self._order or now >= self._ordered_at + _ORDER_LIFETIME:
            self._plan_sweep(now)
        batch: list[WatchedTransfer[R]] = []
        while self._order and len(batch) < PAGE_SIZE:
            transfer = self._order.pop()
            if transfer in self:
                batch.append(transfer)
        if 0 < len(batch) < PAGE_SIZE:
            batch += self._fill_ups(PAGE_SIZE - len(batch), {each.key for each in batch})
        return batch[: _how_many_fit(each.id for each in batch)]  # the next plan includes the others

    def _plan_sweep(self, now: float) -> None:
        """Order the transfers to poll, the most urgent first: last polls at a deadline, then by due time."""
        self._ordered_at = now
        idle = list(self._idle())
        # What becomes almost due during a sweep is left to the next one, or a sweep might never end.
        if all(each.earliest > self._sweep_began for each in idle):
            if all(self._poll_time(each) > now and each.deadline > now for each in idle):
                self._order = []
                return
            self._sweep_began = now
            self._jitter_factor = draw_jitter_factor(self._schedule, self._rand)
        began = self._sweep_began
        self._order = [each for each in idle if each.earliest <= began or each.due <= now]
        self._order.sort(key=lambda each: (each.deadline > now, each.due))
        self._order.reverse()  # the most urgent is at the end, from which a list pops
        if began == now and len(idle) >= _MANY:
            self._next_sweep_at = now + self._schedule.first * (1 - self._schedule.jitter)

    def _fill_ups(self, count: int, chosen: Container[str]) -> list[WatchedTransfer[R]]:
        """Return transfers that fill up a batch, by due time: of those that this sweep has not polled."""
        others = (
            each
            for each in self._idle()
            if each.last_poll_began < self._sweep_began and each.key not in chosen
        )
        return heapq.nsmallest(count, others, key=lambda each: each.due)


class SinglePolls(Generic[R]):
    """Transfers that are polled alone, because an answer that includes them does not decode.

    They must not delay other transfers or use up the account's calls. So one of them is polled at a time, and four a
    second at most, however many there are. Only the last poll at a deadline is exempt from this.
    """

    def __init__(self) -> None:
        self._transfers: dict[str, WatchedTransfer[R]] = {}
        self._next_at = -math.inf

    def __len__(self) -> int:
        return len(self._transfers)

    def add(self, transfer: WatchedTransfer[R], now: float) -> None:
        """Poll a transfer alone from now on."""
        if transfer.single_since is None:
            transfer.single_since = now
            self._transfers[transfer.key] = transfer

    def discard(self, transfer: WatchedTransfer[R]) -> None:
        """Stop polling a transfer alone."""
        if transfer.single_since is not None:
            transfer.single_since = None
            del self._transfers[transfer.key]

    def pick(self, now: float, *, overdue: float = 0.0) -> WatchedTransfer[R] | None:
        """Return the transfer to poll now: the one that is due for longest, if a single poll may run.

        Args:
            now: The time, by the event loop's clock, in seconds.
            overdue: Minimum time for which it must have been due, in seconds.
        """
        if now < self._next_at:
            return None
        idle = self._idle()
        if len(idle) < len(self._transfers):
            return None
        transfer = min(idle, key=lambda each: each.due, default=None)
        if transfer is None or transfer.due + overdue > now:
            return None
        self._next_at = now + SINGLE_POLL_SPACING
        return transfer

    def pick_expired(self, now: float) -> WatchedTransfer[R] | None:
        """Return a transfer whose last poll is due because a deadline has passed."""
        expired = (each for each in self._idle() if each.deadline <= now)
        return min(expired, key=lambda each: each.deadline, default=None)

    def next_due_time(self) -> float:
        """Return when a single poll may be due; infinity if only the end of a poll can change that."""
        idle = self._idle()
        deadline = min((each.deadline for each in idle), default=math.inf)
        if len(idle) < len(self._transfers):
            return deadline
        return min(deadline, max(self._next_at, min((each.due for each in idle), default=math.inf)))

    def _idle(self) -> list[WatchedTransfer[R]]:
        return [each for each in self._transfers.values() if not each.in_flight]


def _how_many_fit(ids: Iterable[str]) -> int:
    """Return how many of the ids, from the first on, one request can carry: at least one, if there is one."""
    count = length = 0
    for each in ids:
        length += len("&uuids[]=") + len(quote(each, safe="", errors="replace"))
        if count and (count == PAGE_SIZE or length > _MAX_QUERY):
            break
        count += 1
    return count
