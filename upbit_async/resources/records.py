"""Base of the namespaces for withdrawals and deposits."""

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
    """The reading half of a namespace of transfers."""

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
        """Return one page of transfers. `iter` walks through all of them.

        See https://global-docs.upbit.com/reference/list-withdrawals and
        https://global-docs.upbit.com/reference/list-deposits.

        Args:
            currency: Only this currency.
            state: Only this state.
            uuids: Only these ids, at most 100. None of them is not all of them: an empty list returns none.
            txids: Only these transactions, at most 100; not together with `uuids`.
            limit: How many at most, up to 100.
            page: Which page, from 1.
            order_by: ``desc`` for the newest first, or ``asc``.
            from_: Only those made after the one with this uuid.
            to: Only those made before the one with this uuid.

        Raises:
            ValueError: A parameter is out of its range, or two of them exclude each other.
        """
        wanted = inputs.id_list("uuids", uuids)
        transactions = inputs.id_list("txids", txids)
        if wanted is not None and transactions is not None:
            raise ValueError("uuids and txids exclude each other")
        most = inputs.count("limit", limit, most=PAGE_SIZE)
        asked: dict[str, Param] = {
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
            return []  # without ids Upbit would answer with everybody's
        rows = await self._transport.call(self._listing, asked)
        return rows[:most]

    def iter(
        self,
        *,
        currency: str | None = None,
        state: OpenEnum | str | None = None,
        order_by: Order = "desc",
        max_items: int | None = None,
    ) -> AsyncGenerator[R, None]:
        """Walk through the whole history, each transfer once, with as many requests as it takes.

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
            "state": None if state is None else self._states(inputs.text("state", state)),
        }
        inputs.choice("order_by", order_by, _ORDERS)
        most = None if max_items is None else inputs.count("max_items", max_items)

        async def fetch(paging: dict[str, Param]) -> builtins.list[R]:
            return await self._transport.call(self._listing, chosen | paging)

        return walk(fetch, order=order_by, most=most, asked=self._listing.label)

    async def get(self, uuid: str | None = None, *, txid: str | None = None) -> R:
        """Return one transfer.

        Without an id Upbit would answer with the latest one, whichever that is: so an id is required,
        and the answer must carry it. See
        https://global-docs.upbit.com/reference/get-withdrawal and https://global-docs.upbit.com/reference/get-deposit.

        Args:
            uuid: The transfer's id.
            txid: The transaction's id, instead.

        Raises:
            ValueError: Neither or both were given, or the one that was is empty.
            NotFound: There is none.
            DecodeError: Upbit answered with another one.
        """
        if (uuid is None) == (txid is None):
            raise ValueError("get takes a uuid or a txid; `latest` returns the newest")
        name, wanted = ("uuid", uuid) if txid is None else ("txid", txid)
        return await self._transport.call(self._single, {name: inputs.text(name, wanted)})

    async def latest(self, currency: str | None = None) -> R:
        """Return the newest transfer.

        Args:
            currency: The newest of this currency.

        Raises:
            NotFound: There is none.
            DecodeError: Upbit answered with one of another currency.
        """
        return await self._transport.call(
            self._single, {"currency": inputs.optional_text("currency", currency)}
        )

    async def _poll(self, uuids: Sequence[str]) -> ReadableRows[R]:
        """Return the transfers with these ids; a row that can't be read costs no other."""
        wanted = inputs.id_list("uuids", uuids)
        asked: dict[str, Param] = {"uuids": wanted, "limit": PAGE_SIZE, "order_by": "desc"}
        return await self._transport.call(self._by_rows, asked)
