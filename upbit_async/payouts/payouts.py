"""`Payouts`, the entry point: at most one withdrawal for each key, kept in a journal."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Literal, Self

import anyio

from upbit_async.client import UpbitClient
from upbit_async.errors import JournalError
from upbit_async.models import TransactionType
from upbit_async.payouts import arguments, manual, transitions
from upbit_async.payouts.driver import Driver
from upbit_async.payouts.journal import Journal
from upbit_async.payouts.judging import Judge
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.reconciliation import Reconciler
from upbit_async.payouts.repository import PayoutRepository
from upbit_async.payouts.resolving import ManualDecisionMethods
from upbit_async.payouts.sending import Sender
from upbit_async.payouts.settling import Settler
from upbit_async.payouts.snapshot import SnapshotReader
from upbit_async.payouts.unowned import UnownedCheck
from upbit_async.payouts.waiting import Wait
from upbit_async.resources import inputs
from upbit_async.validation import flag

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from decimal import Decimal
    from types import TracebackType

    from upbit_async.models import Intent
    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.repository import Change
    from upbit_async.protocol.endpoint import Param

__all__ = ["Payouts"]

_JOURNAL_METHODS: Final = tuple(name for name in vars(Journal) if not name.startswith("_"))
_DRIVE_AGAIN: Final = frozenset({PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.SENDING})
"""States in which `Payouts.send` drives a payout once more.

