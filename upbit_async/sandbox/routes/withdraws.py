"""Routes that read withdrawals, limits and registered addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.routes.parameters import Query
from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.routes.transfers import get_transfer, list_transfers
from upbit_async.sandbox.views import address_view, chance_view, withdrawal_view

if TYPE_CHECKING:
    from upbit_async.sandbox.exchange.withdrawals import WithdrawalRecord
    from upbit_async.sandbox.knobs import Knobs
    from upbit_async.sandbox.messages import Json, SandboxResponse

__all__ = ["ROUTES"]


def _list(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-withdrawals."""
    return list_transfers(call, call.exchange.withdrawals, _row)


def _row(record: WithdrawalRecord, knobs: Knobs) -> dict[str, Json]:
    view = withdrawal_view(record, knobs)
    if not knobs.list_net_type:
        view.pop("net_type", None)
    return view


def _get(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/get-withdrawal."""
    view = get_transfer(call, call.exchange.withdrawals, withdrawal_view)
    if not call.exchange.knobs.single_get_net_type:
        view.pop("net_type", None)
    return call.answer(200, view)


def _chance(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/available-withdrawal-information."""
    query = Query(call.request.parameters)
    currency, net_type = query.required("currency"), query.required("net_type")
    query.refuse_faults()
    wallet = call.exchange.wallet(currency, net_type)
    return call.answer(200, chance_view(call.exchange, wallet))


def _addresses(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-withdrawal-addresses."""
    exchange = call.exchange
    return call.answer(200, [address_view(item, exchange.region) for item in exchange.account.addresses])


ROUTES: Final = (
    Route("GET", "/v1/withdraws", "view_withdrawals", _list),
    Route("GET", "/v1/withdraw", "view_withdrawals", _get),
    Route("GET", "/v1/withdraws/chance", "view_withdrawals", _chance),
    Route("GET", "/v1/withdraws/coin_addresses", "view_withdrawals", _addresses),
)
