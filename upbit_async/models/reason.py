"""Why a withdrawal was not tried."""

from __future__ import annotations

import attrs

__all__ = ["Reason"]


@attrs.frozen
class Reason:
    """One thing that stands in the way of a withdrawal.

    Attributes:
        code: A word for programs, such as ``below_minimum``.
        text: A sentence for people, which says what to do.
    """

    code: str
    text: str
