"""The travel rule: deposits are held until their sender's exchange is known.

See https://global-docs.upbit.com/reference/travelrule-guide.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.sandbox.exchange.deposits import SUSPECTED, DepositRecord
from upbit_async.sandbox.exchange.errors import ALREADY_HAVE_DEPOSIT, DEPOSIT_NOT_FOUND, Refusal
from upbit_async.sandbox.exchange.transfer_store import Search

if TYPE_CHECKING:
    from upbit_async.sandbox.exchange.deposit_service import DepositService
    from upbit_async.sandbox.exchange.state import ExchangeState

__all__ = ["TravelRuleService", "VaspRecord", "Verification"]

_VERIFIED: Final = "verified"


@attrs.define(kw_only=True)
class VaspRecord:
    """Another exchange that takes part; tests may change any member at any time.

    See https://global-docs.upbit.com/reference/list-travelrule-vasps.

    Attributes:
        vasp_name: Its name.
        vasp_uuid: Its id, which may change.
        depositable: Whether deposits from it can be verified.
        withdrawable: Whether withdrawals to it are possible; told, not enforced.
    """

    vasp_name: str
    vasp_uuid: str
    depositable: bool = True
    withdrawable: bool = True


@attrs.frozen
class Verification:
    """What a verification came to.

    Attributes:
        deposit: The deposit, in the state in which it left it.
        result: ``verified``, or another word.
    """

    deposit: DepositRecord
    result: str


class TravelRuleService:
    """Verifies deposits.

    Args:
        shared: What it shares with the other desks.
        deposits: The desk for deposits.

    Attributes:
        vasps: The exchanges that take part, in the order in which they are listed.
    """

    def __init__(self, shared: ExchangeState, deposits: DepositService) -> None:
        self.vasps = [
            VaspRecord(vasp_name="Example Exchange A", vasp_uuid="00000000-0000-4000-8000-000000000901"),
            VaspRecord(
                vasp_name="Example Exchange B",
                vasp_uuid="00000000-0000-4000-8000-000000000902",
                withdrawable=False,
            ),
        ]
        self._shared = shared
        self._deposits = deposits
        self._verified_at: dict[tuple[str, ...], datetime] = {}

    def verify_by_uuid(self, deposit_uuid: str, vasp_uuid: str, now: datetime) -> Verification:
        """Verifies a deposit that is named by its id.

        Raises:
            Refusal: There is no such deposit or exchange, or the same was asked within ten minutes.
        """
        deposit = self._deposits.find(self._deposits.id_of(deposit_uuid), now)
        vasp = self._vasp(vasp_uuid)
        return self._verify(deposit, vasp, (deposit.uuid, vasp.vasp_uuid), now)

    def verify_by_txid(
        self, txid: str, currency: str, net_type: str, vasp_uuid: str, now: datetime
    ) -> Verification:
        """Verifies a deposit that is named by its chain id: of several the oldest that is held up.

        Raises:
            Refusal: There is no such deposit or exchange, it is past verifying, or the same was asked within
                ten minutes.
        """
        deposit = self._find(txid, currency, net_type, now)
        if deposit.state in self._shared.knobs.already_recorded:
            raise Refusal(ALREADY_HAVE_DEPOSIT)
        vasp = self._vasp(vasp_uuid)
        return self._verify(deposit, vasp, (vasp.vasp_uuid, txid, currency, net_type), now)

    def _vasp(self, uuid: str) -> VaspRecord:
        any_case = self._shared.knobs.uuids == "any case"
        for vasp in self.vasps:
            if vasp.vasp_uuid == uuid or (any_case and vasp.vasp_uuid.casefold() == uuid.casefold()):
                return vasp
        raise Refusal(self._shared.knobs.unknown_vasp)

    def _find(self, txid: str, currency: str, net_type: str, now: datetime) -> DepositRecord:
        wanted = Search(currency=currency, txids=frozenset({txid}), ascending=True)
        found = self._deposits.records.search(wanted, now, hidden_for=self._shared.knobs.get_delay)
        of_network = [deposit for deposit in found if deposit.net_type == net_type]
        if not of_network:
            raise Refusal(DEPOSIT_NOT_FOUND)
        return next((deposit for deposit in of_network if deposit.state == SUSPECTED), of_network[0])

    def _verify(
        self, deposit: DepositRecord, vasp: VaspRecord, asked: tuple[str, ...], now: datetime
    ) -> Verification:
        knobs = self._shared.knobs
        last = self._verified_at.get(asked)
        if last is not None and now < last + timedelta(seconds=knobs.verification_interval):
            raise Refusal(knobs.verification_too_soon)
        self._verified_at[asked] = now
        if not vasp.depositable or vasp.vasp_name != deposit.vasp_name:
            return Verification(deposit, knobs.verification_failed)
        if deposit.state == SUSPECTED:
            self._deposits.clear(deposit, now)
        return Verification(deposit, _VERIFIED)
