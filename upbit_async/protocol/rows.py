"""A list whose rows are read one by one, so that an odd row costs itself only."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from upbit_async.errors import DecodeError

__all__ = ["ReadableRows"]

T = TypeVar("T")


@attrs.frozen
class ReadableRows(Generic[T]):
    """A list of records as far as it can be read.

    Attributes:
        rows: The records that can be read, in their order.
        unreadable: One error for each record that can't be, in their order, with its `path` and, if that can be
            read, its `uuid`.
    """

    rows: list[T]
    unreadable: tuple[DecodeError, ...] = ()
