"""Preflight of payouts: `client.withdraws.check`, with reads that concurrent payouts share.

The addresses and wallets of an account are the same for all payouts, and the limits for all in one currency on one
network. Each read is requested after the payout asked for it.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from upbit_async.checks import PreflightRequest
from upbit_async.errors import PreflightFailed
from upbit_async.models import TransactionType
from upbit_async.models.reason import Reason
from upbit_async.payouts.shared_reads import PERIOD
from upbit_async.resources.procedure import preflight

if TYPE_CHECKING:
    from upbit_async.payouts.payout import Payout
    from upbit_async.payouts.shared_reads import SharedReads
    from upbit_async.protocol.endpoint import Endpoint, Params, Transport
    from upbit_async.region import Region

__all__ = ["LASTING", "PASSING", "PayoutPreflight", "is_passing"]

T = TypeVar("T")

PASSING: Final = frozenset(
    {
        "account_locked",
        "chance_refused",
        "insufficient_balance",
        "wallet_locked",
        "wallet_not_working",
        "withdrawals_suspended",
    }
)
"""Codes of reasons that lie outside the payout: it can be sent unchanged once they have passed."""

LASTING: Final = frozenset(
    {
        "address_not_registered",
        "below_minimum",
        "exchange_name_unsupported",
        "no_address_for_currency",
        "no_address_for_exchange",
        "no_address_for_network",
        "no_registered_address",
        "other_secondary_address",
        "several_addresses",
        "too_many_decimals",
        "unknown_currency",
        "unknown_network",
    }
)
"""Codes of reasons that hold until the request, or the account's addresses, are corrected."""


def is_passing(reason: Reason) -> bool:
    """Return whether a reason passes with time, such as a balance that is too low or a paused wallet."""
    return reason.code in PASSING


class PayoutPreflight:
    """Checks of payouts before they are sent.

    Args:
        transport: Transport that makes the reads.
        reads: Reads that the tasks share.
    """

    def __init__(self, transport: Transport, reads: SharedReads) -> None:
        self._transport = transport
        self._reads = reads

    async def check(self, payout: Payout) -> None:
        """Make all checks of `client.withdraws.check`, and compare the memo with the registered one.

        Raises:
            PreflightFailed: At least one check failed; the error has all reasons.
            UpbitError: A check could not be made.
        """
        intent = payout.intent
        found = await preflight(
            _SharedCalls(self._transport, self._reads, since=self._reads.moment),
            PreflightRequest(
                currency=payout.criteria.currency,
                net_type=payout.criteria.net_type,
                amount=Decimal(intent.members["amount"]),
                address=intent.address,
                transaction_type=TransactionType(intent.transaction_type or TransactionType.DEFAULT),
            ),
        )
        if found.secondary_address != intent.secondary_address:
            must = "be the one that it is registered with" if found.secondary_address else "be left out"
            reason = Reason(
                "other_secondary_address",
                f"secondary_address, the memo of the address, must {must}: take it from client.withdraws.addresses",
            )
            raise PreflightFailed(f"{payout} was not sent", reasons=(reason,))


class _SharedCalls:
    """Calls of a transport for one payout, shared with other payouts that ask with the same parameters."""

    def __init__(self, transport: Transport, reads: SharedReads, *, since: int) -> None:
        self._transport = transport
        self._reads = reads
        self._since = since

    @property
    def region(self) -> Region:
        """Region of the client."""
        return self._transport.region

    async def call(self, endpoint: Endpoint[T], params: Params | None = None) -> T:
        """Return the answer to a request that began after the payout asked."""
        key = endpoint.label, frozenset((params or {}).items())
        return await self._reads.share(
            key, partial(self._transport.call, endpoint, params), since=self._since, period=PERIOD
        )
