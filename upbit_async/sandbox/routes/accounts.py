"""GET /v1/accounts; see https://global-docs.upbit.com/reference/get-balance."""

from __future__ import annotations

from typing import Final

from upbit_async.sandbox.messages import Answer
from upbit_async.sandbox.routes.route import Call, Route
from upbit_async.sandbox.views import account_view

__all__ = ["ROUTES"]


def _accounts(call: Call) -> Answer:
    region, balances = call.exchange.region, call.exchange.account.balances
    held = {name: balance for name, balance in balances.items() if balance.available or balance.locked}
    return Answer.of_json(200, [account_view(name, balance, region) for name, balance in held.items()])


ROUTES: Final = (Route("GET", "/v1/accounts", "view_account", _accounts),)
