"""HTTP port, the adapter to the HTTP library: sends one request on one connection, and returns what was received.

This is the only module that imports httpx. httpx 0.28 can lose connections of its pool when requests are cancelled
(https://github.com/encode/httpcore/issues/658), so its pool is not used: each of our connections owns an httpx
transport of one connection. An injected client of httpx or httpx2 keeps its own pool.

Nothing is raised here except cancellation: a failure is returned as text, because the exceptions of the HTTP library
may hold the request and its token.
"""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
import time
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import attrs
import httpx

from upbit_async._version import VERSION
from upbit_async.errors import ConfigurationError, raise_alone
from upbit_async.logs import logger
from upbit_async.protocol.replies import Answer
from upbit_async.transport.leftovers import bytes_follow, discard, was_used_before
from upbit_async.transport.request_progress import Phase, RequestProgress, Withheld

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

    from upbit_async.policy import Timeouts
    from upbit_async.protocol.message import Message
    from upbit_async.transport.connection_check import Bounds

__all__ = [
    "SATURATED",
    "Connection",
    "InjectedConnection",
    "NoAnswer",
    "OwnConnection",
    "library_of",
]

_log = logger("upbit_async.http")

MAX_BODY = 4 * 1024 * 1024
"""Maximum size of an answer, in bytes; Upbit's own are hundreds of times smaller."""
_MAX_ERROR_BODY = 64 * 1024
SATURATED = "this client is saturated, and the network is not the cause: make fewer calls at once"
"""Advice for a call that got no connection, or no ticket of the limiter, in time."""
_KEEPALIVE = 60.0
"""How long an idle connection is kept, in seconds: longer than the longest wait between two polls."""
_CLOSING = 1.0
_MOST_REFUSED = 100
"""How many used connections of an injected client are refused before a withdrawal fails with `NotSent`."""
_VERY_LIKELY_OPEN = 2.0
"""How long after an answer the connection is most likely still open, in seconds."""
_USER_AGENT = f"upbit_async/{VERSION}".encode("ascii")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress"})
_HEADERS_KEPT = frozenset({"remaining-req", "retry-after", "content-encoding", "connection"})


@attrs.frozen
class NoAnswer:
    """Reason why there is no whole answer. If the request was not sent, none can come.

    Attributes:
        sent: Whether the first byte may have been sent.
        what: What happened, for the error's text: class and text of the HTTP library's exception, for example. The
            exception itself is not kept, since it may hold the request and its token.
        advice: What to do if nothing was sent, for the error's text.
    """

    sent: bool
    what: str
    advice: str = "check the network, then try again"


class Connection(Protocol):
    """Connection that sends one request at a time."""

    async def send(
        self, message: Message, token: Callable[[], str], timeouts: Timeouts, progress: RequestProgress
    ) -> Answer | NoAnswer:
        """Send one request and read its answer. Raises nothing except cancellation."""
        ...

    async def aclose(self) -> None:
        """Close the connection. The next request opens a new one."""
        ...


class OwnConnection:
    """Connection of the client's own, opened when it is first used."""

    def __init__(self, base_url: str) -> None:
        self._base = httpx.URL(base_url)
        self._transport = httpx.AsyncHTTPTransport(
            verify=_tls_context() if base_url.startswith("https:") else _no_tls_context(),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEPALIVE),
        )
        self._open_until = 0.0  # until then, by the process's clock, it is most likely open

    async def send(
        self, message: Message, token: Callable[[], str], timeouts: Timeouts, progress: RequestProgress
    ) -> Answer | NoAnswer:
        """Send one request and read its answer. Raises nothing except cancellation."""
        # A trace costs a little, so it is left out where the connection is most likely open.
        traces = progress.connection.needs_fresh or time.monotonic() > self._open_until
        progress.start(reports_first_byte=traces, reports_connect_errors=True)
        # The body is a stream, because httpx would process the headers once more for content.
        request = httpx.Request(
            message.method,
            self._base,
            headers=_headers(self._base, message, token),
            stream=httpx.ByteStream(message.body),
            extensions=_extensions(timeouts, progress if traces else None),
        )
        request.url = _ReadyURL(self._base, message)
        answer = await _exchange(httpx, self._transport.handle_async_request, request, progress)
        if isinstance(answer, Answer):
            closes = answer.headers.get("connection", "").lower() == "close"
            self._open_until = 0.0 if closes else time.monotonic() + _VERY_LIKELY_OPEN
        return answer

    async def aclose(self) -> None:
        """Close the connection, whatever its state. The next request opens a new one."""
        self._open_until = 0.0
        with anyio.move_on_after(_CLOSING, shield=True), contextlib.suppress(Exception):
            await self._transport.aclose()

    def abandon(self) -> None:
        """Close the socket of a connection whose event loop has ended."""
        pool: Any = getattr(self._transport, "_pool", None)
        for connection in getattr(pool, "connections", ()):
            stream = getattr(getattr(connection, "_connection", None), "_network_stream", None)
            sock = stream.get_extra_info("socket") if stream is not None else None
            # asyncio and trio keep the real socket in there, and close it only while their loop runs.
            real = getattr(sock, "_sock", None)
            if real is not None:
                real.close()


