"""One record for each id, where a list holds an id twice. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Record", "by_id"]


class _State(Protocol):
    @property
    def is_final(self) -> bool: ...


class Record(Protocol):
    """A record that has a state."""

    @property
    def state(self) -> _State:
        """How far it is."""
        ...


R = TypeVar("R", bound=Record)


def by_id(rows: Iterable[R], id_of: Callable[[R], str]) -> dict[str, R]:
    """Return a list's records by their ids in lower case, each id where it first stood.

    Of several records with one id a final one wins, wherever it stands, because no other state can follow it. Of
    several final ones the first wins, of several others the last.

    Args:
        rows: The records of one list.
        id_of: Function that returns a record's id.
    """
    found: dict[str, R] = {}
    for row in rows:
        key = id_of(row).casefold()
        if key not in found or not found[key].state.is_final:
            found[key] = row
    return found
