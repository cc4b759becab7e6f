"""Whether an answer belongs to the request that it came for.

Two answers to one request shift all later answers of a kept connection. A request that must not happen twice
therefore has a connection that was never used before. Where the HTTP client does not say whether that is so, the
answer itself must show it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from upbit_async.checks import contradictions
from upbit_async.models import Withdrawal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upbit_async.transport.call import Call, ClientState

__all__ = ["doubt_about", "ids_in"]

_ID = re.compile(rb'"uuid"\s*:\s*"([^"\\]{1,128})"')
_WHENCE = "it came over a connection that may have carried earlier requests"


def ids_in(body: bytes) -> Iterator[str]:
    """Return the ids of all records in an answer."""
    return (found[1].decode(errors="replace") for found in _ID.finditer(body))


def doubt_about(shared: ClientState, call: Call, record: object) -> str:
    """Say why an answer may be another request's; empty if it shows that it is not.

    Args:
        shared: What the client has seen so far.
        call: What was asked, over a connection that is not known to be fresh.
        record: What came. It has been compared with what its endpoint echoes.
    """
    if isinstance(record, Withdrawal):
        if record.uuid.casefold() in shared.seen:
            return f"{_WHENCE}, and an earlier answer named the same withdrawal"
        wrong = contradictions(call.intent, record)
        return f"{_WHENCE}, and is {wrong}" if wrong else ""
    if call.endpoint.proof is not None or call.endpoint.returns is not object:
        return ""  # it is a record of the right kind, and moves no money
    return f"{_WHENCE}, and nothing in it shows that it belongs to this one"
