"""Bytes that follow an answer: they are found in every buffer, and unknown internals count as unclean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import httpx
import pytest

from upbit_async.transport.leftovers import bytes_follow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DONE = type("DONE", (), {})


def _response(stream: Any, *, connection: Any = None, **extensions: Any) -> Any:
    """Return a response of httpx's whose answer has been read to its end."""
    parser = SimpleNamespace(their_state=DONE, trailing_data=(b"", False))
    connection = connection or SimpleNamespace(_h11_state=parser)
    return SimpleNamespace(
        extensions={"network_stream": stream, **extensions},
        stream=SimpleNamespace(_stream=SimpleNamespace(_connection=connection)),
        is_closed=False,
    )


async def _connect(port: int) -> Any:
    """Return httpcore's stream for a new connection, as its own events show it."""
    streams: list[Any] = []

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            streams.append(info["return_value"])
            raise ConnectionAbortedError  # it is wanted without a request

    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(ConnectionAbortedError):
            await client.get(f"http://127.0.0.1:{port}", extensions={"trace": trace})
    return streams[0]


@pytest.fixture
async def stream() -> AsyncIterator[Any]:
    """Give httpcore's stream of a connection whose server has sent 70 kB; 64 KiB of them were read."""

    async def handle(client: anyio.abc.SocketStream) -> None:
        async with client:
            await client.send(b"x" * 70_000)
            sent.set()
            await anyio.sleep_forever()

    sent = anyio.Event()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        network: Any = await _connect(port)
        await sent.wait()
        await anyio.sleep(0.05)
        assert len(await network.read(65536)) == 65536
        yield network
        await network.aclose()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_bytes_read_ahead_by_the_event_loop_are_found(stream: Any) -> None:
    assert not stream.get_extra_info("is_readable")  # so the socket does not show them
    assert bytes_follow(_response(stream))
    await stream.read(65536)
    assert not bytes_follow(_response(stream))


def test_bytes_in_the_parser_are_found() -> None:
    parser = SimpleNamespace(their_state=DONE, trailing_data=(b"HTTP/1.1 200", False))
    assert bytes_follow(_response(object(), connection=SimpleNamespace(_h11_state=parser)))


def test_unread_rest_of_an_answer_is_no_leftover() -> None:
    parser = SimpleNamespace(their_state=type("SEND_BODY", (), {}), trailing_data=(b"rest", False))
    assert not bytes_follow(_response(object(), connection=SimpleNamespace(_h11_state=parser)))


@pytest.mark.parametrize(
    "connection",
    [
        SimpleNamespace(),
        SimpleNamespace(_h11_state=SimpleNamespace()),
        SimpleNamespace(_h11_state=SimpleNamespace(their_state=DONE)),
        SimpleNamespace(_h11_state=SimpleNamespace(their_state=DONE, trailing_data=(b"", False))),
    ],
    ids=["no parser", "no state", "no buffer", "no stream"],
)
def test_unknown_internals_count_as_unclean(connection: Any) -> None:
    assert bytes_follow(_response(object(), connection=connection))


def test_http2_streams_have_no_leftovers() -> None:
    assert not bytes_follow(_response(object(), http_version=b"HTTP/2"))
    assert not bytes_follow(_response(None))
