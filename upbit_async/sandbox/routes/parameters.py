"""Readers of query and body parameters, which report all invalid ones in one answer, as Upbit does."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from upbit_async.sandbox.exchange.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from upbit_async.sandbox.body import Body

__all__ = ["Members", "Query"]

_AMOUNT = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")


class _ParameterReader:
    """Base of the readers, which collects the reasons for a refusal."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def raise_if_invalid(self) -> None:
        """Raise if any parameter was invalid; to be called after all were read.

        Raises:
            Refusal: A parameter was invalid.
        """
        if self._reasons:
            raise invalid(*self._reasons)

    def reject(self, name: str, problem: str = "does not have a valid value") -> None:
        """Record that a parameter is invalid."""
        self._reasons.append(f"{name} {problem}")


class Query(_ParameterReader):
    """Parameters of a query string; an empty value counts as absent."""

    def __init__(self, parameters: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._parameters = parameters

    def text(self, name: str) -> str | None:
        """Return the value of a parameter, the last of several; ``None`` if it is absent."""
        return dict(self._parameters).get(name) or None

    def required(self, name: str) -> str:
        """Return the value of a required parameter; empty if it is absent."""
        value = self.text(name)
        if value is None:
            self.reject(name, "is missing")
        return value or ""

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """Return the value of a parameter with a fixed set of values."""
        value = self.text(name)
        if value is not None and value not in allowed:
            self.reject(name)
        return value

    def number(self, name: str, default: int, *, most: int | None = None) -> int:
        """Return a whole number from 1."""
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or int(value) < 1 or (most and int(value) > most):
            self.reject(name)
            return default
        return int(value)

    def values(self, name: str, *, most: int) -> frozenset[str]:
        """Return all values of an array parameter such as ``uuids[]``."""
        values = frozenset(value for key, value in self._parameters if key == name and value)
        if len(values) > most:
            self.reject(name)
        return values


class Members(_ParameterReader):
    """Members of a JSON body; numbers are read as text."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self._body = body

    def text(self, name: str, *, required: bool = True) -> str:
        """Return the text of a member; empty if it is absent or null."""
        value = self._body.get(name)
        if value is None:
            if required:
                self.reject(name, "is missing")
            return ""
        if not isinstance(value, str):
            self.reject(name)
            return ""
        if not value:
            self.reject(name, "is empty")
        return value

    def choice(self, name: str, allowed: Collection[str], default: str | None = None) -> str:
        """Return the text of a member with a fixed set of values; it is required if there is no default."""
        value = self.text(name, required=default is None)
        if value and value not in allowed:
            self.reject(name)
        return value or default or ""

    def amount(self, name: str) -> tuple[Decimal, str]:
        """Return an amount above zero in plain decimal notation, and its text."""
        text = self.text(name)
        if text and (not _AMOUNT.fullmatch(text) or Decimal(text) == 0):
            self.reject(name)
            return Decimal(0), text
        return Decimal(text or 0), text
