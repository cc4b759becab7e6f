"""Reading of parameters by Upbit's rules; all mistakes are reported at once."""

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


class _Reader:
    """Collects what is wrong, so that one answer names it all."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def refuse_faults(self) -> None:
        """Ends the reading.

        Raises:
            Refusal: Something was wrong.
        """
        if self._reasons:
            raise invalid(*self._reasons)

    def fault(self, name: str, what: str = "does not have a valid value") -> None:
        """Notes a fault of one parameter."""
        self._reasons.append(f"{name} {what}")


class Query(_Reader):
    """The parameters of a query string; an empty value counts as absent."""

    def __init__(self, parameters: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._parameters = parameters

    def text(self, name: str) -> str | None:
        """A parameter's value, the last where there are several."""
        return dict(self._parameters).get(name) or None

    def required(self, name: str) -> str:
        """A parameter that has to be there; empty when it is not."""
        value = self.text(name)
        if value is None:
            self.fault(name, "is missing")
        return value or ""

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """A parameter that takes certain words only."""
        value = self.text(name)
        if value is not None and value not in allowed:
            self.fault(name)
        return value

    def number(self, name: str, default: int, *, most: int | None = None) -> int:
        """A whole number from 1."""
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or int(value) < 1 or (most and int(value) > most):
            self.fault(name)
            return default
        return int(value)

    def values(self, name: str, *, most: int) -> frozenset[str]:
        """All values of an array parameter such as ``uuids[]``."""
        values = frozenset(value for key, value in self._parameters if key == name and value)
        if len(values) > most:
            self.fault(name)
        return values


class Members(_Reader):
    """The members of a JSON body; numbers are taken by their text."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self._body = body

    def text(self, name: str, *, required: bool = True) -> str:
        """A member's text; empty when it is absent or null and may be."""
        value = self._body.get(name)
        if value is None:
            if required:
                self.fault(name, "is missing")
            return ""
        if not isinstance(value, str):
            self.fault(name)
            return ""
        if not value:
            self.fault(name, "is empty")
        return value

    def choice(self, name: str, allowed: Collection[str], default: str | None = None) -> str:
        """A member that takes certain words only; without a default it has to be there."""
        value = self.text(name, required=default is None)
        if value and value not in allowed:
            self.fault(name)
        return value or default or ""

    def amount(self, name: str) -> tuple[Decimal, str]:
        """An amount above zero in plain decimal notation, and its text."""
        text = self.text(name)
        if text and (not _AMOUNT.fullmatch(text) or Decimal(text) == 0):
            self.fault(name)
            return Decimal(0), text
        return Decimal(text or 0), text
