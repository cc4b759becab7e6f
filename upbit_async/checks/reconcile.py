"""Search for the withdrawal whose answer was lost. Pure.

Upbit knows no key against repetition and shows no destination, so all that can be done is to look for a new
withdrawal of the same kind. See https://global-docs.upbit.com/reference/list-withdrawals.
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
    """What became of a withdrawal whose answer was lost.

    Attributes:
        status: ``found``: exactly one withdrawal has exactly this amount. ``not_found``: none fits, which is no
            proof that none will appear. ``ambiguous``: several have it, and Upbit does not tell which is it;
            or none has it, and what fits differs by exactly its fee. Then a person must look.
        withdrawal: The one that fits, if ``found``.
        candidates: All that fit.
    """

    status: Literal["found", "not_found", "ambiguous"]
    withdrawal: Withdrawal | None
    candidates: tuple[Withdrawal, ...]


def matches(
    intent: Intent, rows: Iterable[Withdrawal], *, known_uuids: Collection[str], slack: dt.timedelta
) -> tuple[Withdrawal, ...]:
    """Return the withdrawals that may be the one that was meant, each once.

    What Upbit leaves out excludes nothing. It is undocumented whether a withdrawal's amount contains its fee,
    so an amount that differs by exactly the fee fits as well, unless another row has exactly this amount. Such a
    row is shown to a person and never taken for the one that was meant: it may as well be somebody else's.

    Args:
        intent: What the lost request meant to do.
        rows: Upbit's newest withdrawals, of any currency.
        known_uuids: Withdrawals that are known to be others.
        slack: By how much Upbit's clock may be behind ours.

    Raises:
        ValueError: The intent is not a withdrawal's.
    """
    amount = intent.amount
    if amount is None or intent.currency is None:
        raise ValueError(f"{intent.endpoint} is no withdrawal: there is nothing to look for")
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
    """Return what the candidates amount to.

    Args:
        intent: What the lost request meant to do.
        candidates: What `matches` has returned for it.
    """
    match candidates:
        case ():
            return Reconciliation(status="not_found", withdrawal=None, candidates=())
        case (only,) if only.amount == intent.amount:
            return Reconciliation(status="found", withdrawal=only, candidates=candidates)
        case _:
            return Reconciliation(status="ambiguous", withdrawal=None, candidates=candidates)


def is_alike(intent: Intent, row: Withdrawal) -> bool:
    """Whether a withdrawal is of the same kind, but for its amount. What Upbit leaves out excludes nothing."""
    meant_type = TransactionType(intent.transaction_type or TransactionType.DEFAULT)
    return (
        row.currency == intent.currency
        and row.net_type in {None, intent.net_type}
        and row.transaction_type in {None, meant_type}
    )


def differs_by_fee(row: Withdrawal, amount: Decimal) -> bool:
    """Whether a withdrawal's amount is another one, with its fee or without it."""
    return echoed_fields.differs_by_fee(row.amount, row.fee, amount)
