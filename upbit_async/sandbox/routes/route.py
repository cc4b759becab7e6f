"""A route, and the context that its function gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import attrs

from upbit_async.region import Region
from upbit_async.sandbox.exchange.exchange import Exchange
from upbit_async.sandbox.knobs import Knobs
from upbit_async.sandbox.messages import Json, SandboxRequest, SandboxResponse

__all__ = ["Route", "RouteContext"]


@attrs.frozen(kw_only=True)
class RouteContext:
    """A request that was let through.

    Attributes:
        request: The request.
        exchange: The exchange that is to answer it.
        now: The present time (aware, UTC).
    """

    request: SandboxRequest
    exchange: Exchange
    now: datetime

    def answer(self, status: int, value: Json) -> SandboxResponse:
        """Answer with JSON, with its nulls or without, by knob."""
        return SandboxResponse.of_json(
            status, value if self.exchange.knobs.nulls == "present" else _without_nulls(value)
        )


@attrs.frozen
class Route:
    """One endpoint.

    Attributes:
        method: The HTTP method.
        path: The whole path.
        permission: What the key must be allowed, ``None``: any valid key will do; or what tells it, by knob.
        answer: Does the work; raises ``Refusal`` where there is a reason against it.
        public_group: In which group its calls are counted for the address that they come from, if it is open
            to everybody; ``None``: it has to be signed, and is counted for the account.
        regions: Where it is.
    """

    method: str
    path: str
    permission: str | Callable[[Knobs], str] | None
    answer: Callable[[RouteContext], SandboxResponse]
    public_group: str | None = attrs.field(default=None, kw_only=True)
    regions: frozenset[Region] = attrs.field(default=frozenset(Region), kw_only=True)

    def permission_by(self, knobs: Knobs) -> str | None:
        """What the key must be allowed, or ``None``."""
        return self.permission(knobs) if callable(self.permission) else self.permission


def _without_nulls(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_nulls(item) for item in value]
    return value
