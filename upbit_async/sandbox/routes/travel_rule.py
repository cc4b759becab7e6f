"""Routes of the travel rule, in Singapore and Korea."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.region import Region
from upbit_async.sandbox.body import Body
from upbit_async.sandbox.routes.parameters import Members
from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.views import vasp_view, verification_view

if TYPE_CHECKING:
    from upbit_async.sandbox.exchange.travel_rule import Verification
    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]

_REGIONS: Final = frozenset({Region.SG, Region.KR})


def _vasps(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/list-travelrule-vasps."""
    return context.answer(200, [vasp_view(vasp) for vasp in context.exchange.travel_rule.vasps])


def _by_uuid(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/verify-travelrule-by-uuid."""
    members = Members(Body.of(context.request))
    deposit_uuid, vasp_uuid = members.text("deposit_uuid"), members.text("vasp_uuid")
    members.raise_if_invalid()
    return _answer(context, context.exchange.travel_rule.verify_by_uuid(deposit_uuid, vasp_uuid, context.now))


def _by_txid(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/verify-travelrule-by-txid."""
    members = Members(Body.of(context.request))
    vasp_uuid, txid = members.text("vasp_uuid"), members.text("txid")
    currency, net_type = members.text("currency"), members.text("net_type")
    members.raise_if_invalid()
    verification = context.exchange.travel_rule.verify_by_txid(
        txid, currency, net_type, vasp_uuid, context.now
    )
    return _answer(context, verification)


def _answer(context: RouteContext, verification: Verification) -> SandboxResponse:
    return context.answer(context.exchange.knobs.post_status, verification_view(verification))


ROUTES: Final = (
    Route("GET", "/v1/travel_rule/vasps", "view_deposits", _vasps, regions=_REGIONS),
    Route("POST", "/v1/travel_rule/deposit/uuid", "deposit", _by_uuid, regions=_REGIONS),
    Route("POST", "/v1/travel_rule/deposit/txid", "deposit", _by_txid, regions=_REGIONS),
)
