"""The base class of all errors, and how errors are copied, pickled and raised."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Final, NoReturn, Self, TypeVar

from upbit_async.escaping import escaped

__all__ = ["RAW_CAP", "ConfigurationError", "UpbitError", "raise_alone"]

RAW_CAP: Final = 64 * 1024
"""How many characters of a body an error keeps in `raw`."""

_E = TypeVar("_E", bound="UpbitError")


def raise_alone(error: Exception) -> NoReturn:
    """Raise an error without the foreign exception that is being handled.

    ``from None`` only hides that exception, which may hold a request with its token, or a key.

    Raises:
        Exception: The error.
    """
    try:
        raise error
    except type(error):
        error.__cause__ = error.__context__ = None
        raise


def _restore(cls: type[_E], text: str, state: dict[str, Any]) -> _E:
    error = cls.__new__(cls, text)
    error.args = (text,)
    error.__dict__.update(state)
    return error


class UpbitError(Exception):
    """Base class of all errors of this library.

    Attributes:
        may_have_executed: Whether Upbit may have executed the request although the call failed.
        resume_token: The token that `resume` takes to continue a wait, if the error ended one; otherwise None.

    Example:
        .. code-block:: python

            try:
                wallet = await client.status.wallet("USDT", "TRX")
            except errors.UpbitError as error:
                print(error, error.may_have_executed)
    """

    _not_pickled: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, text: str, *, may_have_executed: bool = False) -> None:
        super().__init__(escaped(text))
        self.may_have_executed = may_have_executed
        self.resume_token: str | None = None

    def with_resume_token(self, token: str) -> Self:
        """Return a copy of the error with the resume token of one waiting task."""
        twin = copy.copy(self)
        twin.resume_token = token
        twin.__cause__ = self.__cause__
        return twin

    def __copy__(self) -> Self:
        return _restore(type(self), str(self.args[0]), self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return _restore(type(self), str(self.args[0]), copy.deepcopy(self.__dict__, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name not in self._not_pickled}
        state |= dict.fromkeys(self._not_pickled, "")
        return _restore, (type(self), str(self.args[0]), state)


class ConfigurationError(UpbitError):
    """Keys, region or base URL are missing or wrong. Nothing was sent: correct the setting that the text names.

    Example:
        .. code-block:: python

            try:
                regions = UpbitRegions.from_env("sg", "th")
            except errors.ConfigurationError as error:
                raise SystemExit(str(error))
    """
