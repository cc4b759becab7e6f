"""Listing of withdrawals that reports unreadable records instead of failing on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.protocol.endpoint import PAGE_SIZE, read_by_rows
from upbit_async.protocol.endpoints import LIST_WITHDRAWALS

if TYPE_CHECKING:
    from upbit_async.models import Withdrawal
    from upbit_async.protocol.endpoint import Param, Transport
    from upbit_async.protocol.rows import ReadableRows

__all__ = ["list_readable"]

_LISTING: Final = read_by_rows(LIST_WITHDRAWALS)


async def list_readable(
    transport: Transport, *, currency: str | None, to: str | None = None, limit: int = PAGE_SIZE
) -> ReadableRows[Withdrawal]:
    """Return the newest withdrawals, newest first, and an error for each unreadable record.

    `Withdraws.list` raises `DecodeError` if a single record lacks a readable required field. Here such a record is in
    `unreadable`, and the others are in `rows`. An unreadable record may be any withdrawal, also one of another
    currency.

    Args:
        transport: Transport that sends the request.
        currency: Currency code; None for all currencies.
        to: Id of a withdrawal; only older ones are returned.
        limit: Number of withdrawals, at most 100.

    Raises:
        DecodeError: The answer is no list.
        UpbitError: The list could not be read.
    """
    asked: dict[str, Param] = {"currency": currency, "limit": limit, "order_by": "desc", "to": to}
    found = await transport.call(_LISTING, asked)
    return attrs.evolve(found, rows=found.rows[:limit])
