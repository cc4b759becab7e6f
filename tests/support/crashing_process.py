"""A process that dies at any point: from then on neither its disk nor its network answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx
from internals import close_file

from upbit_async import RetryPolicy, Timeouts, UpbitClient
from upbit_async.payouts import Payouts, SqliteJournal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from upbit_async.sandbox import Sandbox

__all__ = ["CrashingProcess"]

T = TypeVar("T")


class CrashingProcess:
    """One process that pays, in the event loop of the test.

    Args:
        sandbox: Where it pays.
        path: The journal, which other processes may use as well.
        clock: The machine's clock.
        options: Further arguments of `Payouts`.
    """

    def __init__(
        self, sandbox: Sandbox, path: Path, *, clock: Callable[[], dt.datetime], **options: Any
    ) -> None:
        self._steps_left: int | None = None
        transport = _MortalTransport(self, sandbox.transport())
        self._http = httpx.AsyncClient(transport=transport)
        self.client = UpbitClient(
            sandbox.region,
            credentials=sandbox.credentials,
            base_url=sandbox.base_url,
            http=self._http,
            timeouts=Timeouts(connect=1, read=3, write=1, total=10),
            retry=RetryPolicy(attempts=2, throttled_base=0.1),
        )
        self.journal = _MortalJournal(self, path)
        self.allows_unowned = options.get("on_unowned") == "allow"
        self.payouts = Payouts(self.client, journal=self.journal, clock=clock, check=False, **options)

    @property
    def is_dead(self) -> bool:
        """Whether it has died."""
        return self._steps_left == 0

    def die_after(self, steps: int) -> None:
        """Let it die after this many steps, each of which is the beginning or the end of an outside action."""
        if not self.is_dead:
            self._steps_left = steps

    async def step(self) -> None:
        """Go one step, or die and never return."""
        await anyio.lowlevel.checkpoint()
        if self._steps_left:
            self._steps_left -= 1
        if self.is_dead:
            await anyio.sleep_forever()

    def close(self) -> None:
        """Let go of the file, as the end of a process does."""
        self._steps_left = 0
        close_file(self.journal)


class _MortalJournal(SqliteJournal):
    def __init__(self, owner: CrashingProcess, path: Path) -> None:
        super().__init__(path)
        self._owner = owner

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        await self._owner.step()
        result = work(*arguments)
        await self._owner.step()
        return result


class _MortalTransport(httpx.AsyncBaseTransport):
    def __init__(self, owner: CrashingProcess, inner: httpx.AsyncBaseTransport) -> None:
        self._owner = owner
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._owner.step()
        response = await self._inner.handle_async_request(request)
        await self._owner.step()
        return response
