"""Whether an answer is about the record that was asked for. Pure."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["EXACT", "differs_by_fee", "mismatch"]

EXACT: Final = Context(prec=200)
"""Adds and subtracts amounts of any length without rounding."""

_IDS: Final = frozenset({"uuid", "txid", "deposit_uuid"})


def mismatch(
    names: Iterable[str],
    sent: Mapping[str, str],
    record: object,
    *,
    places: Mapping[str, tuple[str, ...]] | None = None,
) -> str | None:
    """Return the first member that was sent and came back as another; None if all agree.

    Texts agree in any case of letters. An amount agrees if it differs by exactly the fee, because it is undocumented
    whether it contains the fee. An answer may lack a member, as old and preliminary answers do, but no id.

    Args:
        names: The members that Upbit repeats in its answer.
        sent: What was sent.
        record: What came.
        places: Where in the record a member is, if not in the field of its name.
    """
    for name in names:
        if name not in sent:
            continue
        for place in (places or {}).get(name, (name,)):
            came = attrgetter(place)(record)
            if not _agrees(name, sent[name], came, record):
                return name
    return None


def differs_by_fee(shown: Decimal, fee: Decimal | None, amount: Decimal) -> bool:
    """Whether an amount that is shown is another one, with its fee or without it."""
    return fee is not None and fee != 0 and shown in {EXACT.add(amount, fee), EXACT.subtract(amount, fee)}


def _agrees(name: str, sent: str, came: object, record: object) -> bool:
    if came is None:
        return name not in _IDS
    if isinstance(came, Decimal):
        return _is_amount(sent, came, getattr(record, "fee", None))
    return str(came).casefold() == sent.casefold()


def _is_amount(sent: str, came: Decimal, fee: Decimal | None) -> bool:
    try:
        amount = Decimal(sent)
        return came == amount or differs_by_fee(came, fee, amount)
    except InvalidOperation:
        return False
