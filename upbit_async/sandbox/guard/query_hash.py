"""Verification of ``query_hash``, the hash over the parameters of a request.

See https://global-docs.upbit.com/reference/auth. The hashed text of a GET or DELETE is the decoded query string in the
order in which it was sent; that of a POST is the members of the body in their order, as ``name=value``.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from upbit_async.sandbox.body import Body, Member
from upbit_async.sandbox.exchange.errors import INVALID_PARAMETER, Refusal
from upbit_async.sandbox.knobs import ErrorSpec, Knobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upbit_async.sandbox.guard.token import Token
    from upbit_async.sandbox.messages import SandboxRequest

__all__ = ["check_query_hash"]

_INVALID_QUERY_PAYLOAD: Final = ErrorSpec(401, "invalid_query_payload")
_ALGORITHMS: Final = {"SHA256": hashlib.sha256, "SHA384": hashlib.sha384, "SHA512": hashlib.sha512}


def check_query_hash(request: SandboxRequest, token: Token, knobs: Knobs) -> None:
    """Check that the hash in a token matches the parameters of its request.

    Raises:
        Refusal: It does not match, or the server does not accept the form of the request.
    """
    if request.method in {"GET", "DELETE"}:
        text = _query_text(request.query, knobs)
    else:
        text = "&".join(_body_texts(Body.of(request), knobs))
    if not text and token.query_hash is None:
        return
    algorithm = _ALGORITHMS.get(token.query_hash_alg)
    if algorithm is None or token.query_hash is None:
        raise Refusal(_INVALID_QUERY_PAYLOAD)
    accepted = (algorithm(spelling.encode()).hexdigest() for spelling in _spellings(text, knobs))
    given = token.query_hash.encode()
    if not any(hmac.compare_digest(digest.encode(), given) for digest in accepted):
        raise Refusal(_INVALID_QUERY_PAYLOAD)


def _query_text(query: str, knobs: Knobs) -> str:
    if not knobs.encoded_brackets and ("%5b" in query.lower() or "%5d" in query.lower()):
        raise Refusal(INVALID_PARAMETER)
    return unquote_plus(query)


def _body_texts(body: Body, knobs: Knobs) -> Iterator[str]:
    for name, value in body.members:
        if isinstance(value, list):
            yield from (f"{name}[]={_value_text(item, knobs)}" for item in value)
        elif value is not None or knobs.null_members != "left out":
            yield f"{name}={_value_text(value, knobs)}"


def _value_text(value: Member, knobs: Knobs) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return knobs.null_members
    if isinstance(value, str):  # `Number` is a str
        return value
    raise Refusal(INVALID_PARAMETER, "Members of the body must be plain values.")


def _spellings(text: str, knobs: Knobs) -> Iterator[str]:
    """Return the accepted texts: with spaces, or with a plus for each as in the reference recipe."""
    if knobs.space != "plus":
        yield text
    if knobs.space != "space":
        yield text.replace(" ", "+")
