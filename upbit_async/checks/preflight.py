"""The tutorial's checks before a withdrawal, judged all at once. Pure.

See https://global-docs.upbit.com/docs/digital-asset-withdrawal. The reasons, in the order of the checks:

=============================  ==================================================================
code                           what stands in the way
=============================  ==================================================================
``no_registered_address``      no address is registered at all
``no_address_for_currency``    none is for this currency
``no_address_for_network``     none is for this currency on this network
``exchange_name_unsupported``  the region does not tell exchanges (Indonesia and Thailand)
``no_address_for_exchange``    none belongs to this exchange
``address_not_registered``     the address that was given is not among them
``several_addresses``          more than one destination fits
``unknown_currency``           Upbit knows no such currency
``unknown_network``            the currency has no wallet on this network
``wallet_not_working``         the wallet does not let withdrawals out now
``chance_refused``             Upbit does not tell the account's limits
``account_locked``             the account is locked
``wallet_locked``              the account's withdrawals are locked
``withdrawals_suspended``      the currency's withdrawals are suspended
``too_many_decimals``          the amount is finer than the currency, and is not to be rounded
``below_minimum``              the amount, rounded down if asked, is too small
``insufficient_balance``       the balance does not cover amount and fee
=============================  ==================================================================

The one warning is ``fee_side_undocumented``: Upbit does not say whether the fee is taken out of the amount
or comes on top, and the balance is so close to the amount that it might matter.

Upbit's `remaining_daily` and the chance's own `wallet_state` decide nothing: by Upbit's documents the former
reads 0 while withdrawals are possible, and the latter tells whether the wallet was ever supported.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from upbit_async.checks import amounts, availability, destination
from upbit_async.checks.request import PreflightRequest
from upbit_async.models import TransactionType, WalletStatus, WithdrawalAddress, WithdrawalChance
from upbit_async.models.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.region import Region

__all__ = ["Preflight", "PreflightRequest", "judge"]


@attrs.frozen(kw_only=True)
class Preflight:
    """What the checks before a withdrawal have shown. No money has moved.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        amount: How much would be sent, rounded down if that was asked.
        address: The destination; None only if it could not be determined, which is among the reasons.
        transaction_type: Over the chain, or inside Upbit.
        wallet: The wallet's state; None only if there is no such wallet.
        chance: The account's limits; None only if Upbit refused to tell them.
        fee: What Upbit says it takes: 0 inside Upbit; None only if it refused to tell.
        warnings: What does not stand in the way but should be known.
        reasons: Everything that stands in the way, in the order of the checks.
    """

    currency: str
    net_type: str
    amount: Decimal
    address: WithdrawalAddress | None
    transaction_type: TransactionType
    wallet: WalletStatus | None
    chance: WithdrawalChance | None
    fee: Decimal | None
    warnings: tuple[Reason, ...]
    reasons: tuple[Reason, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.reasons

    @property
    def secondary_address(self) -> str | None:
        """The destination's tag or memo, which must be sent along if there is one."""
        return None if self.address is None else self.address.secondary_address or None


def judge(
    request: PreflightRequest,
    *,
    region: Region,
    addresses: Sequence[WithdrawalAddress],
    wallets: Sequence[WalletStatus],
    chance: WithdrawalChance | None,
    chance_refusal: str = "",
) -> Preflight:
    """Judge a withdrawal by what Upbit says.

    Args:
        request: The withdrawal.
        region: The client's region.
        addresses: All addresses that are registered, of any currency.
        wallets: The wallets' states, of any currency.
        chance: The account's limits for this currency and network, or None if Upbit refused to tell them.
        chance_refusal: Why Upbit refused, in that case.
    """
    candidates, address_reasons = destination.choose(request, region, addresses)
    wallet = availability.wallet_for(request, wallets)
    amount = amounts.sendable(request, chance)
    fee = amounts.fee_for(request, chance)
    return Preflight(
        currency=request.currency,
        net_type=request.net_type,
        amount=amount,
        address=candidates[0] if len(candidates) == 1 else None,
        transaction_type=request.transaction_type,
        wallet=wallet,
        chance=chance,
        fee=fee,
        warnings=tuple(amounts.warnings(amount, fee, chance)),
        reasons=(
            *address_reasons,
            *availability.wallet_reasons(request, region, wallets, chance, chance_refusal),
            *availability.account_reasons(request, region, chance),
            *amounts.reasons(request, amount, fee, chance),
        ),
    )
