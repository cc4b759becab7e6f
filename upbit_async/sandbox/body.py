"""A JSON body, read so that its members keep their order and its numbers their text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from upbit_async.sandbox.exchange.errors import INVALID_PARAMETER, Refusal

if TYPE_CHECKING:
    from upbit_async.sandbox.messages import SandboxRequest

__all__ = ["Body", "Member", "Number"]


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


Member: TypeAlias = "str | Number | bool | list[Member] | Body | None"


@attrs.frozen
class Body:
    """A JSON object in wire order.

    Attributes:
        members: Its members; a name may stand there twice.
    """

    members: tuple[tuple[str, Member], ...] = ()

    @classmethod
    def of(cls, request: SandboxRequest) -> Body:
        """The body of a request; without one there are no members.

        Raises:
            Refusal: It is not said to be JSON, is none, or is not an object.
        """
        if not request.body:
            return cls()
        media_type, _, _ = request.headers.get("content-type", "").partition(";")
        if media_type.strip().lower() != "application/json":
            raise Refusal(INVALID_PARAMETER, "The body has to be application/json.")
        try:
            value: Member = _DECODER.decode(request.body.decode())
            _check_texts(value)
        except (ValueError, RecursionError):
            raise Refusal(INVALID_PARAMETER, "The body is not valid JSON.") from None
        if not isinstance(value, Body):
            raise Refusal(INVALID_PARAMETER, "The body has to be a JSON object.")
        return value

    def get(self, name: str) -> Member:
        """A member's value; ``None`` when it is absent or null, the last one where there are several."""
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
