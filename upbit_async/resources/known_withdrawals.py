"""Ids of the withdrawals that a client has seen in Upbit's answers.

They serve two comparisons. An answer whose connection may have carried other requests must not name a withdrawal that
an earlier answer named (`upbit_async.protocol.answer_check`). And a withdrawal whose answer was lost must not be taken
for one that another request of this client has made (`withdraws.reconcile`, `upbit_async.payouts`).
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, TypeVar

from upbit_async.checks import contradictions
from upbit_async.models import Withdrawal

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from upbit_async.models import Intent

__all__ = ["KnownWithdrawals"]

T = TypeVar("T")

_MOST_KEPT = 10_000
_ID = re.compile(rb'"uuid"\s*:\s*"([^"\\]{1,128})"')
_SOURCE = "it came over a connection that may have carried earlier requests"


class KnownWithdrawals:
    """Known withdrawals of one client and its siblings, and their `upbit_async.protocol.answer_check.AnswerCheck`.

    It keeps the newest 10,000 ids of each kind, in lower case. Clients are used in several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owners: dict[str, Intent] = {}
        self._unguarded: dict[str, None] = {}
        self._unproven: dict[str, None] = {}
        self._seen: dict[str, None] = {}

    @property
    def unguarded(self) -> AbstractSet[str]:
        """Ids that Upbit has answered to requests without a guard. Guarded requests keep their own record."""
        with self._lock:
            return frozenset(self._unguarded)

    @property
    def unproven(self) -> AbstractSet[str]:
        """Ids in answers over connections not known to be fresh.

        Such an answer may have been meant for an earlier request. It agrees with what was asked and differs from the
        client's own earlier answers; code that knows of more withdrawals compares it with those.
        """
        with self._lock:
            return frozenset(self._unproven)

    def claim(self, uuid: str, intent: Intent) -> None:
        """Record that a withdrawal is this intent's and no other's."""
        with self._lock:
            _keep(self._owners, uuid.casefold(), intent)

    def claimed_by_others(self, intent: Intent) -> set[str]:
        """Return the ids that are other intents', by Upbit's answer or by `claim`."""
        with self._lock:
            return {uuid for uuid, owner in self._owners.items() if owner != intent}

    def doubt_about(self, intent: Intent, record: object) -> str:
        """Return why an answer over a connection that is not known to be fresh may be another's."""
        if not isinstance(record, Withdrawal):
            return ""
        if record.uuid.casefold() in self._seen:
            return f"{_SOURCE}, and an earlier answer named the same withdrawal"
        wrong = contradictions(intent, record)
        return f"{_SOURCE}, and is {wrong}" if wrong else ""

    def accept(self, intent: Intent, record: object, *, is_guarded: bool, is_fresh: bool) -> None:
        """Record an answer that is taken for its request's."""
        if not isinstance(record, Withdrawal):
            return
        uuid = record.uuid.casefold()
        with self._lock:
            _keep(self._owners, uuid, intent)
            if not is_guarded:
                _keep(self._unguarded, uuid, None)
            if not is_fresh:
                _keep(self._unproven, uuid, None)

    def see(self, body: bytes) -> None:
        """Remember the ids in any answer that came through an injected client."""
        with self._lock:
            for found in _ID.finditer(body):
                _keep(self._seen, found[1].decode(errors="replace").casefold(), None)


def _keep(known: dict[str, T], uuid: str, value: T) -> None:
    """Keep a value, and drop the oldest when there are too many."""
    known[uuid] = value
    if len(known) > _MOST_KEPT:
        del known[next(iter(known))]
