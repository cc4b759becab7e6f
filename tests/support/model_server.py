"""A model of Upbit's limits: a server that only counts, and calls with a given latency."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import anyio
import attrs
from clients import canaries
from internals import client_state

from upbit_async import RateLimiter, UpbitClient
from upbit_async.protocol.message import Message
from upbit_async.protocol.replies import Answer
from upbit_async.transport.connection_pool import ConnectionPool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from upbit_async.policy import Timeouts
    from upbit_async.transport.http_port import NoAnswer
    from upbit_async.transport.limiter import Ticket
    from upbit_async.transport.request_progress import RequestProgress

__all__ = [
    "CountingServer",
    "FakeConnection",
    "Traffic",
    "Window",
    "answers_of",
    "client_of",
    "most_in_a_second",
    "spend",
]

Window = Literal["fixed", "sliding"]


@attrs.define(eq=False)
class CountingServer:
    """A server that counts calls, in fixed seconds with a phase or in the last second."""

    limit: int = 30
    window: Window = "fixed"
    phase: float = 0.0
    counted: deque[tuple[float, bool]] = attrs.field(factory=deque[tuple[float, bool]])
    ours: list[float] = attrs.field(factory=list[float])
    refusals: list[float] = attrs.field(factory=list[float])
    others: int = 0
    others_refused: int = 0

    def arrive(self, now: float, *, ours: bool = True) -> int | None:
        """Count a call; return what is left of the second, or None if the call is refused."""
        while self.counted and self._is_past(self.counted[0][0], now):
            self.counted.popleft()
        is_refused = len(self.counted) >= self.limit
        if ours:
            (self.refusals if is_refused else self.ours).append(now)
        else:
            self.others += not is_refused
            self.others_refused += is_refused
        if is_refused:
            return None
        self.counted.append((now, ours))
        return self.limit - len(self.counted)

    def _is_past(self, arrived: float, now: float) -> bool:
        if self.window == "sliding":
            return arrived <= now - 1
        return arrived < math.floor(now - self.phase) + self.phase


@attrs.define(eq=False)
class Traffic:
    """Calls through a limiter to a server.

    Attributes:
        left: When calls left.
        arrived: When they reached the server, whatever it said.
        foretold: How many refusals could have been known of when the call left: without what others have spent
            since the newest call of which an answer had come, there would have been one all the same.
    """

    limiter: RateLimiter
    server: CountingServer
    left: list[float] = attrs.field(factory=list[float])
    arrived: list[float] = attrs.field(factory=list[float])
    foretold: int = 0
    _known_until: float = -math.inf

    async def call(self, forth: float, back: float, *, header: bool = True) -> bool:
        """Make a call; return whether it was accepted."""
        return await self.travel(await self.limiter.acquire("default"), forth, back, header=header)

    async def travel(
        self, ticket: Ticket, forth: float, back: float, *, header: bool = True, given_up: float = math.inf
    ) -> bool:
        """Send a call that has its ticket, and abandon it after a while, wherever it is by then."""
        known_until = self._known_until
        self.left.append(anyio.current_time())
        await anyio.sleep(min(forth, given_up))
        if given_up < forth:
            self._give_up(ticket)
            await anyio.sleep(forth - given_up)
            return self._arrive(known_until) is not None
        arrived, remaining = anyio.current_time(), self._arrive(known_until)
        await anyio.sleep(min(back, given_up - forth))
        if given_up < forth + back:
            self._give_up(ticket)
        elif remaining is None:
            self.limiter.refuse(ticket, 1.0)
        else:
            self.limiter.observe(ticket, remaining if header else None)
            self._known_until = max(self._known_until, arrived if header else -math.inf)
        return remaining is not None

    def _give_up(self, ticket: Ticket) -> None:
        ticket.lost = True
        self.limiter.observe(ticket, None)

    def _arrive(self, known_until: float) -> int | None:
        now = anyio.current_time()
        self.arrived.append(now)
        remaining = self.server.arrive(now)
        if remaining is None:
            unknown = sum(1 for at, ours in self.server.counted if not ours and at > known_until)
            self.foretold += len(self.server.counted) - unknown >= self.server.limit
        return remaining


def answers_of(server: CountingServer) -> Callable[[Message], Answer]:
    """Answer every request with an empty list, or refuse it."""

    def answer(_message: Message) -> Answer:
        remaining = server.arrive(anyio.current_time())
        if remaining is None:
            return Answer(429, {}, b'{"error":{"name":"too_many_requests","message":"Too many."}}')
        return Answer(200, {"remaining-req": f"group=default; min=1800; sec={remaining}"}, b"[]")

    return answer


async def spend(server: CountingServer, gaps: Iterable[float], at_once: int = 1) -> None:
    """Spend the same budget as another process, ignoring refusals."""
    for gap in gaps:
        for _ in range(at_once):
            server.arrive(anyio.current_time(), ours=False)
        await anyio.sleep(gap)


def most_in_a_second(times: Iterable[float]) -> int:
    """Return the most of these times that lie in one second, wherever it starts."""
    window: deque[float] = deque()
    most = 0
    for time in sorted(times):
        window.append(time)
        while window[0] <= time - 1 + 1e-9:
            window.popleft()
        most = max(most, len(window))
    return most


@attrs.define(eq=False)
class FakeConnection:
    """A connection to the model, for a client's pool."""

    answer: Callable[[Message], Answer]
    trip: float

    async def send(
        self, message: Message, token: Callable[[], str], timeouts: Timeouts, progress: RequestProgress
    ) -> Answer | NoAnswer:
        """Send a request and return its answer, each after half the latency."""
        progress.start(reports_first_byte=True)
        await progress.trace("http11.send_request_headers.started", {})
        await anyio.sleep(self.trip / 2)
        answer = self.answer(message)
        await anyio.sleep(self.trip / 2)
        return answer

    async def aclose(self) -> None:
        """Do nothing."""


def client_of(answer: Callable[[Message], Answer], *, trip: float = 0.02, **options: Any) -> UpbitClient:
    """Return a client whose requests are answered by a function, on ten connections."""
    usual: dict[str, Any] = {"credentials": canaries(), "base_url": "https://upbit.invalid"}
    client = UpbitClient("sg", **(usual | options))
    client_state(client).pool = ConnectionPool(10, lambda: FakeConnection(answer, trip))
    return client
