"""Methods of `Payouts` for its operators: the brake, reconciliation and compaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.payouts import arguments

if TYPE_CHECKING:
    import datetime as dt

    from upbit_async.payouts.reconciliation import AccountReconciliation, Reconciler
    from upbit_async.payouts.repository import PayoutRepository

__all__ = ["OperatingMethods"]


class OperatingMethods:
    """Methods of `Payouts` that concern the whole journal."""

    _repository: PayoutRepository
    _reconciler: Reconciler

    async def pause(self, *, note: str = "", actor: str | None = None) -> None:
        """Let nothing more be sent from this journal, by any process, until `resume` is called.

        When this returns, no copy departs any more. One whose departure was recorded before may still be on its way.
        Lost answers are settled and accepted payouts are followed all the same.

        Args:
            note: Reason, for the journal.
            actor: Who decided it, for the journal.

        Raises:
            JournalError: The journal can't be used.

        Example:
            .. code-block:: python

                await payouts.pause(note="an address was stolen", actor="Ann")
                assert (await payouts.health()).paused
        """
        await self._repository.open()
        decision = arguments.checked_decision(note, actor)
        await self._repository.journal.pause(decision, (await self._repository.now()).utc)

    async def resume(self, *, note: str = "", actor: str | None = None) -> None:
        """Let payouts be sent again after `pause`.

        Args:
            note: Reason, for the journal.
            actor: Who decided it, for the journal.

        Raises:
            JournalError: The journal can't be used.

        Example:
            .. code-block:: python

                await payouts.pause()
                await payouts.resume(note="the address was replaced", actor="Ann")
        """
        await self._repository.open()
        decision = arguments.checked_decision(note, actor)
        await self._repository.journal.resume(decision, (await self._repository.now()).utc)
        self._repository.obstacle_removed()

    async def reconcile(self, currency: str | None = None) -> AccountReconciliation:
        """Compare the account's withdrawals with the journal, as `run` does every minute.

        Args:
            currency: The currency's code; None, the default, for all.

        Raises:
            JournalError: The journal can't be used.
            UpbitError: Upbit's list could not be read.

        Example:
            .. code-block:: python

                found = await payouts.reconcile()
                for withdrawal in found.unowned:
                    print("no payout owns", withdrawal.uuid, withdrawal.amount, withdrawal.currency)
        """
        await self._repository.open()
        return await self._reconciler.run_pass(currency)

    async def compact(self, before: dt.datetime) -> int:
        """Remove the details of final payouts to keep the journal small. A key is never forgotten.

        A compacted payout keeps its key, the digest of its request, its withdrawal's id and its state: a further call
        with its key pays nothing. Its history and its changes are removed. A payout is left alone for seven days after
        it was sent and after its last change.

        Args:
            before: The time, with a time zone, before which the payouts must have changed last.

        Returns:
            The number of payouts that were compacted.

        Raises:
            ValueError: The time has no time zone.
            JournalError: The journal can't be used.

        Example:
            .. code-block:: python

                import datetime as dt

                count = await payouts.compact(dt.datetime.now(dt.UTC) - dt.timedelta(days=90))
        """
        arguments.check_time("before", before)
        await self._repository.open()
        return await self._repository.journal.compact(before, (await self._repository.now()).utc)
