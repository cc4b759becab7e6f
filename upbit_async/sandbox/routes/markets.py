"""GET /v1/market/all; see https://global-docs.upbit.com/reference/list-trading-pairs.

Nothing is traded here, but other people's clients learn from it which currencies there are. It belongs to
the quotation half: public, and its errors carry their status where others have a name.
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


def _markets(call: RouteContext) -> SandboxResponse:
    said = dict(call.request.parameters).get("is_details") or "false"
    if said not in {"true", "false"}:
        return call.answer(400, _NO_BOOLEAN)
    region = call.exchange.region
    currencies = dict.fromkeys(wallet.currency for wallet in call.exchange.wallets.values())
    rows = [_market_view(currency, region, details=said == "true") for currency in currencies]
    return call.answer(200, rows).with_headers(("Limit-By-Ip", "Yes"))


def _market_view(currency: str, region: Region, *, details: bool) -> dict[str, Json]:
    english, korean = _NAMES.get(currency, (currency, currency))
    view: dict[str, Json] = {"market": f"{region.fiat}-{currency}"}
    if region is not Region.KR:
        view["english_name"] = english
        return view | {"market_warning": "NONE"} if details else view
    view |= {"korean_name": korean, "english_name": english}
    return view | {"market_event": _NO_WARNING} if details else view


ROUTES: Final = (Route("GET", "/v1/market/all", None, _markets, public_group="market"),)
