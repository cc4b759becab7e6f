"""Routes for balances and for the status of wallets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.views import account_view, wallet_view

if TYPE_CHECKING:
    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]


def _wallets(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/get-service-status."""
    wallets = context.exchange.wallets.values()
    return context.answer(200, [wallet_view(wallet, context.now) for wallet in wallets])


def _accounts(context: RouteContext) -> SandboxResponse:
    """https://global-docs.upbit.com/reference/get-balance."""
    exchange = context.exchange
    rows = [
        account_view(currency, balance, exchange.region, exchange.knobs)
        for currency, balance in exchange.account.balances.items()
        if balance.available or balance.locked
    ]
    return context.answer(200, rows)


ROUTES: Final = (
    Route("GET", "/v1/status/wallet", None, _wallets),
    Route("GET", "/v1/accounts", "view_account", _accounts),
)
