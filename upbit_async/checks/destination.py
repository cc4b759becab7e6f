"""Selection of the registered address that a withdrawal goes to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.models.intent import shortened
from upbit_async.models.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from upbit_async.checks.request import PreflightRequest
    from upbit_async.models import WithdrawalAddress
    from upbit_async.region import Region

__all__ = ["choose"]


def choose(
    request: PreflightRequest, region: Region, addresses: Sequence[WithdrawalAddress]
) -> tuple[list[WithdrawalAddress], list[Reason]]:
    """Return the matching destinations and the reasons against them. Without reasons there is exactly one destination.

    Addresses are compared exactly, because their case may matter. Names of exchanges are compared in any case.
    """
    on_network = [
        address
        for address in addresses
        if (address.currency, address.net_type) == (request.currency, request.net_type)
    ]
    if not on_network:
        return [], [_none_on_network(request, region, addresses)]
    candidates = on_network
    reasons: list[Reason] = []
    if request.exchange_name is not None:
        candidates = _of_exchange(request.exchange_name, region, candidates, reasons)
    if request.address is not None:
        candidates = _at_address(request, region, on_network, candidates, reasons)
    candidates = _distinct(candidates)
    if len(candidates) > 1 and not reasons:
        reasons.append(_several(request, candidates))
    return candidates, reasons


def _none_on_network(
    request: PreflightRequest, region: Region, addresses: Sequence[WithdrawalAddress]
) -> Reason:
    page = f"register one at {region.address_registration_page}"
    if not addresses:
        return Reason("no_registered_address", f"no withdrawal address is registered: {page}")
    networks = {address.net_type or "?" for address in addresses if address.currency == request.currency}
    if not networks:
        return Reason("no_address_for_currency", f"no address for {request.currency} is registered: {page}")
    return Reason(
        "no_address_for_network",
        f"no address for {request.currency} on {request.net_type} is registered, "
        f"only on {', '.join(sorted(networks))}: {page}",
    )


def _of_exchange(
    name: str, region: Region, candidates: list[WithdrawalAddress], reasons: list[Reason]
) -> list[WithdrawalAddress]:
    if not region.names_counterparties:
        text = f"Upbit does not name the exchange of an address in region {region.value}: pass the address instead"
        reasons.append(Reason("exchange_name_unsupported", text))
        return candidates
    fitting = [one for one in candidates if (one.exchange_name or "").casefold() == name.casefold()]
    if not fitting:
        names = sorted({one.exchange_name for one in candidates if one.exchange_name})
        others = f"only of {', '.join(names)}" if names else "only addresses without an exchange"
        reasons.append(
            Reason("no_address_for_exchange", f"no address of exchange {name} is registered, {others}")
        )
    return fitting


def _at_address(
    request: PreflightRequest,
    region: Region,
    on_network: list[WithdrawalAddress],
    candidates: list[WithdrawalAddress],
    reasons: list[Reason],
) -> list[WithdrawalAddress]:
    wanted = shortened(request.address or "")
    where = f"for {request.currency} on {request.net_type}"
    if all(one.withdraw_address != request.address for one in on_network):
        text = f"{wanted} is not registered {where}: register it at {region.address_registration_page}"
        reasons.append(Reason("address_not_registered", text))
        return []
    fitting = [one for one in candidates if one.withdraw_address == request.address]
    if not fitting and not reasons:
        text = f"{wanted} is registered {where}, but not as an address of exchange {request.exchange_name}"
        reasons.append(Reason("no_address_for_exchange", text))
    return fitting


def _distinct(candidates: Iterable[WithdrawalAddress]) -> list[WithdrawalAddress]:
    """Keep one address per destination: addresses that differ only in their owner have the same destination."""
    return list({(one.withdraw_address, one.secondary_address or None): one for one in candidates}.values())


def _several(request: PreflightRequest, candidates: list[WithdrawalAddress]) -> Reason:
    where = f"{len(candidates)} destinations are registered for {request.currency} on {request.net_type}"
    shown = ", ".join(sorted({shortened(one.withdraw_address) for one in candidates}))
    if len({one.withdraw_address for one in candidates}) == 1:
        how = "they differ only in the memo: remove one, or call create with its secondary_address"
    else:
        how = "pass the address of one"
    return Reason("several_addresses", f"{where} ({shown}): {how}")
