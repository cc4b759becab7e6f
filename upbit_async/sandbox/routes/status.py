"""GET /v1/status/wallet; see https://global-docs.upbit.com/reference/get-service-status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.views import wallet_view

if TYPE_CHECKING:
    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]


def _wallets(call: RouteContext) -> SandboxResponse:
    return call.answer(200, [wallet_view(wallet, call.now) for wallet in call.exchange.wallets.values()])


ROUTES: Final = (Route("GET", "/v1/status/wallet", None, _wallets),)
