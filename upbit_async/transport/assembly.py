"""Builds what carries the calls of one client."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from upbit_async.protocol.token import Algorithm, Signer
from upbit_async.settings import host_of
from upbit_async.transport.call import Shared
from upbit_async.transport.carrier import Carrier
from upbit_async.transport.gate import Gate
from upbit_async.transport.http_port import ClientLane, OwnLane, library_of
from upbit_async.transport.limiter import RateLimiter, shared_limiter
from upbit_async.transport.penalty import penalty_box

if TYPE_CHECKING:
    from upbit_async.credentials import Credentials
    from upbit_async.events import Observer
    from upbit_async.policy import RetryPolicy, Timeouts
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
    retry: RetryPolicy,
    timeouts: Timeouts,
    observer: Observer | None,
) -> Carrier:
    """Build a carrier.

    Raises:
        ConfigurationError: A key can't be one.
        TypeError: `http` is no client of httpx or httpx2.
    """
    if http is not None:
        library_of(http)
    host = host_of(base_url)
    key = credentials.access_key.fingerprint if credentials is not None else ""
    own_lane = functools.partial(OwnLane, base_url)
    shared = Shared(
        region=region,
        host=host,
        signer=None if credentials is None else Signer(credentials, algorithm),
        gate=Gate(connections, own_lane if http is None else functools.partial(ClientLane, base_url, http)),
        fresh_lane=own_lane if http is None else None,
        limiter=limiter if limiter is not None else shared_limiter(host, key),
        box=penalty_box(host, key),
        space_as_plus=space_as_plus,
    )
    return Carrier(shared, retry=retry, timeouts=timeouts, observer=observer)
