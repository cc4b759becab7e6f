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
        nonce: UUID. Upbit accepts each one once, so a request with the same nonce can't be executed twice.
        algorithm: Signature algorithm of the token.
    """

    nonce: str = attrs.field(repr=False)
    algorithm: Algorithm


class SendGuard(Protocol):
    """Guard of one request: it signs it, and can withhold it until its first byte leaves.

    The transport sends a guarded call once. The owner of the guard decides whether to repeat it.
    """

    async def signing_params(self) -> SigningParams:
        """Return what to sign the request with. The request leaves after this.

        The guard records here that the request may leave. What this method raises stops the call, and is raised by it.
        """
        ...

    async def may_send(self) -> bool:
        """Return whether the first byte may leave, which it then does at once. May be called more than once."""
        ...
