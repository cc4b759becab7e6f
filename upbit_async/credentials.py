"""API keys, kept where no log, repr or pickle can find them."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, NoReturn

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Credentials", "Secret"]


class Secret:
    """A text that shows itself only to who calls `reveal`.

    It is masked in ``repr``, ``str`` and ``format``, compares in constant time and can't be pickled.

    Raises:
        TypeError: The value is not text.
        ValueError: The value is empty or has white space around it (a copy-and-paste mistake).
    """

    __slots__ = ("__weakref__", "_reveal")

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a key is text, not {type(value).__name__}")
        if not value:
            raise ValueError("a key must not be empty")
        if value != value.strip():
            raise ValueError("a key must not begin or end with white space; copy it again")
        # A closure, so that no attribute holds the text: walking an object's attributes does not find it.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._reveal()

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that tell two secrets apart without giving either away."""
        return hashlib.sha256(b"upbit_async fingerprint\0" + self.reveal().encode()).hexdigest()[:8]

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, format_spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret can't be pickled; hand the name of an environment variable over instead")


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


@attrs.frozen(repr=False)
class Credentials:
    """The access key and secret key of one account in one region.

    See https://global-docs.upbit.com/docs/api-key for how keys are issued.

    Attributes:
        access_key: The key's public half; masked all the same.
        secret_key: The text that signs requests, as issued (it is not Base64).

    Raises:
        TypeError: A key is not text.
        ValueError: A key is empty or has white space around it.
    """

    access_key: Secret = attrs.field(converter=_secret)
    secret_key: Secret = attrs.field(converter=_secret)

    def __repr__(self) -> str:
        return f"Credentials(#{self.access_key.fingerprint})"
