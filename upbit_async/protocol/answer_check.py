"""Check of the answers to requests that must not happen twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from upbit_async.models import Intent

__all__ = ["AnswerCheck"]


class AnswerCheck(Protocol):
    """Keeps the answers to such requests apart.

    Two answers to one request shift all later answers of a kept connection. Where the connection is not known to be
    fresh, an answer must therefore show by itself that it belongs to its request.
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
