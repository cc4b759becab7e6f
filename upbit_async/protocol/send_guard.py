"""Guard of a request that must not be repeated: asked before the first byte is sent."""

from __future__ import annotations

from typing import Protocol

import attrs

from upbit_async.protocol.token import Algorithm

__all__ = ["SendGuard", "SigningParams"]


@attrs.frozen
class SigningParams:
    """Nonce and algorithm of one request's token.

    Attributes:
        nonce: UUID. Upbit accepts each nonce only once, so a copy with the same nonce can't be executed a second time.
        algorithm: Signature algorithm.
    """

    nonce: str = attrs.field(repr=False)
    algorithm: Algorithm


class SendGuard(Protocol):
    """Guard of one request, which may stop it until its first byte is sent.

    A guarded call is sent once. The caller that passes the guard decides whether to repeat it.
    """

    async def signing_params(self) -> SigningParams:
        """Return the nonce and algorithm to sign with. The request is sent right after this.

        Record here that the request may be sent. An exception stops the call, which raises it.
        """
        ...

    async def may_send(self) -> bool:
        """Return whether the first byte may be sent now. The transport may ask several times."""
        ...
