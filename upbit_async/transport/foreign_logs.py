"""Log filters that keep tokens out of the log lines of the HTTP libraries.

At DEBUG, httpcore logs the head of every answer, and httpx logs its reason at INFO. A peer can echo the request there,
with its token. hpack, which httpx uses for HTTP/2, logs each request at DEBUG in its encoded form, which can't be
masked: its lines are dropped. Nothing else in these lines is changed.
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
    """Filter that masks what looks like a token, and passes every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if (masked := without_tokens(text)) != text:
            record.msg, record.args = masked, None
        return True


class _Nothing(logging.Filter):
    """Filter that drops every record."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - it drops all alike
        return False


_FILTER: Final = _WithoutTokens()
_DROP: Final = _Nothing()
_DROPPED: Final = ("hpack", "hpack.hpack", "hpack.table")


def keep_tokens_out() -> None:
    """Mask tokens in what the HTTP libraries log from now on. Idempotent."""
    for name in _NAMES:
        logging.getLogger(name).addFilter(_FILTER)
    for name in _DROPPED:
        logging.getLogger(name).addFilter(_DROP)
