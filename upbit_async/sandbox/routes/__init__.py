"""Routes of the exchange, one file for each family of paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.sandbox.routes import (
    accounts,
    deposit_addresses,
    deposits,
    korea,
    markets,
    status,
    travel_rule,
    withdraw_order,
    withdraws,
)
from upbit_async.sandbox.routes.route import Route, RouteContext

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ROUTES", "Route", "RouteContext"]

ROUTES: Final[Mapping[tuple[str, str], Route]] = {
    (route.method, route.path): route
    for route in (
        *status.ROUTES,
        *markets.ROUTES,
        *accounts.ROUTES,
        *withdraws.ROUTES,
        *withdraw_order.ROUTES,
        *deposits.ROUTES,
        *deposit_addresses.ROUTES,
        *travel_rule.ROUTES,
        *korea.ROUTES,
    )
}
"""Every route by (method, path)."""
