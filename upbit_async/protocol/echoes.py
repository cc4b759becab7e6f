"""Whether an answer is about what was asked for: Upbit may answer with another record."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["stray"]

_IDS = frozenset({"uuid", "txid", "deposit_uuid"})


def stray(names: Iterable[str], sent: Mapping[str, str], record: object) -> str | None:
    """Return the first member that was sent and did not come back; None if all did, in any case of letters.

    Args:
        names: The members that Upbit repeats in its answer.
        sent: What was sent.
        record: What came. It may lack a currency or a network, as old and preliminary answers do, but no id.
    """
    for name in names:
        if name in sent and not _agree(name, sent[name], getattr(record, name)):
            return name
    return None


def _agree(name: str, sent: str, told: str | None) -> bool:
    return name not in _IDS if told is None else told.casefold() == sent.casefold()
