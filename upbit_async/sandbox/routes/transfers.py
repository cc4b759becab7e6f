"""Reading of transfers, shared by the routes of withdrawals and deposits."""

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


def list_transfers(call: RouteContext, desk: TransferService[T], view: View[T]) -> SandboxResponse:
    """The transfers that the query asks for; each of them was looked at.

    Raises:
        Refusal: The query is not well formed.
    """
    knobs = call.exchange.knobs
    wanted = _wanted(call, desk)
    records = desk.records.search(wanted, call.now, hidden_for=knobs.list_delay)
    rows: list[Json] = [_row(record, wanted, view(record, knobs)) for record in records]
    for record in records:
        desk.read(record, call.now)
    return call.answer(200, rows)


def _row(record: TransferRecord, wanted: Search, view: dict[str, Json]) -> dict[str, Json]:
    return view | {"created_at": None} if wanted.is_undated(record) else view


def _wanted(call: RouteContext, desk: TransferService[T]) -> Search:
    query, knobs = Query(call.request.parameters), call.exchange.knobs
    wanted = Search(
        currency=query.text("currency"),
        state=query.choice("state", desk.states),
        uuids=frozenset(desk.id_of(uuid) for uuid in query.values("uuids[]", most=_MOST_IDS)),
        txids=query.values("txids[]", most=_MOST_IDS),
        after=_cursor(call, desk, query.text("from")),
        before=_cursor(call, desk, query.text("to")),
        inclusive=knobs.cursors == "inclusive",
        ascending=query.choice("order_by", ("asc", "desc")) == "asc" or knobs.list_order == "oldest first",
        by_end=knobs.list_order == "done_at",
        undated_after=_undated_after(knobs, call.now),
        limit=query.number("limit", _MOST_ROWS, most=_MOST_ROWS),
        page=query.number("page", 1),
    )
    may_have_both = desk is call.exchange.deposits and knobs.deposit_uuids_with_txids == "combined"
    if wanted.uuids and wanted.txids and not may_have_both:
        query.fault("txids[]", "can not be used together with uuids[]")
    if wanted.is_filtered and (wanted.after or wanted.before):
        wanted = _with_cursors_and_filters(wanted, knobs, query)
    query.refuse_faults()
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
        query.fault("from" if wanted.after else "to", "can not be used together with filters")
    return wanted


def _cursor(call: RouteContext, desk: TransferService[T], uuid: str | None) -> str | None:
    if uuid is None or (uuid := desk.id_of(uuid)) in desk.records:
        return uuid
    if call.exchange.knobs.unknown_cursor == "refused":
        raise Refusal(INVALID_PARAMETER)
    return None


def get_transfer(call: RouteContext, desk: TransferService[T], view: View[T]) -> dict[str, Json]:
    """The transfer that the query names, without an id the latest one; it was looked at.

    Raises:
        Refusal: There is none, or it does not show yet.
    """
    query = Query(call.request.parameters)
    uuid, txid = query.text("uuid"), query.text("txid")
    wanted = Search(
        currency=query.text("currency"),
        uuids=frozenset({desk.id_of(uuid)} if uuid else ()),
        txids=frozenset({txid} if txid else ()),
        limit=1,
    )
    record = desk.find_first(wanted, call.now)
    seen = view(record, call.exchange.knobs)
    desk.read(record, call.now)
    return seen
