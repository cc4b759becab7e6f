"""Runner: sends queued payouts, settles lost answers and follows accepted payouts, until it is cancelled.

Runners of several processes share the payouts of one journal. Each claims payouts for a lease that it renews, so that
one process works on a payout at a time. Claims only divide the work: what is safe is decided by the journal's
compare-and-swap, so two runners that work on one payout do no harm.

::

    journal.claim ──▶ queued ─────▶ Backlog ──▶ Driver.drive, at most `concurrency` at once
                      sending,  ┐                │ accepted  │ unknown   │ not sent: back to the backlog, later
                      unknown  ─┴▶ Settler  ◀────┼───────────┘           └──────────────────────────────────────
                      accepted ──▶ Follower ◀────┘
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Final

import anyio

from upbit_async.concurrency import backoff, new_waker, open_task_group
from upbit_async.errors import (
    JournalError,
    PayoutBlocked,
    PayoutsPaused,
    UpbitError,
)
from upbit_async.payouts import queueing
from upbit_async.payouts.backlog import Backlog
from upbit_async.payouts.claims import CLAIM_LEASE, RunnerClaims
from upbit_async.payouts.failures import FailureLog, concerns_every_payout
from upbit_async.payouts.other_processes import OtherProcesses
from upbit_async.payouts.overdue import OverduePayouts
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.payout_query import PayoutQuery
from upbit_async.payouts.settling import SettleFirst

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.abc import TaskGroup

    from upbit_async.concurrency import Waker
    from upbit_async.payouts.driver import Driver
    from upbit_async.payouts.following import Follower
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler

__all__ = ["Runner"]

_CLAIMED_AT_ONCE: Final = 500
_QUEUED_AT_ONCE: Final = 32
"""Number of queued payouts that are claimed at once, unless more are sent at once."""
_CLAIM_PERIOD: Final = 1.0
"""Longest time between two claims, in seconds."""
_SHORTEST_PERIOD: Final = 0.02
"""Shortest time between two rounds of the runner, in seconds."""
_RECONCILIATION_PERIOD: Final = 60.0
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
"""First and longest wait before failed work is repeated, in seconds."""
_RETIREMENT: Final = 5.0
"""Time for the journal to release the claims when the runner ends, in seconds."""

_OTHERS: Final = frozenset({PayoutState.SENDING, PayoutState.UNKNOWN, PayoutState.ACCEPTED})
_WORKED_ON: Final = _OTHERS | {PayoutState.QUEUED}


class Runner:
    """Works on the open payouts of a journal.

    Args:
        repository: Repository of the payouts.
        driver: Sender of one payout.
        settler: Settler of payouts whose answer was lost.
        follower: Follower of accepted payouts.
        reconcile: Reconciliation of the journal with Upbit's list.
        concurrency: Number of payouts that are sent at once.
    """

    def __init__(
        self,
        repository: PayoutRepository,
        driver: Driver,
        settler: Settler,
        follower: Follower,
        *,
        reconcile: Callable[[], Awaitable[object]],
        concurrency: int,
    ) -> None:
        self._repository = repository
        self._driver = driver
        self._settler = settler
        self._follower = follower
        self._reconcile = reconcile
        self._concurrency = concurrency
        self._claims = RunnerClaims(repository)
        self._backlog = Backlog()
        self._sending = 0
        self._claimed: dict[str, Payout] = {}
        """Payouts as they were claimed, until they are sent for the first time."""
        self._working: set[str] = set()
        """Keys of the payouts that a task settles or follows."""
        self._waits: dict[str, Iterator[float]] = {}
        self._held_back_until = -math.inf
        self._common_wait = backoff(_FIRST_WAIT, _LONGEST_WAIT, 2.0)
        self._next_claim = -math.inf
        self._next_claim_of_queued = -math.inf
        self._has_left_queued = False
        """Whether the last claim may have left queued payouts in the journal."""
        self._others = OtherProcesses(repository, self._backlog, self.hurry)
        self._report = FailureLog(anyio.current_time).report
        self._overdue = OverduePayouts(repository, self._report)
        self._waker: Waker | None = None

    def wake(self) -> None:
        """Claim payouts soon: one was enqueued."""
        self._next_claim = -math.inf
        self._wake_up()

    def hurry(self) -> None:
        """Try every payout again now: an obstacle was removed."""
        self._held_back_until = -math.inf
        self._others.resumed()
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
            await self._claims.retire()
        except Exception as error:  # noqa: BLE001 - a failure here must not hide why the runner ends
            self._report(f"the claims of this process end with their lease, in {CLAIM_LEASE:g} s", error)

    # -- claims ------------------------------------------------------------------------------------

    async def _work(self, tasks: TaskGroup) -> None:
        waits = backoff(_FIRST_WAIT, _LONGEST_WAIT, 2.0)
        while True:
            self._waker = new_waker()
            if anyio.current_time() >= min(self._next_claim, self._dry_at):
                self._next_claim = anyio.current_time() + _CLAIM_PERIOD
                try:
                    await self._claim(tasks)
                    waits = backoff(_FIRST_WAIT, _LONGEST_WAIT, 2.0)
                    await self._overdue.abandon(self._others.pause)
                    await self._notice_others()
                except Exception as error:  # noqa: BLE001 - no failure ends the runner
                    self._claims.restart()
                    pause = next(waits)
                    self._next_claim = anyio.current_time() + pause
                    self._report(f"payouts wait {pause:g} s for their journal", error)
            self._start_sending(tasks)
            with anyio.move_on_after(self._until_next_work()):
                await self._waker.wait()
            await anyio.sleep(_SHORTEST_PERIOD)  # what happens meanwhile is one piece of work

    @property
    def _dry_at(self) -> float:
        """A time in the past if this runner has nothing to send, and the journal may have; else infinity."""
        is_dry = self._has_left_queued and not self._backlog.can_send(anyio.current_time())
        return -math.inf if is_dry else math.inf

    def _until_next_work(self) -> float:
        next_at = min(self._next_claim, self._dry_at)
        if self._sending < self._concurrency and not self._others.is_paused:
            next_at = min(next_at, max(self._backlog.next_at, self._held_back_until))
        return max(0.0, next_at - anyio.current_time())

    async def _claim(self, tasks: TaskGroup) -> None:
        """Renew the lease, and claim what no other runner has claimed.

        Queued payouts are claimed a few at a time, so that runners share them, and few wait if this one is killed.
        """
        now = anyio.current_time()
        if now >= self._next_claim_of_queued or not self._backlog.can_send(now):
            self._next_claim_of_queued = now + _CLAIM_PERIOD
            limit = max(self._concurrency, _QUEUED_AT_ONCE)
            self._has_left_queued = await self._claim_page(_WORKED_ON, limit, tasks) == limit
            if not self._has_left_queued:
                return
        while await self._claim_page(_OTHERS, _CLAIMED_AT_ONCE, tasks) == _CLAIMED_AT_ONCE:
            pass

    async def _claim_page(self, states: frozenset[PayoutState], limit: int, tasks: TaskGroup) -> int:
        claimed = await self._claims.claim(states, limit)
        for payout in claimed:
            self._take(payout, tasks)
        return len(claimed)

    def _take(self, payout: Payout, tasks: TaskGroup) -> None:
        """Start what is next for a payout, by its state."""
        key = payout.key
        match payout.state:
            case PayoutState.QUEUED:
                self._overdue.add(payout)
                self._claimed[key] = payout
                if wait := self._backlog.add(key, payout.criteria, at=anyio.current_time()):
                    tasks.start_soon(self._record_wait, key, *wait)
                self._others.report(payout)
            case PayoutState.SENDING | PayoutState.UNKNOWN:
                self._start(key, tasks, self._settle)
            case PayoutState.ACCEPTED:
                # Not the whole payout: there may be many thousands.
                follow = functools.partial(
                    self._follower.follow_withdrawal, uuid=payout.uuid or "", last=payout.record
                )
                self._start(key, tasks, follow)
            case PayoutState.NOT_SENT if self._driver.resends_by_itself(payout):
                self._backlog.add(key, payout.criteria, at=anyio.current_time())
            case _:
                self._release(payout)

    def _release(self, payout: Payout) -> None:
        self._claims.release(payout.key)
        self._waits.pop(payout.key, None)
        if not payout.state.is_under_way:
            self._backlog.settled(payout.key)

    async def _notice_others(self) -> None:
        try:
            await self._others.notice()
        except Exception as error:  # noqa: BLE001 - no failure ends the runner
            self._report("what other processes have changed is noticed later", error)

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
        if now < self._held_back_until or self._others.is_paused:
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
        if isinstance(error, PayoutsPaused):
            self._others.is_paused = True
            self._backlog.put_back(key, at=now)
            return
        if concerns_every_payout(error):
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
        waiting = self._backlog.block(key, by_keys, now=now, until=until, until_it=until_it)
        if await self._is_over(by_keys, for_review=is_recorded):
            return
        for by_key in by_keys[:1]:
            for each in waiting:
                if is_recorded and each == key:
                    continue
                await self._record_wait(each, by_key, until_it)

    async def _is_over(self, by_keys: tuple[str, ...], *, for_review: bool) -> bool:
        """Return whether a wait for other payouts has ended before it was known to the backlog."""
        try:
            return await self._others.check(by_keys, for_review=for_review)
        except Exception as error:  # noqa: BLE001 - it waits all the same
            self._report("whether payouts still wait for another is checked later", error)
            return False

    async def _record_wait(self, key: str, by_key: str, until_it: str) -> None:
        def wait(payout: Payout, _now: object) -> Payout | None:
            other = f"payout {by_key!r}, from which Upbit's list can't tell it,"
            error = PayoutBlocked(f"{payout} waits until {other} {until_it}", by_key=by_key)
            return queueing.failed(payout, error)

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
