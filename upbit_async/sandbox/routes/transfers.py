"""Looking transfers up, which withdrawals and deposits have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

from upbit_async.sandbox.exchange.errors import INVALID_PARAMETER, Refusal
from upbit_async.sandbox.exchange.shelf import Search
from upbit_async.sandbox.exchange.transfers import Transfer
from upbit_async.sandbox.messages import Answer, Json
from upbit_async.sandbox.routes.parameters import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.sandbox.exchange.desk import Desk
    from upbit_async.sandbox.knobs import Knobs
    from upbit_async.sandbox.routes.route import Call

__all__ = ["as_kept", "get_transfer", "list_transfers"]

_MOST_IDS = 100
_MOST_ROWS = 100

T = TypeVar("T", bound=Transfer)
View: TypeAlias = "Callable[[T, Knobs], dict[str, Json]]"


def list_transfers(call: Call, desk: Desk[T], view: View[T]) -> Answer:
    """The transfers that the query asks for; each of them was looked at.

    Raises:
        Refusal: The query is not well formed.
    """
    knobs = call.exchange.knobs
    records = desk.records.search(_wanted(call, desk), call.now, hidden_for=knobs.list_delay)
    rows: list[Json] = [view(record, knobs) for record in records]
    for record in records:
        desk.look_at(record, call.now)
    return Answer.of_json(200, rows)


def as_kept(call: Call, uuid: str) -> str:
    """A transfer's id as the books have it, which is in lower case."""
    return uuid.lower() if call.exchange.knobs.uuids == "any case" else uuid


def _wanted(call: Call, desk: Desk[T]) -> Search:
    query = Query(call.request.parameters)
    wanted = Search(
        currency=query.text("currency"),
        state=query.choice("state", desk.states),
        uuids=frozenset(as_kept(call, uuid) for uuid in query.values("uuids[]", most=_MOST_IDS)),
        txids=query.values("txids[]", most=_MOST_IDS),
        after=_cursor(call, desk, query.text("from")),
        before=_cursor(call, desk, query.text("to")),
        inclusive=call.exchange.knobs.cursors == "inclusive",
        ascending=query.choice("order_by", ("asc", "desc")) == "asc",
        limit=query.number("limit", _MOST_ROWS, most=_MOST_ROWS),
        page=query.number("page", 1),
    )
    if wanted.uuids and wanted.txids:
        query.fault("txids[]", "can not be used together with uuids[]")
    query.refuse_faults()
    return wanted


def _cursor(call: Call, desk: Desk[T], uuid: str | None) -> str | None:
    if uuid is None or (uuid := as_kept(call, uuid)) in desk.records:
        return uuid
    if call.exchange.knobs.unknown_cursor == "refused":
        raise Refusal(INVALID_PARAMETER)
    return None


def get_transfer(call: Call, desk: Desk[T], view: View[T]) -> dict[str, Json]:
    """The transfer that the query names, without an id the latest one; it was looked at.

    Raises:
        Refusal: There is none, or it does not show yet.
    """
    query = Query(call.request.parameters)
    uuid, txid = query.text("uuid"), query.text("txid")
    wanted = Search(
        currency=query.text("currency"),
        uuids=frozenset({as_kept(call, uuid)} if uuid else ()),
        txids=frozenset({txid} if txid else ()),
        limit=1,
    )
    record = desk.find_first(wanted, call.now)
    seen = view(record, call.exchange.knobs)
    desk.look_at(record, call.now)
    return seen
