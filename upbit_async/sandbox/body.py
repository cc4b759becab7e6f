"""JSON body that keeps the order of its members and the text of its numbers, both of which are signed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from upbit_async.sandbox.exchange.errors import INVALID_PARAMETER, Refusal

if TYPE_CHECKING:
    from upbit_async.sandbox.messages import SandboxRequest

__all__ = ["Body", "Member", "Number"]


class Number(str):
    """JSON number as it was written."""

    __slots__ = ()


Member: TypeAlias = "str | Number | bool | list[Member] | Body | None"


@attrs.frozen
class Body:
    """JSON object.

    Attributes:
        members: Members in the order in which they were sent; a name may occur twice.
    """

    members: tuple[tuple[str, Member], ...] = ()

    @classmethod
    def of(cls, request: SandboxRequest) -> Body:
        """Return the body of a request; an absent body has no members.

        Raises:
            Refusal: Its content type is not JSON, it is no valid JSON, or it is no object.
        """
        if not request.body:
            return cls()
        media_type, _, _ = request.headers.get("content-type", "").partition(";")
        if media_type.strip().lower() != "application/json":
            raise Refusal(INVALID_PARAMETER, "The body must be application/json.")
        try:
            value: Member = _DECODER.decode(request.body.decode())
            _check_texts(value)
        except (ValueError, RecursionError):
            raise Refusal(INVALID_PARAMETER, "The body is not valid JSON.") from None
        if not isinstance(value, Body):
            raise Refusal(INVALID_PARAMETER, "The body must be a JSON object.")
        return value

    def get(self, name: str) -> Member:
        """Return the value of a member, the last of several; ``None`` if it is absent or null."""
        return dict(self.members).get(name)


def _check_texts(value: Member) -> None:
    """Raise ``UnicodeEncodeError`` if a text is not Unicode: JSON can spell half a surrogate pair."""
    waiting = [value]
    while waiting:
        member = waiting.pop()
        if isinstance(member, str):
            member.encode()
        elif isinstance(member, list):
            waiting += member
        elif isinstance(member, Body):
            for name, inner in member.members:
                waiting += (name, inner)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=lambda pairs: Body(tuple(pairs)),
    parse_float=Number,
    parse_int=Number,
    parse_constant=Number,
)
