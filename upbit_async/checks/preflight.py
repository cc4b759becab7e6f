"""Checks before a withdrawal, evaluated together. Pure.

See https://global-docs.upbit.com/docs/digital-asset-withdrawal. The reasons, in the order of the checks:

=============================  ==================================================================
code                           meaning
=============================  ==================================================================
``no_registered_address``      no address is registered
``no_address_for_currency``    no address is registered for this currency
``no_address_for_network``     no address is registered for this currency on this network
``exchange_name_unsupported``  the region does not name exchanges (Indonesia and Thailand)
``no_address_for_exchange``    no address of this exchange is registered
``address_not_registered``     the given address is not registered
``several_addresses``          more than one destination matches
``unknown_currency``           Upbit does not know the currency
``unknown_network``            the currency has no wallet on this network
``wallet_not_working``         the wallet does not allow withdrawals now
``chance_refused``             Upbit does not return the account's limits
``account_locked``             the account is locked
``wallet_locked``              withdrawals of the account are locked
``withdrawals_suspended``      withdrawals of the currency are suspended
``too_many_decimals``          the amount has too many decimals, and may not be truncated
``below_minimum``              the amount, after truncation, is below the minimum
``insufficient_balance``       the balance does not cover amount and fee
=============================  ==================================================================

The only warning is ``fee_side_undocumented``. Upbit does not document whether the fee is part of the amount or is
added to it, and the balance is so close to the amount that this may matter.

Upbit's `remaining_daily` and the chance's own `wallet_state` are not checked. According to Upbit's documentation the
former is 0 while withdrawals are possible, and the latter says whether the wallet was ever supported.
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
    """Result of the checks before a withdrawal. No money has moved.

    Attributes:
        currency: Currency code.
        net_type: Network identifier.
        amount: Amount that would be sent, truncated if the caller allows it.
        address: Destination; None only if there is no single one, which is among the reasons.
        transaction_type: Whether the transfer is on the chain or between Upbit accounts.
        wallet: Status of the wallet; None only if there is no such wallet.
        chance: Limits of the account; None only if Upbit refused to return them.
        fee: Fee according to Upbit: 0 between Upbit accounts; None only if Upbit refused to return it.
        warnings: Facts to know that do not prevent the withdrawal.
        reasons: Reasons why the withdrawal can't be sent, in the order of the checks.

    Example:
        .. code-block:: python

            checked = await client.withdraws.check(currency="USDT", net_type="TRX", amount="13")
            print(checked.ok, checked.address, checked.warnings)
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
        """Whether all checks passed."""
        return not self.reasons

    @property
    def secondary_address(self) -> str | None:
        """Tag or memo of the destination. If there is one, it must be sent with the withdrawal."""
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
    """Evaluate all checks of a withdrawal.

    Args:
        request: Intended withdrawal.
        region: Region of the client.
        addresses: All registered addresses, of any currency.
        wallets: Status of all wallets, of any currency.
        chance: Limits for this currency and network; None if Upbit refused to return them.
        chance_refusal: Upbit's reason for the refusal.
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
