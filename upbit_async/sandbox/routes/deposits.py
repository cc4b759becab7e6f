"""Routes that read deposits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.routes.parameters import Query
from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.routes.transfers import get_transfer, list_transfers
from upbit_async.sandbox.views import deposit_chance_view, deposit_view

if TYPE_CHECKING:
    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]


def _list(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-deposits."""
    return list_transfers(call, call.exchange.deposits, deposit_view)


def _get(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/get-deposit."""
    return call.answer(200, get_transfer(call, call.exchange.deposits, deposit_view))


def _chance(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/available-deposit-information."""
    query = Query(call.request.parameters)
    currency, net_type = query.required("currency"), query.required("net_type")
    query.refuse_faults()
    return call.answer(200, deposit_chance_view(call.exchange.wallet(currency, net_type)))


ROUTES: Final = (
    Route("GET", "/v1/deposits", "view_deposits", _list),
    Route("GET", "/v1/deposit", "view_deposits", _get),
    Route("GET", "/v1/deposits/chance/coin", "view_deposits", _chance),
)
