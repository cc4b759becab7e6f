"""The checks of a request, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.keys import ApiKey
from upbit_async.sandbox.guard.limits import Limits
from upbit_async.sandbox.guard.nonces import Nonces
from upbit_async.sandbox.guard.query_hash import check_query_hash
from upbit_async.sandbox.guard.token import Token
from upbit_async.sandbox.knobs import ErrorSpec, Knobs

if TYPE_CHECKING:
    from datetime import datetime

    from upbit_async.sandbox.exchange.keys import Keys
    from upbit_async.sandbox.messages import SandboxRequest, SandboxResponse

__all__ = ["AuthenticatedRequest", "Guard"]

_NO_TOKEN: Final = ErrorSpec(401, "no_authorization_token")
_UNKNOWN_KEY: Final = ErrorSpec(401, "invalid_access_key")
_EXPIRED_KEY: Final = ErrorSpec(401, "expired_access_key")
_WRONG_IP: Final = ErrorSpec(401, "no_authorization_ip")
_WITHDRAW_LOCKED: Final = ErrorSpec(403, "open_api_withdraw_locked")
_PUBLIC_LIMIT: Final = 10
"""Calls per second, in every group of the quotation half."""


@attrs.frozen(kw_only=True)
class AuthenticatedRequest:
    """A request whose sender is known.

    Attributes:
        token: Its token.
        key: The key that signed it, as the token claims; ``admit`` proves it.
    """

    token: Token
    key: ApiKey


class Guard:
    """Lets a request through, or refuses it with the documented status and name.

    Which check comes first is not documented. The budget is the account's, so it is charged as soon as the
    account is known, and before anything that costs the server work.

    Args:
        keys: The keys of the account.
        knobs: The undocumented choices.
        limited: Whether calls are counted at all.
    """

    def __init__(self, keys: Keys, knobs: Knobs, *, limited: bool) -> None:
        self._limits = Limits(knobs)
        self._public_limits: dict[tuple[str, str], Limits] = {}
        self._keys = keys
        self._knobs = knobs
        self._limited = limited
        self._nonces = Nonces(knobs)

    def identify(self, request: SandboxRequest) -> AuthenticatedRequest:
        """Who sent a request, before anything is verified.

        Raises:
            Refusal: There is no token, it cannot be read, or its key is unknown.
        """
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise Refusal(_NO_TOKEN)
        token = Token.read(text.strip())
        key = self._keys.find(token.access_key)
        if key is None:
            raise Refusal(_UNKNOWN_KEY)
        return AuthenticatedRequest(token=token, key=key)

    def is_authentic(self, sender: AuthenticatedRequest | Refusal) -> bool:
        """Whether a request is signed with the secret key that belongs to its access key."""
        if isinstance(sender, Refusal):
            return False
        try:
            sender.token.verify(sender.key.secret_key, self._knobs.algorithms)
        except Refusal:
            return False
        return True

    def charge(
        self, request: SandboxRequest, public_group: str | None, now: datetime
    ) -> SandboxResponse | None:
        """Charges the account, or for a public call its address; the answer of a call that is too many."""
        return self._budget(request, public_group).charge(now) if self._limited else None

    def headers(
        self, request: SandboxRequest, public_group: str | None, now: datetime
    ) -> tuple[tuple[str, str], ...]:
        """The headers that tell what is left; none when nothing is counted."""
        return (self._budget(request, public_group).header(now),) if self._limited else ()

    def _budget(self, request: SandboxRequest, public_group: str | None) -> Limits:
        if public_group is None:
            return self._limits
        limits = Limits(self._knobs, group=public_group, limit=_PUBLIC_LIMIT)
        return self._public_limits.setdefault((public_group, request.client_ip), limits)

    def admit(
        self, request: SandboxRequest, sender: AuthenticatedRequest, permission: str | None, now: datetime
    ) -> None:
        """Verifies all that the token claims, and that the key may make this call.

        Raises:
            Refusal: One of it does not hold.
        """
        token, key = sender.token, sender.key
        token.verify(key.secret_key, self._knobs.algorithms)
        if key.expires_at is not None and key.expires_at <= now:
            raise Refusal(_EXPIRED_KEY)
        if key.ips is not None and request.client_ip not in key.ips:
            raise Refusal(_WRONG_IP)
        self._nonces.check(key.access_key, token.nonce, now)
        if self._knobs.rejected_burns_nonce:
            self._nonces.burn(key.access_key, token.nonce, now)
        check_query_hash(request, token, self._knobs)
        if permission is not None and permission not in key.permissions:
            raise Refusal(self._knobs.out_of_scope)
        if permission == "withdraw" and key.withdraw_locked:
            raise Refusal(_WITHDRAW_LOCKED)

    def accept(self, sender: AuthenticatedRequest, now: datetime) -> None:
        """Notes that a request was carried out, which uses up its nonce in any case."""
        self._nonces.burn(sender.key.access_key, sender.token.nonce, now)
