"""Judge: concludes from snapshots what the outcome of payouts is. Sends no money, and changes no payout."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from upbit_async.checks import FeeConvention, fits
from upbit_async.payouts.decision import DeclareNotSent, RequireReview, decide
from upbit_async.payouts.observation import new_rows, observation
from upbit_async.payouts.shared_reads import SharedReads
from upbit_async.payouts.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from upbit_async.client import UpbitClient
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.decision import Conclusion
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.snapshot import SnapshotReader

__all__ = ["Judge", "Looks"]

_CONFIRMATION_DELAY: Final = 1.0
"""Wait before a list that does not show the withdrawal is read a second time, in seconds."""

_GATHERING: Final = 0.1
"""Wait before a list is requested, in seconds, so that payouts that were lost together share it."""

_PERIOD: Final = 3.0
"""Shortest time between two lists for payouts that were lost one after another, in seconds."""

_MOST_NETWORKS: Final = 10_000
"""Number of withdrawals whose network is remembered."""


@attrs.define(eq=False)
class Looks:
    """Snapshots by which a payout is judged.

    They are kept while payouts that may explain their withdrawals are settled. A new list would show withdrawals of
    payouts that are being sent by then, so the wait might never end.

    Attributes:
        revision: Revision of the payout that they are for: their lists were requested after its settling time.
        snapshots: The snapshots, in the order of the looks.
    """

    revision: int = -1
    snapshots: list[Snapshot] = attrs.field(factory=list[Snapshot])

    def restart(self, payout: Payout) -> None:
        """Forget the snapshots of an earlier revision of the payout."""
        if payout.revision != self.revision:
            self.revision = payout.revision
            self.snapshots.clear()


class Judge:
    """Judges payouts whose answer was lost.

    Args:
        client: Client that reads single withdrawals.
        snapshots: Reader of snapshots.
    """

    def __init__(self, client: UpbitClient, snapshots: SnapshotReader) -> None:
        self._client = client
        self._snapshots = snapshots
        self._reads = SharedReads()
        self._networks: dict[str, str] = {}

    async def judge(
        self, payout: Payout, looks: Looks, waiting_for_this: Collection[str] = (), *, number: int = 0
    ) -> Conclusion:
        """Judge a payout by one look: a snapshot whose list is requested after this call, or that was kept.

        Args:
            payout: The payout, of which a copy was recorded.
            looks: The snapshots that were taken for it; this one is added.
            waiting_for_this: The keys of payouts that wait for this one.
            number: Number of the look; from the second on, rows that the list does not sort by time are searched.

        Raises:
            UpbitError: The list or a withdrawal could not be read, so nothing is concluded.
        """
        looks.restart(payout)
        if number < len(looks.snapshots):
            snapshot = await self._snapshots.with_present_journal(looks.snapshots[number])
        else:
            currency = payout.criteria.currency
            confirm = number > 0  # by those that the previous list served, so together
            period = 0.0 if confirm else _PERIOD
            snapshot = await self._snapshots.read(currency, confirm=confirm, delay=_GATHERING, period=period)
            looks.snapshots.append(snapshot)
        return await self.judge_by(snapshot, payout, waiting_for_this)

    async def judge_twice(
        self, payout: Payout, looks: Looks, waiting_for_this: Collection[str] = ()
    ) -> Conclusion:
        """Judge a payout, and confirm by a second look that it was not sent: one list may be incomplete."""
        conclusion = await self.judge(payout, looks, waiting_for_this)
        if isinstance(conclusion, DeclareNotSent):
            if len(looks.snapshots) == 1:
                await anyio.sleep(_CONFIRMATION_DELAY)
            conclusion = await self.judge(payout, looks, waiting_for_this, number=1)
        return conclusion

    async def judge_by(
        self, snapshot: Snapshot, payout: Payout, waiting_for_this: Collection[str] = ()
    ) -> Conclusion:
        """Judge a payout by a snapshot. Its list must have been requested after the payout was read.

        Raises:
            DecodeError: The list lacks withdrawals of the payout's baseline that it would have to show.
            UpbitError: A withdrawal could not be read.
        """
        found = new_rows(payout, snapshot)
        rows = attrs.evolve(
            found,
            listed=await self._with_networks(found.listed, payout),
            known_as_new=await self._with_networks(found.known_as_new, payout),
            recorded=await self._with_networks(found.recorded, payout),
        )
        conclusion = decide(
            payout,
            observation(
                payout,
                snapshot,
                rows,
                made_without_payout=self._client.known_withdrawals.unguarded,
                waiting_for_this=waiting_for_this,
            ),
        )
        sent_request = payout.required_request
        has_other_key = sent_request.signed_by != self._client.transport.key_digest
        if isinstance(conclusion, DeclareNotSent) and not sent_request.baseline and has_other_key:
            return RequireReview(
                "it was signed with another key, and this client's key may be another account's"
            )
        return conclusion

    async def _with_networks(self, rows: Sequence[Withdrawal], payout: Payout) -> tuple[Withdrawal, ...]:
        """Return rows with their networks, which Upbit may show for a single withdrawal only."""
        completed: list[Withdrawal] = []
        for row in rows:
            is_needed = row.net_type is None and _fits_somehow(payout, row)
            completed.append(await self._completed(row) if is_needed else row)
        return tuple(completed)

    async def _completed(self, row: Withdrawal) -> Withdrawal:
        uuid = row.uuid.casefold()
        net_type = self._networks.get(uuid)
        if net_type is None:
            read = partial(self._client.withdraws.get, row.uuid)
            net_type = (await self._reads.share(uuid, read)).net_type
        if net_type is not None:
            self._networks[uuid] = net_type
            if len(self._networks) > _MOST_NETWORKS:
                del self._networks[next(iter(self._networks))]
        return attrs.evolve(row, net_type=net_type)


def _fits_somehow(payout: Payout, row: Withdrawal) -> bool:
    return any(fits(payout.intent, row, fee_convention) for fee_convention in FeeConvention)
