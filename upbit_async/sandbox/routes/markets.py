"""Route for trading pairs; see https://global-docs.upbit.com/reference/list-trading-pairs.

The sandbox has no trading, but clients such as ccxt load their currencies from this endpoint. It belongs to the
Quotation API: it is public, and ``error.name`` is the status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.region import Region
from upbit_async.sandbox.routes.route import Route, RouteContext

if TYPE_CHECKING:
    from upbit_async.sandbox.messages import Json, SandboxResponse

__all__ = ["ROUTES"]

_NAMES: Final = {
    "BTC": ("Bitcoin", "비트코인"),
    "ETH": ("Ethereum", "이더리움"),
    "USDT": ("Tether", "테더"),
    "XRP": ("XRP", "엑스알피(리플)"),
}
_NO_WARNING: Final[Json] = {
    "warning": False,
    "caution": {
        "PRICE_FLUCTUATIONS": False,
        "TRADING_VOLUME_SOARING": False,
        "DEPOSIT_AMOUNT_SOARING": False,
        "GLOBAL_PRICE_DIFFERENCES": False,
        "CONCENTRATION_OF_SMALL_ACCOUNTS": False,
    },
}
_NO_BOOLEAN: Final[Json] = {
    "error": {"name": 400, "message": "Type mismatch error. Check the parameters type!"}
}


def _markets(context: RouteContext) -> SandboxResponse:
    is_details = dict(context.request.parameters).get("is_details") or "false"
    if is_details not in {"true", "false"}:
        return context.answer(400, _NO_BOOLEAN)
    region = context.exchange.region
    currencies = dict.fromkeys(wallet.currency for wallet in context.exchange.wallets.values())
    rows = [_market_view(currency, region, details=is_details == "true") for currency in currencies]
    return context.answer(200, rows).with_headers(("Limit-By-Ip", "Yes"))


def _market_view(currency: str, region: Region, *, details: bool) -> dict[str, Json]:
    english, korean = _NAMES.get(currency, (currency, currency))
    view: dict[str, Json] = {"market": f"{region.fiat}-{currency}"}
    if region is not Region.KR:
        view["english_name"] = english
        return view | {"market_warning": "NONE"} if details else view
    view |= {"korean_name": korean, "english_name": english}
    return view | {"market_event": _NO_WARNING} if details else view


ROUTES: Final = (Route("GET", "/v1/market/all", None, _markets, public_group="market"),)
