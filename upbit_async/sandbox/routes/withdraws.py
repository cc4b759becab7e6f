"""Routes for withdrawals: reading, creating and cancelling them, limits and registered addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.region import Region
from upbit_async.sandbox.body import Body
from upbit_async.sandbox.exchange.transfers import WithdrawalOrder, WithdrawalRecord
from upbit_async.sandbox.routes.parameters import Members, Query
from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.routes.transfers import get_transfer, list_transfers
from upbit_async.sandbox.views import address_view, chance_view, withdrawal_view

if TYPE_CHECKING:
    from upbit_async.sandbox.knobs import Knobs
    from upbit_async.sandbox.messages import Json, SandboxResponse

__all__ = ["ROUTES"]

_BENEFICIARY: Final = (
    "beneficiary_name",
    "beneficiary_residential_country_code",
    "beneficiary_residential_address",
)


def _list(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-withdrawals."""
    return list_transfers(context, context.exchange.withdrawals, _row)


def _row(record: WithdrawalRecord, knobs: Knobs) -> dict[str, Json]:
    view = withdrawal_view(record, knobs)
    if not knobs.list_net_type:
        view.pop("net_type", None)
    return view


def _get(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/get-withdrawal."""
    view = get_transfer(context, context.exchange.withdrawals, withdrawal_view)
    if not context.exchange.knobs.single_get_net_type:
        view.pop("net_type", None)
    return context.answer(200, view)


def _chance(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/available-withdrawal-information."""
    query = Query(context.request.parameters)
    currency, net_type = query.required("currency"), query.required("net_type")
    query.raise_if_invalid()
    wallet = context.exchange.wallet(currency, net_type)
    return context.answer(200, chance_view(context.exchange, wallet))


def _addresses(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-withdrawal-addresses."""
    exchange = context.exchange
    return context.answer(200, [address_view(item, exchange.region) for item in exchange.account.addresses])


def _withdraw(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/withdraw."""
    exchange = context.exchange
    record = exchange.withdrawals.withdraw(_order(context), context.now)
    return context.answer(exchange.knobs.post_status, withdrawal_view(record, exchange.knobs))


def _order(context: RouteContext) -> WithdrawalOrder:
    exchange = context.exchange
    members = Members(Body.of(context.request))
    currency, net_type = members.text("currency"), members.text("net_type")
    amount, amount_text = members.amount("amount")
    order = WithdrawalOrder(
        currency=currency,
        net_type=net_type,
        amount=amount,
        amount_text=amount_text,
        address=members.text("address"),
        secondary_address=members.text("secondary_address", required=False) or None,
        transaction_type=members.choice("transaction_type", ("default", "internal"), "default"),
    )
    if exchange.region is Region.ID and exchange.knobs.beneficiary_required:
        for name in _BENEFICIARY:
            members.text(name)
    members.raise_if_invalid()
    return order


def _cancel(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/cancel-withdrawal."""
    exchange, query = context.exchange, Query(context.request.parameters)
    uuid = query.required("uuid")
    query.raise_if_invalid()
    record = exchange.withdrawals.cancel(exchange.withdrawals.id_of(uuid), context.now)
    # the published sample has true with CANCELLED: the value before the call
    return context.answer(200, withdrawal_view(record, exchange.knobs, is_cancelable=True))


ROUTES: Final = (
    Route("GET", "/v1/withdraws", "view_withdrawals", _list),
    Route("GET", "/v1/withdraw", "view_withdrawals", _get),
    Route("GET", "/v1/withdraws/chance", "view_withdrawals", _chance),
    Route("GET", "/v1/withdraws/coin_addresses", "view_withdrawals", _addresses),
    Route("POST", "/v1/withdraws/coin", "withdraw", _withdraw),
    Route("DELETE", "/v1/withdraws/coin", "withdraw", _cancel),
)
