"""Base of withdrawal and deposit records."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal

import attrs

from upbit_async.sandbox.exchange.transitions import TransitionState

__all__ = ["TransferRecord", "bank_txid", "chain_txid"]


@attrs.define(kw_only=True)
class TransferRecord:
    """One transfer as the exchange knows it.

    Attributes:
        uuid: Its id.
        currency: The currency's code.
        net_type: The network's identifier; ``None`` for fiat.
        amount: How much.
        amount_text: The same as it was written.
        fee: The fee.
        transaction_type: ``default`` or ``internal``.
        txid: The chain's id, or the bank's, once it is known.
        state: The present state.
        created_at: When it began (aware, UTC).
        done_at: When it ended, or ``None``.
        journey: How far it got on its plan.
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


def chain_txid(uuid: str) -> str:
    """A made-up id on a chain."""
    return hashlib.sha256(uuid.encode()).hexdigest()


def bank_txid(prefix: str, uuid: str, at: datetime) -> str:
    """A made-up reference of a bank, as ``BKD-2000-12-29-…``; ``BKD`` stands for a deposit."""
    return f"{prefix}-{at:%Y-%m-%d}-{chain_txid(uuid)[:26]}"
