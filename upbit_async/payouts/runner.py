"""Runner: sends queued payouts, settles lost answers and follows accepted payouts, until it is cancelled.

Runners of several processes share the payouts of one journal. Each claims payouts for a lease that it renews, so that
one process works on a payout at a time. Claims only divide the work: what is safe is decided by the journal's
compare-and-swap, so two runners that work on one payout do no harm.

::

    journal.claim ──▶ queued ─────▶ Backlog ──▶ Driver.drive, at most `concurrency` at once
                      sending,  ┐                │ accepted  │ unknown   │ not sent: back to the backlog, later
                      unknown  ─┴▶ Settler  ◀────┼───────────┘           └──────────────────────────────────────
                      accepted ──▶ Settler.follow◀┘
"""

from __future__ import annotations

import functools
import heapq
import math
import uuid
from typing import TYPE_CHECKING, Final

import anyio

from upbit_async.concurrency import backoff, new_waker, open_task_group
from upbit_async.errors import (
    AuthenticationError,
    Banned,
    JournalError,
    PayoutBlocked,
    PayoutsPaused,
    PermissionDenied,
    RateLimited,
    ServerError,
    TransportError,
    UpbitError,
)
from upbit_async.payouts import queueing
from upbit_async.payouts.backlog import Backlog
from upbit_async.payouts.failure_log import FailureLog
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.payout_query import PayoutQuery
from upbit_async.payouts.unowned import SettleFirst

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.abc import TaskGroup

    from upbit_async.concurrency import Waker
    from upbit_async.payouts.driver import Driver
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler

__all__ = ["Runner"]

_CLAIMED_AT_ONCE: Final = 500
_CLAIM_PERIOD: Final = 1.0
"""Longest time between two claims, in seconds."""
_SHORTEST_PERIOD: Final = 0.02
"""Shortest time between two rounds of the runner, in seconds."""
_CLAIM_LEASE: Final = 15.0
"""Time after its last claim for which a runner keeps its payouts, in seconds."""
_RECONCILIATION_PERIOD: Final = 60.0
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
"""First and longest wait before failed work is repeated, in seconds."""
_RETIREMENT: Final = 5.0
"""Time for the journal to release the claims when the runner ends, in seconds."""

_WORKED_ON: Final = frozenset(
    {PayoutState.QUEUED, PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.ACCEPTED}
)
_FOR_ALL: Final = (
    AuthenticationError,
    Banned,
    JournalError,
    PayoutsPaused,
    PermissionDenied,
    RateLimited,
    ServerError,
    TransportError,
)
"""Failures that concern every payout, so that the next one would fail in the same way."""


