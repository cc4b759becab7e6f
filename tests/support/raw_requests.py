"""Malformed HTTP requests for a sandbox."""

from __future__ import annotations

import base64
import hmac
import json
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from upbit_async.sandbox import RequestRecord, Sandbox

__all__ = [
    "BROKEN",
    "COIN",
    "DEEP",
    "METHODS",
    "Caller",
    "added",
    "asgi_scope",
    "claims_of",
    "exchanged",
    "signed",
]

COIN = "/v1/withdraws/coin"
DEEP = 100_000
"""More than any parser nests."""
METHODS = ["GET", "POST", "DELETE", "HEAD", "PUT", "OPTIONS", "TRACE", "CONNECT", "get", "UNKNOWN"]
HEAD = b"POST /v1/withdraws/coin HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BROKEN = [
    b"GET\r\n\r\n",
    b"GET /v1/accounts HTTP/1.1\r\n\r\n",
    b"GET /v1/accounts HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET /v1/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    b"GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00" * 100,
    b"GET /v1/accounts HT",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    HEAD.replace(b"POST", b"HEAD") + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
    HEAD + b"Content-Length: 10\r\n\r\n{",
    HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    HEAD + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n",
    HEAD.replace(b"127.0.0.1", b"example.com") + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n110000\r\n" + b"x" * 0x110000 + b"\r\nnonsense\r\n",
]
"""Bytes that are no complete HTTP request, or one that only a scanner sends."""


def encoded(claims: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(claims).decode().rstrip("=")


def signed(sandbox: Sandbox, claims: bytes, header: bytes = b'{"alg":"HS256"}') -> str:
    """Sign any bytes as the claims of a token, whether they are JSON or not."""
    text = f"{encoded(header)}.{encoded(claims)}"
    secret = sandbox.credentials.secret_key.reveal().encode()
    signature = hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def claims_of(sandbox: Sandbox, **others: object) -> bytes:
    """Return the claims of a token with the sandbox's access key."""
    return json.dumps({"access_key": sandbox.credentials.access_key.reveal(), **others}).encode()


def asgi_scope(**others: Any) -> dict[str, Any]:
    """Return the scope of a withdrawal, with changes."""
    usual: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": COIN,
        "query_string": b"",
        "headers": [],
    }
    return {**usual, **others}


class Caller:
    """One request as an ASGI server hands it over, piece by piece.

    Args:
        pieces: Parts of the body.
        complete: Whether the body ends after them; otherwise the client leaves.
    """

    def __init__(self, pieces: Iterator[bytes], *, complete: bool = True) -> None:
        self._pieces = pieces
        self._complete = complete
        self.read = 0
        self.status: int | None = None
        self.body = b""

    async def receive(self) -> dict[str, Any]:
        piece = next(self._pieces, None)
        if piece is not None:
            self.read += len(piece)
            return {"type": "http.request", "body": piece, "more_body": True}
        if self._complete:
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message["body"]


def exchanged(address: tuple[str, int], data: bytes) -> bytes:
    """Send some bytes, end the stream, and return all that comes back."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        came = b""
        while part := connection.recv(2**16):
            came += part
    return came


def added(sandbox: Sandbox, before: int, expected: int = 1) -> tuple[RequestRecord, ...]:
    """Return the new lines of the log; the server may notice only later that its client has disconnected."""
    deadline = time.monotonic() + 30  # of real time: a busy machine may take some
    while len(sandbox.requests) - before < expected and time.monotonic() < deadline:
        time.sleep(0.001)
    return tuple(sandbox.requests[before:])