class InjectedConnection:
    """Connection of an injected client. The client belongs to the user and is never closed here."""

    def __init__(self, base_url: str, client: Any, bounds: Bounds) -> None:
        self._base_url = base_url
        self._base = httpx.URL(base_url)
        self._client = client
        self._bounds = bounds
        self._library = library_of(client)

    async def send(
        self, message: Message, token: Callable[[], str], timeouts: Timeouts, progress: RequestProgress
    ) -> Answer | NoAnswer:
        """Send one request and read its answer. Raises nothing except cancellation."""
        if self._client.is_closed:
            what, advice = "the injected HTTP client is closed", "inject one that is open"
            return NoAnswer(sent=False, what=what, advice=advice)
        try:
            await progress.run_hooks()  # already here: not every transport reports its first byte
        except Withheld as reason:
            return NoAnswer(sent=False, what=str(reason), advice=reason.advice)
        progress.start()
        for _ in range(_MOST_REFUSED):
            request = self._library.Request(
                message.method,
                self._base_url + message.target,
                headers=_headers(self._base, message, token),
                content=message.body or None,
                extensions=_extensions(timeouts, progress),
            )
            answer = await _exchange(self._library, self._send, request, progress)
            if isinstance(answer, Answer) or progress.connection.was_unbounded:
                self._bounds.learn(progress.connection)
            if not progress.connection.was_used:
                return answer
            progress.connection.forget()  # the client has closed it, and opens a new one in the end
        what = "the injected HTTP client offers only used connections"
        return NoAnswer(sent=False, what=what, advice="let it open a new one, then try again")

    async def aclose(self) -> None:
        """Do nothing; the injected client keeps its connections."""

    async def _send(self, request: Any) -> Any:
        return await self._client.send(request, stream=True, auth=None, follow_redirects=False)


def library_of(client: object) -> ModuleType:
    """Return the module of a client: httpx or httpx2.

    Raises:
        TypeError: The object is a client of neither.
    """
    for kind in type(client).__mro__:
        package = kind.__module__.partition(".")[0]
        if kind.__name__ == "AsyncClient" and package in {"httpx", "httpx2"}:
            import sys  # noqa: PLC0415 - only for injected clients

            return sys.modules[package]
    raise TypeError(f"http takes an httpx.AsyncClient or an httpx2.AsyncClient, not {type(client).__name__}")


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Return the one TLS context of the process; creating one takes tens of milliseconds.

    Raises:
        ConfigurationError: The certificates that the environment names can't be read.
    """
    try:
        context = httpx.create_ssl_context()
    except (OSError, ValueError) as error:
        named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE") if os.environ.get(name)]
        text = f"TLS can't be set up ({type(error).__name__}); check what {' and '.join(named) or 'certifi'} names"
        raise_alone(ConfigurationError(text))
    if os.environ.get("SSLKEYLOGFILE"):
        _log.warning(
            "SSLKEYLOGFILE is set: anyone who can read that file can decrypt the traffic, tokens included"
        )
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@functools.cache
def _no_tls_context() -> ssl.SSLContext:
    """Return a context for plain loopback connections, which never use it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _ReadyURL(httpx.URL):
    """URL of a message, with its path and query exactly as they were hashed.

    httpx would parse and quote them again for every request.
    """

    def __init__(self, base: httpx.URL, message: Message) -> None:
        super().__init__(base)
        self._target = base.raw_path.rstrip(b"/") + message.target.encode("ascii")

    @property
    def raw_path(self) -> bytes:
        """The path and the query."""
        return self._target


