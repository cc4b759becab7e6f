"""`client.deposits`: deposits, and the addresses that they go to."""

from __future__ import annotations

from contextlib import aclosing
from operator import attrgetter
from typing import TYPE_CHECKING

import anyio

from upbit_async.errors import PollTimeout, RateLimited, ServerError, TransportError
from upbit_async.events import PollFailed
from upbit_async.models import Deposit, DepositAddress, DepositState
from upbit_async.polling import DepositPoller, Watcher, read_token, wait_after
from upbit_async.protocol.endpoint import PAGE_SIZE
from upbit_async.protocol.endpoints import (
    CREATE_DEPOSIT_ADDRESS,
    GET_DEPOSIT,
    GET_DEPOSIT_ADDRESS,
    GET_DEPOSIT_CHANCE,
    LIST_DEPOSIT_ADDRESSES,
    LIST_DEPOSITS,
)
from upbit_async.resources import inputs
from upbit_async.resources.paging import walk
from upbit_async.resources.records import TransferRecords

if TYPE_CHECKING:
    import builtins
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from upbit_async.errors import UpbitError
    from upbit_async.models import DepositChance
    from upbit_async.policy import PollSchedule
    from upbit_async.polling import IdName
    from upbit_async.protocol.endpoint import Param, Transport
    from upbit_async.protocol.rows import ReadableRows

__all__ = ["Deposits"]

_MOST_MEANT = 10_000


