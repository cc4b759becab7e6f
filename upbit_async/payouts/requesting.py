"""Methods of `Payouts` that request payments and wait for them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, Literal

import anyio
import attrs

from upbit_async.errors import NotSent
from upbit_async.models import TransactionType
from upbit_async.payouts import arguments, manual, queueing
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.waiting import Wait
from upbit_async.resources import inputs

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from upbit_async.client import UpbitClient
    from upbit_async.payouts.amount_limit import AmountLimit
    from upbit_async.payouts.driver import Driver
    from upbit_async.payouts.following import Follower
    from upbit_async.payouts.journal_time import Now
    from upbit_async.payouts.repository import PayoutRepository
    from upbit_async.payouts.settling import Settler
    from upbit_async.protocol.endpoint import Param

__all__ = ["RequestingMethods"]

_DRIVE_AGAIN: Final = frozenset({PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.SENDING})
"""States in which `send` drives a payout once more.

If `Driver.drive` returns one of these, another process has changed the payout meanwhile: it is sending it, or has tried
to in vain. This call must send it then, or wait for it.
"""


class RequestingMethods:
    """Methods of `Payouts` that request payments and wait for them."""

    _client: UpbitClient
    _repository: PayoutRepository
    _settler: Settler
    _follower: Follower
    _driver: Driver
    _amount_limits: Sequence[AmountLimit]

    async def enqueue(  # noqa: PLR0913 - Upbit's own parameters, and keyword-only
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
        not_after: dt.datetime | None = None,
    ) -> Payout:
        """Accept a payout that `run` sends, here or in another process. Safe to call again with the same key.

        This makes one durable write to the journal, and no request. What Upbit says about the payout is in its state
        and `reason` later: follow it with `wait`, `changes` or `get`.

        Args:
            key: Identifies the payment, such as ``invoice-42``; at most 256 characters.
            currency: The currency's code.
            net_type: The network's identifier.
            amount: The amount, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            secondary_address: Its tag or memo; where there is one it must be given.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
            not_after: Time, with a time zone, after which the payout is abandoned if nothing was sent; None, the
                default, for no limit. A payout that is queued already keeps its own.

        Returns:
            The payout of that key: ``queued`` if it is new, else as it is in the journal.

        Raises:
            PayoutConflict: The key identifies another payment.
            AmountLimitExceeded: The amount exceeds the limit per payout.
            JournalError: The journal can't be used.
            ConfigurationError: There is no key to authenticate the row with.
            TypeError: An argument is of the wrong type.
            ValueError: An argument has a wrong value, such as an amount that is not positive.

        Example:
            .. code-block:: python

                payout = await payouts.enqueue(
                    "invoice-42",
                    currency="USDT",
                    net_type="TRX",
                    amount="13",
                    address="TFakeTronWithdrawAddressFakeFakeFa",
                )
                assert payout.state is PayoutState.QUEUED
        """
        requested = self._requested(
            key,
            inputs.withdrawal(
                currency=currency,
                net_type=net_type,
                amount=amount,
                address=address,
                secondary_address=secondary_address,
                transaction_type=transaction_type,
                extra=extra,
            ),
        )
        if not_after is not None:
            arguments.check_time("not_after", not_after)
        new = queueing.enqueued(requested.key, requested.intent, requested.mac, not_after)
        payout = await self._repository.add(new)
        payout = await self._authorised(payout, requested)
        if payout.state in {PayoutState.PLANNED, PayoutState.SENDING}:
            promoted = functools.partial(queueing.promoted, not_after=not_after)
            payout = await self._repository.change(key, promoted)
        return payout

    def _requested(self, key: str, members: Mapping[str, Param]) -> Payout:
        """Return the payout that a call requests; the journal may not have it yet.

        Raises:
            AmountLimitExceeded: The amount exceeds the limit per payout.
        """
        key = arguments.checked_key(key)
        intent = arguments.intent_for(members, host=self._client.host, now=self._repository.clock())
        mac = self._repository.authenticator.payment_mac(key, intent.members)
        requested = attrs.evolve(queueing.planned(key, intent, mac), revision=-1)
        for limit in self._amount_limits:
            limit.check_amount(requested)
        return requested

    async def _authorised(self, payout: Payout, requested: Payout) -> Payout:
        """Check that a payout is the one that is requested, and authorise it again if the journal key was replaced."""
        arguments.raise_if_other(payout, requested.intent)
        if not payout.state.may_be_sent or self._repository.authenticator.verifies(payout):
            return payout

        def authorise(newest: Payout, _now: Now) -> Payout | None:
            arguments.raise_if_other(newest, requested.intent)
            return manual.authorised(newest, requested.mac)

        return await self._repository.change(payout.key, authorise)

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
        until: Literal["final", "accepted"] = "final",
        timeout: float | None = None,  # noqa: ASYNC109 - a request that has begun is finished
    ) -> Payout:
        """Send a payout and wait for its outcome. Safe to call again with the same key.

        Of concurrent calls with the same key, also in several processes, only one sends at a time. `send` raises an
        `UpbitError` only if nothing is sent under this key until it is called again. In every other case it returns
        the payout as it is; check `payout.state`. A cancelled call may have sent it. Call again with the same key.

        Args:
            key: Identifies the payment, such as ``invoice-42``; at most 256 characters.
            currency: The currency's code.
            net_type: The network's identifier.
            amount: The amount, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            secondary_address: Its tag or memo; where there is one it must be given.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.
            until: ``final``, the default, to wait until the payout has ended, was declined, was not sent or needs
                review. ``accepted`` to return as soon as Upbit has answered or its answer is lost. A payout with the
                same amount, currency and network that is not settled is waited for in any case. That may take its
                lease and the settling time, about two minutes by default; more than 16 minutes if its connection
                could not be bounded.
            timeout: Timeout for the call, in seconds; None, the default, for no limit. A request that has begun is
                finished.

        Returns:
            The payout as it is when the wait or the timeout is over. A ``queued`` one continues in `run`. `error` says
            why it could not be sent or followed.

        Raises:
            PayoutConflict: The key identifies another payment.
            PayoutBlocked: A payout of the same amount, currency and network needs review first, or Upbit shows a
                withdrawal that belongs to no payout and could be this one.
            PreflightFailed: With ``check``: a check failed.
            AmountLimitExceeded: The payout would exceed a limit.
            PayoutsPaused: Payouts are paused.
            JournalError: The journal can't be used, or the payout's row is not trusted.
            ConfigurationError: There are no keys to sign with, or a further copy can't be signed as the first was.
            NotSent: The timeout is over, and nothing was sent; or the network is down.
            UpbitError: Upbit throttled or banned the request without processing it. With `may_have_executed`, a
                cancellation that did not come from the caller interrupted it.
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
        until_final = inputs.choice("until", until, ("final", "accepted")) == "final"
        deadline = anyio.current_time() + inputs.timeout("timeout", timeout)
        requested = self._requested(
            key,
            inputs.withdrawal(
                currency=currency,
                net_type=net_type,
                amount=amount,
                address=address,
                secondary_address=secondary_address,
                transaction_type=transaction_type,
                extra=extra,
            ),
        )
        known = await self._repository.find(requested.key)
        if known is not None:
            await self._authorised(known, requested)
        while True:
            payout: Payout | None = None
            with anyio.CancelScope(deadline=deadline):
                payout = await self._driver.drive(requested.key, requested)
            if payout is None:
                return await self._unfinished(requested)
            if until_final:
                payout = await self._driver.finish(payout, deadline)
            waits_to_be_sent = payout.state is PayoutState.QUEUED and payout.error is not None
            is_over = anyio.current_time() >= deadline
            if waits_to_be_sent or is_over or payout.state not in _DRIVE_AGAIN:
                return payout

    async def _unfinished(self, requested: Payout) -> Payout:
        """Return a payout as it is when the timeout of `send` is over.

        Raises:
            NotSent: Nothing is sent under its key until `send` or `enqueue` is called again.
        """
        payout = await self._repository.find(requested.key)
        if payout is not None and payout.state is not PayoutState.PLANNED:
            (shown,) = await self._repository.shown([payout])
            return shown
        raise NotSent(
            f"{requested} was not sent before the timeout, and nothing is sent under this key by itself: call send or "
            f"enqueue again with the key {requested.key!r}"
        )

    async def wait(
        self,
        key: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - at the deadline it still settles what is due
    ) -> Payout:
        """Wait until a payout has ended, was declined, was not sent or needs review, and return it. This sends nothing.

        An ``unknown`` payout is settled. A ``queued`` one waits until `run` or `send` sends it.

        Args:
            key: The payout's key.
            timeout: Timeout for the whole call, in seconds; None, the default, for no limit.

        Returns:
            The payout, as it is when the wait or the timeout is over.

        Raises:
            ValueError: There is no payout of that key.
            UpbitError: It can't be followed any more, for example because Upbit refuses the access key. The payout
                continues.

        Example:
            .. code-block:: python

                invoice = {"currency": "USDT", "net_type": "TRX", "amount": "13"}
                address = "TFakeTronWithdrawAddressFakeFakeFa"
                async with Payouts(client, journal).running() as running:
                    await running.enqueue("invoice-42", **invoice, address=address)
                    payout = await running.wait("invoice-42", timeout=3600)
                payout.raise_for_state()
        """
        wait = Wait(
            arguments.checked_key(key),
            inputs.timeout("timeout", timeout),
            repository=self._repository,
            settler=self._settler,
            follower=self._follower,
            last_settling=self._client.transport.timeouts.total,
        )
        (payout,) = await self._repository.shown([await wait.end()])
        return payout
