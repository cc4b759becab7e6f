"""Builds what a client and its siblings share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from upbit_async.protocol.token import Algorithm, Signer
from upbit_async.settings import host_of
from upbit_async.transport.call import Shared
from upbit_async.transport.foreign_logs import keep_tokens_out
from upbit_async.transport.gate import Gate
from upbit_async.transport.http_port import Bounds, ClientLane, Lane, OwnLane, library_of
from upbit_async.transport.intervals import intervals_of
from upbit_async.transport.limiter import LocalLimiter, RateLimiter, shared_limiter
from upbit_async.transport.penalty import penalty_box, put_under

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.credentials import Credentials
    from upbit_async.region import Region

__all__ = ["assemble"]


def assemble(
    *,
    region: Region,
    base_url: str,
    credentials: Credentials | None,
    connections: int,
    limiter: RateLimiter | None,
    http: Any,
    algorithm: Algorithm,
    space_as_plus: bool,
) -> Shared:
    """Build what a client and its siblings share.

    Raises:
        ConfigurationError: A key can't be one.
        TypeError: `http` is no client of httpx or httpx2.
    """
    keep_tokens_out()
    make_lane: Callable[[], Lane] = functools.partial(OwnLane, base_url)
    bounds = Bounds(injected=http is not None)
    if http is not None:
        library_of(http)
        make_lane = functools.partial(ClientLane, base_url, http, bounds)
    host = host_of(base_url)
    key = credentials.access_key.fingerprint if credentials is not None else ""
    limiter = limiter if limiter is not None else shared_limiter(host, key)
    box = penalty_box(host, key)
    if isinstance(limiter, LocalLimiter):
        put_under(limiter, box)
    return Shared(
        region=region,
        host=host,
        signer=None if credentials is None else Signer(credentials, algorithm),
        gate=Gate(connections, make_lane, abandon=_abandon),
        injected=http is not None,
        limiter=limiter,
        box=box,
        intervals=intervals_of(host, key),
        space_as_plus=space_as_plus,
        bounds=bounds,
    )


def _abandon(lane: Lane) -> None:
    """Close what a lane's event loop has left open when it ended; connections of an injected client are not ours."""
    if isinstance(lane, OwnLane):
        lane.abandon()
