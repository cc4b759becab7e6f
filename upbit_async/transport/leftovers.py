"""Detection of bytes that follow an answer on a kept connection.

A server must send one answer for each request. If more bytes have arrived when an answer was read, the next request on
that connection would get them as its answer, and every later request the answer of the one before it.

The bytes can be in four buffers. The HTTP library checks the kernel's buffer before it uses a connection again. The
other three belong to this process and are checked here: the parser, the TLS session, and asyncio's stream. They are
reached through private attributes of httpcore and anyio. If one of these is missing, the answer counts as unclean, so
that a change there costs speed and not safety.
"""

from __future__ import annotations

import ssl
from typing import Any

import anyio.abc

__all__ = ["bytes_follow", "discard", "was_used_before"]

_INNER = ("_stream", "_httpcore_stream", "_connection")
_DEEPEST = 8


def bytes_follow(response: Any) -> bool:
    """Return whether bytes follow, or may follow, an answer that was read to its end.

    Args:
        response: Response of httpx or httpx2 that is not closed yet, or that a hook of the user's has closed.
    """
    extensions = response.extensions
    stream = extensions.get("network_stream")
    if stream is None or extensions.get("http_version") == b"HTTP/2":
        return False  # the connection is not kept, or its streams keep answers apart
    connection = _connection_of(response)
    try:
        parser = connection._h11_state  # noqa: SLF001 - see the docstring of the module
        if response.is_closed:
            if not connection.is_idle():
                return False  # it carries another request already
        elif parser.their_state.__name__ != "DONE":
            return False  # it is closed together with the response
        return bool(parser.trailing_data[0]) or _waits_in_stream(stream)
    except AttributeError:
        return True


async def discard(response: Any) -> None:
    """Close the connection of an answer, or mark it so that it is closed with the response."""
    connection = _connection_of(response)
    if connection is None:
        await response.extensions["network_stream"].aclose()
    elif response.is_closed:
        await connection.aclose()
    else:
        parser = connection._h11_state  # noqa: SLF001 - likewise
        parser.send_failed()  # so that httpcore closes it together with the response


def was_used_before(response: Any) -> bool:
    """Return whether the connection of an answer has carried another request before."""
    count: int = getattr(_connection_of(response), "_request_count", 1)
    return count > 1


def _connection_of(response: Any) -> Any:
    """Return httpcore's HTTP/1.1 connection of an answer; None if there is none."""
    part = response.stream
    for _ in range(_DEEPEST):
        if part is None or hasattr(part, "_h11_state"):
            return part
        part = next((getattr(part, name) for name in _INNER if hasattr(part, name)), None)
    return None


def _waits_in_stream(stream: Any) -> bool:
    inner = stream._stream  # noqa: SLF001 - likewise
    if hasattr(inner, "transport_stream"):  # TLS, of anyio or of trio
        if _waits_in_tls(stream.get_extra_info("ssl_object")):
            return True
        inner = inner.transport_stream
    if isinstance(inner, anyio.abc.SocketStream):
        protocol: Any = getattr(inner, "_protocol")  # noqa: B009 - likewise
        return bool(protocol.read_queue)
    return False  # trio reads from the kernel directly


def _waits_in_tls(session: ssl.SSLObject) -> bool:
    try:
        session.read(1)  # if this takes a byte, the connection is closed anyway
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True
