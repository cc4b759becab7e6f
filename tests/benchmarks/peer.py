"""A small HTTP server in a separate process, so that the client's CPU is measured alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections import deque
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["counts", "serving"]

WITHDRAWAL = {
    "type": "withdraw",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "currency": "XRP",
    "net_type": "XRP",
    "txid": "f" * 64,
    "state": "DONE",
    "created_at": "2025-07-04T15:00:00",
    "done_at": "2025-07-04T15:00:20",
    "amount": "10.00",
    "fee": "0.0",
    "transaction_type": "default",
    "is_cancelable": False,
}
WALLET = {
    "currency": "BTC",
    "wallet_state": "working",
    "block_state": "normal",
    "block_height": 907974,
    "block_updated_at": "2025-07-31T16:12:40.584+00:00",
    "block_elapsed_minutes": 15,
    "net_type": "BTC",
    "network_name": "Bitcoin",
}


def _answer(value: object, status: str = "200 OK") -> bytes:
    body = json.dumps(value).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json;charset=UTF-8\r\n"
        f"Remaining-Req: group=default; min=1800; sec=29\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


ANSWERS = {
    b"/v1/withdraw": _answer(WITHDRAWAL),
    b"/v1/withdraws": _answer([]),
    b"/v1/status/wallet": _answer([WALLET] * 300),
}
TOO_MANY = _answer({"error": {"name": "too_many_requests", "message": "Too many."}}, "429 Too Many Requests")


class _Peer(asyncio.Protocol):
    """Answers at once, or after a random while up to `lag` seconds; at most `limit` times in any second."""

    lag = 0.0
    limit = 0
    connections = 0
    requests = 0
    refused = 0
    allowed: ClassVar[deque[float]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        type(self).connections += 1
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            if path == b"/counts":
                counts = {"connections": self.connections, "requests": self.requests, "refused": self.refused}
                self._send(_answer(counts))
                continue
            type(self).requests += 1
            answer = ANSWERS[path] if self._lets_in() else TOO_MANY
            if self.lag:
                asyncio.get_running_loop().call_later(random.random() * self.lag, self._send, answer)
            else:
                self._send(answer)

    def _lets_in(self) -> bool:
        now = time.monotonic()
        while self.allowed and self.allowed[0] <= now - 1:
            self.allowed.popleft()
        if self.limit and len(self.allowed) >= self.limit:
            type(self).refused += 1
            return False
        self.allowed.append(now)
        return True

    def _send(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)  # type: ignore[attr-defined]


async def _serve(lag: float, limit: int) -> None:
    _Peer.lag, _Peer.limit = lag, limit
    server = await asyncio.get_running_loop().create_server(_Peer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def serving(lag: float = 0.0, limit: int = 0) -> Generator[str, None, None]:
    """Run the server until the block ends, and give its URL.

    Args:
        lag: Maximum delay of an answer, in seconds; delays are random.
        limit: Maximum number of calls in any second; 0 for no limit.
    """
    command = [sys.executable, __file__, str(lag), str(limit)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def counts(url: str) -> dict[str, int]:
    """Ask the server how many connections and requests it has seen; the question itself counts as a connection."""
    with urllib.request.urlopen(f"{url}/counts") as answer:  # noqa: S310 - our own
        counts: dict[str, int] = json.load(answer)
        return counts


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(float(sys.argv[1]), int(sys.argv[2])))
