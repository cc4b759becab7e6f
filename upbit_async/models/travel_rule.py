"""Models of the travel rule: exchanges (VASPs), and the verification of a deposit's sender."""

from __future__ import annotations

import attrs

from upbit_async.models.states import DepositState

__all__ = ["TravelRuleVerification", "Vasp"]

_VERIFIED = "verified"


@attrs.frozen(kw_only=True)
class Vasp:
    """Virtual asset service provider (VASP), such as another exchange, that can verify senders.

    See https://global-docs.upbit.com/reference/list-travelrule-vasps.

    Attributes:
        vasp_name: Name.
        vasp_uuid: Id. It changes from time to time: look it up by name before each verification, and don't store it.
        depositable: Whether deposits from this VASP can be verified.
        withdrawable: Whether withdrawals to this VASP are possible.

    Example:
        .. code-block:: python

            by_name = {vasp.vasp_name: vasp.vasp_uuid for vasp in await client.travel_rule.vasps()}
    """

    vasp_name: str
    vasp_uuid: str
    depositable: bool
    withdrawable: bool

    def __attrs_post_init__(self) -> None:
        if not self.vasp_uuid:
            raise ValueError("a VASP without a uuid")


@attrs.frozen(kw_only=True)
class TravelRuleVerification:
    """Result of the verification of a deposit's sender.

    See https://global-docs.upbit.com/reference/verify-travelrule-by-uuid.

    Attributes:
        deposit_uuid: Id of the deposit.
        verification_result: ``verified``; Upbit does not document other values.
        deposit_state: State of the deposit after the verification.

    Example:
        .. code-block:: python

            deposit = sandbox.deposits.arrive("BTC", "BTC", "0.5")
            vasp, *_ = await client.travel_rule.vasps()
            result = await client.travel_rule.verify_by_uuid(deposit.uuid, vasp.vasp_uuid)
            print(result.verified, result.deposit_state)
    """

    deposit_uuid: str
    verification_result: str
    deposit_state: DepositState

    def __attrs_post_init__(self) -> None:
        if not self.deposit_uuid:
            raise ValueError("a verification without a deposit's uuid")

    @property
    def verified(self) -> bool:
        """Whether the sender is verified; False for an undocumented result."""
        return self.verification_result.casefold() == _VERIFIED
