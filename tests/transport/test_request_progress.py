"""The progress of a request: what is known of its connection, and which errors are trusted."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import attrs
import httpx
import pytest

from upbit_async.transport import bounding
from upbit_async.transport.http_port import Bounds, Lost, _lost
from upbit_async.transport.request_progress import RequestProgress, Withheld

pytestmark = pytest.mark.skipif(not bounding.is_supported(), reason="it needs the socket options")


@attrs.define
class FakeSocket:
    """A socket that records its options."""

    options: dict[tuple[int, int], Any] = attrs.field(factory=dict[tuple[int, int], Any])

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self.options[level, option] = value


@attrs.define
class FakeStream:
    """A stream with the interface of httpcore's."""

    socket: FakeSocket = attrs.field(factory=FakeSocket)
    protocol: str | None = None

    def get_extra_info(self, name: str) -> Any:
        tls = SimpleNamespace(selected_alpn_protocol=lambda: self.protocol)
        return {"socket": self.socket, "ssl_object": tls}.get(name)


def _once(**about: Any) -> RequestProgress:
    return RequestProgress(begun=True, once=True, drop_after=10, **about)


async def _connect(wire: RequestProgress, stream: FakeStream) -> None:
    await wire.trace("connection.connect_tcp.started", {})
    await wire.trace("connection.connect_tcp.complete", {"return_value": stream})


def _is_bounded(sock: FakeSocket) -> bool:
    values = list(sock.options.values())
    return 10_000 in values and b"\x01\x00\x00\x00\x00\x00\x00\x00" in values


async def test_connection_is_bounded_when_it_connects() -> None:
    wire, stream = _once(must_be_bounded=True), FakeStream(protocol="http/1.1")
    await _connect(wire, stream)
    assert _is_bounded(stream.socket)
    await wire.trace("connection.start_tls.complete", {"return_value": stream})
    await wire.trace("http11.send_request_headers.started", {})
    assert (wire.fresh, wire.bounded, wire.boundable, wire.departed) == (True, True, True, True)


@pytest.mark.parametrize("known", ["by TLS", "at the first byte"])
async def test_http2_connection_is_left_unbounded(known: str) -> None:
    wire, stream = _once(), FakeStream(protocol="h2")
    await _connect(wire, stream)
    if known == "by TLS":
        await wire.trace("connection.start_tls.complete", {"return_value": stream})
        assert not _is_bounded(stream.socket)
    await wire.trace("http2.send_request_headers.started", {})
    assert not _is_bounded(stream.socket)
    assert (wire.fresh, wire.bounded, wire.boundable, wire.departed) == (True, False, False, True)


async def test_kept_http2_connection_is_accepted() -> None:
    wire = _once()
    await wire.trace("http2.send_request_headers.started", {})
    assert (wire.fresh, wire.bounded, wire.departed) == (True, False, True)


@pytest.mark.parametrize("version", ["http11", "http2"])
async def test_request_recorded_as_bounded_is_withheld_if_unbounded(version: str) -> None:
    wire = _once(must_be_bounded=True)
    await wire.trace("connection.connect_unix_socket.complete", {"return_value": FakeStream()})
    with pytest.raises(Withheld, match="could not be bounded"):
        await wire.trace(f"{version}.send_request_headers.started", {})
    assert (wire.departed, wire.was_unbounded, wire.boundable) == (False, True, False)


async def test_reused_http11_connection_is_refused_for_a_withdrawal() -> None:
    wire = _once()
    with pytest.raises(Withheld, match="used before"):
        await wire.trace("http11.send_request_headers.started", {})
    assert (wire.departed, wire.was_reused) == (False, True)
    read = RequestProgress(begun=True)
    await read.trace("http11.send_request_headers.started", {})
    assert read.departed


async def test_proxy_connect_does_not_count_as_sent() -> None:
    wire, stream = _once(), FakeStream()
    await _connect(wire, stream)
    await wire.trace("http11.send_request_headers.started", {"request": SimpleNamespace(method=b"CONNECT")})
    assert wire.certainly_here
    await wire.trace("http11.send_request_headers.started", {"request": SimpleNamespace(method=b"POST")})
    assert wire.departed


async def test_socket_without_options_is_not_bounded() -> None:
    wire = _once()
    for result in (None, object(), SimpleNamespace(get_extra_info=dict[str, Any]().get)):
        await wire.trace("connection.connect_tcp.complete", {"return_value": result})
        assert (wire.fresh, wire.bounded) == (True, False)


def test_one_unbounded_connection_makes_a_client_unbounded() -> None:
    bounds = Bounds(injected=True)
    assert not bounds.possible
    for boundable, possible in [(True, True), (True, True), (None, False), (True, False)]:
        bounds.learn(RequestProgress(boundable=boundable))
        assert bounds.possible is possible
    assert Bounds().possible


# -- errors that speak of the connection -----------------------------------------------------------

NEVER_LEFT = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("too slow"),
    httpx.ProxyError("no tunnel"),
    httpx.LocalProtocolError("odd header"),
    httpx.PoolTimeout("full"),
    httpx.UnsupportedProtocol("gopher"),
    Withheld(),
]


@pytest.mark.parametrize("error", NEVER_LEFT, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("heard", [False, True], ids=["without trace", "with trace"])
def test_connect_error_is_not_trusted_after_the_first_byte(error: Exception, heard: bool) -> None:
    lost = functools.partial(_lost, httpx, error)
    before = lost(RequestProgress(begun=True, heard=heard, candid=True))
    after = lost(RequestProgress(begun=True, heard=heard, candid=True, departed=True))
    assert isinstance(before, Lost)
    assert (before.sent, after.sent) == (False, True)
