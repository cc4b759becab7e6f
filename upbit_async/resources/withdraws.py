"""`client.withdraws`: money that leaves."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from upbit_async.checks import Preflight, PreflightRequest, Reconciliation
from upbit_async.errors import APIError, DecodeError, OutcomeUnknown, UpbitError
from upbit_async.models import (
    TransactionType,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalChance,
    WithdrawalState,
)
from upbit_async.policy import PollSchedule, Safety
from upbit_async.polling import Watcher, WithdrawalPoller, read_token
from upbit_async.protocol.endpoints import (
    CANCEL_WITHDRAWAL,
    CREATE_WITHDRAWAL,
    GET_WITHDRAWAL,
    GET_WITHDRAWAL_CHANCE,
    LIST_WITHDRAWAL_ADDRESSES,
    LIST_WITHDRAWALS,
)
from upbit_async.protocol.message import compose
from upbit_async.resources import inputs, procedure
from upbit_async.resources.paging import Order, walk

if TYPE_CHECKING:
    import builtins
    from collections.abc import AsyncGenerator, Collection, Mapping, Sequence

    from upbit_async.protocol.endpoint import Caller, Endpoint, Param

__all__ = ["Withdraws"]

_MOST = 100
_ORDERS = ("asc", "desc")
_MEMBERS = ("currency", "net_type", "amount", "address", "secondary_address", "transaction_type")
_Amount = Decimal | int | str


class Withdraws:
    """Withdrawals of digital assets.

    `send` is the whole procedure of https://global-docs.upbit.com/docs/digital-asset-withdrawal; the others
    are its parts. Every method may raise any `UpbitError`; its docstring names those that are its own.
    """

    def __init__(self, caller: Caller, schedule: PollSchedule) -> None:
        self._caller = caller
        self._watcher: Watcher[Withdrawal] = Watcher(
            self._look, schedule, kind="withdrawal", host=caller.host, emit=caller.emit
        )

    # Reading

    async def list(  # noqa: PLR0913 - Upbit's own parameters, and keyword-only
        self,
        *,
        currency: str | None = None,
        state: WithdrawalState | str | None = None,
        uuids: Sequence[str] | None = None,
        txids: Sequence[str] | None = None,
        limit: int = _MOST,
        page: int | None = None,
        order_by: Order = "desc",
        from_: str | None = None,
        to: str | None = None,
    ) -> builtins.list[Withdrawal]:
        """Return one page of withdrawals. `iter` walks through all of them.

        See https://global-docs.upbit.com/reference/list-withdrawals.

        Args:
            currency: Only this currency.
            state: Only this state.
            uuids: Only these ids, at most 100. None of them is not all of them: an empty list returns none.
            txids: Only these transactions, at most 100; not together with `uuids`.
            limit: How many at most, up to 100.
            page: Which page, from 1.
            order_by: ``desc`` for the newest first, or ``asc``.
            from_: Only withdrawals made after the one with this uuid.
            to: Only withdrawals made before the one with this uuid.

        Raises:
            ValueError: A parameter is out of its range, or two of them exclude each other.
        """
        wanted = inputs.id_list("uuids", uuids)
        transactions = inputs.id_list("txids", txids)
        if wanted is not None and transactions is not None:
            raise ValueError("uuids and txids exclude each other")
        most = inputs.count("limit", limit, most=_MOST)
        asked: dict[str, Param] = {
            "currency": inputs.optional_text("currency", currency),
            "state": None if state is None else WithdrawalState(inputs.text("state", state)),
            "uuids": wanted,
            "txids": transactions,
            "limit": most,
            "page": None if page is None else inputs.count("page", page),
            "order_by": inputs.choice("order_by", order_by, _ORDERS),
            "from": inputs.optional_text("from_", from_),
            "to": inputs.optional_text("to", to),
        }
        if wanted == [] or transactions == []:
            return []  # without ids Upbit would answer with everybody's
        rows = await self._caller.call(LIST_WITHDRAWALS, asked)
        return rows[:most]

    def iter(
        self,
        *,
        currency: str | None = None,
        state: WithdrawalState | str | None = None,
        order_by: Order = "desc",
        max_items: int | None = None,
    ) -> AsyncGenerator[Withdrawal, None]:
        """Walk through the whole history, each withdrawal once, with as many requests as it takes.

        Args:
            currency: Only this currency.
            state: Only this state.
            order_by: ``desc`` for the newest first, or ``asc``.
            max_items: How many at most; None is all.

        Returns:
            What is iterated over with ``async for``.

        Raises:
            DecodeError: Upbit's cursor stands still, so the rest can't be had.
        """
        chosen: dict[str, Param] = {
            "currency": inputs.optional_text("currency", currency),
            "state": None if state is None else WithdrawalState(inputs.text("state", state)),
        }
        inputs.choice("order_by", order_by, _ORDERS)
        most = None if max_items is None else inputs.count("max_items", max_items)

        async def fetch(paging: dict[str, Param]) -> builtins.list[Withdrawal]:
            return await self._caller.call(LIST_WITHDRAWALS, chosen | paging)

        return walk(fetch, order=order_by, most=most, asked=LIST_WITHDRAWALS.label)

    async def get(self, uuid: str | None = None, *, txid: str | None = None) -> Withdrawal:
        """Return one withdrawal.

        Without an id Upbit would answer with the latest withdrawal, whichever that is: so an id is required,
        and the answer must carry it. See https://global-docs.upbit.com/reference/get-withdrawal.

        Args:
            uuid: The withdrawal's id.
            txid: The transaction's id, instead.

        Raises:
            ValueError: Neither or both were given, or the one that was is empty.
            NotFound: There is none.
            DecodeError: Upbit answered with another withdrawal.
        """
        if (uuid is None) == (txid is None):
            raise ValueError("get takes a uuid or a txid; `latest` returns the newest withdrawal")
        name, wanted = ("uuid", uuid) if txid is None else ("txid", txid)
        wanted = inputs.text(name, wanted)
        record = await self._caller.call(GET_WITHDRAWAL, {name: wanted})
        return _same(GET_WITHDRAWAL, name, wanted, record)

    async def latest(self, currency: str | None = None) -> Withdrawal:
        """Return the newest withdrawal.

        Args:
            currency: The newest of this currency.

        Raises:
            NotFound: There is none.
            DecodeError: Upbit answered with a withdrawal of another currency.
        """
        wanted = inputs.optional_text("currency", currency)
        record = await self._caller.call(GET_WITHDRAWAL, {"currency": wanted})
        return record if wanted is None else _same(GET_WITHDRAWAL, "currency", wanted, record)

    async def chance(self, currency: str, net_type: str) -> WithdrawalChance:
        """Return whether and how much can be withdrawn.

        Its `currency.wallet_state` does not tell whether the wallet works now (`currency.wallet_support`
        does), and its `withdraw_limit.remaining_daily` is no cap.
        See https://global-docs.upbit.com/reference/available-withdrawal-information.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.

        Raises:
            ValidationError: Upbit does not know the currency or the network.
        """
        return await self._caller.call(
            GET_WITHDRAWAL_CHANCE,
            {"currency": inputs.text("currency", currency), "net_type": inputs.text("net_type", net_type)},
        )

    async def addresses(
        self,
        currency: str | None = None,
        net_type: str | None = None,
        exchange_name: str | None = None,
    ) -> builtins.list[WithdrawalAddress]:
        """Return the registered addresses; withdrawals go nowhere else.

        Upbit always tells all of them; the choice is made here.
        See https://global-docs.upbit.com/reference/list-withdrawal-addresses.

        Args:
            currency: Only this currency.
            net_type: Only this network.
            exchange_name: Only addresses at this exchange, in any case; told in Singapore and Korea only.
        """
        currency = inputs.optional_text("currency", currency)
        net_type = inputs.optional_text("net_type", net_type)
        exchange = inputs.optional_text("exchange_name", exchange_name)
        return [
            address
            for address in await self._caller.call(LIST_WITHDRAWAL_ADDRESSES)
            if currency in {None, address.currency}
            and net_type in {None, address.net_type}
            and (exchange is None or (address.exchange_name or "").casefold() == exchange.casefold())
        ]

    # Moving money

    async def create(
        self,
        *,
        currency: str,
        net_type: str,
        amount: _Amount,
        address: str,
        secondary_address: str | None = None,
        transaction_type: TransactionType | str = TransactionType.DEFAULT,
        extra: Mapping[str, Param] | None = None,
    ) -> Withdrawal:
        """Ask Upbit for a withdrawal, and check nothing before. `send` checks.

        Upbit knows no key against repetition, so this is sent at most once, unless it provably never left or
        was refused. If the caller is cancelled while it is under way, it is finished first.
        See https://global-docs.upbit.com/reference/withdraw.

        Args:
            currency: The currency's code.
            net_type: The network's identifier, from `addresses`.
            amount: How much, as decimal text, a whole number or a Decimal; whether the fee is inside is
                undocumented.
            address: The destination, which must be registered.
            secondary_address: Its tag or memo; where there is one it must be given.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.

        Returns:
            The withdrawal as Upbit has accepted it, which is not yet paid.

        Raises:
            OutcomeUnknown: The answer was lost. Do not try again: `reconcile` finds out.
            NotSent: It provably never left.
            APIError: Upbit refused it.
        """
        known: dict[str, Param] = {
            "currency": inputs.text("currency", currency),
            "net_type": inputs.text("net_type", net_type),
            "amount": inputs.amount_text(amount),
            "address": inputs.text("address", address),
            "secondary_address": inputs.optional_text("secondary_address", secondary_address),
            "transaction_type": inputs.transaction_type(transaction_type),
        }
        return await self._caller.call(CREATE_WITHDRAWAL, inputs.added(known, extra))

    async def cancel(self, uuid: str) -> Withdrawal:
        """Cancel a withdrawal that is still cancelable.

        See https://global-docs.upbit.com/reference/cancel-withdrawal.

        Args:
            uuid: The withdrawal's id.

        Returns:
            The withdrawal. Its `state` tells whether it was cancelled, and `wait` whether it stays so.

        Raises:
            APIError: Upbit refused; it may be too late.
        """
        wanted = inputs.text("uuid", uuid)
        try:
            record = await self._caller.call(CANCEL_WITHDRAWAL, {"uuid": wanted})
        except APIError as refusal:
            if not refusal.may_have_executed:
                raise
            # It was repeated, so the refusal may only mean that an earlier copy has done it.
            try:
                record = await self.get(wanted)
            except UpbitError as blindness:
                raise refusal from blindness
            if record.state != WithdrawalState.CANCELLED:
                raise refusal from None
        return _same(CANCEL_WITHDRAWAL, "uuid", wanted, record)

    async def check(
        self,
        *,
        currency: str,
        net_type: str,
        amount: _Amount,
        address: str | None = None,
        exchange_name: str | None = None,
        transaction_type: TransactionType | str = TransactionType.DEFAULT,
        round_down: bool = False,
    ) -> Preflight:
        """Do all the checks that `send` does, and send no money.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.
            amount: How much, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            exchange_name: Instead: the exchange whose address is registered (Singapore and Korea). Without
                either it is the only address that is registered for the currency and network.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            round_down: Cut off decimals that the currency does not have, rather than refuse them.

        Returns:
            What was found, with the amount and destination that would be used, and warnings.

        Raises:
            PreflightFailed: Something stands in the way; `reasons` holds all of it.
        """
        request = PreflightRequest(
            currency=inputs.text("currency", currency),
            net_type=inputs.text("net_type", net_type),
            amount=inputs.amount(amount),
            address=inputs.optional_text("address", address),
            exchange_name=inputs.optional_text("exchange_name", exchange_name),
            transaction_type=inputs.transaction_type(transaction_type),
            round_down=inputs.flag("round_down", round_down),
        )
        return await procedure.preflight(self._caller, request)

    async def send(
        self,
        *,
        currency: str,
        net_type: str,
        amount: _Amount,
        address: str | None = None,
        exchange_name: str | None = None,
        transaction_type: TransactionType | str = TransactionType.DEFAULT,
        round_down: bool = False,
        extra: Mapping[str, Param] | None = None,
    ) -> WithdrawalPoller:
        """Withdraw to a registered address.

        Find it, check wallet and limits, withdraw, and return what waits: the whole of
        https://global-docs.upbit.com/docs/digital-asset-withdrawal. The address's memo is taken along.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.
            amount: How much, as decimal text, a whole number or a Decimal.
            address: The destination, which must be registered.
            exchange_name: Instead: the exchange whose address is registered (Singapore and Korea). Without
                either it is the only address that is registered for the currency and network.
            transaction_type: ``default`` over the chain, or ``internal`` between Upbit's own accounts.
            round_down: Cut off decimals that the currency does not have, rather than refuse them.
            extra: Further members of the request, such as Indonesia's ``beneficiary_name``; they are signed.

        Returns:
            A poller that has seen the withdrawal as it was accepted.

        Raises:
            PreflightFailed: Something stands in the way; `reasons` holds all of it. Nothing was sent.
            OutcomeUnknown: The answer was lost. Do not try again: `reconcile` finds out.
            APIError: Upbit refused it.
        """
        # What can't be sent is refused now, rather than when all has been read.
        compose(
            CREATE_WITHDRAWAL.method, CREATE_WITHDRAWAL.path, inputs.added(dict.fromkeys(_MEMBERS), extra)
        )
        checked = await self.check(
            currency=currency,
            net_type=net_type,
            amount=amount,
            address=address,
            exchange_name=exchange_name,
            transaction_type=transaction_type,
            round_down=round_down,
        )
        if checked.address is None:  # pragma: no cover - a preflight that did not fail has one
            raise ValueError("no destination")
        record = await self.create(
            currency=currency,
            net_type=net_type,
            amount=checked.amount if round_down else amount,
            address=checked.address.withdraw_address,
            secondary_address=checked.secondary_address,
            transaction_type=transaction_type,
            extra=extra,
        )
        return self._poller(record.uuid, record)

    async def reconcile(
        self,
        unknown: OutcomeUnknown,
        *,
        known_uuids: Collection[str] = (),
        timeout: float = 60,  # noqa: ASYNC109 - it ends with one last look
    ) -> Reconciliation:
        """Find out what became of a withdrawal whose answer was lost, by looking for it in the list.

        Upbit shows neither a reference of ours nor the destination, so a withdrawal is told by its currency,
        network, amount, way and time. Withdrawals that this client has made and got an answer for are known
        to be others; name those that you know of besides (another process's, say).

        Args:
            unknown: The error that `create` or `send` raised.
            known_uuids: Withdrawals that are known to be others.
            timeout: How long to look before saying ``not_found``, in seconds: Upbit's list may lag behind.

        Raises:
            ValueError: The error is not a withdrawal's, or is another host's.
            UpbitError: The list could not be read in time, or never will be (a refused key, a ban), so
                nothing can be said.
        """
        if not isinstance(unknown, OutcomeUnknown):
            raise TypeError(f"reconcile takes an OutcomeUnknown, not {type(unknown).__name__}")
        about = unknown.intent
        if about.endpoint != CREATE_WITHDRAWAL.label or about.currency is None or about.amount is None:
            raise ValueError(f"{about.endpoint} is no withdrawal: there is nothing to reconcile")
        if about.host != self._caller.host:
            raise ValueError(
                f"that withdrawal was sent to {about.host}, and this client talks to {self._caller.host}"
            )
        known = inputs.id_set("known_uuids", known_uuids)
        return await procedure.reconcile(
            about,
            lambda currency: self.iter(currency=currency),
            others=lambda: {*known, *self._caller.claimed},
            timeout=inputs.seconds("timeout", timeout),
        )

    # Waiting

    def poller(self, uuid: str) -> WithdrawalPoller:
        """Return what waits for a withdrawal; this asks nothing yet.

        Args:
            uuid: The withdrawal's id.
        """
        return self._poller(inputs.text("uuid", uuid), None)

    async def wait(
        self,
        uuid: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with one last look
    ) -> Withdrawal:
        """Wait until a withdrawal has ended, however it did, and return it.

        Args:
            uuid: The withdrawal's id.
            timeout: How long to wait at most, in seconds; None is for ever.

        Raises:
            PollTimeout: The time is over; the withdrawal goes on.
        """
        return await self.poller(uuid).wait(timeout=timeout)

    def resume(self, resume_token: str) -> WithdrawalPoller:
        """Return what goes on waiting for a withdrawal, perhaps in another process.

        Args:
            resume_token: From a poller or from an error that ended a wait.

        Raises:
            ValueError: It is no such token, or is for another region, host or kind of transfer.
        """
        caller = self._caller
        point = read_token(resume_token, kind="withdrawal", region=caller.region, host=caller.host)
        return self._poller(point.uuid, None)

    def _poller(self, uuid: str, last: Withdrawal | None) -> WithdrawalPoller:
        caller = self._caller
        return WithdrawalPoller(
            uuid, watcher=self._watcher, region=caller.region, host=caller.host, last=last
        )

    async def _look(self, uuids: Sequence[str]) -> Sequence[Withdrawal]:
        return await self.list(uuids=uuids)


def _same(endpoint: Endpoint[Withdrawal], name: str, wanted: str, record: Withdrawal) -> Withdrawal:
    """Return the record if it carries the id that was asked for."""
    told: str | None = getattr(record, name)
    if told is None or told.casefold() != wanted.casefold():
        raise DecodeError(
            f"{endpoint.label}: asked for {name} {wanted}, Upbit answered with {name} {told}",
            path=f"$.{name}",
            may_have_executed=endpoint.safety is not Safety.READ,
        )
    return record
