"""Methods of `Payouts` that read the journal: one payout, lists, changes and health. They need no API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from upbit_async.concurrency import backoff
from upbit_async.errors import JournalError
from upbit_async.logs import logger
from upbit_async.payouts import arguments
from upbit_async.payouts.health import PayoutsHealth

if TYPE_CHECKING:
    import builtins
    import datetime as dt
    from collections.abc import AsyncGenerator, Collection

    from upbit_async.payouts.changes import PayoutChange
    from upbit_async.payouts.payout import Payout, PayoutState
    from upbit_async.payouts.payout_query import PayoutQuery
    from upbit_async.payouts.repository import PayoutRepository

__all__ = ["ReadingMethods"]

_log = logger("upbit_async.payouts")

_PAGE: Final = 500
_POLLS: Final = 0.05, 0.5
"""First and longest wait between two reads of the newest changes, in seconds."""


class ReadingMethods:
    """Methods of `Payouts` that read the journal."""

    _repository: PayoutRepository

    async def get(self, key: str) -> Payout | None:
        """Return a payout from the journal, or None if there is none of that key.

        Example:
            .. code-block:: python

                payout = await payouts.get("invoice-42")
                if payout is None:
                    print("nothing was asked for under this key")
        """
        payout = await self._repository.find(arguments.checked_key(key))
        if payout is None:
            return None
        (shown,) = await self._repository.shown([payout])
        return shown

    async def list(
        self,
        *,
        states: Collection[PayoutState | str] | None = None,
        currency: str | None = None,
        uuid: str | None = None,
        created_after: dt.datetime | None = None,
        created_before: dt.datetime | None = None,
        limit: int = 100,
    ) -> builtins.list[Payout]:
        """Return payouts from the journal, newest first. Compacted payouts are left out.

        So is a payout whose row is damaged; the log names it, and `get` raises. So do not conclude from a list that
        there is no payout of a key: call `get`.

        Args:
            states: States of the payouts; None, the default, for all.
            currency: The currency's code; None, the default, for all.
            uuid: The withdrawal's id; None, the default, for all.
            created_after: Earliest time at which they were requested, with a time zone.
            created_before: The time before which they were requested, with a time zone.
            limit: The largest number of payouts. The default is 100.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: A state is unknown, a time has no time zone, or the limit is below 1.
            JournalError: The journal can't be used.

        Example:
            .. code-block:: python

                for payout in await payouts.list(states=["needs_review"], currency="USDT"):
                    print(payout.key, payout.reason, payout.candidates)
        """
        query = arguments.query_for(
            states=states,
            currency=currency,
            uuid=uuid,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
        )
        await self._repository.open()
        return await self._repository.shown(await self._repository.journal.select(query))

    async def iter(
        self,
        *,
        states: Collection[PayoutState | str] | None = None,
        currency: str | None = None,
        uuid: str | None = None,
        created_after: dt.datetime | None = None,
        created_before: dt.datetime | None = None,
    ) -> AsyncGenerator[Payout, None]:
        """Yield all payouts that `list` would return without a limit, page by page.

        A payout whose state changes meanwhile may be missing, or have another state than asked for.

        Args:
            states: States of the payouts; None, the default, for all.
            currency: The currency's code; None, the default, for all.
            uuid: The withdrawal's id; None, the default, for all.
            created_after: Earliest time at which they were requested, with a time zone.
            created_before: The time before which they were requested, with a time zone.

        Example:
            .. code-block:: python

                async for payout in payouts.iter(states=["done"]):
                    print(payout.key, payout.uuid)
        """
        query = arguments.query_for(
            states=states,
            currency=currency,
            uuid=uuid,
            created_after=created_after,
            created_before=created_before,
            limit=_PAGE,
        )
        await self._repository.open()
        async for payout in self._pages(query):
            yield payout

    async def _pages(self, query: PayoutQuery) -> AsyncGenerator[Payout, None]:
        while True:
            page = await self._repository.journal.select(query)
            for payout in await self._repository.shown(page):
                yield payout
            if len(page) < query.limit:
                return
            query = query.after(page[-1])

    async def changes(self, *, after: int | None = None) -> AsyncGenerator[PayoutChange, None]:
        """Yield the changes of all payouts, those of other processes too, within a second. It never ends.

        The changes of one payout come in their order, and none is missed. Store the position of a change together with
        what you have made of it, and pass it as `after` to continue there.

        Args:
            after: Position of the last change that is known; 0 for all changes. None, the default, for new ones only.

        Raises:
            ChangesCompacted: Changes after this position were removed by `compact`.
            JournalError: The journal can't be used. Continue from the last position later.

        Example:
            .. code-block:: python

                await payouts.enqueue(
                    "invoice-42",
                    currency="USDT",
                    net_type="TRX",
                    amount="13",
                    address="TFakeTronWithdrawAddressFakeFakeFa",
                )
                async for change in payouts.changes(after=0):
                    print(change.position, change.key, change.state)
                    break
        """
        position = arguments.checked_position(after)
        await self._repository.open()
        journal = self._repository.journal
        if position is None:
            position = await journal.position()
        pauses = backoff(*_POLLS)
        while True:
            found = await journal.changes(position, _PAGE)
            for change in found:
                yield change
                position = change.position
            if found:
                pauses = backoff(*_POLLS)
            await anyio.sleep(0 if found else next(pauses))

    async def health(self) -> PayoutsHealth:
        """Return the state of all payouts for monitoring, from the journal alone. It never raises a `JournalError`.

        Example:
            .. code-block:: python

                health = await payouts.health()
                assert health.journal_ok and not health.paused
        """
        try:
            await self._repository.open()
            return await self._repository.journal.health()
        except JournalError as error:
            _log.warning("the health of the payouts can't be read: %s", error)
            return PayoutsHealth(journal_ok=False)
