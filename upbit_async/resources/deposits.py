"""`client.deposits`: deposits and deposit addresses."""

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

_MOST_CHOSEN = 10_000


class Deposits(TransferRecords[Deposit]):
    """Deposits and deposit addresses.

    See https://global-docs.upbit.com/reference/list-deposits. Every method may raise any `UpbitError`. A docstring
    names the errors that are specific to its method.
    """

    def __init__(self, transport: Transport, schedule: PollSchedule) -> None:
        super().__init__(transport, listing=LIST_DEPOSITS, single=GET_DEPOSIT, states=DepositState)
        self._schedule = schedule
        self._watchers = {
            "uuid": self._watcher(self._fetch_by_uuid, "uuid"),
            "txid": self._watcher(self._find, "txid"),
        }
        self._chosen: dict[str, str] = {}  # the deposit of each transaction, if it made several

    async def chance(self, currency: str, net_type: str) -> DepositChance:
        """Return whether a currency can be deposited, the minimum amount, and the confirmations required.

        The answer may be minutes old. A deposit below the minimum is never credited and can't be returned.
        See https://global-docs.upbit.com/reference/available-deposit-information.

        Args:
            currency: Currency code.
            net_type: Network identifier.

        Raises:
            ValidationError: Upbit does not know the currency or the network.

        Example:
            .. code-block:: python

                chance = await client.deposits.chance("USDT", "TRX")
                print(chance.is_deposit_possible, chance.minimum_deposit_amount)
        """
        return await self._transport.call(GET_DEPOSIT_CHANCE, inputs.currency_and_network(currency, net_type))

    # Addresses

    async def addresses(self) -> builtins.list[DepositAddress]:
        """Return all deposit addresses that exist.

        See https://global-docs.upbit.com/reference/list-deposit-addresses.

        Example:
            .. code-block:: python

                for address in await client.deposits.addresses():
                    print(address.currency, address.net_type, address.deposit_address)
        """
        return await self._transport.call(LIST_DEPOSIT_ADDRESSES)

    async def address(self, currency: str, net_type: str) -> DepositAddress:
        """Return the deposit address of a currency on a network; `create_address` creates it.

        See https://global-docs.upbit.com/reference/get-deposit-address.

        Args:
            currency: Currency code.
            net_type: Network identifier.

        Returns:
            The address. Its `deposit_address` is None while Upbit generates it.

        Raises:
            NotFound: The address was never requested.
            DecodeError: Upbit answered with the address of another currency or network.

        Example:
            .. code-block:: python

                await client.deposits.create_address("BTC", "BTC")
                address = await client.deposits.address("BTC", "BTC")
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
        timeout: float | None = 60,  # noqa: ASYNC109 - it ends with one last poll
    ) -> DepositAddress:
        """Request the deposit address of a currency on a network, and wait until it exists.

        There is one address for each currency and network, and it never changes. Requesting it again is safe and
        returns the same one. See https://global-docs.upbit.com/reference/create-deposit-address.

        Args:
            currency: Currency code.
            net_type: Network identifier.
            wait: Whether to poll until the address exists. Otherwise the `deposit_address` of the result is None while
                Upbit generates it.
            timeout: Timeout for the wait, in seconds; None means no limit. The default is 60.

        Returns:
            The address.

        Raises:
            PollTimeout: The address did not exist when the time was over.
            DecodeError: Upbit answered about another currency or network, or that it creates no address.
            APIError: Upbit refused the request. Transient failures, such as a broken connection, are reported to the
                observer and do not end the wait.

        Example:
            .. code-block:: python

                address = await client.deposits.create_address("USDT", "TRX")
                print(address.deposit_address, address.secondary_address)
        """
        members = inputs.currency_and_network(currency, net_type)
        longest = inputs.timeout("timeout", timeout)
        inputs.flag("wait", wait)
        began = anyio.current_time()
        while True:
            address, failure = await self._request_address(members, tolerant=wait)
            waited = anyio.current_time() - began
            if address.deposit_address is not None or not wait:
                return address
            if waited >= longest:
                raise PollTimeout(
                    f"the deposit address for {currency} on {net_type} does not exist after {waited:.0f} s; "
                    "Upbit is still generating it: call create_address again later"
                ) from failure
            await anyio.sleep(min(wait_after(self._schedule, waited), longest - waited))

    async def _request_address(
        self, members: dict[str, str], *, tolerant: bool
    ) -> tuple[DepositAddress, UpbitError | None]:
        """Return the address as far as it is known, and the transient failure that prevented an answer."""
        try:
            answer = await self._transport.call(CREATE_DEPOSIT_ADDRESS, members)
        except (TransportError, RateLimited, ServerError) as failure:
            if not tolerant:
                raise
            self._transport.emit(PollFailed(host=self._transport.host, uuids=(), error=failure))
            return DepositAddress(**members), failure
        if answer.currency is None:
            return DepositAddress(**members), None
        address = DepositAddress(
            currency=answer.currency,
            net_type=answer.net_type,
            deposit_address=answer.deposit_address,
            secondary_address=answer.secondary_address,
        )
        return address, None

    # Waiting

    def poller(self, uuid: str | None = None, *, txid: str | None = None) -> DepositPoller:
        """Return a poller for a deposit. This sends no request.

        A wait ends with `NotFound` if Upbit does not list the deposit within the poll schedule's `grace`.
        For a transaction that is not confirmed yet, allow more time:
        ``client.with_options(poll=PollSchedule(grace=3600))``.

        Args:
            uuid: Id of the deposit.
            txid: Id of the transaction, instead. If the transaction made several deposits, this is the oldest of them;
                ``list(txids=[txid])`` returns all.

        Raises:
            ValueError: Neither or both ids were passed, or the id is empty.

        Example:
            .. code-block:: python

                arrived = sandbox.deposits.arrive("BTC", "BTC", "0.5")
                poller = client.deposits.poller(txid=arrived.txid)
                async for change in poller.changes():
                    print(change.previous, change.state)
        """
        if (uuid is None) == (txid is None):
            raise ValueError("poller takes either uuid or txid")
        if txid is None:
            return self._poller("uuid", inputs.text("uuid", uuid))
        return self._poller("txid", inputs.text("txid", txid))

    async def wait(
        self,
        uuid: str | None = None,
        *,
        txid: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with one last poll
    ) -> Deposit:
        """Wait until a deposit reaches a final state, accepted or not, and return it.

        Args:
            uuid: Id of the deposit.
            txid: Id of the transaction, instead.
            timeout: Timeout for the wait, in seconds; None means no limit.

        Raises:
            PollTimeout: The time is over. The deposit is still in progress.

        Example:
            .. code-block:: python

                arrived = sandbox.deposits.arrive("BTC", "BTC", "0.5")
                deposit = await client.deposits.wait(arrived.uuid, timeout=3600)
                print(deposit.state)
        """
        return await self.poller(uuid, txid=txid).wait(timeout=timeout)

    def resume(self, resume_token: str) -> DepositPoller:
        """Return a poller that continues a wait, perhaps one of another process.

        Args:
            resume_token: Token from a poller, or from an error that ended a wait.

        Raises:
            ValueError: The text is no resume token, or is for another region, host or kind of transfer.

        Example:
            .. code-block:: python

                arrived = sandbox.deposits.arrive("BTC", "BTC", "0.5")
                token = client.deposits.poller(arrived.uuid).resume_token
                deposit = await client.deposits.resume(token).wait()
        """
        transport = self._transport
        point = read_token(resume_token, kind="deposit", region=transport.region, host=transport.host)
        return self._poller(point.by, point.id)

    def _poller(self, by: IdName, id_: str) -> DepositPoller:
        transport, watcher = self._transport, self._watchers[by]
        return DepositPoller(id_, by=by, watcher=watcher, region=transport.region, host=transport.host)

    def _watcher(
        self,
        fetch: Callable[[Sequence[str]], Awaitable[Sequence[Deposit] | ReadableRows[Deposit]]],
        by: IdName,
    ) -> Watcher[Deposit]:
        host, emit = self._transport.host, self._transport.emit
        return Watcher(fetch, self._schedule, kind="deposit", host=host, emit=emit, id_of=attrgetter(by))

    async def _find(self, txids: Sequence[str]) -> Sequence[Deposit]:
        """Return one deposit of each transaction: the oldest, or the one that an earlier call returned."""
        missing = {txid.casefold() for txid in txids}
        found: builtins.list[Deposit] = []
        async with aclosing(self._of_transactions(txids)) as deposits:
            async for deposit in deposits:
                txid = (deposit.txid or "").casefold()
                if txid in missing and self._chosen.get(txid, deposit.uuid) == deposit.uuid:
                    missing.remove(txid)
                    found.append(deposit)
                    self._remember_choice(txid, deposit.uuid)
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

    def _remember_choice(self, txid: str, uuid: str) -> None:
        self._chosen[txid] = uuid
        if len(self._chosen) > _MOST_CHOSEN:
            del self._chosen[next(iter(self._chosen))]
