"""API keys and their permissions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ALL_PERMISSIONS", "ApiKey", "Keys"]

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
"""The permission groups of a key; see https://global-docs.upbit.com/reference/auth."""


@attrs.define(kw_only=True)
class ApiKey:
    """One API key of the account; tests may change any member at any time.

    Attributes:
        access_key: The public half.
        secret_key: The half that signs; kept out of the repr.
        permissions: What it may do, by machine name such as ``view_withdrawals``.
        ips: The addresses it may be used from; ``None`` means from everywhere.
        expires_at: When it expires (aware), or ``None``.
        withdraw_locked: Whether Korea's safety lock holds its withdrawals back.
    """

    access_key: str
    secret_key: str = attrs.field(repr=False)
    permissions: frozenset[str] = ALL_PERMISSIONS
    ips: frozenset[str] | None = None
    expires_at: datetime | None = None
    withdraw_locked: bool = False


class Keys:
    """The keys of the account; all of them share one budget of calls."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}

    def add(self, key: ApiKey) -> ApiKey:
        """Issues a key, or replaces the one with the same access key."""
        self._keys[key.access_key] = key
        return key

    def remove(self, access_key: str) -> None:
        """Deletes a key; ``KeyError`` when there is none."""
        del self._keys[access_key]

    def __iter__(self) -> Iterator[ApiKey]:
        """The keys as of now, in the order in which they were issued."""
        return iter(tuple(self._keys.values()))

    def find(self, access_key: str) -> ApiKey | None:
        """The key with this access key, or ``None``."""
        return self._keys.get(access_key)
