"""Finding of a check."""

from __future__ import annotations

import attrs

__all__ = ["Finding"]


@attrs.frozen
class Finding:
    """One finding about a schedule.

    Attributes:
        what: Kind of the finding; see `checks.check` and `operation_checks.check_operation`.
        seed: Seed of the schedule.
        key: Key of the payment; empty if it concerns none.
        detail: Facts, as text for people.
    """

    what: str
    seed: int
    key: str
    detail: str
