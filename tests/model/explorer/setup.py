"""Setup of one exploration: its bounds, and which assumptions are false."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.protocol.endpoint import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ASSUMPTIONS", "Setup"]

ASSUMPTIONS: Final = ("L", "N", "O", "NET", "PAUSE", "U", "TRUTH", "D", "EQUAL")
"""The assumptions, as `docs/explanation/payouts.md` names them."""


def _assumptions(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


def _check(_: object, __: object, value: frozenset[str]) -> None:
    if unknown := value.difference(ASSUMPTIONS):
        raise ValueError(f"there is no assumption {', '.join(sorted(unknown))}")


@attrs.frozen(kw_only=True)
class Setup:
    """Bounds of an exploration.

    Attributes:
        amounts: Amount of each payout. Their keys are ``a``, ``b``, and so on.
        reads_at_once: Whether what an operation reads before it writes is one step: others do nothing meanwhile.
        processes: Number of processes that work on the journal.
        copies: Number of copies of each payout that may be recorded.
        crashes: Number of crashes.
        refusals: Number of requests that the exchange declines or throttles.
        foreign: Number of withdrawals that are made outside the library.
        older: Number of withdrawals that were made outside the library long before.
        foreign_amount: Amount of each of these; None for that of the first payout.
        page_size: Number of withdrawals on a page of the list.
        restores: Number of times the journal is replaced by its oldest backup.
        restores_quietly: Whether that happens only when nothing is on its way, and the list shows everything.
        tampers: Number of times someone changes the amount of a payout in the journal.
        shows_net: Whether the list shows amounts without the fee.
        pauses: Number of times people pause the journal.
        ends: Number of withdrawals that end: they are paid, or cancelled.
        restarts: Number of times the machine is restarted, which ends all processes.
        decisions: Number of decisions of people: retry, resolve, abandon, acknowledge.
        decides: Names of the decisions that people take; empty for all.
        reconciles: Whether processes reconcile the account.
        skew: Error of the processes' time of day, in seconds.
        per_day: Limit of the amounts per day; None for none.
        false: The assumptions that do not hold.
    """

    amounts: tuple[str, ...] = ("13",)
    reads_at_once: bool = False
    processes: int = 1
    copies: int = 1
    crashes: int = 0
    refusals: int = 0
    foreign: int = 0
    older: int = 0
    foreign_amount: str | None = None
    page_size: int = PAGE_SIZE
    restores: int = 0
    restores_quietly: bool = False
    tampers: int = 0
    shows_net: bool = False
    pauses: int = 0
    ends: int = 0
    restarts: int = 0
    decisions: int = 0
    decides: tuple[str, ...] = ()
    reconciles: bool = False
    skew: float = 0.0
    per_day: str | None = None
    false: frozenset[str] = attrs.field(default=frozenset[str](), converter=_assumptions, validator=_check)

    @property
    def amount_outside(self) -> str:
        """Amount of the withdrawals that are made outside the library."""
        return self.amounts[0] if self.foreign_amount is None else self.foreign_amount

    @property
    def has_equal_foreign(self) -> bool:
        """Whether withdrawals outside the library may have the amount of a payout."""
        return self.amount_outside in self.amounts

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the payouts."""
        return tuple("abcdefgh"[: len(self.amounts)])

    def holds(self, assumption: str) -> bool:
        """Return whether an assumption holds."""
        return assumption not in self.false
