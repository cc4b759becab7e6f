"""Methods of `Payouts` that work on all open payouts: continuously or once."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Final, Self

import anyio
import attrs

from upbit_async.concurrency import open_task_group
from upbit_async.errors import ConfigurationError, JournalError
from upbit_async.logs import logger
from upbit_async.payouts.payout import PayoutState
from upbit_async.payouts.payout_query import PayoutQuery
from upbit_async.payouts.runner import Runner
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from upbit_async.client import UpbitClient
    from upbit_async.payouts.driver import Driver
    from upbit_async.payouts.following import Follower
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.reconciliation import Reconciler
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.sending import Sender
    from upbit_async.payouts.settling import Settler

__all__ = ["RunningMethods"]

_log = logger("upbit_async.payouts")

_PAGE: Final = 500
"""Number of payouts that are read with one call."""


class RunningMethods:
    """Methods of `Payouts` that work on all open payouts."""

    _client: UpbitClient
    _repository: PayoutRepository
    _sender: Sender
    _driver: Driver
    _settler: Settler
    _follower: Follower
    _reconciler: Reconciler

    async def run(self, *, concurrency: int = 32, shutdown_timeout: float = 25.0) -> None:
        """Send queued payouts, settle lost answers and follow accepted payouts, until the caller is cancelled.

        Run it once in each process of a service, or in one of them: the processes share the work. Each open payout is
        claimed by one process at a time, and another takes it over if that process ends. Once a minute, Upbit's list
        is compared with the journal. No failure of Upbit, the network or the journal ends `run`; it is logged, and the
        work repeated later.

        On cancellation nothing more is sent. Requests that have begun are finished.

        Args:
            concurrency: Number of payouts that are sent at once. The default is 32.
            shutdown_timeout: Time to finish requests that have begun, in seconds. The default is 25. What takes
                longer is settled later, by any process.

        Raises:
            JournalError: The journal belongs to another host or region, or can't be opened at the start.
            ConfigurationError: There are no keys to sign with.
            TypeError: An argument is of the wrong type.
            ValueError: An argument has a wrong value.

        Example:
            .. code-block:: python

                import anyio

                async with payouts, anyio.create_task_group() as tasks:
                    tasks.start_soon(payouts.run)
                    invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                    address = "TFakeTronWithdrawAddressFakeFakeFa"
                    await payouts.enqueue("invoice-42", **invoice, address=address)
                    payout = await payouts.wait("invoice-42")
                    tasks.cancel_scope.cancel()
        """
        concurrency = inputs.count("concurrency", concurrency)
        self._sender.shutdown_timeout = inputs.seconds("shutdown_timeout", shutdown_timeout)
        self._check_keys()
        await self._repository.open()
        runner = Runner(
            self._repository,
            self._driver,
            self._settler,
            self._follower,
            reconcile=self._reconciler.run_pass,
            concurrency=concurrency,
        )
        with self._repository.notifying(on_new_work=runner.wake, obstacle_removed=runner.hurry):
            await runner.run()

    @contextlib.asynccontextmanager
    async def running(
        self, *, concurrency: int = 32, shutdown_timeout: float = 25.0
    ) -> AsyncGenerator[Self, None]:
        """Open the journal, and `run` in the background while the block runs.

        Args:
            concurrency: Number of payouts that are sent at once. The default is 32.
            shutdown_timeout: Time to finish requests that have begun when the block ends, in seconds. The default is
                25.

        Raises:
            JournalError: The journal can't be used, or belongs to another host or region.
            ConfigurationError: There are no keys to sign with.

        Example:
            .. code-block:: python

                async with Payouts(client, journal).running() as payouts:
                    invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                    address = "TFakeTronWithdrawAddressFakeFakeFa"
                    await payouts.enqueue("invoice-42", **invoice, address=address)
                    (await payouts.wait("invoice-42", timeout=3600)).raise_for_state()
        """
        self._check_keys()
        run = functools.partial(self.run, concurrency=concurrency, shutdown_timeout=shutdown_timeout)
        async with self, open_task_group() as tasks:
            tasks.start_soon(run)
            yield self
            tasks.cancel_scope.cancel()

    async def run_once(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - at the deadline unfinished payouts are returned
    ) -> list[Payout]:
        """Advance all open payouts once: settle unknown ones, send queued ones, follow accepted ones.

        `run` does this continuously. A payout that another process is sending is left alone until its lease is over,
        even if that process has crashed. A ``planned`` payout is left alone: its caller sends it. An abandoned payout
        of which a copy was sent is compared with Upbit's list for 7 days.

        Args:
            timeout: Time to wait for leases, settling times and accepted payouts, in seconds; None, the default, for
                no limit. A withdrawal that is being sent is finished, and each accepted payout is polled at least
                once.

        Returns:
            The payouts that were open, oldest first, updated. If one could not be followed, its `error` says why.

        Raises:
            JournalError: The journal can't be used. If only the row of one payout is damaged, that is logged, and the
                payout is left out.

        Example:
            .. code-block:: python

                for payout in await payouts.run_once(timeout=10):
                    print(payout.key, payout.state, payout.reason)
        """
        deadline = anyio.current_time() + inputs.timeout("timeout", timeout)
        await self._repository.open()
        position = await self._repository.journal.position()
        keys = await self._repository.journal.open_keys()
        accepted = await self._accepted()
        found: dict[str, Payout | None] = {}
        failures: list[JournalError] = []

        async def advance(key: str) -> None:
            try:
                if key in accepted and not self._repository.has_unwritten(key):
                    found[key] = await self._driver.follow(key, accepted, deadline)
                else:
                    found[key] = await self._driver.advance(key, deadline)
            except JournalError as failure:
                if failure.key is None:
                    failures.append(failure)
                else:  # only that row is damaged
                    _log.error("%s", failure, extra={"key": key, "state": None, "uuid": None})

        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(advance, key)
        if failures:
            raise failures[0]
        for key in await self._changed_since(position):
            if (payout := found.get(key)) is not None:  # another task or process may have changed it
                found[key] = attrs.evolve(await self._repository.read(key), error=payout.error)
        return await self._repository.shown([each for each in map(found.get, keys) if each is not None])

    def _check_keys(self) -> None:
        if not self._client.transport.key_digest:
            raise ConfigurationError(
                "run can't send payouts without keys: pass credentials to the client, or only enqueue in this process"
            )

    async def _accepted(self) -> dict[str, Payout]:
        """Return the accepted payouts by their keys, read with few calls: there may be thousands."""
        found: dict[str, Payout] = {}
        query = PayoutQuery(states=(PayoutState.ACCEPTED,), limit=_PAGE)
        while page := await self._repository.journal.select(query):
            found |= {payout.key: payout for payout in page}
            query = query.after(page[-1])
        return found

    async def _changed_since(self, position: int) -> set[str]:
        """Return the keys of the payouts that have changed since a position, in this process or in another."""
        found: set[str] = set()
        while page := await self._repository.journal.changes(position, _PAGE):
            found |= {change.key for change in page}
            position = page[-1].position
        return found

    async def aclose(self) -> None:
        """Close the journal. The client stays open."""
        await self._repository.aclose()

    async def __aenter__(self) -> Self:
        """Open the journal.

        Raises:
            JournalError: It can't be used, or belongs to another host or region.
        """
        await self._repository.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the journal."""
        with anyio.CancelScope(shield=True):
            await self.aclose()
