"""The fence: the newest withdrawals before a request leaves, and what is new since."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from upbit_async.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.models import Withdrawal
    from upbit_async.resources.withdraws import Withdraws

__all__ = ["new_since", "take_fence"]

_LANDMARKS: Final = 30
"""So many withdrawals before the fence are read again: withdrawals of one second may change places in the list."""


async def take_fence(withdraws: Withdraws, currency: str) -> tuple[str, ...]:
    """Return the newest withdrawals in a currency by their ids, newest first.

    That they can be read proves besides that the key may read them, which is needed if an answer is lost.
    """
    rows = await withdraws.list(currency=currency)
    return tuple(row.uuid.casefold() for row in rows if row.currency.casefold() == currency.casefold())


async def new_since(withdraws: Withdraws, currency: str, fence: Sequence[str]) -> list[Withdrawal]:
    """Return all withdrawals in a currency that are new since a fence was taken.

    Raises:
        DecodeError: The list does not reach back to the fence: then it does not show that anything is missing.
    """
    old, landmarks = frozenset(fence), set(fence[:_LANDMARKS])
    rows: list[Withdrawal] = []
    async with contextlib.aclosing(withdraws.iter(currency=currency)) as walk:
        async for row in walk:
            if row.currency.casefold() != currency.casefold():
                continue
            if row.uuid.casefold() not in old:
                rows.append(row)
                continue
            landmarks.discard(row.uuid.casefold())
            if not landmarks and len(old) >= _LANDMARKS:
                break  # of a shorter list all is read: the new one may stand behind those of the same second
    if landmarks:
        raise DecodeError(
            f"Upbit's list of withdrawals in {currency} lacks {len(landmarks)} that it has shown before, so "
            "nothing follows from what it shows"
        )
    return rows
