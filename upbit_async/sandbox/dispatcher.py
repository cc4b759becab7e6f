"""Dispatcher: from a request to what is delivered, under the exchange's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, overload

from upbit_async.sandbox.exchange.errors import Refusal, message_for
from upbit_async.sandbox.faults import Delivery, Fault, FaultQueue
from upbit_async.sandbox.guard import AuthenticatedRequest, Guard
from upbit_async.sandbox.knobs import ErrorSpec
from upbit_async.sandbox.messages import RequestRecord, SandboxRequest, SandboxResponse
from upbit_async.sandbox.routes import ROUTES, Route, RouteContext

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange_lock import ExchangeLock

__all__ = ["Dispatcher", "RequestLog"]

_NO_ROUTE: Final = ErrorSpec(404, "not_found")
_KEPT: Final = 100_000
_KEPT_OF_A_BODY: Final = 2**14


class RequestLog(Sequence[RequestRecord]):
    """The requests that came in, oldest first; only the last hundred thousand are kept."""

    def __init__(self) -> None:
        self._lines: deque[RequestRecord] = deque(maxlen=_KEPT)

    @overload
    def __getitem__(self, index: int) -> RequestRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RequestRecord]: ...
    def __getitem__(self, index: int | slice) -> RequestRecord | Sequence[RequestRecord]:
        """One line, or a copy of several."""
        return tuple(self._lines)[index] if isinstance(index, slice) else self._lines[index]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._lines)

    def __iter__(self) -> Iterator[RequestRecord]:
        """The lines as of now, oldest first."""
        return iter(tuple(self._lines))

    def append(self, line: RequestRecord) -> None:
        """Writes one more line."""
        self._lines.append(line)

    def clear(self) -> None:
        """Forgets all lines."""
        self._lines.clear()

    def of(self, method: str, path: str | None = None) -> tuple[RequestRecord, ...]:
        """The requests of one method, and to one path if it is given."""
        return tuple(line for line in self if line.method == method and path in {None, line.path})


class Dispatcher:
    """Answers requests one after the other.

    A call of ``serve`` never awaits: a caller that goes away can't make the exchange
    do half of it.

    Args:
        engine: The exchange at work.
        guard: What is checked first.
    """

    def __init__(self, engine: ExchangeLock, guard: Guard) -> None:
        self.faults = FaultQueue()
        self.requests = RequestLog()
        self._engine = engine
        self._guard = guard

    def serve(self, request: SandboxRequest) -> Delivery:
        """Does what a request asks for, unless a fault prevents it, and says what is to be delivered."""
        with self._engine.at_work() as now:
            sender = self._sender(request)
            status: int | None = 500  # unless it is answered, which only a mistake of ours prevents
            try:
                delivery = self._deliver(request, sender, now)
                status = delivery.status_sent
            finally:
                self._log(request, sender, status, now)
            return delivery

    def note(self, request: SandboxRequest, status: int | None) -> None:
        """Log a request that came in incomplete.

        Args:
            request: The part of it that could be read.
            status: The status that the HTTP server sent, or ``None`` if it sent no answer.
        """
        with self._engine.at_work() as now:
            self._log(request, self._sender(request), status, now)

    def _deliver(
        self, request: SandboxRequest, sender: AuthenticatedRequest | Refusal, now: datetime
    ) -> Delivery:
        if request.rejection is not None:
            return Delivery(self._refuse(Refusal(request.rejection)))
        fault = self._fault_for(request, sender)
        if fault is None:
            return Delivery(self._answer(request, sender, now))
        return fault.deliver(SandboxResponse(500) if fault.before else self._answer(request, sender, now))

    def _fault_for(self, request: SandboxRequest, sender: AuthenticatedRequest | Refusal) -> Fault | None:
        """Take the fault that strikes a request, if any.

        A health check or a stranger's request must not use up the fault that a test has armed for its client.
        """
        route = ROUTES.get((request.method, request.path))
        is_public = route is not None and route.public_group is not None
        return self.faults.strike(request, authenticated=is_public or self._guard.is_authentic(sender))

    def _sender(self, request: SandboxRequest) -> AuthenticatedRequest | Refusal:
        try:
            return self._guard.identify(request)
        except Refusal as refusal:
            return refusal

    def _answer(
        self, request: SandboxRequest, sender: AuthenticatedRequest | Refusal, now: datetime
    ) -> SandboxResponse:
        route = ROUTES.get((request.method, request.path))
        exchange = self._engine.exchange
        if route is None:
            return self._refuse(Refusal(_NO_ROUTE))
        if exchange.region not in route.regions:
            return self._refuse(Refusal(exchange.knobs.not_in_region))
        if route.public_group is not None:
            return self._count(route, request, None, now)
        if isinstance(sender, Refusal):
            return self._refuse(sender)
        return self._count(route, request, sender, now)

    def _count(
        self, route: Route, request: SandboxRequest, sender: AuthenticatedRequest | None, now: datetime
    ) -> SandboxResponse:
        too_many = self._guard.charge(request, route.public_group, now)
        if too_many is not None:
            return too_many
        headers = self._guard.headers(request, route.public_group, now)
        return self._work(route, request, sender, now).with_headers(*headers)

    def _work(
        self, route: Route, request: SandboxRequest, sender: AuthenticatedRequest | None, now: datetime
    ) -> SandboxResponse:
        exchange = self._engine.exchange
        try:
            if sender is not None:
                self._guard.admit(request, sender, route.permission_by(exchange.knobs), now)
            answer = route.answer(RouteContext(request=request, exchange=exchange, now=now))
        except Refusal as refusal:
            return self._refuse(refusal)
        if sender is not None:
            self._guard.accept(sender, now)
        return answer

    def _refuse(self, refusal: Refusal) -> SandboxResponse:
        korean = self._engine.exchange.knobs.language == "ko"
        message = refusal.message or message_for(refusal.name, korean=korean)
        return SandboxResponse.of_error(refusal.status, refusal.name, message)

    def _log(
        self,
        request: SandboxRequest,
        sender: AuthenticatedRequest | Refusal,
        status: int | None,
        now: datetime,
    ) -> None:
        token = sender.token if isinstance(sender, AuthenticatedRequest) else None
        self.requests.append(
            RequestRecord(
                method=request.method,
                path=request.path,
                query=request.query,
                body=request.body[:_KEPT_OF_A_BODY].decode(errors="replace"),
                access_key=token.access_key if token else None,
                nonce=token.nonce if token else None,
                status=status,
                at=now,
            )
        )
