"""Models of the travel rule: the exchanges that can identify the sender of a deposit."""

from __future__ import annotations

import attrs

from upbit_async.models.states import DepositState

__all__ = ["TravelRuleVerification", "Vasp"]

_VERIFIED = "verified"


@attrs.frozen(kw_only=True)
class Vasp:
    """A virtual asset service provider, such as another exchange, with which owners can be verified.

    See https://global-docs.upbit.com/reference/list-travelrule-vasps.

    Attributes:
        vasp_name: Its name.
        vasp_uuid: Its id. It changes now and then: look it up by name each time, and don't store it.
        depositable: Whether deposits from it can be verified.
        withdrawable: Whether withdrawals to it are possible.
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
    """What came of verifying the owner of a deposit.

    See https://global-docs.upbit.com/reference/verify-travelrule-by-uuid.

    Attributes:
        deposit_uuid: The deposit's id.
        verification_result: ``verified``; Upbit does not say which other words there are.
        deposit_state: How far the deposit is now.
    """

    deposit_uuid: str
    verification_result: str
    deposit_state: DepositState

    def __attrs_post_init__(self) -> None:
        if not self.deposit_uuid:
            raise ValueError("a verification without a deposit's uuid")

    @property
    def verified(self) -> bool:
        """Whether the owner is verified; a word that is not documented counts as no."""
        return self.verification_result.casefold() == _VERIFIED
