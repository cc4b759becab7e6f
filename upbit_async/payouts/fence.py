"""The fence: the newest withdrawals before a request leaves, and what is new since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.errors import DecodeError
from upbit_async.resources.paging import PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.models import Withdrawal
    from upbit_async.resources.withdraws import Withdraws

__all__ = ["new_since", "take_fence"]

_LANDMARKS: Final = 30
"""So many withdrawals before the fence must be seen again, if there were so many."""


async def take_fence(withdraws: Withdraws, currency: str) -> tuple[str, ...]:
    """Return the newest withdrawals in a currency by their ids, newest first.

    That they can be read proves besides that the key may read them, which is needed if an answer is lost.
    """
    rows = await withdraws.list(currency=currency)
    return tuple(row.uuid.casefold() for row in rows if row.currency.casefold() == currency.casefold())


async def new_since(withdraws: Withdraws, currency: str, fence: Sequence[str]) -> list[Withdrawal]:
    """Return all withdrawals in a currency that are new since a fence was taken.

    Pages are read to their end: a new withdrawal may stand behind old ones of the same second.

    Raises:
        DecodeError: The list does not reach back to the fence: then it does not show that anything is missing.
    """
    landmarks = set(fence[:_LANDMARKS])
    rows: dict[str, Withdrawal] = {}
    cursor: str | None = None
    while True:
        page = await withdraws.list(currency=currency, to=cursor)
        fresh = {row.uuid.casefold(): row for row in page if row.uuid.casefold() not in rows}
        rows |= fresh
        landmarks -= fresh.keys()
        if fence and not landmarks:
            break
        if not fresh:
            if landmarks or len(page) >= PAGE:
                raise DecodeError(
                    f"Upbit's list of withdrawals in {currency} does not reach back to what it has shown before, so "
                    "nothing follows from what it shows"
                )
            break
        cursor = page[-1].uuid
    old = frozenset(fence)
    return [
        row
        for uuid, row in rows.items()
        if uuid not in old and row.currency.casefold() == currency.casefold()
    ]
