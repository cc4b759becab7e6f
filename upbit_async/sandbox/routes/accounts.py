"""GET /v1/accounts; see https://global-docs.upbit.com/reference/get-balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.views import account_view

if TYPE_CHECKING:
    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]


def _accounts(call: RouteContext) -> SandboxResponse:
    region, knobs, balances = call.exchange.region, call.exchange.knobs, call.exchange.account.balances
    held = {name: balance for name, balance in balances.items() if balance.available or balance.locked}
    return call.answer(200, [account_view(name, balance, region, knobs) for name, balance in held.items()])


ROUTES: Final = (Route("GET", "/v1/accounts", "view_account", _accounts),)
