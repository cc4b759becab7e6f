"""Construction of a client's transport state from its options; see `upbit_async.transport.call.ClientState`.

The limiter, the penalty box and the cooldowns are those of the access key at its host (`key_state`), so all clients of
one key share them. A limiter of the user's takes the place of that limiter, and is put under the ban all the same.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from upbit_async.protocol.token import Algorithm, Signer
from upbit_async.settings import host_of
from upbit_async.transport.call import ClientState
from upbit_async.transport.connection_check import Bounds
from upbit_async.transport.connection_pool import ConnectionPool
from upbit_async.transport.foreign_logs import keep_tokens_out
from upbit_async.transport.http_port import Connection, InjectedConnection, OwnConnection, library_of
from upbit_async.transport.key_state import KeyUse
from upbit_async.transport.limiter import LocalLimiter, RateLimiter
from upbit_async.transport.penalty_box import put_under

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.credentials import Credentials
    from upbit_async.protocol.answer_check import AnswerCheck
    from upbit_async.region import Region

__all__ = ["assemble"]


def assemble(  # noqa: PLR0913 - a client's options, all keyword-only
    *,
    region: Region,
    base_url: str,
    credentials: Credentials | None,
    connections: int,
    limiter: RateLimiter | None,
    http: Any,
    algorithm: Algorithm,
    space_as_plus: bool,
    answer_check: AnswerCheck,
) -> ClientState:
    """Build the state that a client and its siblings share.

    Args:
        region: Region of the client.
        base_url: Base URL of the host.
        credentials: Keys of the account; None for a client that can't sign.
        connections: Maximum number of connections.
        limiter: Rate limiter of the user's; None for that of the access key.
        http: HTTP client of the user's, of httpx or httpx2; None for connections of our own.
        algorithm: Signature algorithm of the tokens.
        space_as_plus: Whether a space is hashed as ``+``.
        answer_check: Check of the answers to requests that must not happen twice.

    Raises:
        ConfigurationError: The credentials can't be a key.
        TypeError: `http` is not a client of httpx or httpx2.
    """
    keep_tokens_out()
    connect: Callable[[], Connection] = functools.partial(OwnConnection, base_url)
    bounds = Bounds(is_injected=http is not None)
    if http is not None:
        library_of(http)
        connect = functools.partial(InjectedConnection, base_url, http, bounds)
    host = host_of(base_url)
    signer = None if credentials is None else Signer(credentials, algorithm)
    use = KeyUse(host, "" if signer is None else signer.key_digest)
    chosen = limiter if limiter is not None else use.state.limiter
    if isinstance(chosen, LocalLimiter):
        put_under(chosen, use.state.penalty_box)
    return ClientState(
        region=region,
        host=host,
        signer=signer,
        pool=ConnectionPool(connections, connect, abandon=_abandon),
        injected=http is not None,
        limiter=chosen,
        penalty_box=use.state.penalty_box,
        cooldowns=use.state.cooldowns,
        answer_check=answer_check,
        key_use=use,
        space_as_plus=space_as_plus,
        bounds=bounds,
    )


def _abandon(connection: Connection) -> None:
    """Close the socket of a connection whose event loop has ended, unless an injected client owns it."""
    if isinstance(connection, OwnConnection):
        connection.abandon()
