"""The table of endpoints, generated from the registry of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from upbit_async.protocol.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upbit_async.protocol.endpoint import Endpoint

__all__ = ["METHODS", "NAMESPACES", "table"]

NAMESPACES: Final = {
    "client.status": "upbit_async.resources.status.Status",
    "client.withdraws": "upbit_async.resources.withdraws.Withdraws",
    "client.deposits": "upbit_async.resources.deposits.Deposits",
    "client.accounts": "upbit_async.resources.accounts.Accounts",
    "client.travel_rule": "upbit_async.resources.travel_rule.TravelRule",
}
"""The namespaces as users write them, and their classes."""

METHODS: Final = {
    "GET /v1/accounts": ["client.accounts.list", "client.accounts.get"],
    "GET /v1/status/wallet": ["client.status.wallets", "client.status.wallet", "client.status.watch"],
    "GET /v1/withdraws": ["client.withdraws.list", "client.withdraws.iter"],
    "GET /v1/withdraw": ["client.withdraws.get", "client.withdraws.latest"],
    "GET /v1/withdraws/chance": ["client.withdraws.chance"],
    "GET /v1/withdraws/coin_addresses": ["client.withdraws.addresses"],
    "POST /v1/withdraws/coin": ["client.withdraws.create"],
    "DELETE /v1/withdraws/coin": ["client.withdraws.cancel"],
    "GET /v1/deposits": ["client.deposits.list", "client.deposits.iter"],
    "GET /v1/deposit": ["client.deposits.get", "client.deposits.latest"],
    "GET /v1/deposits/chance/coin": ["client.deposits.chance"],
    "GET /v1/deposits/coin_addresses": ["client.deposits.addresses"],
    "GET /v1/deposits/coin_address": ["client.deposits.address"],
    "POST /v1/deposits/generate_coin_address": ["client.deposits.create_address"],
    "GET /v1/travel_rule/vasps": ["client.travel_rule.vasps"],
    "POST /v1/travel_rule/deposit/uuid": ["client.travel_rule.verify_by_uuid"],
    "POST /v1/travel_rule/deposit/txid": ["client.travel_rule.verify_by_txid"],
}
"""The methods that call only this endpoint. A test calls each of them."""


def table() -> str:
    """Return the table as Markdown, with a row for each endpoint."""
    head = ("Upbit's endpoint", "here", "may be repeated", "permission", "regions")
    rows = [head, ("---",) * len(head), *(tuple(_cells(endpoint)) for endpoint in ENDPOINTS.values())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(endpoint: Endpoint[Any]) -> Iterator[str]:
    yield f"[`{endpoint.label}`]({endpoint.docs})"
    yield ", ".join(_linked(method) for method in METHODS[endpoint.label])
    yield endpoint.safety.value + (
        f", and every {endpoint.interval / 60:g} minutes" if endpoint.interval else ""
    )
    yield f"`{endpoint.permission}`" if endpoint.permission else "any key"
    yield "all" if endpoint.regions is None else ", ".join(sorted(endpoint.regions))


def _linked(method: str) -> str:
    namespace, _, name = method.rpartition(".")
    return f"{{py:meth}}`{method.removeprefix('client.')} <{NAMESPACES[namespace]}.{name}>`"
