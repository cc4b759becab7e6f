"""Check against paying twice when the journal does not know the first payment.

A journal that was lost, restored from a backup or left on a volume that is not mounted looks like a new one: it does
not know what was paid. So before a payout's first copy is sent, the account's newest withdrawals are compared with the
journal. A withdrawal that no payout owns and that could be this payment blocks it, until it is acknowledged as no
payout.

The comparison goes back to the journal's reconciliation mark, or for seven days if there is none. One snapshot of the
list and the journal serves all payouts that asked before it was read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.checks import FeeConvention, fits
from upbit_async.errors import PayoutBlocked
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.payouts.decision import Claimants, other_claimants
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.settling import SettleFirst
from upbit_async.payouts.shared_reads import PERIOD

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from upbit_async.models import Intent
    from upbit_async.payouts.baseline import Baseline
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler
    from upbit_async.payouts.snapshot import Snapshot, SnapshotReader

__all__ = ["Comparison", "UnownedCheck", "compare", "could_be"]

_UNPAID: Final = frozenset({WithdrawalState.FAILED, WithdrawalState.CANCELLED, WithdrawalState.REJECTED})
_MAY_TURN_UP: Final = frozenset({PayoutState.NOT_SENT, PayoutState.ABANDONED})
_MOST_SHOWN: Final = 5


def could_be(intent: Intent, row: Withdrawal, fee_convention: FeeConvention | None) -> bool:
    """Return whether a withdrawal may be a payment, under any fee convention that is not excluded."""
    if row.state in _UNPAID:
        return False
    return any(fits(intent, row, each) for each in FeeConvention if fee_convention in {None, each})


@attrs.frozen
class Comparison:
    """The withdrawals in a snapshot that could be a payout that is about to be sent.

    Attributes:
        wait_for: Keys of unsettled payouts that may own such a withdrawal.
        read_again: Keys of payouts considered unsent that may own such a withdrawal.
        suspects: The withdrawals that no payout owns.
    """

    wait_for: tuple[str, ...]
    read_again: tuple[str, ...]
    suspects: tuple[Withdrawal, ...]


def compare(payout: Payout, snapshot: Snapshot) -> Comparison:
    """Compare a payout that is about to be sent with the withdrawals in a snapshot."""
    related, own = snapshot.related, payout.sent_request
    others = other_claimants(related.payouts, payout.key, snapshot.now)
    explained = {other.uuid.casefold() for other in others if other.uuid is not None}
    explained |= {uuid for other in others if other.is_open for uuid in other.candidates}
    explained |= {*related.acknowledged, *(() if own is None else (*own.excluded, *own.baseline))}
    claimants = Claimants(others)
    wait_for: dict[str, None] = {}
    read_again: dict[str, None] = {}
    suspects: list[Withdrawal] = []
    amount = payout.intent.amount
    for row in () if amount is None else snapshot.unowned_by_amount.get(amount, ()):
        if row.uuid.casefold() in explained or not could_be(payout.intent, row, snapshot.fee_convention):
            continue
        found = list(claimants.of(row, snapshot.fee_convention))
        under_way = [other.key for other in found if other.state.is_under_way]
        wait_for |= dict.fromkeys(under_way)
        read_again |= {other.key: None for other in found if other.state in _MAY_TURN_UP}
        if not under_way:
            suspects.append(row)
    return Comparison(tuple(wait_for), tuple(read_again), tuple(suspects))


class UnownedCheck:
    """Check that no unowned withdrawal could be a payout that is about to be sent.

    Args:
        repository: Repository of the payouts.
        settler: Settler of payouts that may own a withdrawal.
        snapshots: Reader of snapshots.
        blocks: Whether such a withdrawal blocks the payout.
    """

    def __init__(
        self, repository: PayoutRepository, settler: Settler, snapshots: SnapshotReader, *, blocks: bool
    ) -> None:
        self._repository = repository
        self._settler = settler
        self._snapshots = snapshots
        self._blocks = blocks

    async def check_and_take_baseline(
        self, payout: Payout, *, waits: bool = True, since: int | None = None
    ) -> Baseline:
        """Read Upbit's list, and compare it with the journal.

        The list is requested after this call, or was after an earlier moment.

        Args:
            payout: The payout.
            waits: Whether to wait for other payouts if the list shows a withdrawal that may be theirs.
            since: That moment; see `SharedReads.share`.

        Returns:
            The baseline: the newest withdrawals in the payout's currency.

        Raises:
            SettleFirst: Other payouts must be settled first, and `waits` is False.
            PayoutBlocked: A withdrawal that belongs to no payout could be this payment.
            UpbitError: The list could not be read back far enough; nothing was sent.
        """
        currency = payout.criteria.currency
        tried: set[str] = set()
        while True:
            snapshot = await self._snapshots.read(currency, since=since, period=PERIOD)
            since = None
            found = compare(payout, snapshot)
            if found.wait_for:
                if not waits:
                    raise SettleFirst(found.wait_for)
                await self._settler.wait_until_all_settled(currency, found.wait_for, frozenset({payout.key}))
                continue
            read_again = [key for key in found.read_again if key not in tried]
            if not read_again:
                break
            for key in read_again:
                tried.add(key)
                await self._settler.read_again(
                    await self._repository.read(key), math.inf if waits else -math.inf
                )
        if found.suspects and self._blocks:
            raise _blocked(payout, found.suspects)
        if snapshot.related.unreadable_unowned and self._blocks:
            raise _blocked_by_unreadable(payout, snapshot.related.unreadable_unowned)
        return snapshot.baseline


def _blocked(payout: Payout, rows: Sequence[Withdrawal]) -> PayoutBlocked:
    shown = ", ".join(
        f"{row.uuid} ({row.amount:f} {row.currency}, {row.state.value})" for row in rows[:_MOST_SHOWN]
    )
    more = f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else ""
    first = rows[0].uuid
    # Without a row in the journal there is nothing yet that a finding could be recorded in.
    before = f"enqueue({payout.key!r}, …) and " if payout.revision < 0 else ""
    return PayoutBlocked(
        f"{payout} was not sent: no payout of this journal owns {shown}{more}, which could be this payment (as when a "
        "journal was lost or restored from a backup); compare with Upbit's website, then call "
        f"acknowledge({first!r}) if it is another payment, or {before}resolve({payout.key!r}, uuid=…) if it is "
        "this one",
        uuids=tuple(row.uuid.casefold() for row in rows),
    )


def _blocked_by_unreadable(payout: Payout, uuids: Collection[str]) -> PayoutBlocked:
    """Return the error for unowned withdrawals of unknown amount: one of them may be this payment."""
    first, *more = uuids
    others = f" and {len(more)} more" if more else ""
    return PayoutBlocked(
        f"{payout} was not sent: the journal's row of withdrawal {first}{others}, which no payout owns, is damaged, so "
        "it could be this payment; compare with Upbit's website, then call "
        f"acknowledge({first!r}) if it is another payment",
        uuids=tuple(uuids),
    )
