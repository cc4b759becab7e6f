"""Checks of a signed request, in the order in which they are made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.keys import ApiKeyRecord
from upbit_async.sandbox.guard.limits import Limits
from upbit_async.sandbox.guard.query_hash import check_query_hash
from upbit_async.sandbox.guard.token import Token
from upbit_async.sandbox.knobs import ErrorSpec, Knobs

if TYPE_CHECKING:
    from upbit_async.sandbox.exchange.keys import Keys
    from upbit_async.sandbox.messages import SandboxRequest, SandboxResponse

__all__ = ["AuthenticatedRequest", "Guard"]

_NO_TOKEN: Final = ErrorSpec(401, "no_authorization_token")
_UNKNOWN_KEY: Final = ErrorSpec(401, "invalid_access_key")
_EXPIRED_KEY: Final = ErrorSpec(401, "expired_access_key")
_WRONG_IP: Final = ErrorSpec(401, "no_authorization_ip")
_WITHDRAW_LOCKED: Final = ErrorSpec(403, "open_api_withdraw_locked")
_NONCE_USED: Final = ErrorSpec(401, "nonce_used")
_PUBLIC_LIMIT: Final = 10
"""Calls per second in each public group; see https://global-docs.upbit.com/reference/rate-limits."""


@attrs.frozen(kw_only=True)
class AuthenticatedRequest:
    """Token of a request, and the key that it names.

    Attributes:
        token: Token of the request.
        key: Key that the token names; ``Guard.admit`` verifies that the key signed it.
    """

    token: Token
    key: ApiKeyRecord


class Nonces:
    """Nonces that were used, for as long as ``Knobs.nonce_memory``.

    Args:
        knobs: Undocumented choices of the server.
    """

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._used: dict[tuple[str, str], datetime] = {}

    def check(self, access_key: str, nonce: str, now: datetime) -> None:
        """Check that a key has not used a nonce before.

        Raises:
            Refusal: It has.
        """
        used_at = self._used.get((access_key, nonce))
        memory = self._knobs.nonce_memory
        if used_at is not None and (memory is None or now - used_at <= timedelta(seconds=memory)):
            raise Refusal(_NONCE_USED)

    def burn(self, access_key: str, nonce: str, now: datetime) -> None:
        """Record that a key has used a nonce."""
        self._used[access_key, nonce] = now


class Guard:
    """Authentication, permissions and rate limits, refused with the documented status and name.

    The order of the checks is undocumented. The rate limit belongs to the account, so it is charged as soon as the
    account is known and before any expensive check.

    Args:
        keys: Keys of the account.
        knobs: Undocumented choices of the server.
        limited: Whether calls are counted.
    """

    def __init__(self, keys: Keys, knobs: Knobs, *, limited: bool) -> None:
        self._limits = Limits(knobs)
        self._public_limits: dict[tuple[str, str], Limits] = {}
        self._keys = keys
        self._knobs = knobs
        self._limited = limited
        self._nonces = Nonces(knobs)

    def identify(self, request: SandboxRequest) -> AuthenticatedRequest:
        """Return the token of a request and the key that it names, without verifying anything.

        Raises:
            Refusal: There is no token, it can't be read, or its key is unknown.
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
        """Return whether a request is signed with the secret key that belongs to its access key."""
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
        """Charge a call to the account, or a public call to its address.

        Returns:
            The answer to a call above the limit, ``None`` for other calls.
        """
        return self._limits_for(request, public_group).charge(now) if self._limited else None

    def headers(
        self, request: SandboxRequest, public_group: str | None, now: datetime
    ) -> tuple[tuple[str, str], ...]:
        """Return the headers with the remaining calls; none if calls are not counted."""
        return (self._limits_for(request, public_group).header(now),) if self._limited else ()

    def _limits_for(self, request: SandboxRequest, public_group: str | None) -> Limits:
        if public_group is None:
            return self._limits
        limits = Limits(self._knobs, group=public_group, limit=_PUBLIC_LIMIT)
        return self._public_limits.setdefault((public_group, request.client_ip), limits)

    def admit(
        self, request: SandboxRequest, sender: AuthenticatedRequest, permission: str | None, now: datetime
    ) -> None:
        """Check all claims of the token, and that the key may make this call.

        Raises:
            Refusal: A check fails.
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
        """Record that a request was carried out, which always uses up its nonce."""
        self._nonces.burn(sender.key.access_key, sender.token.nonce, now)
