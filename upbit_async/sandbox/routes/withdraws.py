"""Looking at withdrawals, and what they need: limits and registered addresses."""

from __future__ import annotations

from typing import Final

from upbit_async.sandbox.exchange.errors import INVALID_PARAMETER, WITHDRAW_NOT_FOUND, Refusal
from upbit_async.sandbox.exchange.withdrawals import STATES, Search
from upbit_async.sandbox.messages import Answer, Json
from upbit_async.sandbox.routes.parameters import Query
from upbit_async.sandbox.routes.route import Call, Route
from upbit_async.sandbox.views import address_view, chance_view, withdrawal_view

__all__ = ["ROUTES"]

_MOST_IDS = 100
_MOST_ROWS = 100


def _list(call: Call) -> Answer:
    """https://global-docs.upbit.com/reference/list-withdrawals."""
    exchange = call.exchange
    wanted = _listing(call)
    records = exchange.withdrawals.search(wanted, call.now, hidden_for=exchange.knobs.list_delay)
    rows: list[Json] = [withdrawal_view(record, exchange.knobs) for record in records]
    for record in records:
        exchange.look_at(record, call.now)
    return Answer.of_json(200, rows)


def _listing(call: Call) -> Search:
    query = Query(call.request.parameters)
    wanted = Search(
        currency=query.text("currency"),
        state=query.choice("state", STATES),
        uuids=query.values("uuids[]", most=_MOST_IDS),
        txids=query.values("txids[]", most=_MOST_IDS),
        after=_cursor(call, query, "from"),
        before=_cursor(call, query, "to"),
        inclusive=call.exchange.knobs.cursors == "inclusive",
        ascending=query.choice("order_by", ("asc", "desc")) == "asc",
        limit=query.number("limit", _MOST_ROWS, most=_MOST_ROWS),
        page=query.number("page", 1),
    )
    if wanted.uuids and wanted.txids:
        query.fault("txids[]", "can not be used together with uuids[]")
    query.refuse_faults()
    return wanted


def _cursor(call: Call, query: Query, name: str) -> str | None:
    uuid = query.text(name)
    if uuid is None or uuid in call.exchange.withdrawals:
        return uuid
    if call.exchange.knobs.unknown_cursor == "refused":
        raise Refusal(INVALID_PARAMETER)
    return None


def _get(call: Call) -> Answer:
    """https://global-docs.upbit.com/reference/get-withdrawal: without an id it is the latest one."""
    exchange, query = call.exchange, Query(call.request.parameters)
    uuid, txid = query.text("uuid"), query.text("txid")
    wanted = Search(
        currency=query.text("currency"),
        uuids=frozenset({uuid} if uuid else ()),
        txids=frozenset({txid} if txid else ()),
        limit=1,
    )
    records = exchange.withdrawals.search(wanted, call.now, hidden_for=exchange.knobs.get_delay)
    if not records:
        raise Refusal(WITHDRAW_NOT_FOUND)
    view = withdrawal_view(records[0], exchange.knobs)
    if not exchange.knobs.single_get_net_type:
        del view["net_type"]
    exchange.look_at(records[0], call.now)
    return Answer.of_json(200, view)


def _chance(call: Call) -> Answer:
    """https://global-docs.upbit.com/reference/available-withdrawal-information."""
    query = Query(call.request.parameters)
    currency, net_type = query.required("currency"), query.required("net_type")
    query.refuse_faults()
    wallet = call.exchange.wallet(currency, net_type)
    return Answer.of_json(200, chance_view(call.exchange, wallet))


def _addresses(call: Call) -> Answer:
    """https://global-docs.upbit.com/reference/list-withdrawal-addresses."""
    exchange = call.exchange
    return Answer.of_json(200, [address_view(item, exchange.region) for item in exchange.account.addresses])


ROUTES: Final = (
    Route("GET", "/v1/withdraws", "view_withdrawals", _list),
    Route("GET", "/v1/withdraw", "view_withdrawals", _get),
    Route("GET", "/v1/withdraws/chance", "view_withdrawals", _chance),
    Route("GET", "/v1/withdraws/coin_addresses", "view_withdrawals", _addresses),
)
