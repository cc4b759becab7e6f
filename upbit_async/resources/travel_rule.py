"""`client.travel_rule`: verification of a deposit's sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.protocol.endpoints import LIST_VASPS, VERIFY_DEPOSIT_BY_TXID, VERIFY_DEPOSIT_BY_UUID
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from upbit_async.models import TravelRuleVerification, Vasp
    from upbit_async.protocol.endpoint import Transport

__all__ = ["TravelRule"]


class TravelRule:
    """Verification of senders, in Singapore and Korea; elsewhere every call is a `ConfigurationError`.

    A deposit in ``TRAVEL_RULE_SUSPECTED`` has arrived and is not credited before its sender is verified with
    the exchange (the VASP) that it came from. Upbit takes the same verification once in ten minutes, and so
    does this library, for all clients of the process that use one key.
    See https://global-docs.upbit.com/reference/travelrule-guide.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def vasps(self) -> list[Vasp]:
        """Return the VASPs with which senders can be verified.

        Their ids change now and then: look a VASP up by its name each time, and don't store its id.
        See https://global-docs.upbit.com/reference/list-travelrule-vasps.

        Raises:
            ConfigurationError: The region knows no travel rule.
            UpbitError: See `upbit_async.errors`.
        """
        return await self._transport.call(LIST_VASPS)

    async def verify_by_uuid(self, deposit_uuid: str, vasp_uuid: str) -> TravelRuleVerification:
        """Have the sender of a deposit verified.

        See https://global-docs.upbit.com/reference/verify-travelrule-by-uuid.

        Args:
            deposit_uuid: The deposit's id.
            vasp_uuid: The id, from `vasps`, of the VASP that it came from.

        Returns:
            What came of it; `verified` tells whether the deposit will be credited.

        Raises:
            RepeatTooSoon: The same was asked in the last ten minutes.
            OutcomeUnknown: The answer was lost: `client.deposits.get` tells how far the deposit is.
            NotFound: There is no such deposit.
            ConfigurationError: The region knows no travel rule.
        """
        return await self._transport.call(
            VERIFY_DEPOSIT_BY_UUID,
            {
                "deposit_uuid": inputs.text("deposit_uuid", deposit_uuid),
                "vasp_uuid": inputs.text("vasp_uuid", vasp_uuid),
            },
        )

    async def verify_by_txid(
        self, txid: str, vasp_uuid: str, currency: str, net_type: str
    ) -> TravelRuleVerification:
        """Have the sender of a transaction verified, before or after it shows as a deposit.

        See https://global-docs.upbit.com/reference/verify-travelrule-by-txid.

        Args:
            txid: The transaction's id.
            vasp_uuid: The id, from `vasps`, of the VASP that it came from.
            currency: The currency's code.
            net_type: The network's identifier.

        Returns:
            What came of it, with the deposit's uuid.

        Raises:
            RepeatTooSoon: The same was asked in the last ten minutes.
            OutcomeUnknown: The answer was lost: `client.deposits.get` tells how far the deposit is.
            ValidationError: Among others ``already_have_deposit_transaction``: verify by uuid.
            ConfigurationError: The region knows no travel rule.
        """
        return await self._transport.call(
            VERIFY_DEPOSIT_BY_TXID,
            {
                "vasp_uuid": inputs.text("vasp_uuid", vasp_uuid),
                "txid": inputs.text("txid", txid),
                **inputs.currency_and_network(currency, net_type),
            },
        )
