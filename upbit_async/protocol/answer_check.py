"""Check that an answer belongs to its request, for requests that must not happen twice.

A server that sends two answers to one request shifts all later answers of a kept connection: each request then gets the
answer of the one before it. Such a request therefore goes out on a fresh connection where that can be known. Where it
can't, as with some injected HTTP clients, the answer must show by itself that it belongs to its request.

`upbit_async.resources.known_withdrawals` implements the check for withdrawals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from upbit_async.models import Intent

__all__ = ["AnswerCheck"]


class AnswerCheck(Protocol):
    """Compares the answers to such requests with what was asked and with earlier answers.

    The transport calls `doubt_about` before it takes an answer for its request's, and `accept` when it does.
    """

    def doubt_about(self, intent: Intent, record: object) -> str:
        """Return why an answer over a connection that is not known to be fresh may be another's; empty if it is not.

        Args:
            intent: What was asked.
            record: The decoded answer. It agrees with the fields that its endpoint echoes.
        """
        ...

    def accept(self, intent: Intent, record: object, *, is_guarded: bool, is_fresh: bool) -> None:
        """Record an answer that is taken for its request's.

        Args:
            intent: What was asked.
            record: The decoded answer.
            is_guarded: Whether a guard keeps its own record of the request.
            is_fresh: Whether the connection is known to carry no other request's answer.
        """
        ...

    def see(self, body: bytes) -> None:
        """Remember the ids in any answer that came through an injected client."""
        ...
