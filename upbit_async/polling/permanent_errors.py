"""Errors after which polling again would not help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.errors import AuthenticationError, Banned, ConfigurationError, PermissionDenied

if TYPE_CHECKING:
    from upbit_async.errors import UpbitError

__all__ = ["is_permanent"]


def is_permanent(error: UpbitError) -> bool:
    """Whether looking again would fail again: there is no key, it was refused, or it is blocked."""
    if isinstance(error, (AuthenticationError, PermissionDenied)):
        # Without a name it is not Upbit that spoke, and what a proxy says may be otherwise at the next look.
        # A used nonce speaks about one token, and the next request has another.
        return error.name not in {"", "nonce_used"}
    return isinstance(error, (Banned, ConfigurationError))
