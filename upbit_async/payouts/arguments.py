"""Validation of what `Payouts` is given, and comparison of two payments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from upbit_async.errors import PayoutConflict, PreflightFailed, raise_alone
from upbit_async.models import Intent
from upbit_async.models.reason import Reason
from upbit_async.payouts.manual import ManualDecision
from upbit_async.protocol.endpoints import CREATE_WITHDRAWAL
from upbit_async.protocol.message import compose
from upbit_async.resources import inputs

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from decimal import Decimal

    from upbit_async.client import UpbitClient
    from upbit_async.payouts.payout import Payout
    from upbit_async.protocol.endpoint import Param

__all__ = ["check", "decision_of", "intent_for", "key_of", "raise_if_other"]

_LONGEST_KEY = 256


def key_of(value: object) -> str:
    """Return a payout's key, which is opaque.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty, longer than 256 characters or no Unicode text.
    """
    key = inputs.text("key", value)
    if len(key) > _LONGEST_KEY:
        raise ValueError(f"key must have at most {_LONGEST_KEY} characters, got {len(key)}")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise_alone(ValueError("key must be text that can be written as UTF-8"))
    if "\0" in key:
        raise ValueError("key must not hold a null character")
    return key


def intent_for(members: Mapping[str, Param], *, host: str, now: dt.datetime) -> Intent:
    """Return what a payout asks for: the members of its request, in order, all as text.

    Raises:
        TypeError: A member can't be sent.
        ValueError: Likewise.
    """
    for name, value in members.items():
        if isinstance(value, (list, tuple)):
            raise TypeError(f"{name} must be one value: a payout's journal keeps no lists")
    message = compose(CREATE_WITHDRAWAL.method, CREATE_WITHDRAWAL.path, members)
    return Intent(endpoint=CREATE_WITHDRAWAL.label, host=host, members=dict(message.members), started_at=now)


def decision_of(note: object, actor: object) -> ManualDecision:
    """Return who decided something, and why.

    Raises:
        TypeError: The note is not text, or the actor is neither text nor None.
    """
    if not isinstance(note, str):
        raise TypeError(f"note must be text, got {type(note).__name__}")
    if actor is not None and not isinstance(actor, str):
        raise TypeError(f"actor must be text or None, got {type(actor).__name__}")
    return ManualDecision(note=note, actor=actor)


def raise_if_other(payout: Payout, asked: Intent) -> None:
    """Make sure that a key stands for one payment.

    Raises:
        PayoutConflict: The payout was asked for with other parameters.
    """
    known, now = _comparable(payout.intent), _comparable(asked)
    different = sorted(name for name in known.keys() | now.keys() if known.get(name) != now.get(name))
    if different:
        raise PayoutConflict(
            f"the key {payout.key!r} stands for a {payout.intent}, which is {payout.state}; what is asked for now "
            f"differs in {', '.join(different)}: use another key for another payment"
        )


def _comparable(intent: Intent) -> dict[str, str | Decimal | None]:
    """Return the members in a form in which equal payments are equal."""
    members: dict[str, str | Decimal | None] = {**intent.members, "amount": intent.amount}
    if intent.address is not None and _EVM_ADDRESS.fullmatch(intent.address):
        members["address"] = intent.address.lower()  # the case of its letters is a mere checksum (EIP-55)
    return members


_EVM_ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}")


async def check(client: UpbitClient, payout: Payout) -> None:
    """Do all the checks of `client.withdraws.check`, and see that the memo is the registered one.

    Raises:
        PreflightFailed: Something stands in the way.
        UpbitError: Something could not be read.
    """
    intent = payout.intent
    found = await client.withdraws.check(
        currency=payout.criteria.currency,
        net_type=payout.criteria.net_type,
        amount=intent.members["amount"],
        address=intent.address,
        transaction_type=intent.transaction_type or "default",
    )
    if found.secondary_address != intent.secondary_address:
        registered = "one" if found.secondary_address else "none"
        reason = Reason(
            "other_secondary_address",
            f"the address is registered with {registered} as secondary_address (its memo), and not with the one given: "
            "take it from client.withdraws.addresses",
        )
        raise PreflightFailed(f"{intent} was not tried", reasons=(reason,))
