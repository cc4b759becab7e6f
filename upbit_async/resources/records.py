"""Base class of `client.withdraws` and `client.deposits`: listing and reading transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from upbit_async.protocol.endpoint import PAGE_SIZE, read_by_rows
from upbit_async.resources import inputs
from upbit_async.resources.paging import Order, Row, walk

if TYPE_CHECKING:
    import builtins
    from collections.abc import AsyncGenerator, Sequence

    from upbit_async.models import OpenEnum
    from upbit_async.protocol.endpoint import Endpoint, Param, Transport
    from upbit_async.protocol.rows import ReadableRows

__all__ = ["TransferRecords"]

_ORDERS = ("asc", "desc")


R = TypeVar("R", bound=Row)


class TransferRecords(Generic[R]):
    """Listing and reading of one kind of transfer."""

    def __init__(
        self,
        transport: Transport,
        *,
        listing: Endpoint[builtins.list[R]],
        single: Endpoint[R],
        states: type[OpenEnum],
    ) -> None:
        self._transport = transport
        self._listing = listing
        self._by_rows = read_by_rows(listing)
        self._single = single
        self._states = states

    async def list(  # noqa: PLR0913 - Upbit's own parameters, and keyword-only
        self,
        *,
        currency: str | None = None,
        state: OpenEnum | str | None = None,
        uuids: Sequence[str] | None = None,
        txids: Sequence[str] | None = None,
        limit: int = PAGE_SIZE,
        page: int | None = None,
        order_by: Order = "desc",
        from_: str | None = None,
        to: str | None = None,
    ) -> builtins.list[R]:
        """Return one page of transfers. `iter` returns all of them.

        See https://global-docs.upbit.com/reference/list-withdrawals and
        https://global-docs.upbit.com/reference/list-deposits.

        Args:
            currency: Currency code; None means all currencies.
            state: State; None means all states.
            uuids: Ids of transfers, at most 100. An empty list returns no transfers.
            txids: Ids of transactions, at most 100, instead of `uuids`. An empty list returns no transfers.
            limit: Number of transfers, at most 100.
            page: Number of the page, from 1.
            order_by: ``desc`` for newest first, ``asc`` for oldest first.
            from_: Id of a transfer; only newer ones are returned.
            to: Id of a transfer; only older ones are returned.

        Raises:
            ValueError: A parameter is out of range, or two parameters exclude each other.

        Example:
            .. code-block:: python

                newest = await client.withdraws.list(currency="XRP", limit=10)
                accepted = await client.deposits.list(state="ACCEPTED")
        """
        wanted = inputs.id_list("uuids", uuids)
        transactions = inputs.id_list("txids", txids)
        if wanted is not None and transactions is not None:
            raise ValueError("uuids and txids exclude each other")
        most = inputs.count("limit", limit, most=PAGE_SIZE)
        params: dict[str, Param] = {
            "currency": inputs.optional_text("currency", currency),
            "state": None if state is None else self._states(inputs.text("state", state)),
            "uuids": wanted,
            "txids": transactions,
            "limit": most,
            "page": None if page is None else inputs.count("page", page),
            "order_by": inputs.choice("order_by", order_by, _ORDERS),
            "from": inputs.optional_text("from_", from_),
            "to": inputs.optional_text("to", to),
        }
        if wanted == [] or transactions == []:
            return []  # without ids Upbit would return all transfers
        rows = await self._transport.call(self._listing, params)
        return rows[:most]

    def iter(
        self,
        *,
        currency: str | None = None,
        state: OpenEnum | str | None = None,
        order_by: Order = "desc",
        max_items: int | None = None,
    ) -> AsyncGenerator[R, None]:
        """Iterate over the whole history. Each transfer is returned once; pages are requested as needed.

        Args:
            currency: Currency code; None means all currencies.
            state: State; None means all states.
            order_by: ``desc`` for newest first, ``asc`` for oldest first.
            max_items: Number of transfers at most; None means all.

        Returns:
            An asynchronous iterator.

        Raises:
            DecodeError: Upbit's cursor does not advance, so that the rest can't be read.

        Example:
            .. code-block:: python

                async for withdrawal in client.withdraws.iter(state="DONE", max_items=500):
                    print(withdrawal.uuid, withdrawal.amount)
        """
        chosen: dict[str, Param] = {
            "currency": inputs.optional_text("currency", currency),
            "state": None if state is None else self._states(inputs.text("state", state)),
        }
        inputs.choice("order_by", order_by, _ORDERS)
        most = None if max_items is None else inputs.count("max_items", max_items)

        async def fetch(paging: dict[str, Param]) -> builtins.list[R]:
            return await self._transport.call(self._listing, chosen | paging)

        return walk(fetch, order=order_by, most=most, asked=self._listing.label)

    async def get(self, uuid: str | None = None, *, txid: str | None = None) -> R:
        """Return one transfer.

        An id is required, because Upbit answers a request without one with the latest transfer. See
        https://global-docs.upbit.com/reference/get-withdrawal and https://global-docs.upbit.com/reference/get-deposit.

        Args:
            uuid: Id of the transfer.
            txid: Id of the transaction, instead.

        Raises:
            ValueError: Neither or both ids were passed, or the id is empty.
            NotFound: There is no such transfer.
            DecodeError: Upbit answered with another transfer.

        Example:
            .. code-block:: python

                latest = await client.withdraws.latest()
                withdrawal = await client.withdraws.get(latest.uuid)
        """
        if (uuid is None) == (txid is None):
            raise ValueError("get takes either uuid or txid; latest() returns the newest")
        name, wanted = ("uuid", uuid) if txid is None else ("txid", txid)
        return await self._transport.call(self._single, {name: inputs.text(name, wanted)})

    async def latest(self, currency: str | None = None) -> R:
        """Return the newest transfer.

        Args:
            currency: Currency code; None means any currency.

        Raises:
            NotFound: There is no transfer.
            DecodeError: Upbit answered with a transfer of another currency.

        Example:
            .. code-block:: python

                deposit = await client.deposits.latest()
                print(deposit.state, deposit.amount)
        """
        return await self._transport.call(
            self._single, {"currency": inputs.optional_text("currency", currency)}
        )

    async def _fetch_by_uuid(self, uuids: Sequence[str]) -> ReadableRows[R]:
        """Return the transfers with these ids, for a watcher. An unreadable row does not fail the others."""
        wanted = inputs.id_list("uuids", uuids)
        params: dict[str, Param] = {"uuids": wanted, "limit": PAGE_SIZE, "order_by": "desc"}
        return await self._transport.call(self._by_rows, params)
