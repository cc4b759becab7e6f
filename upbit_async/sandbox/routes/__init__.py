"""Routes of the exchange, one file per topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.routes import account, deposits, korea, markets, travel_rule, withdraws
from upbit_async.sandbox.routes.route import Route, RouteContext

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ROUTES", "Route", "RouteContext"]

ROUTES: Final[Mapping[tuple[str, str], Route]] = {
    (route.method, route.path): route
    for route in (
        *account.ROUTES,
        *markets.ROUTES,
        *withdraws.ROUTES,
        *deposits.ROUTES,
        *travel_rule.ROUTES,
        *korea.ROUTES,
    )
}
"""Every route by (method, path)."""
