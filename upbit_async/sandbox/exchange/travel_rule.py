"""Travel rule: deposits are held until the sender's exchange is verified.

See https://global-docs.upbit.com/reference/travelrule-guide.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.sandbox.exchange.errors import ALREADY_HAVE_DEPOSIT, DEPOSIT_NOT_FOUND, Refusal
from upbit_async.sandbox.exchange.transfer_store import Search
from upbit_async.sandbox.exchange.transfers import SUSPECTED, DepositRecord

if TYPE_CHECKING:
    from upbit_async.sandbox.exchange.deposit_service import DepositService
    from upbit_async.sandbox.exchange.state import ExchangeState

__all__ = ["TravelRuleService", "VaspRecord", "Verification"]

_VERIFIED: Final = "verified"


@attrs.define(kw_only=True)
class VaspRecord:
    """Another exchange (virtual asset service provider); tests may change any field at any time.

    See https://global-docs.upbit.com/reference/list-travelrule-vasps.

    Attributes:
        vasp_name: Name of the exchange.
        vasp_uuid: Id of the exchange. Upbit changes these ids now and then.
        depositable: Whether deposits from it can be verified.
        withdrawable: Whether withdrawals to it are possible; reported but not enforced.

    Example:
        .. code-block:: python

            from upbit_async.sandbox import VaspRecord

            sandbox.vasps.append(VaspRecord(vasp_name="Kraken", vasp_uuid="an-id"))
            assert "Kraken" in [vasp.vasp_name for vasp in await client.travel_rule.vasps()]
    """

    vasp_name: str
    vasp_uuid: str
    depositable: bool = True
    withdrawable: bool = True


@attrs.frozen
class Verification:
    """Result of a verification.

    Attributes:
        deposit: Deposit after the verification.
        result: ``verified``, or ``Knobs.verification_failed``.
    """

    deposit: DepositRecord
    result: str


class TravelRuleService:
    """Service that verifies deposits.

    Args:
        state: State that all services share.
        deposits: Service for deposits.

    Attributes:
        vasps: Participating exchanges, in the order in which they are listed.
    """

    def __init__(self, state: ExchangeState, deposits: DepositService) -> None:
        self.vasps = [
            VaspRecord(vasp_name="Example Exchange A", vasp_uuid="00000000-0000-4000-8000-000000000901"),
            VaspRecord(
                vasp_name="Example Exchange B",
                vasp_uuid="00000000-0000-4000-8000-000000000902",
                withdrawable=False,
            ),
        ]
        self._state = state
        self._deposits = deposits
        self._verified_at: dict[tuple[str, ...], datetime] = {}

    def verify_by_uuid(self, deposit_uuid: str, vasp_uuid: str, now: datetime) -> Verification:
        """Verify the deposit with an id.

        Raises:
            Refusal: There is no such deposit or exchange, or the same verification was requested too recently.
        """
        deposit = self._deposits.find(self._deposits.id_of(deposit_uuid), now)
        vasp = self._vasp(vasp_uuid)
        return self._verify(deposit, vasp, (deposit.uuid, vasp.vasp_uuid), now)

    def verify_by_txid(
        self, txid: str, currency: str, net_type: str, vasp_uuid: str, now: datetime
    ) -> Verification:
        """Verify the deposit with an id on the chain; of several, the oldest that is held.

        Raises:
            Refusal: There is no such deposit or exchange, the deposit can no longer be verified, or the same
                verification was requested too recently.
        """
        deposit = self._find(txid, currency, net_type, now)
        if deposit.state in self._state.knobs.already_recorded:
            raise Refusal(ALREADY_HAVE_DEPOSIT)
        vasp = self._vasp(vasp_uuid)
        return self._verify(deposit, vasp, (vasp.vasp_uuid, txid, currency, net_type), now)

    def _vasp(self, uuid: str) -> VaspRecord:
        any_case = self._state.knobs.uuids == "any case"
        for vasp in self.vasps:
            if vasp.vasp_uuid == uuid or (any_case and vasp.vasp_uuid.casefold() == uuid.casefold()):
                return vasp
        raise Refusal(self._state.knobs.unknown_vasp)

    def _find(self, txid: str, currency: str, net_type: str, now: datetime) -> DepositRecord:
        wanted = Search(currency=currency, txids=frozenset({txid}), ascending=True)
        found = self._deposits.records.search(wanted, now, hidden_for=self._state.knobs.get_delay)
        of_network = [deposit for deposit in found if deposit.net_type == net_type]
        if not of_network:
            raise Refusal(DEPOSIT_NOT_FOUND)
        return next((deposit for deposit in of_network if deposit.state == SUSPECTED), of_network[0])

    def _verify(
        self, deposit: DepositRecord, vasp: VaspRecord, identity: tuple[str, ...], now: datetime
    ) -> Verification:
        knobs = self._state.knobs
        last = self._verified_at.get(identity)
        if last is not None and now < last + timedelta(seconds=knobs.verification_interval):
            raise Refusal(knobs.verification_too_soon)
        self._verified_at[identity] = now
        if not vasp.depositable or vasp.vasp_name != deposit.vasp_name:
            return Verification(deposit, knobs.verification_failed)
        if deposit.state == SUSPECTED:
            self._deposits.clear(deposit, now)
        return Verification(deposit, _VERIFIED)
