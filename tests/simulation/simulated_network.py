"""Network between the processes of a simulation and the exchange: delays and loses requests and answers.

It takes the place of httpx's transport, so all code of the client runs, down to the request that httpx would write. A
request that has left arrives whatever happens to its sender.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
import attrs
import httpx
from simulated_loop import SimulatedProcess

from upbit_async.sandbox import Fault, SandboxRequest, SandboxResponse
from upbit_async.sandbox.faults import Delivery

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Mapping
    from random import Random

    from event_log import EventLog
    from scenario import Moment, Network
    from simulated_loop import SimulatedLoop

__all__ = ["SimulatedNetwork", "SimulatedTransport", "Watch"]

_PAY: Final = "/v1/withdraws/coin"
_SHORTEST: Final = 0.001
_USUAL: Final = 0.03
"""Shortest and longest time that a request or an answer usually takes, in seconds."""


class Watch:
    """Receiver of what the network sees. The simulation overrides what it needs."""

    def checked(self) -> None:
        """Receive that a payment of the current process has passed its last check."""

    def left(self, request: SandboxRequest, since_check: float) -> None:
        """Receive that the first byte of a payment is sent, and for how long it was checked."""

    def arrived(self, request: SandboxRequest, sender: SimulatedProcess | None) -> None:
        """Receive that a payment was processed."""

    def reached(self, moment: Moment, process: SimulatedProcess | None) -> None:
        """Receive that a process has reached a moment."""


@attrs.frozen(kw_only=True)
class _Fate:
    """What happens to one request.

    Attributes:
        delay: Time until it arrives, in seconds.
        back: Time that its answer takes, in seconds.
        is_broken_at_once: Whether the sender sees a broken connection at once, although the request arrives.
        fault: What happens when it arrives; None for nothing special.
    """

    delay: float
    back: float
    is_broken_at_once: bool = False
    fault: Fault | None = None


@attrs.define(eq=False)
class _UnderWay:
    """Payment that has passed its last check and has not arrived."""

    request: SandboxRequest
    sender: SimulatedProcess | None
    has_left: bool = False

    @property
    def can_arrive(self) -> bool:
        return self.has_left or self.sender is None or not self.sender.has_crashed


class SimulatedNetwork:
    """Network of one simulation.

    Args:
        loop: The event loop.
        serve: Function by which the exchange serves a request.
        faults: Probabilities of faults.
        chance: Source of chance.
        log: Event log.
        watch: Receiver of what the network sees.

    Attributes:
        is_faulty: Whether faults happen.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        serve: Callable[[SandboxRequest], Delivery],
        *,
        faults: Network,
        chance: Random,
        log: EventLog,
        watch: Watch,
    ) -> None:
        self.is_faulty = True
        self._under_way: list[_UnderWay] = []
        self._loop = loop
        self._serve = serve
        self._faults = faults
        self._chance = chance
        self._log = log
        self._watch = watch
        self._context = copy_context()  # that of no process

    async def exchange(self, request: httpx.Request) -> httpx.Response:
        """Send one request, and return its answer.

        Raises:
            httpx.ConnectError: The connection could not be opened.
            httpx.ReadTimeout: There was no answer within the timeout.
            httpx.ReadError: The connection was reset.
            httpx.RemoteProtocolError: The connection was closed without an answer.
        """
        pays = request.method == "POST"
        if self.is_faulty and self._chance.random() < self._faults.refused:
            raise httpx.ConnectError("connection refused")
        fate = self._draw(pays=pays)
        received = await _received(request)
        trace = request.extensions.get("trace")
        if trace is not None:
            await trace("http11.send_request_headers.started", {"in_process": True})
        if pays:
            checked_at = self._loop.time()
            under_way = _UnderWay(received, SimulatedProcess.current())
            self._under_way.append(under_way)
            self._watch.checked()
            await (
                anyio.lowlevel.checkpoint()
            )  # the process may crash or stop between the check and the first byte
            under_way.has_left = True
            self._watch.left(received, self._loop.time() - checked_at)
        answer = self._carry(received, fate)
        delivery: Delivery | None = None
        with anyio.move_on_after(request.extensions["timeout"]["read"]):
            delivery = await answer
        return _response(delivery, request)

    @property
    def under_way(self) -> list[SandboxRequest]:
        """Payments that have passed their last check, have not arrived, and still can."""
        return [each.request for each in self._under_way if each.can_arrive]

    def _carry(self, request: SandboxRequest, fate: _Fate) -> asyncio.Future[Delivery]:
        """Let a request leave; the answer arrives in the future that is returned."""
        answer: asyncio.Future[Delivery] = self._loop.create_future()
        sender = SimulatedProcess.current()
        self._later(fate.delay, self._arrive, request, fate, sender, answer)
        if fate.is_broken_at_once:
            self._later(_SHORTEST, self._deliver, Delivery(SandboxResponse(500), "reset"), sender, answer)
        return answer

    def _later(self, seconds: float, function: Callable[..., None], *arguments: Any) -> None:
        self._loop.call_later(seconds, function, *arguments, context=self._context)

    def _arrive(
        self,
        request: SandboxRequest,
        fate: _Fate,
        sender: SimulatedProcess | None,
        answer: asyncio.Future[Delivery],
    ) -> None:
        fault = fate.fault
        if fault is not None and fault.before:
            delivery = fault.deliver(SandboxResponse(500))
        else:
            delivery = self._serve(request)
            if fault is not None:
                delivery = fault.deliver(delivery.answer)
        self._log_answer(request, delivery, fault)
        if request.method == "POST":
            self._under_way = [each for each in self._under_way if each.request is not request]
            self._watch.arrived(request, sender)
            self._watch.reached("arrival", sender)
        if delivery.ending != "hang":
            self._later(fate.back + delivery.delay, self._deliver, delivery, sender, answer)

    def _deliver(
        self, delivery: Delivery, sender: SimulatedProcess | None, answer: asyncio.Future[Delivery]
    ) -> None:
        if not answer.done():
            answer.set_result(delivery)
            self._watch.reached("answer", sender)

    def _log_answer(self, request: SandboxRequest, delivery: Delivery, fault: Fault | None) -> None:
        what = f"{request.method} {request.path}?{request.query} {request.body.decode()}"
        how = (
            ""
            if fault is None
            else f", {delivery.ending}, {'not processed' if fault.before else 'processed'}"
        )
        self._log.add(f"{what}: {delivery.answer.status}{how}")

    # -- chance ------------------------------------------------------------------------------------

    def _draw(self, *, pays: bool) -> _Fate:
        chance = self._chance
        delay, back = chance.uniform(_SHORTEST, _USUAL), chance.uniform(_SHORTEST, _USUAL)
        if not self.is_faulty:
            return _Fate(delay=delay, back=back)
        if not pays:
            if chance.random() >= self._faults.reads:
                return _Fate(delay=delay, back=back)
            return _Fate(delay=delay, back=back, fault=chance.choice(_READ_FAULTS)(chance))
        fault = None
        if chance.random() < self._faults.payments:
            fault = chance.choices(_PAY_FAULTS, _PAY_WEIGHTS)[0](chance)
        is_broken = False
        if chance.random() < self._faults.late:
            is_broken = chance.random() < 0.5
            delay = chance.uniform(0, self._faults.longest_delay)
        return _Fate(delay=delay, back=back, is_broken_at_once=is_broken, fault=fault)


