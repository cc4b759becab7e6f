"""Preflight checks of the wallet and the account. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.models.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from upbit_async.checks.request import PreflightRequest
    from upbit_async.models import WalletStatus, WithdrawalChance
    from upbit_async.region import Region

__all__ = ["account_reasons", "wallet_for", "wallet_reasons"]


def wallet_for(request: PreflightRequest, wallets: Sequence[WalletStatus]) -> WalletStatus | None:
    """Return the wallet of the currency on the network, or None."""
    wanted = (request.currency, request.net_type)
    return next((wallet for wallet in wallets if (wallet.currency, wallet.net_type) == wanted), None)


def wallet_reasons(
    request: PreflightRequest,
    region: Region,
    wallets: Sequence[WalletStatus],
    chance: WithdrawalChance | None,
    chance_refusal: str,
) -> Iterator[Reason]:
    """Yield the reasons why the wallet can't withdraw, and Upbit's refusal to return the limits."""
    currency, net_type = request.currency, request.net_type
    wallet = wallet_for(request, wallets)
    refused = f"Upbit does not return the limits for {currency} on {net_type}: {chance_refusal or 'no reason given'}"
    if wallet is not None and not wallet.wallet_state.can_withdraw:
        yield Reason(
            "wallet_not_working",
            f"the wallet for {currency} on {net_type} is {wallet.wallet_state.value}, so it allows no "
            f"withdrawals: see {region.wallet_status_page}",
        )
    if wallet is not None and chance is None:
        yield Reason("chance_refused", refused)
    if wallet is not None:
        return
    networks = {row.net_type or "?" for row in wallets if row.currency == currency}
    if networks or chance is not None:
        only = f", only on {', '.join(sorted(networks))}" if networks else ""
        yield Reason("unknown_network", f"{currency} has no wallet on {net_type}{only}")
    else:
        yield Reason("unknown_currency", f"region {region.value} has no wallet for {currency}; {refused}")


def account_reasons(
    request: PreflightRequest, region: Region, chance: WithdrawalChance | None
) -> Iterator[Reason]:
    """Yield the reasons why the account can't withdraw."""
    if chance is None:
        return
    if chance.member_level.locked:
        yield Reason("account_locked", f"the account is locked: unlock it at {region.site}")
    if chance.member_level.wallet_locked:
        yield Reason("wallet_locked", f"the account's withdrawals are locked: unlock them at {region.site}")
    if "withdraw" not in chance.currency.wallet_support:
        yield Reason(
            "withdrawals_suspended",
            f"withdrawals of {request.currency} on {request.net_type} are suspended: "
            f"see {region.wallet_status_page}",
        )
