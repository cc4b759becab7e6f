"""Removal of keys and tokens from texts from outside, whole or cut off. Pure."""

from __future__ import annotations

import base64
import re
from typing import Final

__all__ = ["scrub", "without_token", "without_tokens"]

_SHORTEST: Final = 8
"""Shorter keys are not searched for: they are part of ordinary words, which would be garbled. In characters."""
_MASK: Final = "***"
_RUN: Final = "[A-Za-z0-9_-]"
# A JSON object begins with "eyJ" in base64. A token may be cut off anywhere after that, so one segment is enough. One
# whose beginning is cut off is recognised by the length of its signature. The pattern is possessive and starts only at
# the beginning of a run of such characters, or of an encoded space or line break: it needs one pass over any text.
_TOKEN: Final = re.compile(
    rf"(?:(?<!{_RUN})|(?<=%20)|(?<=\\[nrt]))eyJ{_RUN}{{8,}}+(?:\.{_RUN}++)*+"
    rf"|(?<!{_RUN})(?:{_RUN}{{8,}}+(?:\.{_RUN}{{8,}}+){{2,}}+|{_RUN}*+\.(?:{_RUN}{{43}}|{_RUN}{{86}})(?!{_RUN}))"
)
_CLAIMS: Final = b"eyJhY2Nlc3Nfa2V5Ijoi"
"""Beginning of a token's claims, ``{"access_key":"``. It has 15 bytes, so the key starts a group of base64."""
_REST: Final = rb"[A-Za-z0-9_.-]*+"


def scrub(text: str, *, access_key: str, secret_key: str) -> str:
    """Return a text without keys and tokens.

    Args:
        text: Any text; it may end in the middle of a key or a token.
        access_key: Access key, which a token contains in base64.
        secret_key: Secret key.
    """
    text = without_tokens(text)
    for secret in (secret_key, access_key, _in_token(access_key)):
        if len(secret) >= _SHORTEST:
            text = _without_end(text.replace(secret, _MASK), secret)
    return text


def without_tokens(text: str) -> str:
    """Return a text without anything that looks like a token, of any key."""
    return _TOKEN.sub(_MASK, text)


def without_token(body: bytes, *, access_key: str) -> bytes:
    """Return the body of an answer without tokens of this key; the rest stays, byte by byte.

    An answer may contain the access key (a list of keys does), and other texts that look like a token. A token of
    this key in it is an echo of the request.
    """
    if len(access_key) < _SHORTEST:
        return body
    claims = _CLAIMS + _in_token(access_key).encode("ascii")
    return body if claims not in body else re.sub(re.escape(claims) + _REST, _MASK.encode("ascii"), body)


def _in_token(access_key: str) -> str:
    """Return the part of a token that follows from the access key alone."""
    key = access_key.encode()
    return base64.urlsafe_b64encode(key[: len(key) // 3 * 3]).decode("ascii")


def _without_end(text: str, secret: str) -> str:
    """Return a text without the beginning of a secret at its end."""
    for length in range(len(secret) - 1, _SHORTEST - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + _MASK
    return text
