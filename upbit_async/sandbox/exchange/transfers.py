"""Withdrawals and deposits: the records that the exchange keeps, and the input that creates one."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import attrs

from upbit_async.sandbox.exchange.transitions import Transitions, TransitionState

__all__ = [
    "RETURNED",
    "SUSPECTED",
    "Arrival",
    "DepositRecord",
    "TransferRecord",
    "WithdrawalOrder",
    "WithdrawalRecord",
    "bank_txid",
    "chain_txid",
]

RETURNED: Final = frozenset({"FAILED", "CANCELLED", "REJECTED"})
"""States of a withdrawal whose money was returned to the account."""
SUSPECTED: Final = "TRAVEL_RULE_SUSPECTED"
"""State of a deposit that has arrived and is held until its sender's exchange is verified."""


@attrs.define(kw_only=True)
class TransferRecord:
    """One transfer as the exchange knows it, with more fields than the API returns.

    Attributes:
        uuid: Id of the transfer.
        currency: Currency code.
        net_type: Network identifier; ``None`` for fiat.
        amount: Amount.
        amount_text: Amount as it was written in the request.
        fee: Fee.
        transaction_type: ``default`` or ``internal``.
        txid: Id on the chain or at the bank; ``None`` until it is known.
        state: Current state.
        created_at: Time of creation (aware, UTC).
        done_at: Time of completion (aware, UTC), or ``None``.
        progress: Transitions of this transfer, and how many were applied.
    """

    uuid: str
    currency: str
    net_type: str | None
    amount: Decimal
    amount_text: str
    fee: Decimal = Decimal(0)
    transaction_type: str = "default"
    txid: str | None = None
    state: str
    created_at: datetime
    done_at: datetime | None = None
    progress: TransitionState


@attrs.define(kw_only=True)
class WithdrawalRecord(TransferRecord):
    """One withdrawal as the exchange knows it, with more fields than the API returns.

    Attributes:
        total: Amount taken from the account.
        address: Destination address, empty for fiat; the API never returns it.
        secondary_address: Memo of the destination; the API never returns it.
        money: Whether the money is held, has left the exchange, or was returned.

    Example:
        .. code-block:: python

            withdrawal = await client.withdraws.create(
                currency="USDT", net_type="TRX", amount="13", address="TFakeTronWithdrawAddressFakeFakeFa"
            )
            record = sandbox.withdrawals[withdrawal.uuid]
            print(record.address, record.money)
    """

    total: Decimal
    address: str = ""
    secondary_address: str | None = None
    money: Literal["held", "settled", "released"] = "held"

    @property
    def is_cancelable(self) -> bool:
        """Whether the withdrawal may be cancelled now; fiat never may."""
        return self.net_type is not None and self.state in self.progress.transitions.cancelable


@attrs.define(kw_only=True)
class DepositRecord(TransferRecord):
    """One deposit as the exchange knows it, with more fields than the API returns.

    Attributes:
        vasp_name: Exchange that sent it, if any; the API never returns it.
        credited: Whether the account has received the money.

    Example:
        .. code-block:: python

            record = sandbox.deposits.arrive("USDT", "TRX", "100")
            sandbox.deposits.set_state(record.uuid, "ACCEPTED")
            assert record.credited
    """

    vasp_name: str | None = None
    credited: bool = False


@attrs.frozen(kw_only=True)
class WithdrawalOrder:
    """A well-formed request to withdraw that the exchange has not checked yet.

    Attributes:
        currency: Currency code.
        net_type: Network identifier.
        amount: Amount.
        amount_text: Amount as it was written in the request.
        address: Destination address.
        secondary_address: Memo of the destination, if any.
        transaction_type: ``default`` or ``internal``.
        uuid: Id for the withdrawal, not used before; ``None`` for a random one.
    """

    currency: str
    net_type: str
    amount: Decimal
    amount_text: str
    address: str
    secondary_address: str | None = None
    transaction_type: str = "default"
    uuid: str | None = None


@attrs.frozen(kw_only=True)
class Arrival:
    """Money that arrives for the account.

    Attributes:
        currency: Currency code.
        net_type: Network identifier; ``None`` for fiat.
        amount: Amount.
        amount_text: Amount as it was written in the request.
        txid: Id on the chain or at the bank, which several arrivals may share; generated if absent.
        transaction_type: ``default`` or ``internal``.
        vasp_name: Exchange that sent it, if any.
        transitions: Transitions of the deposit; ``None`` for those of the service.
        uuid: Id for the deposit, not used before; ``None`` for a random one.
    """

    currency: str
    net_type: str | None
    amount: Decimal
    amount_text: str
    txid: str | None = None
    transaction_type: str = "default"
    vasp_name: str | None = None
    transitions: Transitions | None = None
    uuid: str | None = None


def chain_txid(uuid: str) -> str:
    """Return a fake id on a chain for a transfer."""
    return hashlib.sha256(uuid.encode()).hexdigest()


def bank_txid(prefix: str, uuid: str, at: datetime) -> str:
    """Return a fake bank reference such as ``BKD-2000-12-29-…``.

    Args:
        prefix: ``BKD`` for a deposit, ``BKW`` for a withdrawal.
        uuid: Id of the transfer.
        at: Date in the reference.
    """
    return f"{prefix}-{at:%Y-%m-%d}-{chain_txid(uuid)[:26]}"