class Runner:
    """Works on the open payouts of a journal.

    Args:
        repository: Repository of the payouts.
        driver: Sender of one payout.
        settler: Settler of payouts whose answer was lost, and follower of accepted ones.
        reconcile: Reconciliation of the journal with Upbit's list.
        concurrency: Number of payouts that are sent at once.
    """

    def __init__(
        self,
        repository: PayoutRepository,
        driver: Driver,
        settler: Settler,
        *,
        reconcile: Callable[[], Awaitable[object]],
        concurrency: int,
    ) -> None:
        self._repository = repository
        self._driver = driver
        self._settler = settler
        self._reconcile = reconcile
        self._concurrency = concurrency
        self._name = f"runner {uuid.uuid4()}"
        self._backlog = Backlog()
        self._sending = 0
        self._claimed: dict[str, Payout] = {}
        """Payouts as they were claimed, until they are sent for the first time."""
        self._released: set[str] = set()
        self._working: set[str] = set()
        """Keys of the payouts that a task settles or follows."""
        self._waits: dict[str, Iterator[float]] = {}
        self._held_back_until = -math.inf
        self._common_wait = backoff(_FIRST_WAIT, _LONGEST_WAIT, 2.0)
        self._next_claim = -math.inf
        self._deadlines: list[tuple[dt.datetime, str]] = []
        """Heap of the times after which queued payouts are abandoned."""
        self._report = FailureLog(anyio.current_time).report
        self._waker: Waker | None = None

    def wake(self) -> None:
        """Claim payouts soon: one was enqueued."""
        self._next_claim = -math.inf
        self._wake_up()

    def hurry(self) -> None:
        """Try every payout again now: an obstacle was removed."""
        self._held_back_until = -math.inf
        self._backlog.hurry()
        self.wake()

    async def run(self) -> None:
        """Work until the caller is cancelled. No failure of Upbit, the network or the journal ends it."""
        try:
            async with open_task_group() as tasks:
                tasks.start_soon(self._reconcile_periodically, tasks)
                await self._work(tasks)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_RETIREMENT):
                await self._retire()

    async def _retire(self) -> None:
        try:
            await self._repository.journal.retire(self._name)
        except Exception as error:  # noqa: BLE001 - a failure here must not hide why the runner ends
            self._report(f"the claims of this process end with their lease, in {_CLAIM_LEASE:g} s", error)

    # -- claims ------------------------------------------------------------------------------------

    async def _work(self, tasks: TaskGroup) -> None:
        waits = backoff(_FIRST_WAIT, _LONGEST_WAIT, 2.0)
        while True:
            self._waker = new_waker()
            if anyio.current_time() >= self._next_claim:
                self._next_claim = anyio.current_time() + _CLAIM_PERIOD
                try:
                    await self._claim(tasks)
                    waits = backoff(_FIRST_WAIT, _LONGEST_WAIT, 2.0)
                    await self._abandon_overdue()
                except Exception as error:  # noqa: BLE001 - no failure ends the runner
                    # The journal may have claimed what it could not return. The claims of the old name end soon.
                    self._name = f"runner {uuid.uuid4()}"
                    pause = next(waits)
                    self._next_claim = anyio.current_time() + pause
                    self._report(f"payouts wait {pause:g} s for their journal", error)
            self._start_sending(tasks)
            with anyio.move_on_after(self._until_next_work()):
                await self._waker.wait()
            await anyio.sleep(_SHORTEST_PERIOD)  # what happens meanwhile is one piece of work

    def _until_next_work(self) -> float:
        next_at = self._next_claim
        if self._sending < self._concurrency:
            next_at = min(next_at, max(self._backlog.next_at, self._held_back_until))
        return max(0.0, next_at - anyio.current_time())

    async def _claim(self, tasks: TaskGroup) -> None:
        """Renew the lease, and claim what no other runner has claimed."""
        while True:
            released = frozenset(self._released)
            claimed = await self._repository.journal.claim(
                self._name,
                lease=_CLAIM_LEASE,
                limit=_CLAIMED_AT_ONCE,
                states=_WORKED_ON,
                released=released,
            )
            self._released -= released
            for payout in claimed:
                self._take(payout, tasks)
            if len(claimed) < _CLAIMED_AT_ONCE:
                return

    def _take(self, payout: Payout, tasks: TaskGroup) -> None:
        """Start what is next for a payout, by its state."""
        key = payout.key
        match payout.state:
            case PayoutState.QUEUED:
                if payout.not_after is not None:
                    heapq.heappush(self._deadlines, (payout.not_after, key))
                self._claimed[key] = payout
                self._backlog.add(key, payout.criteria, at=anyio.current_time())
            case PayoutState.SENDING | PayoutState.UNKNOWN:
                self._start(key, tasks, self._settle)
            case PayoutState.ACCEPTED:
                # Only key and withdrawal: there may be many thousands.
                follow = functools.partial(self._settler.follow_withdrawal, uuid=payout.uuid or "")
                self._start(key, tasks, follow)
            case PayoutState.NOT_SENT if self._driver.resends_by_itself(payout):
                self._backlog.add(key, payout.criteria, at=anyio.current_time())
            case _:
                self._release(payout)

    def _release(self, payout: Payout) -> None:
        self._released.add(payout.key)
        self._waits.pop(payout.key, None)
        if not payout.state.is_under_way:
            self._backlog.settled(payout.key)

    async def _abandon_overdue(self) -> None:
        """Abandon payouts whose time has passed, also while nothing can be sent."""
        while self._deadlines and self._deadlines[0][0] < self._repository.clock():
            await self._repository.change(self._deadlines[0][1], queueing.overdue)
            heapq.heappop(self._deadlines)

    # -- settling and following --------------------------------------------------------------------

    def _start(self, key: str, tasks: TaskGroup, work: Callable[[str], Awaitable[Payout]]) -> None:
        """Start a task for a payout, unless it has one."""
        if key not in self._working:
            self._working.add(key)
            tasks.start_soon(self._keep_trying, key, tasks, work)

    async def _keep_trying(
        self, key: str, tasks: TaskGroup, work: Callable[[str], Awaitable[Payout]]
    ) -> None:
        """Work on a payout until it has another state; a failure is repeated later."""
        waits = backoff(_FIRST_WAIT, _LONGEST_WAIT, 2.0)
        while True:
            try:
                payout = await work(key)
                break
            except Exception as error:  # noqa: BLE001 - no failure ends the runner
                self._report("an open payout could not be followed or settled; it is tried again", error)
            await anyio.sleep(next(waits))
        self._working.discard(key)
        self._backlog.settled(key)
        self._take(payout, tasks)
        self._wake_up()

    async def _settle(self, key: str) -> Payout:
        return await self._settler.wait_until_settled(key)

    # -- sending -----------------------------------------------------------------------------------

    def _start_sending(self, tasks: TaskGroup) -> None:
        """Start as many senders as there is work and concurrency for."""
        now = anyio.current_time()
        if now < self._held_back_until:
            return
        while self._sending < self._concurrency:
            key = self._backlog.take(now)
            if key is None:
                return
            self._sending += 1
            tasks.start_soon(self._send, key, tasks)

    async def _send(self, key: str, tasks: TaskGroup) -> None:
        try:
            await self._send_once(key, tasks)
        finally:
            self._sending -= 1
            self._wake_up()

    async def _send_once(self, key: str, tasks: TaskGroup) -> None:
        try:
            payout = await self._driver.drive(key, claimed=self._claimed.pop(key, None), waits=False)
        except SettleFirst as first:
            await self._wait_for(key, first.keys, "is settled")
            return
        except Exception as error:  # noqa: BLE001 - no failure ends the runner
            if isinstance(error, JournalError) and error.key is not None:  # the payout can't record it
                self._report("a payout could not be sent; it is tried again", error)
            await self._fail(key, error)
            return
        is_to_be_sent = payout.state is PayoutState.QUEUED or self._driver.resends_by_itself(payout)
        if not is_to_be_sent:
            self._backlog.done(key)
            self._common_wait = backoff(_FIRST_WAIT, _LONGEST_WAIT, 2.0)
            self._take(payout, tasks)
        elif payout.error is not None:
            await self._fail(key, payout.error)
        else:  # another task has advanced it meanwhile
            self._backlog.put_back(key, at=anyio.current_time() + _FIRST_WAIT)

    async def _fail(self, key: str, error: Exception) -> None:
        """Put a payout back that could not be sent."""
        now = anyio.current_time()
        if isinstance(error, PayoutBlocked) and error.by_key is not None:
            await self._wait_for(key, (error.by_key,), "has been reviewed", is_recorded=True)
            return
        if isinstance(error, _FOR_ALL) and not (isinstance(error, JournalError) and error.key is not None):
            self._backlog.put_back(key, at=now)
            if now >= self._held_back_until:  # else another payout has failed in the same way just now
                pause = next(self._common_wait)
                self._held_back_until = now + pause
                self._report(f"no payout is sent for {pause:g} s", error)
            return
        if not isinstance(error, UpbitError):
            self._report("a payout could not be sent; it is tried again", error)
        waits = self._waits.setdefault(key, backoff(_FIRST_WAIT, 2 * _LONGEST_WAIT, 2.0))
        self._backlog.put_back(key, at=now + next(waits))

    async def _wait_for(
        self, key: str, by_keys: tuple[str, ...], until_it: str, *, is_recorded: bool = False
    ) -> None:
        """Put a payout back until others are settled, and record in it and its equals for which one they wait.

        Args:
            key: The payout's key.
            by_keys: Keys of the others.
            until_it: What must happen to them.
            is_recorded: Whether the payout itself has its reason already.
        """
        now = anyio.current_time()
        until = now + (_LONGEST_WAIT if by_keys else _FIRST_WAIT)
        waiting = self._backlog.block(key, by_keys, now=now, until=until)
        for by_key in by_keys[:1]:
            for each in waiting:
                if is_recorded and each == key:
                    continue
                await self._record_wait(each, by_key, until_it)

    async def _record_wait(self, key: str, by_key: str, until_it: str) -> None:
        def wait(payout: Payout, _now: object) -> Payout | None:
            text = (
                f"{payout} waits until payout {by_key!r}, from which Upbit's list can't tell it, {until_it}"
            )
            return queueing.failed(payout, PayoutBlocked(text, by_key=by_key))

        try:
            await self._repository.change(key, wait)
        except Exception as error:  # noqa: BLE001 - it waits all the same
            self._report("for what a payout waits could not be recorded", error)

    def _wake_up(self) -> None:
        if self._waker is not None:
            self._waker.set()

    # -- reconciliation ----------------------------------------------------------------------------

    async def _reconcile_periodically(self, tasks: TaskGroup) -> None:
        waits = backoff(_FIRST_WAIT, _RECONCILIATION_PERIOD, 2.0)
        while True:
            pause = _RECONCILIATION_PERIOD
            try:
                await self._reconcile()
                await self._take_up_unsent(tasks)
                waits = backoff(_FIRST_WAIT, _RECONCILIATION_PERIOD, 2.0)
            except Exception as error:  # noqa: BLE001 - no failure ends the runner
                pause = next(waits)
                self._report(f"Upbit's withdrawals are compared with the payouts again in {pause:g} s", error)
            await anyio.sleep(pause)

    async def _take_up_unsent(self, tasks: TaskGroup) -> None:
        """Send what was not sent, if that needs no decision: an earlier process may have ended before it did."""
        if not self._driver.resends:
            return
        for payout in await self._repository.journal.select(
            PayoutQuery(states=[PayoutState.NOT_SENT], limit=_CLAIMED_AT_ONCE)
        ):
            if self._driver.resends_by_itself(payout):
                self._take(payout, tasks)
        self._wake_up()