If `Driver.drive` returns one of these, another process has changed the payout meanwhile: it is sending it, or has tried
to in vain. This call must send it then, or wait for it.
"""


class Payouts(ManualDecisionMethods):
    """Withdrawals with idempotency keys: at most one for each key, from any task or process and after any crash.

    Upbit has no idempotency key for withdrawals (https://global-docs.upbit.com/reference/withdraw), so the keys are
    kept in a journal. A payout is on the disk before its request is sent. If the answer is lost, the payout is compared
    with Upbit's list of withdrawals.

    Use one journal for one account, in all services that pay from it. Use a `Payouts` as an async context manager, or
    call `aclose`; the client stays open. It belongs to one event loop at a time; other threads and processes create
    their own.

    Args:
        client: Client of the account that pays.
        journal: Store of the payouts, such as `SqliteJournal`.
        settling_time: Time after the loss of an answer for which Upbit's list may lag, in seconds. If it lags for
            longer, a payout that was carried out may become ``not_sent``. Then only the nonce prevents Upbit from
            carrying out a further copy.
        check: Whether `client.withdraws.check` comes before each payout.
        resend: With ``automatic``, `recover` and `send` send a ``not_sent`` payout again, as exactly the same request
            with the same nonce, which Upbit accepts only once. Not if Upbit has answered ``nonce_used``. With
            ``manual``, the default, it is sent again only after `retry`.
        on_unowned: What to do if Upbit shows a withdrawal that no payout owns and that could be this payment: ``block``
            the payout until `acknowledge` is called, or ``allow`` it.
        journal_keys: Keys that authenticate the journal's rows, of at least 16 bytes each: the first for new rows, any
            of them for others. The default is ``UPBIT_PAYOUTS_KEY``, and without that a key that is derived from the
            client's secret key.
        clock: Clock for the history, UTC; for tests. Leases and settling times use the journal's clock.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `settling_time` is negative or infinite, a journal key is too short, or an option is unknown.
        ConfigurationError: ``UPBIT_PAYOUTS_KEY`` is set but empty, or too short.

    Example:
        .. code-block:: python

            address = "TFakeTronWithdrawAddressFakeFakeFa"
            async with Payouts(client, journal=SqliteJournal("payouts.db")) as payouts:
                payout = await payouts.send(
                    "invoice-42", currency="USDT", net_type="TRX", amount="13", address=address
                )
    """

    def __init__(
        self,
        client: UpbitClient,
        journal: Journal,
        *,
        settling_time: float = 30.0,
        check: bool = False,
        resend: Literal["manual", "automatic"] = "manual",
        on_unowned: Literal["block", "allow"] = "block",
        journal_keys: Sequence[bytes] = (),
        clock: Callable[[], dt.datetime] | None = None,
    ) -> None:
        if not isinstance(client, UpbitClient):
            raise TypeError(f"client must be an UpbitClient, got {type(client).__name__}")
        if not all(callable(getattr(journal, name, None)) for name in _JOURNAL_METHODS):
            raise TypeError(f"journal must be a Journal such as SqliteJournal, got {type(journal).__name__}")
        seconds = inputs.seconds("settling_time", settling_time)
        keys = arguments.journal_keys_from(journal_keys)
        repository = PayoutRepository(journal, client.transport, clock or _utc_now, keys)
        snapshots = SnapshotReader(client.transport, repository, trailing=seconds)
        judge = Judge(client, snapshots)
        settler = Settler(client, repository, judge, seconds)
        self._reconciler = Reconciler(
            client.transport, repository, snapshots, judge, settler, settling_time=seconds
        )
        super().__init__(
            client, repository, settler
        )  # keeps them; its methods are those for manual decisions
        unowned_check = UnownedCheck(
            repository,
            settler,
            snapshots,
            blocks=inputs.choice("on_unowned", on_unowned, ("block", "allow")) == "block",
        )
        self._driver = Driver(
            client,
            repository,
            Sender(client, repository, settler, unowned_check),
            settler,
            check=flag("check", check),
            resends=inputs.choice("resend", resend, ("manual", "automatic")) == "automatic",
        )

    async def send(  # noqa: PLR0913 - Upbit's own parameters, and keyword-only
        self,
        key: str,
        *,
        currency: str,
        net_type: str,
        amount: Decimal | int | str,
        address: str,
        secondary_address: str | None = None,
        transaction_type: TransactionType | str = TransactionType.DEFAULT,
        extra: Mapping[str, Param] | None = None,
        wait: bool = True,
    ) -> Payout:
        """Send a payout and wait for its outcome. Safe to call again with the same key.

        Of concurrent calls with the same key, also in several processes, only one sends at a time. Once the request may
        have reached Upbit, `send` returns the payout instead of raising; check `payout.state`. If it raises an
        `UpbitError`, this call sent nothing, unless the error's `may_have_executed` is set. A cancelled call may have
        sent it. In each case, call again with the same key.

        Args:
            key: Identifies the payment, such as ``invoice-42``; at most 256 characters.
            currency: The currency's code.
            net_type: The network's identifier.
            amount: The amount, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            secondary_address: Its tag or memo; where there is one it must be given.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
            wait: Whether to wait until the payout has ended, was declined, was not sent or needs review. If False,
                return as soon as Upbit has answered or its answer is lost. A payout with the same amount, currency and
                network that is not settled is waited for in any case. That may take its lease and the settling time,
                about two minutes by default; more than 16 minutes if its connection could not be bounded.

        Returns:
            The updated payout. If waiting for it failed, `error` says why.

        Raises:
            PayoutConflict: The key identifies another payment.
            PayoutBlocked: A payout of the same amount, currency and network needs review first, or Upbit shows a
                withdrawal that belongs to no payout and could be this one.
            PreflightFailed: With ``check``: a check failed.
            JournalError: The journal can't be used, or the payout's row is not trusted.
            ConfigurationError: There are no keys to sign with, or a further copy can't be signed as the first was.
            UpbitError: Nothing was sent because the network is down, or Upbit throttled or banned the request without
                processing it. With `may_have_executed`, a cancellation that did not come from the caller interrupted
                it.
            TypeError: An argument is of the wrong type.
            ValueError: An argument has a wrong value, such as an amount that is not positive.

        Example:
            .. code-block:: python

                payout = await payouts.send(
                    "invoice-42",
                    currency="USDT",
                    net_type="TRX",
                    amount="13",
                    address="TFakeTronWithdrawAddressFakeFakeFa",
                )
                assert payout.state is PayoutState.DONE
        """
        requested = arguments.intent_for(
            inputs.withdrawal(
                currency=currency,
                net_type=net_type,
                amount=amount,
                address=address,
                secondary_address=secondary_address,
                transaction_type=transaction_type,
                extra=extra,
            ),
            host=self._client.host,
            now=self._repository.clock(),
        )
        key, wait = arguments.checked_key(key), flag("wait", wait)
        authenticator = self._repository.authenticator
        new = transitions.planned(key, requested, authenticator.payment_mac(key, requested.members))
        payout = await self._repository.add(new)
        arguments.raise_if_other(payout, requested)
        if payout.state.may_be_sent and not authenticator.verifies(
            payout
        ):  # authorised with a former journal key
            payout = await self._repository.change(key, self._authorise(requested))
        while True:
            payout = await self._driver.drive(key, requested)
            if wait:
                payout = await self._driver.finish(payout)
            has_failed_before_sending = payout.state is PayoutState.QUEUED and payout.error is not None
            if has_failed_before_sending or payout.state not in _DRIVE_AGAIN:
                return payout

    def _authorise(self, requested: Intent) -> Change:
        """Return the change that authorises a row again, for a call that requests the same payment."""

        def authorise(payout: Payout, _now: Now) -> Payout | None:
            arguments.raise_if_other(payout, requested)
            mac = self._repository.authenticator.payment_mac(payout.key, payout.intent.members)
            return manual.authorised(payout, mac)

        return authorise

    async def get(self, key: str) -> Payout | None:
        """Return a payout from the journal, or None if there is none of that key.

        Example:
            .. code-block:: python

                payout = await payouts.get("invoice-42")
                if payout is None:
                    print("nothing was asked for under this key")
        """
        return await self._repository.find(arguments.checked_key(key))

    async def wait(
        self,
        key: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - at the deadline it still settles what is due
    ) -> Payout:
        """Wait until a payout has ended, was declined, was not sent or needs review, and return it. This sends nothing.

        An ``unknown`` payout is settled. A ``planned`` or ``queued`` one waits until `send` or `recover` sends it.

        Args:
            key: The payout's key.
            timeout: Timeout for the whole call, in seconds; None, the default, for no limit.

        Raises:
            ValueError: There is no payout of that key.
            PollTimeout: The timeout is over. The payout continues; wait again.
            UpbitError: It can't be followed any more, for example because Upbit refuses the access key. The payout
                continues.

        Example:
            .. code-block:: python

                invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                address = "TFakeTronWithdrawAddressFakeFakeFa"
                await payouts.send("invoice-42", **invoice, address=address, wait=False)
                payout = await payouts.wait("invoice-42", timeout=3600)
        """
        wait = Wait(
            arguments.checked_key(key),
            inputs.timeout("timeout", timeout),
            repository=self._repository,
            settler=self._settler,
            last_settling=self._client.transport.timeouts.total,
        )
        return await wait.end()

    async def pending(self) -> AsyncGenerator[Payout, None]:
        """Yield all open payouts, oldest first.

        These are the payouts that are not final, and the abandoned ones of which a copy may have been paid.

        Example:
            .. code-block:: python

                async for payout in payouts.pending():
                    print(payout.key, payout.state, payout.reason)
        """
        await self._repository.open()
        for key in await self._repository.journal.open_keys():
            payout = await self._repository.read(key)
            if payout.is_open:
                yield payout

    async def recover(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - at the deadline unfinished payouts are returned
    ) -> list[Payout]:
        """Advance all open payouts at once: settle unknown ones, send queued ones, follow accepted ones.

        Call it when a service starts, and every minute. A payout that another process was sending is left alone until
        its lease is over, even if that process has crashed. A ``planned`` payout is left alone: its caller sends it. An
        abandoned payout of which a copy was sent is compared with Upbit's list for 7 days.

        Args:
            timeout: Time to wait for leases, settling times and accepted payouts, in seconds; None, the default, for
                no limit. A request that has begun is finished.

        Returns:
            The payouts that were open, oldest first, updated. If one could not be followed, its `error` says why.

        Raises:
            JournalError: The journal can't be used.

        Example:
            .. code-block:: python

                for payout in await payouts.recover(timeout=10):
                    print(payout.key, payout.state, payout.reason)
        """
        deadline = anyio.current_time() + inputs.timeout("timeout", timeout)
        await self._repository.open()
        keys = await self._repository.journal.open_keys()
        found: dict[str, Payout | None] = {}
        failures: list[JournalError] = []

        async def advance(key: str) -> None:
            try:
                found[key] = await self._driver.advance(key, deadline)
            except JournalError as failure:
                failures.append(failure)

        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(advance, key)
        if failures:
            raise failures[0]
        return [payout for payout in map(found.get, keys) if payout is not None]

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


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
