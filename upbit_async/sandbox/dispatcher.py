"""Dispatcher: turns each request into a response, or into a fault, and logs it."""

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
    from collections.abc import Callable
    from datetime import datetime

    from upbit_async.sandbox.exchange_lock import ExchangeLock

__all__ = ["Dispatcher", "RequestLog"]

_NO_ROUTE: Final = ErrorSpec(404, "not_found")
_MAX_RECORDS: Final = 100_000
_MAX_LOGGED_BODY: Final = 2**14
_FIRST_ERROR: Final = 400


class RequestLog(Sequence[RequestRecord]):
    """Requests that the sandbox received, oldest first; only the last 100,000 are kept."""

    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=_MAX_RECORDS)
        self._listeners: list[Callable[[RequestRecord], object]] = []

    @overload
    def __getitem__(self, index: int) -> RequestRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RequestRecord]: ...
    def __getitem__(self, index: int | slice) -> RequestRecord | Sequence[RequestRecord]:
        """Return one record, or a copy of several."""
        return tuple(self._records)[index] if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def __iter__(self) -> Iterator[RequestRecord]:
        """Iterate over the current records, oldest first."""
        return iter(tuple(self._records))

    def append(self, record: RequestRecord) -> None:
        """Add a record and call all listeners with it."""
        self._records.append(record)
        for listener in self._listeners:
            listener(record)

    def listen(self, listener: Callable[[RequestRecord], object]) -> None:
        """Call a function with each further record.

        Args:
            listener: Function to call. It must return quickly, because the sandbox answers nothing meanwhile; while
                the sandbox is served, it runs in the thread of the server.

        Example:
            .. code-block:: python

                sandbox.requests.listen(lambda request: print(request.method, request.path, request.status))
        """
        self._listeners.append(listener)

    def clear(self) -> None:
        """Remove all records."""
        self._records.clear()

    def of(self, method: str, path: str | None = None) -> tuple[RequestRecord, ...]:
        """Return the requests with a method.

        Args:
            method: HTTP method.
            path: Path; ``None`` for any.

        Example:
            .. code-block:: python

                await client.accounts.list()
                assert len(sandbox.requests.of("GET", "/v1/accounts")) == 1
        """
        return tuple(record for record in self if record.method == method and path in {None, record.path})


class Dispatcher:
    """Answers requests one after the other.

    ``serve`` never awaits, so that a client that disconnects can't make the exchange process half of a request.

    Args:
        exchange_lock: Access to the exchange.
        guard: Checks before a request reaches its route.
    """

    def __init__(self, exchange_lock: ExchangeLock, guard: Guard) -> None:
        self.faults = FaultQueue()
        self.requests = RequestLog()
        self._exchange_lock = exchange_lock
        self._guard = guard
        self._routes = dict(ROUTES)

    def add_route(self, route: Route) -> None:
        """Add a route, or replace the one with the same method and path."""
        with self._exchange_lock.held():
            self._routes[route.method, route.path] = route

    def serve(self, request: SandboxRequest) -> Delivery:
        """Process a request, unless a fault prevents it, and return what is to be delivered."""
        with self._exchange_lock.held() as now:
            sender = self._sender(request)
            status: int | None = 500  # if a handler, a predicate or our own code raises
            try:
                delivery = self._deliver(request, sender, now)
                status = delivery.status_sent
            finally:
                self._log(request, sender, status, now)
            return delivery

    def note(self, request: SandboxRequest, status: int | None) -> None:
        """Log a request that was received incompletely.

        Args:
            request: Part of the request that could be read.
            status: Status that the HTTP server sent, or ``None`` if it sent no response.
        """
        with self._exchange_lock.held() as now:
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
        """Return the fault for a request, if any.

        A health check or another unsigned request must not use up a fault that a test has added for its client.
        """
        route = self._route_for(request)
        is_public = route is not None and route.public_group is not None
        return self.faults.take(request, authenticated=is_public or self._guard.is_authentic(sender))

    def _route_for(self, request: SandboxRequest) -> Route | None:
        return self._routes.get((request.method, request.path))

    def _sender(self, request: SandboxRequest) -> AuthenticatedRequest | Refusal:
        try:
            return self._guard.identify(request)
        except Refusal as refusal:
            return refusal

    def _answer(
        self, request: SandboxRequest, sender: AuthenticatedRequest | Refusal, now: datetime
    ) -> SandboxResponse:
        route = self._route_for(request)
        exchange = self._exchange_lock.exchange
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
        return self._process(route, request, sender, now).with_headers(*headers)

    def _process(
        self, route: Route, request: SandboxRequest, sender: AuthenticatedRequest | None, now: datetime
    ) -> SandboxResponse:
        exchange = self._exchange_lock.exchange
        try:
            if sender is not None:
                self._guard.admit(request, sender, route.permission_by(exchange.knobs), now)
            answer = route.answer(RouteContext(request=request, exchange=exchange, now=now))
        except Refusal as refusal:
            return self._refuse(refusal)
        if sender is not None and answer.status < _FIRST_ERROR:
            self._guard.accept(sender, now)
        return answer

    def _refuse(self, refusal: Refusal) -> SandboxResponse:
        korean = self._exchange_lock.exchange.knobs.language == "ko"
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
                body=request.body[:_MAX_LOGGED_BODY].decode(errors="replace"),
                access_key=token.access_key if token else None,
                nonce=token.nonce if token else None,
                status=status,
                at=now,
            )
        )
