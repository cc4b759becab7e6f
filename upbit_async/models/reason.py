"""Reason why a withdrawal can't be sent."""

from __future__ import annotations

import attrs

from upbit_async.escaping import escaped

__all__ = ["Reason"]


@attrs.frozen
class Reason:
    """Reason why a withdrawal can't be sent.

    Attributes:
        code: Identifier for programs, such as ``below_minimum``.
        text: Sentence for people that says what to do; texts of Upbit's are escaped in it.
    """

    code: str
    text: str = attrs.field(converter=escaped)
