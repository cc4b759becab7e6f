"""Comparison of an answer with the request: whether it is about the requested record. Pure."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["EXACT", "differs_by_fee", "mismatch"]

EXACT: Final = Context(prec=200)
"""Arithmetic of amounts of any length, without rounding."""

_IDS: Final = frozenset({"uuid", "txid", "deposit_uuid"})


def mismatch(
    names: Iterable[str],
    sent: Mapping[str, str],
    record: object,
    *,
    fields: Mapping[str, tuple[str, ...]] | None = None,
) -> str | None:
    """Return the first member that the answer repeats with another value; None if all agree.

    Case is ignored in texts. An amount agrees if it differs by exactly the fee, because Upbit does not document
    whether it includes the fee. The answer may lack a member, as old and preliminary answers do, but not an id.

    Args:
        names: Members that Upbit repeats in its answer.
        sent: Members of the request.
        record: Decoded answer.
        fields: Fields of the record that repeat a member, where they have another name than the member.
    """
    for name in names:
        if name not in sent:
            continue
        for field in (fields or {}).get(name, (name,)):
            came = attrgetter(field)(record)
            if not _agrees(name, sent[name], came, record):
                return name
    return None


def differs_by_fee(shown: Decimal, fee: Decimal | None, amount: Decimal) -> bool:
    """Return whether a shown amount equals another one plus or minus the fee."""
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
