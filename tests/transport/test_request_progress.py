"""The progress of a request: what is known of its connection, and which errors are trusted."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import attrs
import httpx
import pytest

from upbit_async.transport import bounding
from upbit_async.transport.connection_check import Bounds, ConnectionCheck
from upbit_async.transport.http_port import NoAnswer, _no_answer
from upbit_async.transport.request_progress import Phase, RequestProgress, Withheld

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


def _once(*, needs_bounded: bool = False) -> RequestProgress:
    check = ConnectionCheck(needs_fresh=True, needs_bounded=needs_bounded, drop_after=10)
    return _started(RequestProgress(connection=check))


def _started(progress: RequestProgress) -> RequestProgress:
    progress.start()
    return progress


async def _connect(progress: RequestProgress, stream: FakeStream) -> None:
    await progress.trace("connection.connect_tcp.started", {})
    await progress.trace("connection.connect_tcp.complete", {"return_value": stream})


def _is_bounded(sock: FakeSocket) -> bool:
    values = list(sock.options.values())
    return 10_000 in values and b"\x01\x00\x00\x00\x00\x00\x00\x00" in values


async def test_connection_is_bounded_when_it_connects() -> None:
    progress, stream = _once(needs_bounded=True), FakeStream(protocol="http/1.1")
    await _connect(progress, stream)
    assert _is_bounded(stream.socket)
    await progress.trace("connection.start_tls.complete", {"return_value": stream})
    await progress.trace("http11.send_request_headers.started", {})
    assert (
        progress.connection.is_fresh,
        progress.connection.is_bounded,
        progress.connection.can_be_bounded,
        progress.may_have_left,
    ) == (True, True, True, True)


@pytest.mark.parametrize("known", ["by TLS", "at the first byte"])
async def test_http2_connection_is_left_unbounded(known: str) -> None:
    progress, stream = _once(), FakeStream(protocol="h2")
    await _connect(progress, stream)
    if known == "by TLS":
        await progress.trace("connection.start_tls.complete", {"return_value": stream})
        assert not _is_bounded(stream.socket)
    await progress.trace("http2.send_request_headers.started", {})
    assert not _is_bounded(stream.socket)
    assert (
        progress.connection.is_fresh,
        progress.connection.is_bounded,
        progress.connection.can_be_bounded,
        progress.may_have_left,
    ) == (True, False, False, True)


async def test_kept_http2_connection_is_accepted() -> None:
    progress = _once()
    await progress.trace("http2.send_request_headers.started", {})
    assert (progress.connection.is_fresh, progress.connection.is_bounded, progress.may_have_left) == (
        True,
        False,
        True,
    )


@pytest.mark.parametrize("version", ["http11", "http2"])
async def test_request_recorded_as_bounded_is_withheld_if_unbounded(version: str) -> None:
    progress = _once(needs_bounded=True)
    await progress.trace("connection.connect_unix_socket.complete", {"return_value": FakeStream()})
    with pytest.raises(Withheld, match="could not be bounded"):
        await progress.trace(f"{version}.send_request_headers.started", {})
    assert (
        progress.may_have_left,
        progress.connection.was_unbounded,
        progress.connection.can_be_bounded,
    ) == (False, True, False)


async def test_reused_http11_connection_is_refused_for_a_withdrawal() -> None:
    progress = _once()
    with pytest.raises(Withheld, match="used before"):
        await progress.trace("http11.send_request_headers.started", {})
    assert (progress.may_have_left, progress.connection.was_used) == (False, True)
    read = _started(RequestProgress())
    await read.trace("http11.send_request_headers.started", {})
    assert read.phase is Phase.SENT


async def test_proxy_connect_does_not_count_as_sent() -> None:
    progress, stream = _once(), FakeStream()
    await _connect(progress, stream)
    await progress.trace(
        "http11.send_request_headers.started", {"request": SimpleNamespace(method=b"CONNECT")}
    )
    assert not progress.may_have_left
    await progress.trace("http11.send_request_headers.started", {"request": SimpleNamespace(method=b"POST")})
    assert progress.phase is Phase.SENT


async def test_socket_without_options_is_not_bounded() -> None:
    progress = _once()
    for result in (None, object(), SimpleNamespace(get_extra_info=dict[str, Any]().get)):
        await progress.trace("connection.connect_tcp.complete", {"return_value": result})
        assert (progress.connection.is_fresh, progress.connection.is_bounded) == (True, False)


def test_one_unbounded_connection_makes_a_client_unbounded() -> None:
    bounds = Bounds(is_injected=True)
    assert not bounds.are_possible
    for boundable, possible in [(True, True), (True, True), (None, False), (True, False)]:
        bounds.learn(ConnectionCheck(can_be_bounded=boundable))
        assert bounds.are_possible is possible
    assert Bounds().are_possible


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
@pytest.mark.parametrize("traces", [False, True], ids=["without trace", "with trace"])
async def test_connect_error_is_not_trusted_after_the_first_byte(error: Exception, traces: bool) -> None:
    lost = functools.partial(_no_answer, httpx, error)
    progress = RequestProgress()
    progress.start(reports_first_byte=traces, reports_connect_errors=True)
    before = lost(progress)
    await progress.trace("http11.send_request_headers.started", {})
    after = lost(progress)
    assert isinstance(before, NoAnswer)
    assert (before.sent, after.sent) == (False, True)


@pytest.mark.parametrize("error", NEVER_LEFT[:4], ids=lambda error: type(error).__name__)
def test_an_error_of_a_library_that_reports_nothing_leaves_the_outcome_unknown(error: Exception) -> None:
    assert _no_answer(httpx, error, _started(RequestProgress())).sent


# -- phases ----------------------------------------------------------------------------------------


async def test_phases_follow_the_request_and_say_whether_it_may_have_left() -> None:
    progress = _once()
    seen = [(progress.phase, progress.may_have_left)]
    await _connect(progress, FakeStream())
    seen.append((progress.phase, progress.may_have_left))
    await progress.trace("http11.send_request_headers.started", {})
    seen.append((progress.phase, progress.may_have_left))
    progress.take_answer(over_used_connection=False)
    seen.append((progress.phase, progress.may_have_left))
    assert seen == [
        (Phase.SENDING, True),  # the library has reported nothing yet
        (Phase.SENDING, False),
        (Phase.SENT, True),
        (Phase.ANSWERED, True),
    ]
    assert not RequestProgress().may_have_left


async def test_a_hook_that_raises_withholds_the_request() -> None:
    async def refuse() -> None:
        raise Withheld("not now")

    progress = _started(RequestProgress([refuse]))
    with pytest.raises(Withheld, match="not now"):
        await progress.trace("http11.send_request_headers.started", {})
    assert not progress.may_have_left


async def test_a_cancelled_request_is_withheld_after_its_hooks_have_run() -> None:
    ran: list[str] = []

    async def hook() -> None:
        ran.append("hook")
        progress.cancel()

    progress = _started(RequestProgress([hook]))
    with pytest.raises(Withheld, match="cancelled"):
        await progress.trace("http11.send_request_headers.started", {})
    assert (ran, progress.may_have_left) == (["hook"], False)
