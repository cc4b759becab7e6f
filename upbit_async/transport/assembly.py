"""Builds what a client and its siblings share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from upbit_async.protocol.token import Algorithm, Signer
from upbit_async.settings import host_of
from upbit_async.transport.call import Shared
from upbit_async.transport.gate import Gate
from upbit_async.transport.http_port import ClientLane, OwnLane, library_of
from upbit_async.transport.limiter import RateLimiter, shared_limiter
from upbit_async.transport.penalty import penalty_box

if TYPE_CHECKING:
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
    if http is not None:
        library_of(http)
    host = host_of(base_url)
    key = credentials.access_key.fingerprint if credentials is not None else ""
    own_lane = functools.partial(OwnLane, base_url)
    return Shared(
        region=region,
        host=host,
        signer=None if credentials is None else Signer(credentials, algorithm),
        gate=Gate(connections, own_lane if http is None else functools.partial(ClientLane, base_url, http)),
        injected=http is not None,
        limiter=limiter if limiter is not None else shared_limiter(host, key),
        box=penalty_box(host, key),
        space_as_plus=space_as_plus,
    )
