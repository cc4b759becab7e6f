"""Clients for tests, with keys that must appear nowhere, and the withdrawal that they make."""

from __future__ import annotations

import secrets
from typing import Any

from upbit_async import Credentials, NoLimiter, RetryPolicy, Timeouts, UpbitClient

__all__ = [
    "CREATE",
    "CREATE_PATH",
    "LIST",
    "LIST_PATH",
    "QUICK",
    "SHORT",
    "WITHDRAWAL",
    "canaries",
    "client_for",
    "withdrawal_json",
]

CREATE_PATH = "/v1/withdraws/coin"
LIST_PATH = "/v1/withdraws"
CREATE = ("POST", CREATE_PATH)
"""Creates a withdrawal: method and path, as faults and the log of requests take them."""
LIST = ("GET", LIST_PATH)
"""Lists withdrawals."""

WITHDRAWAL: dict[str, Any] = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}
QUICK = RetryPolicy(base=0.001, throttled_base=0.001, cap=0.01)
SHORT = Timeouts(connect=2, read=0.3, write=2, total=5)


def canaries() -> Credentials:
    """Return keys that no other test has, so that no limit is shared."""
    return Credentials(f"CANARYACCESS{secrets.token_hex(14)}", f"CANARYSECRET{secrets.token_hex(14)}")


def client_for(url: str, **options: Any) -> UpbitClient:
    """Return a client for a test's server, with short timeouts and without limits."""
    defaults: dict[str, Any] = {
        "credentials": canaries(),
        "base_url": url,
        "retry": QUICK,
        "timeouts": SHORT,
        "limiter": NoLimiter(),
    }
    return UpbitClient("sg", **(defaults | options))


def withdrawal_json(uuid: str = "00000000-0000-4000-8000-000000000003", state: str = "WAITING") -> bytes:
    """Write a withdrawal as Upbit does."""
    return (
        f'{{"type":"withdraw","uuid":"{uuid}","currency":"USDT","net_type":"TRX","txid":null,"state":"{state}",'
        '"created_at":"2025-07-17T13:53:31+09:00","done_at":null,"amount":"13.0","fee":"0.0",'
        '"transaction_type":"default","is_cancelable":false}'
    ).encode()
