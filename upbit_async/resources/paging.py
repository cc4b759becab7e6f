"""Iteration over a whole history with uuid cursors.

Page numbers shift when a new row arrives, so that paging by number may skip rows
(https://global-docs.upbit.com/reference/list-withdrawals). The cursor is ``to`` in descending order and ``from`` in
ascending order. Upbit does not document whether the row that a cursor names is included.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from upbit_async.errors import DecodeError
from upbit_async.protocol.duplicates import Record, by_id
from upbit_async.protocol.endpoint import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from upbit_async.protocol.endpoint import Param

__all__ = ["Order", "Row", "walk"]

Order = Literal["asc", "desc"]


class Row(Record, Protocol):
    """A record that has a state and an id."""

    @property
    def uuid(self) -> str:
        """The id of the record."""
        ...


R = TypeVar("R", bound=Row)


async def walk(
    fetch: Callable[[dict[str, Param]], Awaitable[list[R]]], *, order: Order, most: int | None, asked: str
) -> AsyncGenerator[R, None]:
    """Yield every row once, in the given order.

    Args:
        fetch: Function that returns one page for the given paging parameters.
        order: ``desc`` for newest first, ``asc`` for oldest first.
        most: Number of rows at most; None means all.
        asked: Method and path of the endpoint, for the error.

    Raises:
        DecodeError: The cursor does not advance: Upbit answers with the same rows again.
    """
    seen: set[str] = set()
    cursor: str | None = None
    size = PAGE_SIZE if most is None else min(PAGE_SIZE, most)
    while True:
        cursor_name = "to" if order == "desc" else "from"
        page = await fetch({"limit": size, "order_by": order, cursor_name: cursor})
        fresh = {key: row for key, row in by_id(page, attrgetter("uuid")).items() if key not in seen}
        if not fresh:
            if all(row.uuid.casefold() == (cursor or "").casefold() for row in page):
                return
            raise DecodeError(
                f"{asked}: the list does not continue after {cursor}; what was read so far may be incomplete"
            )
        for key, row in fresh.items():
            seen.add(key)
            yield row
            if len(seen) == most:
                return
        cursor = page[-1].uuid
