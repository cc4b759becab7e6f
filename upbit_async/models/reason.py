"""Reason why a withdrawal was not attempted."""

from __future__ import annotations

import attrs

from upbit_async.escaping import escaped

__all__ = ["Reason"]


@attrs.frozen
class Reason:
    """One thing that stands in the way of a withdrawal.

    Attributes:
        code: A word for programs, such as ``below_minimum``.
        text: A sentence for people, which says what to do; texts of Upbit's are escaped in it.
    """

    code: str
    text: str = attrs.field(converter=escaped)
