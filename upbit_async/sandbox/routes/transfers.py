"""Listing and single reads of transfers, shared by the routes for withdrawals and deposits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import attrs

from upbit_async.sandbox.exchange.errors import INVALID_PARAMETER, Refusal
from upbit_async.sandbox.exchange.transfer_store import Search
from upbit_async.sandbox.exchange.transfers import TransferRecord
from upbit_async.sandbox.routes.parameters import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.sandbox.exchange.transfer_service import TransferService
    from upbit_async.sandbox.knobs import Knobs
    from upbit_async.sandbox.messages import Json, SandboxResponse
    from upbit_async.sandbox.routes.route import RouteContext

__all__ = ["get_transfer", "list_transfers"]

_MOST_IDS = 100
_MOST_ROWS = 100

T = TypeVar("T", bound=TransferRecord)
View: TypeAlias = "Callable[[T, Knobs], dict[str, Json]]"


def list_transfers(context: RouteContext, service: TransferService[T], view: View[T]) -> SandboxResponse:
    """Return the transfers that a query selects, and count a read of each.

    Raises:
        Refusal: The query is invalid.
    """
    knobs = context.exchange.knobs
    wanted = _wanted(context, service)
    records = service.records.search(wanted, context.now, hidden_for=knobs.list_delay)
    rows: list[Json] = [_row(record, wanted, view(record, knobs)) for record in records]
    for record in records:
        service.read(record, context.now)
    return context.answer(200, rows)


def _row(record: TransferRecord, wanted: Search, view: dict[str, Json]) -> dict[str, Json]:
    return view | {"created_at": None} if wanted.is_undated(record) else view


def _wanted(context: RouteContext, service: TransferService[T]) -> Search:
    query, knobs = Query(context.request.parameters), context.exchange.knobs
    wanted = Search(
        currency=query.text("currency"),
        state=query.choice("state", service.states),
        uuids=frozenset(service.id_of(uuid) for uuid in query.values("uuids[]", most=_MOST_IDS)),
        txids=query.values("txids[]", most=_MOST_IDS),
        after=_cursor(context, service, query.text("from")),
        before=_cursor(context, service, query.text("to")),
        inclusive=knobs.cursors == "inclusive",
        ascending=query.choice("order_by", ("asc", "desc")) == "asc" or knobs.list_order == "oldest first",
        by_end=knobs.list_order == "done_at",
        undated_after=_undated_after(knobs, context.now),
        limit=query.number("limit", _MOST_ROWS, most=_MOST_ROWS),
        page=query.number("page", 1),
    )
    may_have_both = service is context.exchange.deposits and knobs.deposit_uuids_with_txids == "combined"
    if wanted.uuids and wanted.txids and not may_have_both:
        query.reject("txids[]", "can not be used together with uuids[]")
    if wanted.is_filtered and (wanted.after or wanted.before):
        wanted = _with_cursors_and_filters(wanted, knobs, query)
    query.raise_if_invalid()
    return wanted


def _undated_after(knobs: Knobs, now: datetime) -> datetime | None:
    delay = knobs.list_created_at_delay
    if delay is None:
        return datetime.min.replace(tzinfo=UTC)
    return now - timedelta(seconds=delay) if delay else None


def _with_cursors_and_filters(wanted: Search, knobs: Knobs, query: Query) -> Search:
    if knobs.cursors_with_filters == "cursors ignored":
        return attrs.evolve(wanted, after=None, before=None)
    if knobs.cursors_with_filters == "filters ignored":
        return attrs.evolve(wanted, currency=None, state=None, uuids=frozenset(), txids=frozenset())
    if knobs.cursors_with_filters == "refused":
        query.reject("from" if wanted.after else "to", "can not be used together with filters")
    return wanted


def _cursor(context: RouteContext, service: TransferService[T], uuid: str | None) -> str | None:
    if uuid is None or (uuid := service.id_of(uuid)) in service.records:
        return uuid
    if context.exchange.knobs.unknown_cursor == "refused":
        raise Refusal(INVALID_PARAMETER)
    return None


def get_transfer(context: RouteContext, service: TransferService[T], view: View[T]) -> dict[str, Json]:
    """Return the transfer that a query names, or the latest one, and count a read of it.

    Raises:
        Refusal: There is none, or it is not visible yet.
    """
    query = Query(context.request.parameters)
    uuid, txid = query.text("uuid"), query.text("txid")
    wanted = Search(
        currency=query.text("currency"),
        uuids=frozenset({service.id_of(uuid)} if uuid else ()),
        txids=frozenset({txid} if txid else ()),
        limit=1,
    )
    record = service.find_first(wanted, context.now)
    seen = view(record, context.exchange.knobs)
    service.read(record, context.now)
    return seen
