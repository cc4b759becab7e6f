"""API keys that no log, repr or pickle shows."""

from __future__ import annotations

import functools
import hashlib
import hmac
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Credentials", "Secret", "hide_arguments"]

P = ParamSpec("P")
T = TypeVar("T")


def hide_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that takes keys, or that users may pass keys to by mistake.

    Its errors have no frame with its arguments, because tracebacks may be printed with the locals of their frames.
    """

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as problem:  # noqa: BLE001 - it is raised again
            del args, kwargs
            problem.__context__ = None
            raise problem.with_traceback(None) from None

    return checked


class Secret:
    """Text that is masked everywhere except for `reveal`.

    ``repr``, ``str`` and ``format`` show ``***``. Comparison takes constant time. A secret can't be pickled.

    Raises:
        TypeError: The value is not text.
        ValueError: The value is empty, has white space around it (a copy-and-paste mistake) or is not valid Unicode.
    """

    __slots__ = ("__weakref__", "_reveal")

    def __init__(self, value: str) -> None:
        if problem := _problem_with(value):
            del value  # a traceback may be printed with the locals of its frames
            raise problem
        # A closure, because tools that walk the attributes of an object would find the text in an attribute.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the text."""
        return self._reveal()

    @property
    def digest(self) -> str:
        """The SHA-256 digest in hexadecimal digits: it identifies the secret without revealing it."""
        return hashlib.sha256(b"upbit_async fingerprint\0" + self.reveal().encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """The first eight digits of the digest, for display only: they are too few to identify a secret."""
        return self.digest[:8]

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
        return hash(self.digest)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret can't be pickled; pass the name of an environment variable instead")


def _problem_with(value: object) -> TypeError | ValueError | None:
    if not isinstance(value, str):
        return TypeError(f"a key must be text, got {type(value).__name__}")
    if not value:
        return ValueError("a key must not be empty")
    if value != value.strip():
        return ValueError("a key must not begin or end with white space; copy it again")
    try:
        value.encode()
    except UnicodeEncodeError:
        return ValueError("a key must be text that can be written as UTF-8; copy it again")
    return None


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


@attrs.frozen(repr=False, init=False)
class Credentials:
    """The access key and secret key of one account in one region.

    See https://global-docs.upbit.com/docs/api-key for how keys are issued.

    Attributes:
        access_key: The public half of the key; masked as well.
        secret_key: The text that signs requests, exactly as Upbit issued it (it is not Base64).

    Raises:
        TypeError: A key is not text.
        ValueError: A key is empty, has white space around it or is not valid Unicode.

    Example:
        .. code-block:: python

            credentials = Credentials("the access key", "the secret key")
            async with UpbitClient("sg", credentials=credentials) as signed:
                print(signed)
    """

    access_key: Secret
    secret_key: Secret

    def __init__(self, access_key: str | Secret, secret_key: str | Secret) -> None:
        try:
            pair = _secret(access_key), _secret(secret_key)
        except (TypeError, ValueError) as problem:
            # As `hide_arguments` does: mypy's attrs plugin does not support decorators here.
            del self, access_key, secret_key
            raise problem.with_traceback(None) from None
        object.__setattr__(self, "access_key", pair[0])
        object.__setattr__(self, "secret_key", pair[1])

    def __repr__(self) -> str:
        return f"Credentials(#{self.access_key.fingerprint})"
