"""In-process adapter: an httpx transport that calls the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict, cast

import anyio
import httpx
from anyio.lowlevel import checkpoint

from upbit_async.sandbox.app import CONNECTION, App, ConnectionControl, Message, Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from upbit_async.credentials import Credentials
    from upbit_async.events import Observer
    from upbit_async.policy import PollSchedule, RetryPolicy, Timeouts
    from upbit_async.transport.limiter import RateLimiter

__all__ = ["ClientOptions", "InProcessTransport", "http_client"]


class ClientOptions(TypedDict, total=False):
    """Options of `UpbitClient`, except for its region, base URL and HTTP client, which the sandbox provides."""

    credentials: Credentials
    retry: RetryPolicy
    timeouts: Timeouts
    poll: PollSchedule
    limiter: RateLimiter
    observer: Observer
    algorithm: Literal["HS256", "HS512"]
    hash_space_as_plus: bool


class InProcessTransport(httpx.AsyncBaseTransport):
    """HTTP transport to a sandbox without a network, on asyncio and trio, with real and virtual clocks.

    It behaves as a network would towards a client: it honours httpx's read timeout, raises its errors for broken
    connections, and reports httpcore's ``trace`` event just before a request is sent. A request that was sent is
    processed even if its sender is cancelled.

    Args:
        app: Application of the sandbox.
        client_ip: Address of the client as the sandbox sees it.
    """

    def __init__(self, app: App, *, client_ip: str = "127.0.0.1") -> None:
        self._app = app
        self._client_ip = client_ip

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its response.

        Raises:
            httpx.ReadTimeout: There was no response within the request's read timeout.
            httpx.ReadError: The connection was reset.
            httpx.RemoteProtocolError: The connection was closed without a response.
        """
        exchange = _Exchange(await request.aread())
        scope = self._scope(request, exchange)
        await checkpoint()  # from here on, a cancellation comes after the request was sent
        await _trace(request, "http11.send_request_headers.started")
        with anyio.move_on_after(_read_timeout(request)) as deadline:
            await self._app(scope, exchange.receive, exchange.send)
            await checkpoint()
        if deadline.cancelled_caught:
            raise httpx.ReadTimeout("The sandbox did not answer in time.", request=request)
        return exchange.response(request)

    def _scope(self, request: httpx.Request, connection: ConnectionControl) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": (self._client_ip, 0),
            "server": (request.url.host, request.url.port),
            "extensions": {CONNECTION: connection},
        }


def http_client(transport: InProcessTransport) -> httpx.AsyncClient:
    """Return an httpx client that uses only this transport and ignores proxies in the environment."""
    return httpx.AsyncClient(transport=transport, trust_env=False)


class _Exchange(ConnectionControl):
    """One request and its response."""

    def __init__(self, body: bytes) -> None:
        self._request_body: bytes | None = body
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self._broken: Literal["reset", "closed"] | None = None

    def reset(self) -> None:
        self._broken = "reset"

    def close(self) -> None:
        self._broken = "closed"

    async def receive(self) -> Message:
        if self._request_body is not None:
            body, self._request_body = self._request_body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._broken is None:  # the application waits for the client to disconnect
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = cast("int", message["status"])
            self._headers = cast("list[tuple[bytes, bytes]]", message["headers"])
        else:
            self._body += cast("bytes", message["body"])

    def response(self, request: httpx.Request) -> httpx.Response:
        if self._broken == "reset":
            raise httpx.ReadError("The sandbox reset the connection.", request=request)
        if self._status is None:
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            )
        return httpx.Response(
            self._status,
            headers=self._headers,
            stream=_Body(self._body, cut=self._broken is not None),
            extensions={"http_version": b"HTTP/1.1"},
            request=request,
        )


class _Body(httpx.AsyncByteStream):
    """Body of a response, which may end early."""

    def __init__(self, body: bytes, *, cut: bool) -> None:
        self._body = body
        self._cut = cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body
        if self._cut:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


def _read_timeout(request: httpx.Request) -> float | None:
    timeouts = cast("Mapping[str, float | None]", request.extensions.get("timeout", {}))
    return timeouts.get("read")


async def _trace(request: httpx.Request, event: str) -> None:
    trace = request.extensions.get("trace")
    if trace is not None:
        await trace(event, {"in_process": True})
