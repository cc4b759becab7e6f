"""One record per id, for lists that contain an id twice. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Record", "by_id"]


class _State(Protocol):
    @property
    def is_final(self) -> bool: ...


class Record(Protocol):
    """Record that has a state."""

    @property
    def state(self) -> _State:
        """State of the record."""
        ...


R = TypeVar("R", bound=Record)


def by_id(rows: Iterable[R], id_of: Callable[[R], str]) -> dict[str, R]:
    """Return the records of a list by their ids in lower case, in the order of their first occurrence.

    Of several records with one id the first final one wins, because no other state can follow it. Without a final
    one the last record wins.

    Args:
        rows: Records of one list.
        id_of: Function that returns the id of a record.
    """
    found: dict[str, R] = {}
    for row in rows:
        key = id_of(row).casefold()
        if key not in found or not found[key].state.is_final:
            found[key] = row
    return found
