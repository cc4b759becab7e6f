"""Compacted payouts: what remains of a final payout for ever, so that its key is never forgotten. Pure."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from upbit_async.errors import ChangesCompacted
from upbit_async.models import Intent
from upbit_async.payouts.journal import RETAINED
from upbit_async.payouts.journal_time import Now, is_recent
from upbit_async.payouts.payout import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    import datetime as dt

__all__ = [
    "amount_text",
    "can_be_compacted",
    "compacted",
    "comparable",
    "digest_of",
    "missing_changes",
    "remains",
]

_EVM_ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}")


def comparable(intent: Intent) -> dict[str, str | Decimal | None]:
    """Return the members of a request in a form in which equal payments are equal."""
    members: dict[str, str | Decimal | None] = {**intent.members, "amount": intent.amount}
    if intent.address is not None and _EVM_ADDRESS.fullmatch(intent.address):
        members["address"] = intent.address.lower()  # the case of its letters is only a checksum (EIP-55)
    return members


def amount_text(amount: Decimal) -> str:
    """Return an amount as text, which is the same for equal amounts."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def digest_of(intent: Intent) -> str:
    """Return the digest of a requested payment, in hexadecimal digits. Equal payments have the same digest.

    Each part follows its length, so that no text can move from one part to the next.
    """
    hashed = hashlib.sha256()
    for name, value in sorted(comparable(intent).items()):
        for text in (name, amount_text(value) if isinstance(value, Decimal) else value or ""):
            content = text.encode("utf-8", "surrogatepass")
            hashed.update(len(content).to_bytes(8, "big") + content)
    return hashed.hexdigest()


def compacted(payout: Payout) -> Payout:
    """Return what remains of a final payout: its key, state, withdrawal, evidence, time and digest."""
    return remains(
        payout.key,
        state=payout.state,
        uuid=payout.uuid,
        evidence=payout.evidence,
        created_at=payout.created_at,
        digest=digest_of(payout.intent),
    )


def can_be_compacted(payout: Payout, before: dt.datetime, now: Now) -> bool:
    """Return whether a payout is final, changed last before a time, and departed and changed at least a week ago."""
    sent_request = payout.sent_request
    if payout.is_open or payout.updated_at >= min(before, now.utc - RETAINED):
        return False
    return sent_request is None or not is_recent(sent_request.left_at, sent_request.left_utc, RETAINED, now)


def remains(
    key: str,
    *,
    state: PayoutState,
    uuid: str | None,
    evidence: Evidence | None,
    created_at: dt.datetime,
    digest: str,
) -> Payout:
    """Return a compacted payout."""
    intent = Intent(endpoint="", host="", members={}, started_at=created_at)
    return Payout(key=key, state=state, intent=intent, uuid=uuid, evidence=evidence, digest=digest)


def missing_changes(after: int, oldest: int) -> ChangesCompacted:
    """Return the error for a position after which changes were removed."""
    return ChangesCompacted(
        f"some changes after position {after} were removed by compact(): read all payouts, then follow the changes "
        f"after position {oldest}",
        oldest=oldest,
    )
