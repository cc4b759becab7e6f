"""Route of the sandbox, and the context that its function receives."""

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
    """Request that has passed all checks, with the exchange that answers it.

    Attributes:
        request: Request.
        exchange: Exchange.
        now: Current time (aware, UTC).
    """

    request: SandboxRequest
    exchange: Exchange
    now: datetime

    def answer(self, status: int, value: Json) -> SandboxResponse:
        """Return a JSON response, with or without its nulls as ``Knobs.nulls`` says."""
        return SandboxResponse.of_json(
            status, value if self.exchange.knobs.nulls == "present" else _without_nulls(value)
        )


@attrs.frozen
class Route:
    """Endpoint of the sandbox.

    Attributes:
        method: HTTP method.
        path: Whole path.
        permission: Permission that the key needs, or a function that returns it given the knobs; ``None`` if any valid
            key may call it.
        answer: Function that processes a request; it raises ``Refusal`` to refuse it.
        public_group: Rate-limit group of a public endpoint, counted by address; ``None`` for an endpoint whose calls
            are signed and counted for the account.
        regions: Regions that have it.
    """

    method: str
    path: str
    permission: str | Callable[[Knobs], str] | None
    answer: Callable[[RouteContext], SandboxResponse]
    public_group: str | None = attrs.field(default=None, kw_only=True)
    regions: frozenset[Region] = attrs.field(default=frozenset(Region), kw_only=True)

    def permission_by(self, knobs: Knobs) -> str | None:
        """Return the permission that the key needs, or ``None``."""
        return self.permission(knobs) if callable(self.permission) else self.permission


def _without_nulls(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_nulls(item) for item in value]
    return value
