"""Routes that create and cancel a withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.region import Region
from upbit_async.sandbox.body import Body
from upbit_async.sandbox.exchange.withdrawals import Order
from upbit_async.sandbox.routes.parameters import Members, Query
from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.views import withdrawal_view

if TYPE_CHECKING:
    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]

_BENEFICIARY: Final = (
    "beneficiary_name",
    "beneficiary_residential_country_code",
    "beneficiary_residential_address",
)


def _withdraw(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/withdraw."""
    exchange = call.exchange
    record = exchange.withdrawals.withdraw(_order(call), call.now)
    return call.answer(exchange.knobs.post_status, withdrawal_view(record, exchange.knobs))


def _order(call: RouteContext) -> Order:
    exchange = call.exchange
    members = Members(Body.of(call.request))
    currency, net_type = members.text("currency"), members.text("net_type")
    amount, amount_text = members.amount("amount")
    order = Order(
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
    members.refuse_faults()
    return order


def _cancel(call: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/cancel-withdrawal."""
    exchange, query = call.exchange, Query(call.request.parameters)
    uuid = query.required("uuid")
    query.refuse_faults()
    record = exchange.withdrawals.cancel(exchange.withdrawals.id_of(uuid), call.now)
    # the published answer says true beside CANCELLED: what held when the call was made
    return call.answer(200, withdrawal_view(record, exchange.knobs, is_cancelable=True))


ROUTES: Final = (
    Route("POST", "/v1/withdraws/coin", "withdraw", _withdraw),
    Route("DELETE", "/v1/withdraws/coin", "withdraw", _cancel),
)
