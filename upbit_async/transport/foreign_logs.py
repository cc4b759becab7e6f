"""Tokens in the log lines of the HTTP libraries, and how they are kept out.

At DEBUG, httpcore logs the head of every answer, and httpx logs its reason at INFO. A peer can echo the request there,
with its token. Nothing else in the lines of these libraries is touched.
"""

from __future__ import annotations

import logging
from typing import Final

from upbit_async.protocol.scrub import without_tokens

__all__ = ["keep_tokens_out"]

_PARTS: Final = ("connection", "http11", "http2", "proxy", "socks")
_NAMES: Final = (
    "httpx",
    "httpx2",
    "aiohttp.client",
    *(f"{core}.{part}" for core in ("httpcore", "httpcore2") for part in _PARTS),
)


class _WithoutTokens(logging.Filter):
    """Masks what looks like a token; lets all records through."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if (masked := without_tokens(text)) != text:
            record.msg, record.args = masked, None
        return True


_FILTER: Final = _WithoutTokens()


def keep_tokens_out() -> None:
    """Mask tokens in what the HTTP libraries log from now on; doing it again changes nothing."""
    for name in _NAMES:
        logging.getLogger(name).addFilter(_FILTER)
