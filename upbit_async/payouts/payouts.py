"""`Payouts`: exactly one withdrawal per key, whatever happens."""

from __future__ import annotations

import contextlib
import copy
import functools
from typing import TYPE_CHECKING, Self

import anyio
import attrs

from upbit_async.client import UpbitClient
from upbit_async.errors import JournalError, PollTimeout, UpbitError
from upbit_async.models import TransactionType
from upbit_async.payouts import request, resolving, transitions
from upbit_async.payouts.books import Books
from upbit_async.payouts.clock import passing_time
from upbit_async.payouts.journal import Journal
from upbit_async.payouts.payout import Evidence, Payout, PayoutState
from upbit_async.payouts.sending import Sender
from upbit_async.payouts.settling import Settler
from upbit_async.payouts.turns import Turns
from upbit_async.payouts.waiting import Wait
from upbit_async.resources import inputs

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncGenerator, Callable, Mapping
    from decimal import Decimal
    from types import TracebackType

    from upbit_async.protocol.endpoint import Param

__all__ = ["Payouts"]

_JOURNALS = tuple(name for name in vars(Journal) if not name.startswith("_"))


class Payouts:
    """Payments under keys: at most one withdrawal for each, from any task, any process and after any crash.

    Upbit knows no key against repetition, so this keeps a journal: what is about to be paid is on the disk before
    its request leaves, and what became of it is looked for if its answer is lost.
    See https://global-docs.upbit.com/reference/withdraw.

    Use one journal for one account, by all who pay from it. Use this as an async context manager, or call
    `aclose`; the client stays open. It belongs to one event loop at a time; other threads and processes make their own.

    Args:
        client: Pays.
        journal: Keeps the payouts, such as `SqliteJournal`.
        settle: How long to wait after the loss of an answer until Upbit's list is believed to be complete, in
            seconds. If the list lags behind for longer, what was carried out may be called ``not_sent``; then only
            the nonce keeps one more copy of it from being carried out too.
        check: Whether `client.withdraws.check` comes before each payout.
        clock: Tells the time, UTC, by which leases are kept; for tests.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `settle` is negative or endless.
    """

    def __init__(
        self,
        client: UpbitClient,
        journal: Journal,
        *,
        settle: float = 30.0,
        check: bool = False,
        clock: Callable[[], dt.datetime] | None = None,
    ) -> None:
        if not isinstance(client, UpbitClient):
            raise TypeError(f"client is an UpbitClient, not {type(client).__name__}")
        if not all(callable(getattr(journal, name, None)) for name in _JOURNALS):
            raise TypeError(f"journal is a Journal such as SqliteJournal, not {type(journal).__name__}")
        self._client = client
        self._check = inputs.flag("check", check)
        self._books = Books(journal, client.caller, clock or passing_time)
        self._settler = Settler(client, self._books, inputs.seconds("settle", settle))
        self._sender = Sender(client, self._books, self._settler)
        self._turns = Turns()

    async def send(  # noqa: PLR0913 - a withdrawal's parameters and how to go about it, all keyword-only
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
        resend: bool = False,
        retry_refused: bool = False,
    ) -> Payout:
        """Pay, unless that was done under this key already.

        Call it as often as you like: calls with one key join. It returns whenever something has left, now or before,
        whatever became of it; the payout's `state` tells. It raises only if nothing has left, and then it may be called
        again.

        Args:
            key: What the payment is known by, such as ``invoice-42``; at most 256 characters.
            currency: The currency's code.
            net_type: The network's identifier.
            amount: How much, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            secondary_address: Its tag or memo; where there is one it must be given.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
            wait: Wait until the payout has ended, or a person is needed. Otherwise return as soon as Upbit has
                answered, or its answer is lost; but a payment of the same amount, currency and network that is not
                settled is waited for in any case.
            resend: If it is ``not_sent``, or turns out to be, send the very same request once more.
            retry_refused: If Upbit has refused it, try again.

        Returns:
            The payout as it is then. If waiting for it failed, `error` says why.

        Raises:
            PayoutConflict: The key stands for another payment.
            PayoutBlocked: A payment of the same amount, currency and network needs a person first.
            PreflightFailed: With ``check``: something stands in the way.
            JournalError: The journal can't be used.
            UpbitError: Nothing has left: the network is down, or Upbit has turned it away unread.
        """
        asked = request.intent_for(
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
            now=self._books.clock(),
        )
        wait = inputs.flag("wait", wait)
        resend, again = inputs.flag("resend", resend), inputs.flag("retry_refused", retry_refused)
        payout = await self._books.add(transitions.planned(request.key_of(key), asked))
        request.raise_if_other(payout, asked)
        may_resend = resend and payout.state is not PayoutState.NOT_SENT  # if it turns out to be so
        while True:
            payout = await self._drive(payout.key, resend=resend, retry_refused=again)
            if wait:
                payout = await self._see_out(payout)
            if payout.state is PayoutState.NOT_SENT and may_resend:
                may_resend = False
            elif payout.state not in {PayoutState.PLANNED, PayoutState.SENDING}:
                return payout
            # Else it is in the hands of another process, or was, which had to hold it back.

    async def get(self, key: str) -> Payout | None:
        """Return a payout as it is known by now, or None if there is none of that key; Upbit is not asked."""
        return await self._books.find(request.key_of(key))

    async def wait(
        self,
        key: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with one last look
    ) -> Payout:
        """Wait until a payout has ended, was not sent or needs a person, and return it.

        What is lost is looked for meanwhile. What is only planned waits until somebody sends it.

        Args:
            key: The payout's key.
            timeout: For how many seconds at most; None is for ever.

        Raises:
            ValueError: There is no payout of that key.
            PollTimeout: The time is over; the payout goes on.
            UpbitError: It can't be waited for any more: the key was refused, say. The payout goes on all the same.
        """
        wait = Wait(
            request.key_of(key),
            inputs.patience("timeout", timeout),
            books=self._books,
            settler=self._settler,
            last_look=self._client.caller.timeouts.total,
        )
        return await wait.end()

    async def pending(self) -> AsyncGenerator[Payout, None]:
        """Yield all payouts for which somebody still has to do something, oldest first.

        These are all but the ``done``, ``failed``, ``cancelled``, ``rejected`` and ``refused`` ones.
        """
        await self._books.open()
        for key in await self._books.journal.open_keys():
            payout = await self._books.read(key)
            if not payout.state.is_final:
                yield payout

    async def recover(
        self,
        *,
        resend: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - what goes on then is returned as it is
    ) -> list[Payout]:
        """Take up all open payouts at once: look for what is lost, and wait for what was accepted.

        Call it when a service starts, and every now and then: what another process (or one that has died) was
        sending is left alone until its lease is over. What is only ``planned`` is left alone too: who wanted it calls
        `send` again.

        Args:
            resend: Send those again that are known to be ``not_sent``, each the very same request.
            timeout: For how many seconds to wait for what was accepted; None is until all of it has ended.

        Returns:
            Those that were open, oldest first, as they are then. If one could not be followed, its `error` says why.

        Raises:
            JournalError: The journal can't be used.
        """
        resend = inputs.flag("resend", resend)
        deadline = anyio.current_time() + inputs.patience("timeout", timeout)
        await self._books.open()
        keys = await self._books.journal.open_keys()
        found: dict[str, Payout] = {}
        failures: list[JournalError] = []

        async def take_up(key: str) -> None:
            try:
                found[key] = await self._take_up(key, deadline, resend=resend)
            except JournalError as failure:
                failures.append(failure)

        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(take_up, key)
        if failures:
            raise failures[0]
        return [found[key] for key in keys]

    async def resolve(
        self, key: str, *, uuid: str | None = None, not_sent: bool = False, note: str = ""
    ) -> Payout:
        """Note down what a person has found out about a payout that is lost or in doubt.

        One that was found by a match, or by a person, can be put right so, too.

        Args:
            key: The payout's key.
            uuid: The withdrawal that it is. Upbit is asked for it.
            not_sent: Instead: Upbit does not have it. It can then be sent with ``resend=True``.
            note: Who has found out, and how; it goes into the history.

        Raises:
            ValueError: Neither or both are given, there is no payout of that key, it is not in doubt, or the
                withdrawal is of another currency, network or amount, or was there before.
            PayoutConflict: The withdrawal is another payout's.
            NotFound: Upbit knows no such withdrawal.
        """
        if (uuid is None) == (not inputs.flag("not_sent", not_sent)):
            raise ValueError("resolve takes a uuid, or not_sent=True")
        note = request.note_of(note)
        payout = await self._settler.expire(request.key_of(key))
        resolving.raise_if_settled(payout)
        if uuid is None:
            return await resolving.resolve_as_not_sent(self._books, payout, note)
        record = await self._client.withdraws.get(uuid)
        return await resolving.resolve_as(self._books, payout, record, note)

    async def abandon(self, key: str, *, note: str = "") -> Payout:
        """Give up a payout that has not left: nothing is ever sent under its key, and it is ``cancelled``.

        A withdrawal that Upbit has is not touched by this; `client.withdraws.cancel` cancels one.

        Args:
            key: The payout's key.
            note: Who has decided so, and why; it goes into the history.

        Raises:
            ValueError: There is no payout of that key, or something of it has left, or may have: a withdrawal that
                may be a ``not_sent`` one has turned up, for example.
            PayoutConflict: It has changed just now.
            UpbitError: Upbit's list, which is read once more for a ``not_sent`` one, could not be read.
        """
        note = request.note_of(note)
        # No turn is waited for: it may be the very call that is to be stopped which has it.
        payout = await self._settler.expire(request.key_of(key))
        if payout.state is PayoutState.NOT_SENT and payout.evidence is not Evidence.PERSON:
            payout = await self._settler.look_again(payout)
        return await resolving.abandon(self._books, payout, note)

    async def aclose(self) -> None:
        """Let go of the journal; the client stays open."""
        await self._books.aclose()

    async def __aenter__(self) -> Self:
        """Open the journal.

        Raises:
            JournalError: It can't be used, or is another host's.
        """
        await self._books.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the journal."""
        with anyio.CancelScope(shield=True):
            await self.aclose()

    # -- sending -----------------------------------------------------------------------------------

    async def _drive(self, key: str, *, resend: bool, retry_refused: bool) -> Payout:
        """Bring a payout as far as sending gets it; one caller at a time."""
        async with self._turns.take(key) as turn:
            if turn.failure is not None:
                raise copy.copy(turn.failure)  # this call has joined the one that failed
            payout = await self._settler.arrival(key)
            if payout.state is PayoutState.REFUSED and retry_refused:
                payout = await self._books.change(
                    key, lambda known: transitions.to_be_tried_again(known, self._books.clock())
                )
            try:
                if payout.state is PayoutState.PLANNED:
                    return await self._send_first(payout)
                if payout.state is PayoutState.NOT_SENT and resend:
                    return await self._sender.send(payout)
            except UpbitError as error:
                known = await self._books.read(key)
                if known.state is PayoutState.NOT_SENT:
                    # A former copy may have left, so this is told and not raised.
                    return attrs.evolve(known, error=error)
                if known.state is payout.state:
                    self._turns.fail(key, error)
                    with contextlib.suppress(JournalError):
                        await self._books.change(key, functools.partial(transitions.held_up, error=error))
                    raise
                return known  # another process got further meanwhile
            return payout

    async def _send_first(self, payout: Payout) -> Payout:
        if self._check:
            await request.check(self._client, payout)
        return await self._sender.send(payout)

    async def _see_out(self, payout: Payout) -> Payout:
        """Wait for the end of what has left. What goes wrong with that is told, and not raised."""
        try:
            if payout.state.is_under_way:
                payout = await self._settler.free(payout.key)
            if payout.state is PayoutState.ACCEPTED:
                payout = await self._settler.follow(payout)
        except UpbitError as error:
            return await self._with_error(payout, error)
        return payout

    async def _with_error(self, payout: Payout, error: UpbitError) -> Payout:
        with contextlib.suppress(JournalError):
            payout = await self._books.read(payout.key)
        return attrs.evolve(payout, error=error)

    # -- finding out -------------------------------------------------------------------------------

    async def _take_up(self, key: str, deadline: float, *, resend: bool) -> Payout:
        payout = await self._settler.expire(key)
        try:
            if payout.state is PayoutState.UNKNOWN:
                payout = await self._settler.settle(key)
            elif payout.state is PayoutState.NOT_SENT and not resend and payout.evidence is Evidence.MATCH:
                payout = await self._settler.look_again(payout)
            elif payout.state is PayoutState.NEEDS_PERSON:
                payout = await self._settler.reconsider(payout)
            if payout.state is PayoutState.NOT_SENT and resend:
                payout = await self._drive(key, resend=True, retry_refused=False)
                if payout.state is PayoutState.UNKNOWN:
                    payout = await self._settler.settle(key)
            if payout.state is PayoutState.ACCEPTED:
                payout = await self._settler.follow(payout, deadline)
        except PollTimeout:
            return await self._books.read(key)
        except JournalError:
            raise
        except UpbitError as error:
            return await self._with_error(payout, error)
        return payout
