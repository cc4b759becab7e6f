"""Guard of a request that must not happen twice, asked before its first byte leaves."""

from __future__ import annotations

from typing import Protocol

import attrs

from upbit_async.protocol.token import Algorithm

__all__ = ["SendGuard", "SigningParams"]


@attrs.frozen
class SigningParams:
    """Nonce and algorithm of one request's token.

    Attributes:
        nonce: A UUID. Upbit takes each only once, so the same one again can't be carried out twice.
        algorithm: How the token is signed.
    """

    nonce: str = attrs.field(repr=False)
    algorithm: Algorithm


class SendGuard(Protocol):
    """Goes along with one request, and may stop it until its first byte leaves.

    A call that has an escort is sent once; whether to repeat it is for the escort's master to say.
    """

    async def signing_params(self) -> SigningParams:
        """Return what to sign the request with; it leaves right after this.

        Here is where to note down that it may leave. What this raises stops the call, and is raised by it.
        """
        ...

    async def may_send(self) -> bool:
        """Say whether the first byte may leave, which it does at once. It may be asked more than once."""
        ...
