"""Requests on the wire, and withdrawals made, for one withdrawal whose answer is lost.

Each has its own sandbox, on a socket. All clients give up reading after a second; everything else
is as they come.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import anyio
from contenders import CCXT, SDK, Calls, ccxt, ours, raw_httpx, upbit_sdk, without_missing
from table import show

from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

PATH = "/v1/withdraws/coin"
PATIENCE = 1.0
LONGEST = 30.0
CLIENTS: dict[str, Callable[..., AbstractAsyncContextManager[Calls]]] = {
    "upbit_async": functools.partial(ours, read=PATIENCE),
    "raw httpx": functools.partial(raw_httpx, read=PATIENCE),
    SDK: functools.partial(upbit_sdk, timeout=PATIENCE),
    CCXT: functools.partial(ccxt, read=PATIENCE),
}
_lose = functools.partial(Fault.lose_answer, "POST", PATH, times=None)
_status = functools.partial(Fault.status, method="POST", path=PATH, times=None)
_garbage = functools.partial(Fault.garbage, "POST", PATH, times=None)
FAULTS = {
    "connection reset": _lose(how="reset"),
    "connection closed": _lose(how="close"),
    "answer cut off": _lose(how="cut"),
    "never answered": _lose(how="hang"),
    "201 in HTML": _garbage(body="html"),
    "201 empty": _garbage(body="empty"),
    "201 huge": _garbage(body="huge"),
    "201 compressed": _garbage(body="gzip"),
    "bare 429": _status(429, body="empty"),
    "503 instead of the work": _status(503),
    **{
        f"{status} after the work": _status(status, before=False)
        for status in (307, 408, 409, 500, 502, 503, 504)
    },
}


async def _lost(client: Callable[..., AbstractAsyncContextManager[Calls]], fault: Fault) -> str:
    async with Sandbox("sg") as sandbox:
        sandbox.faults.add(fault)
        with sandbox.serve() as url:
            async with client(url, keys=sandbox.credentials) as calls:
                outcome = await _outcome(calls, _members(sandbox))
        posts, made = len(sandbox.requests.of("POST", PATH)), len(sandbox.ledger.created)
        return f"{posts} / {made}  {outcome}"


def _members(sandbox: Sandbox) -> dict[str, str]:
    (address,) = (
        each for each in sandbox.account.addresses if (each.currency, each.net_type) == ("USDT", "TRX")
    )
    return {
        "currency": "USDT",
        "net_type": "TRX",
        "amount": "13",
        "address": address.withdraw_address,
    }


async def _outcome(calls: Calls, members: dict[str, str]) -> str:
    try:
        with anyio.fail_after(LONGEST):
            await calls.withdraw(members)
    except Exception as error:  # noqa: BLE001 - whatever it is, its name is shown
        return type(error).__name__
    return "no error"


async def _measure() -> None:
    clients = without_missing(CLIENTS)
    rows = [
        (title, *[await _lost(client, fault) for client in clients.values()])
        for title, fault in FAULTS.items()
    ]
    show(
        "one withdrawal whose answer is lost: requests sent / withdrawals made, and the error",
        ("", *clients),
        rows,
    )


if __name__ == "__main__":
    anyio.run(_measure)
