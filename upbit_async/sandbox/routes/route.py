"""What a route is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

from upbit_async.sandbox.exchange.exchange import Exchange
from upbit_async.sandbox.messages import Answer, Request

__all__ = ["Call", "Route"]


@attrs.frozen(kw_only=True)
class Call:
    """A request that was let through.

    Attributes:
        request: The request.
        exchange: The exchange that is to answer it.
        now: The present time (aware, UTC).
    """

    request: Request
    exchange: Exchange
    now: datetime


@attrs.frozen
class Route:
    """One endpoint.

    Attributes:
        method: The HTTP method.
        path: The whole path.
        permission: What the key must be allowed, or ``None``: any valid key will do.
        answer: Does the work; raises ``Refusal`` where there is a reason against it.
    """

    method: str
    path: str
    permission: str | None
    answer: Callable[[Call], Answer]
