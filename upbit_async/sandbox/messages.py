"""Request and response of the sandbox, independent of the adapter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote_plus

import attrs

from upbit_async.sandbox import knob_values
from upbit_async.sandbox.knobs import ErrorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Json", "RequestRecord", "SandboxRequest", "SandboxResponse"]

Json: TypeAlias = "str | int | bool | Mapping[str, Json] | Sequence[Json] | None"

_JSON_HEADERS = (
    ("Content-Type", "application/json;charset=UTF-8"),
    ("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate"),
)
_HEADER_NAME: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_HEADER_VALUE: Final = re.compile(rb"(?:[^\0\s](?:[^\0\n\r\f\v]*[^\0\s])?)?")


@attrs.define(kw_only=True, slots=False)
class SandboxRequest:
    """One request, complete with its body.

    Attributes:
        method: The HTTP method.
        path: The path, without the query.
        query: The query string exactly as it was sent.
        body: The body's bytes.
        headers: The headers by lower-case name.
        client_ip: Where it came from.
        rejection: Why the server refuses it before the exchange sees it, if it does.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    client_ip: str = "127.0.0.1"
    rejection: ErrorSpec | None = None

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """The query's parameters, decoded, in wire order."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def _check_headers(_: object, __: object, headers: Sequence[tuple[str, str]]) -> None:
    for name, value in headers:
        if not _is_header(name, value):
            raise ValueError(
                f"header must be a name and a value that HTTP can carry, got {name!r}: {value!r}"
            )


def _is_header(name: str, value: str) -> bool:
    try:
        raw_name, raw_value = name.encode("latin-1"), value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return bool(_HEADER_NAME.fullmatch(raw_name) and _HEADER_VALUE.fullmatch(raw_value))


@attrs.frozen
class SandboxResponse:
    """One answer.

    Attributes:
        status: The HTTP status.
        body: The body's bytes.
        headers: The headers, in order.

    Raises:
        ValueError: No answer can have this status, or HTTP can't carry a header.
    """

    status: int = attrs.field(validator=knob_values.status)
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), validator=_check_headers)

    @classmethod
    def of_json(cls, status: int, value: Json) -> SandboxResponse:
        """An answer as the Exchange API gives it."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        # half a surrogate pair has no bytes, but JSON can spell it
        return cls(status, text.encode(errors="backslashreplace"), _JSON_HEADERS)

    @classmethod
    def of_error(cls, status: int, name: str, message: str) -> SandboxResponse:
        """A refusal as the Exchange API gives it."""
        return cls.of_json(status, {"error": {"name": name, "message": message}})

    def with_headers(self, *headers: tuple[str, str]) -> SandboxResponse:
        """The same answer with more headers."""
        return attrs.evolve(self, headers=self.headers + headers)


@attrs.frozen(kw_only=True)
class RequestRecord:
    """One line of the log of requests; the token is never kept.

    Attributes:
        method: The HTTP method; empty if what came in is no HTTP.
        path: The path; empty if what came in is no HTTP.
        query: The query string exactly as it was sent.
        body: The body as text, up to 16 KiB; empty if it broke off or was refused unread.
        access_key: The key that the token named, if it could be read.
        nonce: The nonce in the token, if it could be read.
        status: The status that went back, or ``None`` when no answer did.
        at: When it came in (aware, UTC).
    """

    method: str
    path: str
    query: str
    body: str
    access_key: str | None
    nonce: str | None
    status: int | None
    at: datetime