class Deposits(TransferRecords[Deposit]):
    """Deposits, and the addresses that they go to.

    See https://global-docs.upbit.com/reference/list-deposits. Every method may raise any `UpbitError`; its
    docstring names those that are its own.
    """

    def __init__(self, transport: Transport, schedule: PollSchedule) -> None:
        super().__init__(transport, listing=LIST_DEPOSITS, single=GET_DEPOSIT, states=DepositState)
        self._schedule = schedule
        self._watchers = {
            "uuid": self._watcher(self._poll, "uuid"),
            "txid": self._watcher(self._find, "txid"),
        }
        self._meant: dict[str, str] = {}  # which deposit stands for a transaction that made several

    async def chance(self, currency: str, net_type: str) -> DepositChance:
        """Return whether deposits are possible, from which amount on, and after how many blocks.

        It may lag behind by minutes. A deposit below the minimum is never credited and can't be returned.
        See https://global-docs.upbit.com/reference/available-deposit-information.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.

        Raises:
            ValidationError: Upbit does not know the currency or the network.
        """
        return await self._transport.call(GET_DEPOSIT_CHANCE, inputs.currency_and_network(currency, net_type))

    # Addresses

    async def addresses(self) -> builtins.list[DepositAddress]:
        """Return the addresses that were generated already.

        See https://global-docs.upbit.com/reference/list-deposit-addresses.
        """
        return await self._transport.call(LIST_DEPOSIT_ADDRESSES)

    async def address(self, currency: str, net_type: str) -> DepositAddress:
        """Return the address for a currency on a network; `create_address` generates it.

        See https://global-docs.upbit.com/reference/get-deposit-address.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.

        Returns:
            The address; its `deposit_address` is None as long as it is being generated.

        Raises:
            NotFound: None was ever asked for.
            DecodeError: Upbit answered with the address of something else.
        """
        return await self._transport.call(
            GET_DEPOSIT_ADDRESS, inputs.currency_and_network(currency, net_type)
        )

    async def create_address(
        self,
        currency: str,
        net_type: str,
        *,
        wait: bool = True,
        timeout: float | None = 60,  # noqa: ASYNC109 - it ends with one last look
    ) -> DepositAddress:
        """Have the address for a currency on a network generated.

        There is one for each, for ever: asking again is safe and brings the same one.
        See https://global-docs.upbit.com/reference/create-deposit-address.

        Args:
            currency: The currency's code.
            net_type: The network's identifier.
            wait: Ask again until the address is there. Without it the `deposit_address` of what is returned
                is None as long as it is being generated.
            timeout: How long to wait, in seconds; None is for ever.

        Returns:
            The address.

        Raises:
            PollTimeout: The time is over, and the address is not there yet.
            DecodeError: Upbit answered with the address of something else, or that it makes none.
            APIError: Upbit refused. What may pass, such as a broken connection, is an event for the observer
                and does not end the wait.
        """
        place = inputs.currency_and_network(currency, net_type)
        patience = inputs.timeout("timeout", timeout)
        inputs.flag("wait", wait)
        began = anyio.current_time()
        while True:
            address, failure = await self._ask_for_address(place, patient=wait)
            waited = anyio.current_time() - began
            if address.deposit_address is not None or not wait:
                return address
            if waited >= patience:
                raise PollTimeout(
                    f"the address for {currency} on {net_type} is not there after {waited:.0f} s; "
                    "it is still being generated: ask again later"
                ) from failure
            await anyio.sleep(min(wait_after(self._schedule, waited), patience - waited))

    async def _ask_for_address(
        self, place: dict[str, str], *, patient: bool
    ) -> tuple[DepositAddress, UpbitError | None]:
        """Return the address as far as it is known, and why nothing was learned if that may pass."""
        try:
            told = await self._transport.call(CREATE_DEPOSIT_ADDRESS, place)
        except (TransportError, RateLimited, ServerError) as failure:
            if not patient:
                raise
            self._transport.emit(PollFailed(host=self._transport.host, uuids=(), error=failure))
            return DepositAddress(**place), failure
        if told.currency is None:
            return DepositAddress(**place), None
        address = DepositAddress(
            currency=told.currency,
            net_type=told.net_type,
            deposit_address=told.deposit_address,
            secondary_address=told.secondary_address,
        )
        return address, None

    # Waiting

    def poller(self, uuid: str | None = None, *, txid: str | None = None) -> DepositPoller:
        """Return what waits for a deposit; this asks nothing yet.

        A deposit that Upbit does not show within the poll schedule's `grace` ends the wait with `NotFound`.
        To wait for a transaction that is still on its way, give it more time:
        ``client.with_options(poll=PollSchedule(grace=3600))``.

        Args:
            uuid: The deposit's id.
            txid: The transaction's id, instead. If it made several deposits, the oldest one is meant;
                ``list(txids=[txid])`` tells all.

        Raises:
            ValueError: Neither or both were given, or the one that was is empty.
        """
        if (uuid is None) == (txid is None):
            raise ValueError("poller takes a uuid or a txid")
        if txid is None:
            return self._poller("uuid", inputs.text("uuid", uuid))
        return self._poller("txid", inputs.text("txid", txid))

    async def wait(
        self,
        uuid: str | None = None,
        *,
        txid: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with one last look
    ) -> Deposit:
        """Wait until a deposit has ended, however it did, and return it.

        Args:
            uuid: The deposit's id.
            txid: The transaction's id, instead.
            timeout: How long to wait at most, in seconds; None is for ever.

        Raises:
            PollTimeout: The time is over; the deposit goes on.
        """
        return await self.poller(uuid, txid=txid).wait(timeout=timeout)

    def resume(self, resume_token: str) -> DepositPoller:
        """Return what goes on waiting for a deposit, perhaps in another process.

        Args:
            resume_token: From a poller or from an error that ended a wait.

        Raises:
            ValueError: It is no such token, or is for another region, host or kind of transfer.
        """
        transport = self._transport
        point = read_token(resume_token, kind="deposit", region=transport.region, host=transport.host)
        return self._poller(point.by, point.id)

    def _poller(self, by: IdName, id_: str) -> DepositPoller:
        transport, watcher = self._transport, self._watchers[by]
        return DepositPoller(id_, by=by, watcher=watcher, region=transport.region, host=transport.host)

    def _watcher(
        self,
        look: Callable[[Sequence[str]], Awaitable[Sequence[Deposit] | ReadableRows[Deposit]]],
        by: IdName,
    ) -> Watcher[Deposit]:
        host, emit = self._transport.host, self._transport.emit
        return Watcher(look, self._schedule, kind="deposit", host=host, emit=emit, id_of=attrgetter(by))

    async def _find(self, txids: Sequence[str]) -> Sequence[Deposit]:
        """Return one deposit of each transaction: the oldest, or that which was found before."""
        missing = {txid.casefold() for txid in txids}
        found: builtins.list[Deposit] = []
        async with aclosing(self._of_transactions(txids)) as deposits:
            async for deposit in deposits:
                txid = (deposit.txid or "").casefold()
                if txid in missing and self._meant.get(txid, deposit.uuid) == deposit.uuid:
                    missing.remove(txid)
                    found.append(deposit)
                    self._mean(txid, deposit.uuid)
                if not missing:
                    break
        return found

    def _of_transactions(self, txids: Sequence[str]) -> AsyncGenerator[Deposit, None]:
        is_last = False

        async def fetch(paging: dict[str, Param]) -> builtins.list[Deposit]:
            nonlocal is_last
            page = [] if is_last else await self._transport.call(LIST_DEPOSITS, {"txids": txids, **paging})
            is_last = len(page) < PAGE_SIZE
            return page

        return walk(fetch, order="asc", most=None, asked=LIST_DEPOSITS.label)

    def _mean(self, txid: str, uuid: str) -> None:
        self._meant[txid] = uuid
        if len(self._meant) > _MOST_MEANT:
            del self._meant[next(iter(self._meant))]
