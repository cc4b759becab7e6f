"""A list whose rows are read one by one, so that an odd row costs itself only."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from upbit_async.errors import DecodeError

__all__ = ["Rows", "UnreadableRow"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class UnreadableRow:
    """A row that is not what Upbit documents.

    Attributes:
        uuid: Its id, if that much can be read.
        error: What is wrong with it. It holds nothing of the row itself.
    """

    uuid: str | None
    error: DecodeError


@attrs.frozen(kw_only=True)
class Rows(Generic[T]):
    """What a list of records decodes to, where one odd row must not cost the others.

    Attributes:
        readable: The rows that are what Upbit documents, in their order.
        unreadable: The others.
    """

    readable: list[T]
    unreadable: list[UnreadableRow] = attrs.field(factory=list[UnreadableRow])