class SimulatedTransport(httpx.AsyncBaseTransport):
    """httpx transport of one connection to a simulated network."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        return await self._network.exchange(request)


async def _received(request: httpx.Request) -> SandboxRequest:
    stream: Any = request.stream
    return SandboxRequest(
        method=request.method,
        path=request.url.raw_path.partition(b"?")[0].decode(),
        query=request.url.raw_path.partition(b"?")[2].decode(),
        body=b"".join([piece async for piece in stream]),
        headers={name.decode().lower(): value.decode() for name, value in request.headers.raw},
    )


def _response(delivery: Delivery | None, request: httpx.Request) -> httpx.Response:
    """Return the answer as httpx does.

    Raises:
        httpx.ReadTimeout: There is none.
        httpx.ReadError: The connection was reset.
        httpx.RemoteProtocolError: The connection was closed.
    """
    if delivery is None:
        raise httpx.ReadTimeout("no answer in time", request=request)
    if delivery.ending == "reset":
        raise httpx.ReadError("connection reset", request=request)
    if delivery.ending == "close":
        raise httpx.RemoteProtocolError("connection closed", request=request)
    answer = delivery.answer
    return httpx.Response(
        answer.status,
        headers=list(answer.headers),
        stream=_Body(answer.body, is_cut=delivery.ending == "cut"),
        request=request,
    )


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes, *, is_cut: bool) -> None:
        self._body = body
        self._is_cut = is_cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._is_cut:
            yield self._body[: len(self._body) // 2]
            raise httpx.RemoteProtocolError("connection closed in the middle of an answer")
        yield self._body


# -- faults ----------------------------------------------------------------------------------------

_ENDINGS: Final = ("reset", "close", "cut", "hang")


def _lost(chance: Random) -> Fault:
    return Fault.lose_answer(how=chance.choice(_ENDINGS))


def _lost_before(chance: Random) -> Fault:
    return Fault(before=True, ending=chance.choice(_ENDINGS))


def _server_error(chance: Random) -> Fault:
    status = chance.choice((500, 502, 503, 504, 408, 409))
    return Fault.status(status, before=chance.random() < 0.4, body=chance.choice(("json", "html", "empty")))


def _server_error_before(chance: Random) -> Fault:
    return Fault.status(chance.choice((500, 502, 503, 504)), body=chance.choice(("json", "html", "empty")))


def _garbage(chance: Random) -> Fault:
    return Fault.garbage(body=chance.choice(("text", "html", "wrong json", "empty", "gzip")))


def _slow(chance: Random) -> Fault:
    return Fault.slow(chance.choice((0.5, 3.0, 8.0, 20.0)))


def _throttled(_: Random) -> Fault:
    return Fault.status(429)


def _banned(_: Random) -> Fault:
    body = b'{"error":{"name":"too_many_requests","message":"You are blocked for 3 seconds."}}'
    return Fault.status(418, body=body, headers={"Retry-After": "3"})


def _declined(_: Random) -> Fault:
    return Fault.status(400, name="withdraw_maintain")


_WEIGHED: Final[Mapping[Callable[[Random], Fault], float]] = {
    _lost: 6,
    _lost_before: 4,
    _server_error: 4,
    _garbage: 2,
    _slow: 3,
    _throttled: 1,
    _banned: 0.3,
    _declined: 0.3,
}
_PAY_FAULTS: Final = tuple(_WEIGHED)
_PAY_WEIGHTS: Final = tuple(_WEIGHED.values())
_READ_FAULTS: Final = (_lost, _lost_before, _server_error_before, _garbage, _slow, _throttled)
