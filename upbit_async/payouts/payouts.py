"""`Payouts`: withdrawals with a key and a journal, at most one for each key."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Literal, Self

import anyio

from upbit_async.client import UpbitClient
from upbit_async.errors import JournalError
from upbit_async.models import TransactionType
from upbit_async.payouts import arguments, manual, resolving, transitions
from upbit_async.payouts.driver import Driver
from upbit_async.payouts.journal import Journal
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.repository import PayoutRepository
from upbit_async.payouts.sending import Sender
from upbit_async.payouts.settling import Settler
from upbit_async.payouts.unowned import OnUnowned, UnownedGuard
from upbit_async.payouts.waiting import Wait
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from decimal import Decimal
    from types import TracebackType

    from upbit_async.models import Intent
    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.repository import Change
    from upbit_async.protocol.endpoint import Param

__all__ = ["Payouts"]

_JOURNALS: Final = tuple(name for name in vars(Journal) if not name.startswith("_"))


class Payouts:
    """Withdrawals with a key: at most one for each key, from any task, any process and after any crash.

    Upbit has no idempotency key for withdrawals, so this keeps a journal: what is about to be paid is on the disk
    before its request leaves, and the withdrawal is looked for if the answer is lost.
    See https://global-docs.upbit.com/reference/withdraw.

    Use one journal for one account, in all services that pay from it. Use this as an async context manager, or call
    `aclose`; the client stays open. It belongs to one event loop at a time; other threads and processes make their own.

    Args:
        client: Talks to Upbit.
        journal: Keeps the payouts, such as `SqliteJournal`.
        settling_time: How long after the loss of an answer Upbit's list may lag behind, in seconds. If it lags for
            longer, what was carried out may be called ``not_sent``; then only the nonce prevents a further copy from
            being carried out too.
        check: Whether `client.withdraws.check` comes before each payout.
        resend: ``automatic`` to let `recover` send again what is ``not_sent``: exactly the same request, whose nonce
            Upbit takes only once; but not after Upbit has refused that nonce as used. ``manual`` to do so after `retry`
            only.
        on_unowned: What happens to a payout if Upbit shows an equal withdrawal that no payout owns: ``block`` it
            until somebody calls `acknowledge`, or ``allow`` it.
        journal_keys: Authenticate the journal's rows: the first signs, all verify. At least 16 bytes each. The default
            is ``UPBIT_PAYOUTS_KEY``, and without that a key that is derived from the client's secret key.
        clock: Returns the time, UTC, for the history; for tests. Leases and settling times are kept by the journal.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `settling_time` is negative or infinite, a journal key is too short, or an option is unknown.
        ConfigurationError: ``UPBIT_PAYOUTS_KEY`` is set but empty, or too short.
    """

    def __init__(
        self,
        client: UpbitClient,
        journal: Journal,
        *,
        settling_time: float = 30.0,
        check: bool = False,
        resend: Literal["manual", "automatic"] = "manual",
        on_unowned: OnUnowned = "block",
        journal_keys: Sequence[bytes] = (),
        clock: Callable[[], dt.datetime] | None = None,
    ) -> None:
        if not isinstance(client, UpbitClient):
            raise TypeError(f"client must be an UpbitClient, got {type(client).__name__}")
        if not all(callable(getattr(journal, name, None)) for name in _JOURNALS):
            raise TypeError(f"journal must be a Journal such as SqliteJournal, got {type(journal).__name__}")
        seconds = inputs.seconds("settling_time", settling_time)
        keys = arguments.given_keys(journal_keys)
        self._client = client
        self._repository = PayoutRepository(journal, client.transport, clock or _utc_now, keys)
        self._settler = Settler(client, self._repository, seconds)
        guard = UnownedGuard(
            client.transport,
            self._repository,
            self._settler,
            trailing=seconds,
            on_unowned=arguments.one_of("on_unowned", on_unowned, ("block", "allow")),
        )
        self._driver = Driver(
            client,
            self._repository,
            Sender(client, self._repository, self._settler, guard),
            self._settler,
            check=inputs.flag("check", check),
            resends=arguments.one_of("resend", resend, ("manual", "automatic")) == "automatic",
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

        Concurrent calls with the same key share one attempt, also across processes. Once the request may have reached
        Upbit, `send` returns the payout instead of raising; check `payout.state`. If it raises, nothing was sent: call
        it again with the same key.

        Args:
            key: Identifies the payment, such as ``invoice-42``; at most 256 characters.
            currency: The currency's code.
            net_type: The network's identifier.
            amount: The amount, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            secondary_address: Its tag or memo; where there is one it must be given.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
            wait: Whether to wait until the payout has ended, or needs review. Otherwise return as soon as Upbit has
                answered, or its answer is lost; but a payment of the same amount, currency and network that is not
                settled is waited for in any case.

        Returns:
            The payout as it is then. If waiting for it failed, `error` says why.

        Raises:
            PayoutConflict: The key identifies another payment.
            PayoutBlocked: A payment of the same amount, currency and network needs review first, or Upbit shows an
                equal withdrawal that belongs to no payout.
            PreflightFailed: With ``check``: the payment can't be made as it is asked for.
            JournalError: The journal can't be used.
            UpbitError: Nothing was sent: the network is down, or Upbit has turned it away unread.
        """
        asked = arguments.intent_for(
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
        key, wait = arguments.key_of(key), inputs.flag("wait", wait)
        trust = self._repository.authenticator
        new = transitions.planned(key, asked, trust.request_mac(key, asked.members))
        payout = await self._repository.add(new)
        arguments.raise_if_other(payout, asked)
        if payout.state.may_leave and not trust.vouches_for(payout):  # authorised with a former journal key
            payout = await self._repository.change(key, self._authorise(asked))
        while True:
            payout = await self._driver.drive(key, asked)
            if wait:
                payout = await self._driver.finish(payout)
            was_held_back = payout.state is PayoutState.QUEUED and payout.error is not None
            if was_held_back or payout.state not in _IN_OTHER_HANDS:
                return payout

    def _authorise(self, asked: Intent) -> Change:
        """Return the change that authorises a row again for a call that asks for the same."""

        def authorise(known: Payout, _now: Now) -> Payout | None:
            arguments.raise_if_other(known, asked)
            mac = self._repository.authenticator.request_mac(known.key, known.intent.members)
            return manual.authorised(known, mac)

        return authorise

    async def get(self, key: str) -> Payout | None:
        """Return a payout from the journal, or None if it has none of that key."""
        return await self._repository.find(arguments.key_of(key))

    async def wait(
        self,
        key: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with one last look
    ) -> Payout:
        """Wait until a payout has ended, was not sent or needs review, and return it.

        A lost withdrawal is looked for meanwhile. What is only planned waits until `send` is called.

        Args:
            key: The payout's key.
            timeout: For how many seconds at most; None is for ever.

        Raises:
            ValueError: There is no payout of that key.
            PollTimeout: The time is over; the payout goes on.
            UpbitError: It can't be waited for any more: the key was refused, say. The payout goes on all the same.
        """
        wait = Wait(
            arguments.key_of(key),
            inputs.timeout("timeout", timeout),
            repository=self._repository,
            settler=self._settler,
            last_settling=self._client.transport.timeouts.total,
        )
        return await wait.end()

    async def pending(self) -> AsyncGenerator[Payout, None]:
        """Yield all open payouts, oldest first.

        These are all but the ``done``, ``failed``, ``cancelled``, ``rejected``, ``declined`` and ``abandoned`` ones,
        and those abandoned ones of which a copy may have been paid all the same.
        """
        await self._repository.open()
        for key in await self._repository.journal.open_keys():
            payout = await self._repository.read(key)
            if payout.is_open:
                yield payout

    async def recover(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - what goes on then is returned as it is
    ) -> list[Payout]:
        """Take up all open payouts at once: look for what is lost, send what is queued, follow what was accepted.

        Call it when a service starts, and every minute: what another process (or one that has died) was sending is
        left alone until its lease is over. What is only ``planned`` is left alone too: its caller sends it. Payouts
        that were given up after a copy had left are looked at for 7 days.

        Args:
            timeout: How long to wait, in seconds, for leases, settling times and what was accepted; None is until
                all of it has ended. A request that has begun is finished.

        Returns:
            Those that were open, oldest first, as they are then. If one could not be followed, its `error` says why.

        Raises:
            JournalError: The journal can't be used.
        """
        deadline = anyio.current_time() + inputs.timeout("timeout", timeout)
        await self._repository.open()
        keys = await self._repository.journal.open_keys()
        found: dict[str, Payout | None] = {}
        failures: list[JournalError] = []

        async def take_up(key: str) -> None:
            try:
                found[key] = await self._driver.advance(key, deadline)
            except JournalError as failure:
                failures.append(failure)

        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(take_up, key)
        if failures:
            raise failures[0]
        return [payout for payout in map(found.get, keys) if payout is not None]

    async def resolve(
        self,
        key: str,
        *,
        uuid: str | None = None,
        not_sent: bool = False,
        note: str = "",
        actor: str | None = None,
    ) -> Payout:
        """Record what was found out about a payout that is lost or in doubt. This authorises nothing.

        An outcome that rests on a match, or on a manual decision, can be corrected so, too.

        Args:
            key: The payout's key.
            uuid: The withdrawal that it is, by its id. Upbit is asked for it.
            not_sent: Instead: Upbit does not have it. Its `candidates` are acknowledged as no payouts. To send it
                again, call `retry` then.
            note: How it was found out; it goes into the history.
            actor: Who has found it out; it goes into the history.

        Raises:
            ValueError: Neither or both are given, there is no payout of that key, it is not in doubt, or the
                withdrawal is of another currency, network or amount, or was there before.
            PayoutConflict: The withdrawal is another payout's.
            NotFound: Upbit has no such withdrawal.
        """
        if (uuid is None) == (not inputs.flag("not_sent", not_sent)):
            raise ValueError("resolve takes a uuid, or not_sent=True")
        decision = arguments.decision_of(note, actor)
        payout = await self._settler.expire(arguments.key_of(key))
        resolving.raise_if_settled(payout)
        if uuid is None:
            return await resolving.resolve_as_not_sent(self._repository, payout, decision)
        record = await self._client.withdraws.get(uuid)
        return await resolving.resolve_as(self._repository, payout, record, decision)

    async def retry(
        self, key: str, *, new_nonce: bool = False, note: str = "", actor: str | None = None
    ) -> Payout:
        """Release a payout that is ``not_sent`` or ``declined`` to be sent again; it is ``queued`` then.

        `recover` sends it, or `send` with the same parameters. What was not sent goes out as exactly the same request:
        Upbit takes its nonce only once, so even if the first copy was carried out, the next is refused. That protects
        nothing after ``new_nonce=True``.

        Args:
            key: The payout's key.
            new_nonce: Whether to sign it again, for a nonce that Upbit has refused as used, or a key that was replaced.
                It takes ``resolve(key, not_sent=True)`` before.
            note: Why; it goes into the history.
            actor: Who has decided so; it goes into the history.

        Raises:
            ValueError: There is no payout of that key, it is in another state, or it takes a new nonce, or a finding
                before one.
            PayoutConflict: It has changed just now.
        """
        decision = arguments.decision_of(note, actor)
        needs_new_nonce = inputs.flag("new_nonce", new_nonce)
        payout = await self._settler.expire(arguments.key_of(key))
        return await resolving.retry(self._repository, payout, decision, new_nonce=needs_new_nonce)

    async def abandon(
        self, key: str, *, force: bool = False, note: str = "", actor: str | None = None
    ) -> Payout:
        """Give up a payout: nothing more is sent under its key, and it is ``abandoned``.

        That is no proof that nothing was sent before. If a copy has left, `recover` looks for it for 7 days, and it is
        open again if a withdrawal turns up. What Upbit has is not touched; `client.withdraws.cancel` cancels it.

        Args:
            key: The payout's key.
            force: Whether to give up what left within the last hour, too.
            note: Why; it goes into the history.
            actor: Who has decided so; it goes into the history.

        Raises:
            ValueError: There is no payout of that key, its outcome is open, a withdrawal that may be it has turned up,
                or a copy left within the last hour.
            PayoutConflict: It has changed just now.
            UpbitError: Upbit's list, which is read once more for a ``not_sent`` one, could not be read.
        """
        decision = arguments.decision_of(note, actor)
        force = inputs.flag("force", force)
        # This waits for no other call: it may be the one that is to be stopped.
        payout = await self._settler.expire(arguments.key_of(key))
        if payout.state is PayoutState.NOT_SENT:
            payout = await self._settler.read_again(payout)
        return await resolving.abandon(self._repository, payout, decision, force=force)

    async def acknowledge(self, uuid: str, *, note: str = "", actor: str | None = None) -> None:
        """Record that a withdrawal is no payout, so that it blocks none and is a candidate of none.

        Args:
            uuid: The withdrawal's id. Upbit is asked for it.
            note: What it is; it is kept beside it.
            actor: Who says so.

        Raises:
            PayoutConflict: It belongs to a payout.
            NotFound: Upbit has no such withdrawal.
        """
        decision = arguments.decision_of(note, actor)
        record = await self._client.withdraws.get(uuid)
        await self._repository.open()
        await resolving.acknowledge(self._repository, record.uuid.casefold(), record.currency, decision)

    async def aclose(self) -> None:
        """Close the journal; the client stays open."""
        await self._repository.aclose()

    async def __aenter__(self) -> Self:
        """Open the journal.

        Raises:
            JournalError: It can't be used, or is another host's.
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


_IN_OTHER_HANDS: Final = frozenset({PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.SENDING})
"""Another process is sending it, or was, and had to hold it back."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
