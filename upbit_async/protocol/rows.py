"""List whose rows are decoded one by one, so that an unreadable row does not fail the others."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from upbit_async.errors import DecodeError

__all__ = ["ReadableRows"]

T = TypeVar("T")


@attrs.frozen
class ReadableRows(Generic[T]):
    """List of records without the unreadable ones.

    Attributes:
        rows: Readable records, in their order.
        unreadable: One error per unreadable record, in their order, with its `path` and, if readable, its `uuid`.
    """

    rows: list[T]
    unreadable: tuple[DecodeError, ...] = ()
