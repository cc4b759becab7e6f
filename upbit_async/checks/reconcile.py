"""Search for a withdrawal whose answer was lost. Pure.

Upbit has no idempotency key and does not show the destination. The search therefore looks for a new withdrawal with
the same properties. See https://global-docs.upbit.com/reference/list-withdrawals.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Literal

import attrs

from upbit_async.models import TransactionType, Withdrawal
from upbit_async.protocol import echoed_fields
from upbit_async.protocol.duplicates import by_id
from upbit_async.protocol.echoed_fields import EXACT

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable
    from decimal import Decimal

    from upbit_async.models import Intent

__all__ = ["EXACT", "Reconciliation", "conclude", "differs_by_fee", "is_alike", "matches"]


@attrs.frozen(kw_only=True)
class Reconciliation:
    """Result of the search for a withdrawal whose answer was lost.

    Attributes:
        status: ``found``: exactly one withdrawal has exactly this amount; it is `withdrawal`.
            ``not_found``: no withdrawal matches. This does not prove that none will appear: search again later.
            ``ambiguous``: several match, or one whose amount differs by exactly its fee. Compare `candidates` with
            Upbit's website.
        withdrawal: The matching withdrawal if `status` is ``found``, otherwise None.
        candidates: All matching withdrawals.

    Example:
        .. code-block:: python

            try:
                await client.withdraws.send(currency="USDT", net_type="TRX", amount="13")
            except errors.OutcomeUnknown as unknown:
                found = await client.withdraws.reconcile(unknown)
                print(found.status, found.candidates)
    """

    status: Literal["found", "not_found", "ambiguous"]
    withdrawal: Withdrawal | None
    candidates: tuple[Withdrawal, ...]


def matches(
    intent: Intent, rows: Iterable[Withdrawal], *, known_uuids: Collection[str], slack: dt.timedelta
) -> tuple[Withdrawal, ...]:
    """Return the withdrawals that may be the requested one, each once.

    A field that Upbit omits excludes nothing. Upbit does not document whether the amount includes the fee. A withdrawal
    whose amount differs by exactly the fee therefore matches too, unless another one has exactly the amount. Such a
    withdrawal needs manual review and is never taken for the requested one, because it may be another payment.

    Args:
        intent: Intent of the lost request.
        rows: Upbit's newest withdrawals, of any currency.
        known_uuids: Ids of withdrawals that are known to be others.
        slack: Allowed difference between Upbit's clock and this machine's.

    Raises:
        ValueError: The intent is not that of a withdrawal.
    """
    amount = intent.amount
    if amount is None or intent.currency is None:
        raise ValueError(f"{intent.endpoint} is no withdrawal: there is nothing to search for")
    known = {uuid.casefold() for uuid in known_uuids}
    earliest = intent.started_at - slack
    alike = by_id(
        (
            row
            for row in rows
            if row.uuid.casefold() not in known
            and is_alike(intent, row)
            and (row.created_at is None or row.created_at >= earliest)
        ),
        operator.attrgetter("uuid"),
    )
    exact = tuple(row for row in alike.values() if row.amount == amount)
    return exact or tuple(row for row in alike.values() if differs_by_fee(row, amount))


def conclude(intent: Intent, candidates: tuple[Withdrawal, ...]) -> Reconciliation:
    """Return the result that follows from the candidates.

    Args:
        intent: Intent of the lost request.
        candidates: Withdrawals that `matches` returned for it.
    """
    match candidates:
        case ():
            return Reconciliation(status="not_found", withdrawal=None, candidates=())
        case (only,) if only.amount == intent.amount:
            return Reconciliation(status="found", withdrawal=only, candidates=candidates)
        case _:
            return Reconciliation(status="ambiguous", withdrawal=None, candidates=candidates)


def is_alike(intent: Intent, row: Withdrawal) -> bool:
    """Return whether a withdrawal has the requested properties, apart from the amount. Omitted fields match."""
    meant_type = TransactionType(intent.transaction_type or TransactionType.DEFAULT)
    return (
        row.currency == intent.currency
        and row.net_type in {None, intent.net_type}
        and row.transaction_type in {None, meant_type}
    )


def differs_by_fee(row: Withdrawal, amount: Decimal) -> bool:
    """Return whether a withdrawal's amount equals the given one plus or minus the fee."""
    return echoed_fields.differs_by_fee(row.amount, row.fee, amount)
