"""Take keys and tokens out of texts from outside, whole or cut. Pure."""

from __future__ import annotations

import base64
import re
from typing import Final

__all__ = ["scrub", "without_token", "without_tokens"]

_SHORTEST: Final = 8
"""Keys with fewer characters are not searched for: they stand in ordinary words, which would be garbled."""
_MASK: Final = "***"
_RUN: Final = "[A-Za-z0-9_-]"
# A JSON object begins with "eyJ" in base64. A token may be cut anywhere behind that, so one segment is enough; one that
# is cut in front is known by the length of its signature. Possessive and tied to the beginning of a run of such
# characters, or of what stands for a space or a line break, so that it takes one pass over any text.
_TOKEN: Final = re.compile(
    rf"(?:(?<!{_RUN})|(?<=%20)|(?<=\\[nrt]))eyJ{_RUN}{{8,}}+(?:\.{_RUN}++)*+"
    rf"|(?<!{_RUN})(?:{_RUN}{{8,}}+(?:\.{_RUN}{{8,}}+){{2,}}+|{_RUN}*+\.(?:{_RUN}{{43}}|{_RUN}{{86}})(?!{_RUN}))"
)
_CLAIMS: Final = b"eyJhY2Nlc3Nfa2V5Ijoi"
"""How the claims of a token begin: ``{"access_key":"``. That is fifteen bytes, so the key begins a group of base64."""
_REST: Final = rb"[A-Za-z0-9_.-]*+"


def scrub(text: str, *, access_key: str, secret_key: str) -> str:
    """Return a text without keys and tokens.

    Args:
        text: Any text; it may end in the middle of a key or a token.
        access_key: The access key, which a token holds in base64.
        secret_key: The secret key.
    """
    text = without_tokens(text)
    for secret in (secret_key, access_key, _in_token(access_key)):
        if len(secret) >= _SHORTEST:
            text = _without_end(text.replace(secret, _MASK), secret)
    return text


def without_tokens(text: str) -> str:
    """Return a text without what looks like a token, whosever it is."""
    return _TOKEN.sub(_MASK, text)


def without_token(body: bytes, *, access_key: str) -> bytes:
    """Return an answer's body without tokens of this key; anything else in it stays, byte by byte.

    An answer may hold the access key (a list of keys does), and other texts that look like a token. A token of ours in
    it is an echo of the request.
    """
    if len(access_key) < _SHORTEST:
        return body
    claims = _CLAIMS + _in_token(access_key).encode("ascii")
    return body if claims not in body else re.sub(re.escape(claims) + _REST, _MASK.encode("ascii"), body)


def _in_token(access_key: str) -> str:
    """Return what stands for an access key in its tokens, as far as it does not depend on what follows."""
    key = access_key.encode()
    return base64.urlsafe_b64encode(key[: len(key) // 3 * 3]).decode("ascii")


def _without_end(text: str, secret: str) -> str:
    """Return a text without the beginning of a secret in which it ends."""
    for length in range(len(secret) - 1, _SHORTEST - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + _MASK
    return text
