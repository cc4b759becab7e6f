"""Routes of deposit addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.body import Body
from upbit_async.sandbox.routes.parameters import Members, Query
from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.views import deposit_address_view

if TYPE_CHECKING:
    from upbit_async.sandbox.knobs import Knobs
    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]


def _generate(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/create-deposit-address."""
    members, knobs = Members(Body.of(call.request)), call.exchange.knobs
    currency, net_type = members.text("currency"), members.text("net_type")
    members.refuse_faults()
    address = call.exchange.deposit_addresses.request(currency, net_type, call.now)
    if address.is_ready:
        return call.answer(knobs.address_status, deposit_address_view(address))
    message = f"Generating a {currency} deposit address."
    return call.answer(knobs.post_status, {"success": True, "message": message})


def _permission(knobs: Knobs) -> str:
    return knobs.address_permission


def _list(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-deposit-addresses."""
    ready = call.exchange.deposit_addresses.ready(call.now)
    return call.answer(200, [deposit_address_view(address) for address in ready])


def _get(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/get-deposit-address."""
    query = Query(call.request.parameters)
    currency, net_type = query.required("currency"), query.required("net_type")
    query.refuse_faults()
    address = call.exchange.deposit_addresses.find(currency, net_type, call.now)
    return call.answer(200, deposit_address_view(address))


ROUTES: Final = (
    Route("POST", "/v1/deposits/generate_coin_address", _permission, _generate),
    Route("GET", "/v1/deposits/coin_addresses", "view_deposits", _list),
    Route("GET", "/v1/deposits/coin_address", "view_deposits", _get),
)
