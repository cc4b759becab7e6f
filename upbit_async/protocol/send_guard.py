"""Guard of a request that must not be repeated: it supplies nonce and algorithm, and can stop the request.

The *first byte* is the first byte of the HTTP request: after connecting, and after TLS. Before it, Upbit can't have
executed anything. After it, only an answer shows whether Upbit has.
"""

from __future__ import annotations

import abc
from typing import Protocol

import attrs

from upbit_async.protocol.token import Algorithm

__all__ = ["SendGuard", "SigningParams"]


@attrs.frozen
class SigningParams:
    """Nonce and algorithm of one request's token.

    Attributes:
        nonce: UUID. Upbit accepts each one once, so a request with the same nonce can't be executed twice.
        algorithm: Signature algorithm of the token.
    """

    nonce: str = attrs.field(repr=False)
    algorithm: Algorithm


class SendGuard(Protocol):
    """Guard of one request: it supplies nonce and algorithm, and can stop the request before its first byte.

    The transport makes one attempt of a guarded call. The owner of the guard decides whether to repeat the call. The
    only guard of this package is `upbit_async.payouts.send_attempt.SendAttempt`.
    """

    @abc.abstractmethod
    async def record_departure(self) -> SigningParams:
        """Record that the request is going to be sent; return the nonce and the algorithm to sign it with.

        It is called once, before connecting. When it returns, the record survives a crash. An exception stops the
        call, which raises it, unless the call was cancelled meanwhile.
        """

    @abc.abstractmethod
    async def may_send(self) -> bool:
        """Return whether the first byte may be sent now. An exception counts as no, and is logged.

        It is called before connecting by some HTTP clients, and right before the first byte by most: by the client's
        own connections, and by injected clients that report their first byte. The last call decides.
        """

    @property
    @abc.abstractmethod
    def must_stop(self) -> bool:
        """Whether the request must end now although it was sent, because its process shuts down.

        It is asked when the call is cancelled. A request that was sent is finished otherwise.
        """
