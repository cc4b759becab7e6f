"""API keys of the account, and their permissions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ALL_PERMISSIONS", "ApiKeyRecord", "Keys"]

ALL_PERMISSIONS: Final = frozenset(
    {
        "view_account",
        "view_withdrawals",
        "withdraw",
        "view_deposits",
        "deposit",
        "make_orders",
        "view_orders",
    }
)
"""Permission groups of a key; see https://global-docs.upbit.com/reference/auth."""


@attrs.define(kw_only=True)
class ApiKeyRecord:
    """One API key of the account; tests may change any field at any time.

    Attributes:
        access_key: Public half of the key.
        secret_key: Secret half of the key; not in the repr.
        permissions: Permissions by machine name, such as ``view_withdrawals``.
        ips: Addresses from which it may be used; ``None`` for any.
        expires_at: Time of expiry (aware), or ``None``.
        withdraw_locked: Whether Korea's safety lock blocks its withdrawals.
    """

    access_key: str
    secret_key: str = attrs.field(repr=False)
    permissions: frozenset[str] = ALL_PERMISSIONS
    ips: frozenset[str] | None = None
    expires_at: datetime | None = None
    withdraw_locked: bool = False


class Keys:
    """API keys of the account; all of them share one rate limit."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKeyRecord] = {}

    def add(self, key: ApiKeyRecord) -> ApiKeyRecord:
        """Add a key, or replace the one with the same access key."""
        self._keys[key.access_key] = key
        return key

    def remove(self, access_key: str) -> None:
        """Delete a key; ``KeyError`` if there is none."""
        del self._keys[access_key]

    def __iter__(self) -> Iterator[ApiKeyRecord]:
        """Iterate over the current keys, in the order in which they were issued."""
        return iter(tuple(self._keys.values()))

    def find(self, access_key: str) -> ApiKeyRecord | None:
        """Return the key with this access key, or ``None``."""
        return self._keys.get(access_key)