def _headers(base: httpx.URL, message: Message, token: Callable[[], str]) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"Host", base.netloc),
        (b"Accept", b"application/json"),
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", _USER_AGENT),
        (b"Authorization", f"Bearer {token()}".encode("ascii")),
    ]
    if message.method in _WITH_BODY:
        headers.append((b"Content-Length", str(len(message.body)).encode("ascii")))
    if message.body:
        headers.append((b"Content-Type", b"application/json; charset=utf-8"))
    return headers


def _extensions(timeouts: Timeouts, progress: RequestProgress | None) -> dict[str, Any]:
    extensions: dict[str, Any] = {
        "timeout": {
            "connect": timeouts.connect,
            "read": timeouts.read,
            "write": timeouts.write,
            "pool": timeouts.connect,
        }
    }
    if progress is not None:
        extensions["trace"] = progress.trace
    return extensions


async def _exchange(
    library: Any, send: Callable[[Any], Awaitable[Any]], request: Any, progress: RequestProgress
) -> Answer | NoAnswer:
    try:
        response = await send(request)
        try:
            answer = await _read(library, response)
            progress.take_answer(
                over_used_connection=progress.connection.needs_fresh and was_used_before(response)
            )
            if bytes_follow(response):
                _log.warning("bytes follow an answer of %s; the connection is closed", request.url.host)
                await discard(response)
            return answer
        finally:
            await response.aclose()
    except Exception as error:  # noqa: BLE001 - whatever it is, the request may have been sent
        return _no_answer(library, error, progress)
    finally:
        request.headers.pop("Authorization", None)


async def _read(library: Any, response: Any) -> Answer:
    kept = {name: value for name, value in response.headers.items() if name in _HEADERS_KEPT}
    good: bool = response.is_success
    encoding = kept.pop("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        # It could expand to any size. The request asks for no compression, and Upbit uses none.
        known = encoding if encoding in _CODINGS else "in an unknown way"
        return Answer(response.status_code, kept, b"", f"it is compressed ({known})")
    body, whole = await _read_body(library, response, MAX_BODY if good else _MAX_ERROR_BODY)
    defect = None if whole else f"it is larger than {MAX_BODY // 1024**2} MiB"
    return Answer(response.status_code, kept, body, defect if good else None)


async def _read_body(library: Any, response: Any, cap: int) -> tuple[bytes, bool]:
    """Return the body, cut at a maximum size, and whether it is whole."""
    if response.is_stream_consumed:  # a hook of the user's has read it whole
        return response.content[:cap], len(response.content) <= cap
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in response.stream:
            size += len(piece)
            if size <= cap:
                pieces.append(piece)
            elif not await _hang_up(response):
                break
    except library.TransportError:
        if size <= cap:
            raise
    return b"".join(pieces), size <= cap


async def _hang_up(response: Any) -> bool:
    """Close the connection under an answer, so that reading it ends.

    If reading stopped instead, httpx's generators would stay suspended, which trio reports as an error.
    """
    connection = response.extensions.get("network_stream")
    if connection is None:
        return False
    await connection.aclose()
    return True


def _no_answer(library: Any, error: Exception, progress: RequestProgress) -> NoAnswer:
    before = (library.ConnectError, library.ConnectTimeout, library.ProxyError, library.LocalProtocolError)
    has_stayed = progress.connect_errors_are_reliable and isinstance(error, (*before, Withheld))
    unsendable = isinstance(error, (library.PoolTimeout, library.UnsupportedProtocol))
    # Once the first byte was sent, no error means "not sent": a hook of the user's may have raised it.
    has_stayed = has_stayed or (unsendable and progress.phase < Phase.SENT)
    if isinstance(error, Withheld):
        return NoAnswer(sent=not has_stayed, what=str(error), advice=error.advice)
    what = f"{type(error).__name__}: {_text_of(error)}".removesuffix(": ")
    if isinstance(error, library.PoolTimeout):
        what = "no connection in the pool of the injected HTTP client came free"
        return NoAnswer(sent=not has_stayed, what=what, advice=SATURATED)
    return NoAnswer(sent=not has_stayed, what=what)


def _text_of(error: BaseException | None) -> str:
    """Return the text of an error or of its cause; trio's network errors have no text themselves.

    That of a timeout names a cancel scope of anyio's, which tells nobody anything.
    """
    while error is not None and not str(error):
        error = error.__cause__ or error.__context__
    text = "" if error is None else str(error)
    return "" if text.startswith("Cancelled via cancel scope") else text
