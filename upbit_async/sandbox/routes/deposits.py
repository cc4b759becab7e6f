"""Routes for deposits and deposit addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.body import Body
from upbit_async.sandbox.routes.parameters import Members, Query
from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.routes.transfers import get_transfer, list_transfers
from upbit_async.sandbox.views import deposit_address_view, deposit_chance_view, deposit_view

if TYPE_CHECKING:
    from upbit_async.sandbox.knobs import Knobs
    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]


def _list(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-deposits."""
    return list_transfers(context, context.exchange.deposits, deposit_view)


def _get(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/get-deposit."""
    return context.answer(200, get_transfer(context, context.exchange.deposits, deposit_view))


def _chance(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/available-deposit-information."""
    query = Query(context.request.parameters)
    currency, net_type = query.required("currency"), query.required("net_type")
    query.raise_if_invalid()
    return context.answer(200, deposit_chance_view(context.exchange.wallet(currency, net_type)))


def _generate_address(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/create-deposit-address."""
    members, knobs = Members(Body.of(context.request)), context.exchange.knobs
    currency, net_type = members.text("currency"), members.text("net_type")
    members.raise_if_invalid()
    address = context.exchange.deposit_addresses.request(currency, net_type, context.now)
    if address.is_ready:
        return context.answer(knobs.address_status, deposit_address_view(address))
    message = f"Generating a {currency} deposit address."
    return context.answer(knobs.post_status, {"success": True, "message": message})


def _list_addresses(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-deposit-addresses."""
    ready = context.exchange.deposit_addresses.ready(context.now)
    return context.answer(200, [deposit_address_view(address) for address in ready])


def _get_address(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/get-deposit-address."""
    query = Query(context.request.parameters)
    currency, net_type = query.required("currency"), query.required("net_type")
    query.raise_if_invalid()
    address = context.exchange.deposit_addresses.find(currency, net_type, context.now)
    return context.answer(200, deposit_address_view(address))


def _address_permission(knobs: Knobs) -> str:
    return knobs.address_permission


ROUTES: Final = (
    Route("GET", "/v1/deposits", "view_deposits", _list),
    Route("GET", "/v1/deposit", "view_deposits", _get),
    Route("GET", "/v1/deposits/chance/coin", "view_deposits", _chance),
    Route("POST", "/v1/deposits/generate_coin_address", _address_permission, _generate_address),
    Route("GET", "/v1/deposits/coin_addresses", "view_deposits", _list_addresses),
    Route("GET", "/v1/deposits/coin_address", "view_deposits", _get_address),
)
