"""Check against paying twice when the journal does not know the first payment.

A journal that was lost, restored from a backup or left on a volume that is not mounted looks like a new one: it does
not know what was paid. So before a payout's first copy is sent, the account's newest withdrawals are compared with the
journal. A withdrawal that no payout owns and that could be this payment blocks it, until it is acknowledged as no
payout.

The comparison goes back to the journal's reconciliation mark, or for seven days if there is none.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.checks import FeeConvention, fits
from upbit_async.errors import PayoutBlocked
from upbit_async.logs import logger
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.payouts.baseline import Listing, back_to_mark
from upbit_async.payouts.decision import may_claim, other_claimants
from upbit_async.payouts.payout import Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.models import Intent
    from upbit_async.payouts.journal import Related
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler
    from upbit_async.protocol.endpoint import Transport

__all__ = ["UnownedCheck", "could_be", "new_mark"]

_log = logger("upbit_async.payouts")

_WITHOUT_MARK: Final = dt.timedelta(days=7)
"""Age of the oldest withdrawals that are compared if there is no mark."""

_UNPAID: Final = frozenset({WithdrawalState.FAILED, WithdrawalState.CANCELLED, WithdrawalState.REJECTED})
_MAY_TURN_UP: Final = frozenset({PayoutState.NOT_SENT, PayoutState.ABANDONED})
_MOST_SHOWN: Final = 5


def could_be(intent: Intent, row: Withdrawal, fee_convention: FeeConvention | None) -> bool:
    """Return whether a withdrawal may be a payment, under any fee convention that is not excluded."""
    if row.state in _UNPAID:
        return False
    return any(fits(intent, row, each) for each in FeeConvention if fee_convention in {None, each})


def new_mark(
    rows: Sequence[Withdrawal], accounted: frozenset[str], old_mark: str | None, trailing: dt.timedelta
) -> str | None:
    """Return the newest withdrawal up to which every withdrawal is accounted for.

    The mark trails the newest withdrawal, because the list may lag: an older withdrawal may still turn up.

    Args:
        rows: The list, newest first, back to the old mark.
        accounted: The withdrawals that belong to a payout, are acknowledged, or are stored as unowned.
        old_mark: The present mark; None if there is none.
        trailing: Longest lag of the list.
    """
    times = [row.created_at for row in rows if row.created_at is not None]
    if not times:
        return old_mark
    latest = max(times) - trailing
    mark = old_mark
    behind = [row.uuid.casefold() for row in rows]
    newer = rows[: behind.index(old_mark)] if old_mark in behind else rows
    for row in reversed(newer):
        if row.uuid.casefold() not in accounted or row.created_at is None or row.created_at > latest:
            break
        mark = row.uuid.casefold()
    return mark


@attrs.frozen
class _Classified:
    """The rows of a list, by whether a payout owns them.

    Attributes:
        owned: The withdrawals that are accounted for, by their ids in lower case.
        wait_for: Keys of unsettled payouts that may own a withdrawal which could be the payment.
        read_again: Payouts considered unsent that may own such a withdrawal.
        unowned: The withdrawals that no payout owns.
    """

    owned: frozenset[str]
    wait_for: tuple[str, ...]
    read_again: tuple[Payout, ...]
    unowned: tuple[Withdrawal, ...]


class UnownedCheck:
    """Check that no unowned withdrawal could be a payout that is about to be sent.

    Args:
        transport: Transport that reads Upbit's list.
        repository: Repository of the payouts.
        settler: Settler of payouts that may own a withdrawal.
        trailing: Longest lag of Upbit's list, in seconds.
        blocks: Whether such a withdrawal blocks the payout.
    """

    def __init__(
        self,
        transport: Transport,
        repository: PayoutRepository,
        settler: Settler,
        *,
        trailing: float,
        blocks: bool,
    ) -> None:
        self._transport = transport
        self._repository = repository
        self._settler = settler
        self._trailing = dt.timedelta(seconds=trailing)
        self._blocks = blocks

    async def check_and_take_baseline(self, payout: Payout) -> tuple[str, ...]:
        """Read Upbit's list, check it against the journal, and store the unowned withdrawals in the journal.

        It waits for other payouts if the list shows a withdrawal that may be theirs.

        Returns:
            The baseline: the newest withdrawals in the payout's currency, by their ids in lower case.

        Raises:
            PayoutBlocked: A withdrawal that belongs to no payout could be this payment.
            UpbitError: The list could not be read back far enough; nothing was sent.
        """
        listing, suspects = await self._compare(payout)
        if suspects and self._blocks:
            raise _blocked(payout, suspects)
        return listing.uuids

    async def _compare(self, payout: Payout) -> tuple[Listing, tuple[Withdrawal, ...]]:
        """Return Upbit's list, and the unowned withdrawals that could be the payout."""
        currency, journal = payout.criteria.currency, self._repository.journal
        tried: set[str] = set()
        while True:
            mark = await journal.mark(currency)
            now = await self._repository.now()
            oldest = now.utc - _WITHOUT_MARK
            listing = await back_to_mark(self._transport, currency, mark, oldest)
            # The journal is read after the list, so that it has the payout of every withdrawal in the list.
            related = await journal.related(currency, listing.uuids)
            fee_convention = await self._repository.fee_convention()
            related = attrs.evolve(related, payouts=other_claimants(related.payouts, payout.key, now))
            found = self._classify(payout, listing, related, fee_convention, mark, oldest)
            read_again = [other for other in found.read_again if other.key not in tried]
            if not found.wait_for and not read_again:
                break
            for key in found.wait_for:
                await self._settler.wait_until_settled(key, waiting_for_this=frozenset({payout.key}))
            for other in read_again:
                tried.add(other.key)
                # Read in full: what `related` returns lacks its history.
                await self._settler.read_again(await self._repository.read(other.key))
        await self._store(currency, listing, found, mark)
        suspects = {
            row.uuid.casefold(): row
            for row in (*found.unowned, *related.unowned)
            if could_be(payout.intent, row, fee_convention) and row.uuid.casefold() not in found.owned
        }
        return listing, tuple(suspects.values())

    def _classify(
        self,
        payout: Payout,
        listing: Listing,
        related: Related,
        fee_convention: FeeConvention | None,
        mark: str | None,
        oldest: dt.datetime,
    ) -> _Classified:
        """Return which of the withdrawals belong to payouts."""
        own = payout.sent_request
        owned = {other.uuid.casefold() for other in related.payouts if other.uuid is not None}
        owned |= {uuid for other in related.payouts if other.is_open for uuid in other.candidates}
        owned |= {*related.acknowledged, *(own.excluded if own is not None else ())}
        if own is not None:
            owned |= set(own.baseline)
        wait_for: dict[str, None] = {}
        read_again: dict[str, Payout] = {}
        unowned: list[Withdrawal] = []
        for row in listing.rows:
            if row.uuid.casefold() == mark:
                break
            is_too_old = mark is None and row.created_at is not None and row.created_at < oldest
            if row.uuid.casefold() in owned or is_too_old:
                continue
            claimants = [other for other in related.payouts if may_claim(other, row, fee_convention)]
            if not claimants:
                unowned.append(row)
            elif could_be(payout.intent, row, fee_convention):
                wait_for |= {other.key: None for other in claimants if other.state.is_under_way}
                read_again |= {other.key: other for other in claimants if other.state in _MAY_TURN_UP}
                if not any(other.state.is_under_way for other in claimants):
                    unowned.append(row)
        return _Classified(frozenset(owned), tuple(wait_for), tuple(read_again.values()), tuple(unowned))

    async def _store(self, currency: str, listing: Listing, found: _Classified, mark: str | None) -> None:
        """Store the unowned withdrawals in the journal, and move the mark over what is accounted for."""
        accounted = found.owned | {row.uuid.casefold() for row in found.unowned}
        is_known = all((error.uuid or "").casefold() in accounted for error in listing.unreadable)
        is_whole = not listing.gap and is_known
        moved = new_mark(listing.rows, accounted, mark, self._trailing) if is_whole else mark
        if found.unowned or moved != mark:
            at = self._repository.clock()
            await self._repository.journal.reconcile(
                currency, found.unowned, old_mark=mark, new_mark=moved, at=at
            )
        if found.unowned:
            _log.info("%d withdrawals in %s belong to no payout", len(found.unowned), currency)


def _blocked(payout: Payout, rows: Sequence[Withdrawal]) -> PayoutBlocked:
    shown = ", ".join(
        f"{row.uuid} ({row.amount:f} {row.currency}, {row.state.value})" for row in rows[:_MOST_SHOWN]
    )
    more = f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else ""
    first = rows[0].uuid
    return PayoutBlocked(
        f"{payout} was not sent: no payout of this journal owns {shown}{more}, which could be this payment (as when a "
        "journal was lost or restored from a backup); compare with Upbit's website, then call "
        f"acknowledge({first!r}) if it is another payment, or resolve({payout.key!r}, uuid=…) if it is this one",
        uuids=tuple(row.uuid.casefold() for row in rows),
    )
