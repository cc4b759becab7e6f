"""`AmountLimit`: a limit of the amounts that payouts may send. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.errors import AmountLimitExceeded
from upbit_async.resources import inputs
from upbit_async.validation import decimal_text

if TYPE_CHECKING:
    from upbit_async.payouts.payout import Payout

__all__ = ["LIMIT_HOURS", "AmountLimit"]

LIMIT_HOURS: Final = 24
"""Length of the rolling period of a limit per day, in hours."""


def _per_payout(value: Decimal | int | str | None) -> Decimal | None:
    return None if value is None else Decimal(decimal_text("per_payout", value))


def _per_day(value: Decimal | int | str | None) -> Decimal | None:
    return None if value is None else Decimal(decimal_text("per_day", value))


def _check_currency(_: object, __: object, value: str) -> None:
    inputs.text("currency", value)


@attrs.frozen
class AmountLimit:
    """Limit of the amounts that payouts in one currency may send.

    Every process that pays from a journal should use the same limits: a limit is checked in the journal's own
    transaction, over the payouts of all processes, but only when a process that has it sends.

    Attributes:
        currency: The currency's code.
        per_payout: The largest amount of one payout; None for no limit.
        per_day: The largest sum within any 24 hours; None for no limit. Every payout counts that may have been sent.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An amount is not positive, the currency is empty, or there is no limit at all.

    Example:
        .. code-block:: python

            from upbit_async.payouts import AmountLimit

            limits = [AmountLimit("USDT", per_payout="500", per_day="20000")]
            limited = Payouts(client, journal, amount_limits=limits)
    """

    currency: str = attrs.field(validator=_check_currency)
    per_payout: Decimal | None = attrs.field(default=None, converter=_per_payout, kw_only=True)
    per_day: Decimal | None = attrs.field(default=None, converter=_per_day, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.per_payout is None and self.per_day is None:
            raise ValueError("AmountLimit must have per_payout, per_day or both")

    def check_amount(self, payout: Payout) -> None:
        """Check the limit per payout.

        Raises:
            AmountLimitExceeded: The payout's amount is larger.
        """
        if payout.criteria.currency != self.currency or self.per_payout is None:
            return
        if payout.criteria.amount > self.per_payout:
            raise AmountLimitExceeded(
                f"{payout} was not sent: its amount exceeds the limit of {self.per_payout:f} {self.currency} per "
                "payout; send less, or raise the AmountLimit of this Payouts",
                currency=self.currency,
                limit=self.per_payout,
            )

    def check_day(self, payout: Payout, departed: Decimal) -> None:
        """Check the limit per day.

        Args:
            payout: The payout that is about to be sent.
            departed: Sum of the other payouts in the currency that may have been sent within the last 24 hours.

        Raises:
            AmountLimitExceeded: The sum with this payout is larger.
        """
        if payout.criteria.currency != self.currency or self.per_day is None:
            return
        if departed + payout.criteria.amount > self.per_day:
            of = (
                f"{departed:f} {self.currency} of at most {self.per_day:f} may have been sent within 24 hours"
            )
            advice = "it can be sent when enough of that is older, or raise the AmountLimit"
            if payout.criteria.amount > self.per_day:
                of = f"its amount alone exceeds the limit of {self.per_day:f} {self.currency} within 24 hours"
                advice = "raise the AmountLimit, or abandon it"
            raise AmountLimitExceeded(
                f"{payout} was not sent: {of}; {advice}",
                currency=self.currency,
                limit=self.per_day,
                departed=departed,
            )
