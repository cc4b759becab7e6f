"""CPU per call, beside raw httpx with a hand-made token and ``json.loads``, interleaved in one run."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import anyio
import httpx
import jwt
from peer import serving

from upbit_async import Credentials, NoLimiter, UpbitClient

KEY, SECRET = "A" * 40, "S" * 40
ID = "00000000-0000-4000-8000-000000000001"
ROUNDS = 9
Call = Callable[[], Awaitable[object]]


def _raw(client: httpx.AsyncClient, path: str, params: dict[str, str]) -> Call:
    async def call() -> object:
        claims = {"access_key": KEY, "nonce": str(uuid.uuid4())}
        query = urlencode(params)
        if query:
            claims |= {"query_hash": hashlib.sha512(query.encode()).hexdigest(), "query_hash_alg": "SHA512"}
        token = jwt.encode(claims, SECRET)  # pyright: ignore[reportUnknownMemberType] - PyJWT's
        answer = await client.get(path, params=params, headers={"Authorization": f"Bearer {token}"})
        return json.loads(answer.content)

    return call


async def _cpu(call: Call, calls: int, at_once: int) -> float:
    """Return the CPU milliseconds of one call."""
    left = calls

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    began = time.process_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(worker)
    return (time.process_time() - began) * 1000 / calls


async def _compare(title: str, raw: Call, ours: Call, calls: int, at_once: int) -> None:
    ratios: list[float] = []
    ours_ms: list[float] = []
    raw_ms: list[float] = []
    for _ in range(ROUNDS):
        a = await _cpu(ours, calls, at_once)
        b = await _cpu(raw, calls, at_once)
        ours_ms.append(a)
        raw_ms.append(b)
        ratios.append(a / b)
    print(
        f"{title:<34} {statistics.median(ratios):5.2f}x ({min(ratios):.2f} to {max(ratios):.2f})   "
        f"ours {statistics.median(ours_ms):.3f} ms, raw httpx {statistics.median(raw_ms):.3f} ms"
    )


async def main() -> None:
    """Print the table."""
    limits = httpx.Limits(max_connections=10, max_keepalive_connections=10)
    with serving() as url:
        async with (
            httpx.AsyncClient(base_url=url, limits=limits) as http,
            UpbitClient(
                "sg", credentials=Credentials(KEY, SECRET), base_url=url, limiter=NoLimiter()
            ) as client,
        ):
            small = _raw(http, "/v1/withdraw", {"uuid": ID})
            wallets = _raw(http, "/v1/status/wallet", {})
            await _compare("one small call", small, lambda: client.withdraws.get(ID), 300, 1)
            await _compare("one small call, 50 at once", small, lambda: client.withdraws.get(ID), 500, 50)
            await _compare("300 wallets", wallets, client.status.wallets, 200, 1)
            await _compare("300 wallets, 50 at once", wallets, client.status.wallets, 300, 50)


if __name__ == "__main__":
    anyio.run(main)
