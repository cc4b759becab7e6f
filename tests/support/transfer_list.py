"""A fake of Upbit's list of withdrawals, whose states change with time, and a watcher that polls it."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import trio

from upbit_async import errors
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.polling import Watcher, WithdrawalPoller
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from upbit_async.events import Event
    from upbit_async.policy import PollSchedule

__all__ = ["HOST", "FakeTransferList", "living_tasks", "withdrawal"]

HOST = "sg-api.upbit.com"


def withdrawal(uuid: str, state: str = "WAITING", **members: Any) -> Withdrawal:
    """Return a withdrawal of 13 USDT."""
    return Withdrawal(uuid=uuid, currency="USDT", amount=Decimal(13), state=WithdrawalState(state), **members)


class FakeTransferList:
    """Upbit's list of withdrawals with a watcher of it; both record what they see."""

    def __init__(self, schedule: PollSchedule) -> None:
        self.histories: dict[str, list[tuple[float, str]]] = {}
        self.requests: list[tuple[float, tuple[str, ...]]] = []
        self.events: list[Event] = []
        self.latency = 0.0
        self.lag: Callable[[], float] = lambda: self.latency
        self.under_way = 0
        self.most_under_way = 0
        self.fault: Callable[[Sequence[str]], Exception | None] = lambda _uuids: None
        self.mangle: Callable[[list[Withdrawal]], list[Withdrawal]] = list
        self.watcher = Watcher[Withdrawal](
            self.fetch,
            schedule,
            kind="withdrawal",
            host=HOST,
            emit=self.events.append,
            rand=itertools.cycle([0.1, 0.9, 0.5, 0.3, 0.7]).__next__,
            utc_now=lambda: (
                dt.datetime(2025, 7, 4, tzinfo=dt.UTC) + dt.timedelta(seconds=anyio.current_time())
            ),
        )

    def open(self, uuid: str, *history: tuple[float, str]) -> WithdrawalPoller:
        """Add a withdrawal with a history of states, each with its start in seconds from now."""
        began = anyio.current_time()
        self.histories[uuid.casefold()] = [(began + after, state) for after, state in history]
        return self.poller(uuid)

    def poller(self, uuid: str, last: Withdrawal | None = None) -> WithdrawalPoller:
        return WithdrawalPoller(uuid, watcher=self.watcher, region=Region.SG, host=HOST, last=last)

    def state(self, uuid: str) -> str | None:
        """Return the state that the list shows now."""
        now = anyio.current_time()
        history = self.histories.get(uuid.casefold(), [])
        return next((state for since, state in reversed(history) if since <= now), None)

    async def fetch(self, uuids: Sequence[str]) -> list[Withdrawal]:
        assert 1 <= len(uuids) <= 100
        assert len(set(uuids)) == len(uuids)
        self.requests.append((anyio.current_time(), tuple(uuids)))
        states = {uuid: self.state(uuid) for uuid in uuids}
        rows = [withdrawal(uuid, state) for uuid, state in states.items() if state and state != "ABSENT"]
        fault = self.fault(uuids)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await anyio.sleep(self.lag())
        finally:
            self.under_way -= 1
        if fault is not None:
            raise fault
        return self.mangle(rows)

    @staticmethod
    async def outcomes(*pollers: WithdrawalPoller) -> list[str]:
        """Wait with all pollers at once; return how each wait ended: a state, or the name of an error."""
        ended: dict[int, str] = {}

        async def wait(index: int, poller: WithdrawalPoller) -> None:
            try:
                ended[index] = (await poller.wait()).state.value
            except errors.UpbitError as error:
                ended[index] = (
                    type(error).__name__ if error.resume_token == poller.resume_token else "no token"
                )

        async with anyio.create_task_group() as tasks:
            for index, poller in enumerate(pollers):
                tasks.start_soon(wait, index, poller)
        return [ended[index] for index in range(len(pollers))]

    def times(self) -> list[float]:
        return [at for at, _ in self.requests]


def living_tasks() -> tuple[int, int]:
    """Count the tasks that live and the timers that run."""
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        loop: Any = asyncio.get_running_loop()
        return len(asyncio.all_tasks()), sum(not timer.cancelled() for timer in loop._scheduled)  # noqa: SLF001 - asyncio's
    statistics = trio.lowlevel.current_statistics()
    return statistics.tasks_living, int(statistics.seconds_to_next_deadline < math.inf)
