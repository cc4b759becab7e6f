"""Damaged rows of a journal: rows that this library did not write. Each row is read by itself: one stops no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from upbit_async.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["OnDamage", "damaged", "damaged_payout", "readable"]

OnDamage: TypeAlias = Callable[[JournalError], None]
"""Receiver of the error for each damaged row that a reader leaves out."""

T = TypeVar("T")


def damaged(what: str, damage: Exception, *, key: str | None = None) -> JournalError:
    """Return the error for a row that this library did not write.

    Args:
        what: Name of the row.
        damage: What is wrong with it.
        key: Key of the payout whose row it is; None if it is no payout's.
    """
    return JournalError(
        f"{what} can't be read from the journal ({damage}): the row was changed by something else; take a copy of the "
        "journal, and find out by which program",
        key=key,
    )


def damaged_payout(row: Mapping[str, Any], damage: Exception) -> JournalError:
    """Return the error for a payout's row; it has the payout's key if that can be read."""
    key = row["key"]
    is_text = isinstance(key, str)
    if isinstance(damage, JournalError):  # it names the row already
        return JournalError(str(damage), key=key if is_text else None)
    return damaged(f"payout {key!r}", damage, key=key if is_text else None)


def readable(rows: Iterable[Any], read: Callable[[Any], T], on_damage: OnDamage) -> list[T]:
    """Return what the rows hold, without the damaged ones.

    Args:
        rows: The rows.
        read: Reads one row, and raises a `JournalError` if it is damaged.
        on_damage: Receives that error.
    """
    found: list[T] = []
    for row in rows:
        try:
            found.append(read(row))
        except JournalError as damage:
            on_damage(damage)
    return found
