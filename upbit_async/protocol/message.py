"""Query or body of a request, and the text that is hashed into its token.

Both are written from one ordered list of members, so they can't disagree. Upbit's rules
(https://global-docs.upbit.com/reference/auth): a query is hashed unencoded, and a body as its members in order. Nothing
is sorted, and brackets in the names of arrays are not encoded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import attrs

from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from upbit_async.protocol.endpoint import Param, Params

__all__ = ["Message", "compose"]

_LONGEST_TARGET: Final = 32 * 1024
_MOST_DIGITS: Final = 1000
_BODILESS: Final = frozenset({"GET", "DELETE", "HEAD"})


@attrs.frozen
class Message:
    """Request without its token.

    Attributes:
        method: HTTP method.
        target: Path and percent-encoded query, as they are sent.
        body: JSON body; empty if there is none.
        members: Members of the query or body, in order, as text; a member of an array is repeated for each value.
        query_hash: Hash of the members for the token, or None if there are no members.
    """

    method: str
    target: str = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    members: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    query_hash: str | None = attrs.field(repr=False)


def compose(method: str, path: str, params: Params | None = None, *, space_as_plus: bool = False) -> Message:
    """Return the message of a request.

    Args:
        method: HTTP method. GET and DELETE have their parameters in the query, other methods in a JSON body.
        path: Path, from the root.
        params: Parameters in order. A parameter whose value is None is not sent.
        space_as_plus: Whether to hash a space as ``+``, as the recipe in Upbit's reference does.

    Raises:
        TypeError: A value is neither text, whole number, decimal, bool nor a sequence of texts.
        ValueError: A decimal is not finite or too long, a sequence is empty (Upbit would ignore it), a text is not
            valid Unicode, or the query is too long.
    """
    fields = (
        []
        if params is None
        else [(name, _texts(escaped(name), value)) for name, value in params.items() if value is not None]
    )
    members = tuple((name, text) for name, texts in fields for name, text in _expanded(name, texts))
    hashed = "&".join([f"{name}={text}" for name, text in members])
    if space_as_plus:
        hashed = hashed.replace(" ", "+")
    query_hash = hashlib.sha512(hashed.encode()).hexdigest() if members else None
    if method in _BODILESS:
        query = "&".join([f"{quote(name, safe='[]')}={quote(text, safe='')}" for name, text in members])
        target = f"{path}?{query}" if query else path
        if len(target) > _LONGEST_TARGET:
            raise ValueError(
                f"query must have at most {_LONGEST_TARGET} characters, got {len(target)}; send several requests"
            )
        return Message(method, target, b"", members, query_hash)
    body = json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":")).encode() if fields else b""
    return Message(method, path, body, members, query_hash)


def _expanded(name: str, texts: str | list[str]) -> list[tuple[str, str]]:
    if isinstance(texts, str):
        return [(name, texts)]
    return [(f"{name.removesuffix('[]')}[]", text) for text in texts]


def _texts(name: str, value: Param) -> str | list[str]:
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        if not value:
            raise ValueError(f"{name} must not be an empty list; leave it out")
        return [_text(name, item) for item in value]
    return _text(name, value)


def _text(name: str, value: object) -> str:
    """Return one value as text. The value of an enum's member is sent, whatever `str` returns for it."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{name} must be a finite number, got {value}")
        if abs(value.adjusted()) > _MOST_DIGITS or len(value.as_tuple().digits) > _MOST_DIGITS:
            raise ValueError(f"{name} must have at most {_MOST_DIGITS} digits")
        return format(value, "f")
    hint = "; write it as text or as a Decimal" if isinstance(value, float) else ""
    kind = "a nested object" if isinstance(value, Mapping) else type(value).__name__
    raise TypeError(f"{name} can't be sent as {kind}{hint}")
