"""Withdrawals and deposits of a sandbox, for tests of what both have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from upbit_async.sandbox import Sandbox, Transitions

__all__ = ["DEPOSITS", "WITHDRAWALS", "TransferKind"]


@attrs.frozen
class TransferKind:
    """One kind of transfer.

    Attributes:
        name: Name of the sandbox's control.
        list_path: Path of the list.
        get_path: Path of a single transfer.
        first: Number of the oldest past transfer; the others follow.
        ends: Final states that a transfer may have.
    """

    name: str
    list_path: str
    get_path: str
    first: int
    ends: tuple[str, ...]

    def __str__(self) -> str:
        """Return the name, as the id of a test."""
        return self.name

    def past(self, number: int) -> str:
        """Return the id of a past transfer, counted from 1."""
        return f"00000000-0000-4000-8000-{self.first + number - 1:012}"

    def control(self, sandbox: Sandbox) -> Any:
        """Return the control of this kind."""
        return getattr(sandbox, self.name)

    def create(
        self, sandbox: Sandbox, *, transitions: Transitions | None = None, uuid: str | None = None
    ) -> str:
        """Create a transfer of 13 USDT on Tron without a request; return its id."""
        if transitions is not None:
            self.control(sandbox).transitions = transitions
        if self is DEPOSITS:
            return sandbox.deposits.arrive("USDT", "TRX", "13", uuid=uuid).uuid
        address = "TFakeTronWithdrawAddressFakeFakeFa"
        return sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=address, uuid=uuid).uuid


WITHDRAWALS = TransferKind(
    "withdrawals", "/v1/withdraws", "/v1/withdraw", 1, ("DONE", "FAILED", "CANCELLED", "REJECTED")
)
DEPOSITS = TransferKind(
    "deposits", "/v1/deposits", "/v1/deposit", 101, ("ACCEPTED", "CANCELLED", "REJECTED", "REFUNDED")
)
