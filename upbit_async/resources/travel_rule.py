"""`client.travel_rule`: verification of the sender of a deposit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.protocol.endpoints import LIST_VASPS, VERIFY_DEPOSIT_BY_TXID, VERIFY_DEPOSIT_BY_UUID
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from upbit_async.models import TravelRuleVerification, Vasp
    from upbit_async.protocol.endpoint import Transport

__all__ = ["TravelRule"]


class TravelRule:
    """Verification of senders, in Singapore and Korea. In other regions every call raises `ConfigurationError`.

    A deposit in the state ``TRAVEL_RULE_SUSPECTED`` has arrived but is not credited. It is credited after its sender
    is verified with the exchange (the VASP) from which it came. Upbit accepts the same verification once in ten
    minutes. All clients of a process that use one key enforce this together.
    See https://global-docs.upbit.com/reference/travelrule-guide.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def vasps(self) -> list[Vasp]:
        """Return the VASPs that can verify senders.

        Their ids change from time to time. Look a VASP up by its name before each verification, and don't store its id.
        See https://global-docs.upbit.com/reference/list-travelrule-vasps.

        Raises:
            ConfigurationError: The region has no travel rule.
            UpbitError: See `upbit_async.errors`.

        Example:
            .. code-block:: python

                depositable = [vasp for vasp in await client.travel_rule.vasps() if vasp.depositable]
        """
        return await self._transport.call(LIST_VASPS)

    async def verify_by_uuid(self, deposit_uuid: str, vasp_uuid: str) -> TravelRuleVerification:
        """Verify the sender of a deposit.

        See https://global-docs.upbit.com/reference/verify-travelrule-by-uuid.

        Args:
            deposit_uuid: Id of the deposit.
            vasp_uuid: Id of the VASP from which it came, from `vasps`.

        Returns:
            The result. `verified` says whether the deposit will be credited.

        Raises:
            RepeatTooSoon: The same verification was requested in the last ten minutes.
            OutcomeUnknown: The answer was lost. Read the deposit's state with `client.deposits.get`.
            NotFound: There is no such deposit.
            ConfigurationError: The region has no travel rule.

        Example:
            .. code-block:: python

                deposit = sandbox.deposits.arrive("BTC", "BTC", "0.5")
                vasp, *_ = await client.travel_rule.vasps()
                result = await client.travel_rule.verify_by_uuid(deposit.uuid, vasp.vasp_uuid)
                print(result.verified)
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
        """Verify the sender of a transaction, before or after Upbit lists it as a deposit.

        See https://global-docs.upbit.com/reference/verify-travelrule-by-txid.

        Args:
            txid: Id of the transaction.
            vasp_uuid: Id of the VASP from which it came, from `vasps`.
            currency: Currency code.
            net_type: Network identifier.

        Returns:
            The result, with the id of the deposit.

        Raises:
            RepeatTooSoon: The same verification was requested in the last ten minutes.
            OutcomeUnknown: The answer was lost. Read the deposit's state with `client.deposits.get`.
            ValidationError: Upbit refused the request; for ``already_have_deposit_transaction``, verify by uuid.
            ConfigurationError: The region has no travel rule.

        Example:
            .. code-block:: python

                deposit = sandbox.deposits.arrive("BTC", "BTC", "0.5")
                vasp, *_ = await client.travel_rule.vasps()
                result = await client.travel_rule.verify_by_txid(deposit.txid, vasp.vasp_uuid, "BTC", "BTC")
                print(result.deposit_uuid)
        """
        return await self._transport.call(
            VERIFY_DEPOSIT_BY_TXID,
            {
                "vasp_uuid": inputs.text("vasp_uuid", vasp_uuid),
                "txid": inputs.text("txid", txid),
                **inputs.currency_and_network(currency, net_type),
            },
        )
