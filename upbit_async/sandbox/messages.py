"""Request and response of the sandbox, whichever adapter they pass through."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import unquote_plus

import attrs

from upbit_async.sandbox.knobs import ErrorSpec
from upbit_async.sandbox.validation import check_status

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
    """Request that the sandbox received, complete with its body.

    Faults select requests by it (``when``), and extra routes answer it.

    Attributes:
        method: HTTP method.
        path: Path without the query.
        query: Query string exactly as it was sent.
        body: Bytes of the body.
        headers: Headers by lower-case name.
        client_ip: Address of the client.
        rejection: Reason for which the server refuses it before the exchange sees it, if any.

    Example:
        .. code-block:: python

            from upbit_async.sandbox import Fault, SandboxRequest


            def is_large(request: SandboxRequest) -> bool:
                return float(request.members.get("amount", 0)) > 1000


            sandbox.faults.add(Fault.lose_answer("POST", "/v1/withdraws/coin", when=is_large))
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
        """Parameters of the query, decoded, in the order in which they were sent."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]

    @cached_property
    def members(self) -> Mapping[str, Any]:
        """Members of the JSON body; empty if the body is no JSON object."""
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


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
    """Response of the sandbox.

    The ``rewrite`` of a fault gets one and returns another, and extra routes return one.

    Attributes:
        status: HTTP status.
        body: Bytes of the body.
        headers: Headers, in order.

    Raises:
        ValueError: No answer can have this status, or HTTP can't transport a header.

    Example:
        .. code-block:: python

            from upbit_async.sandbox import Fault, SandboxResponse


            def without_rows(response: SandboxResponse) -> SandboxResponse:
                return SandboxResponse.of_json(response.status, [])


            sandbox.faults.add(Fault("GET", "/v1/withdraws", rewrite=without_rows))
    """

    status: int = attrs.field(validator=check_status)
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), validator=_check_headers)

    @classmethod
    def of_json(cls, status: int, value: Json) -> SandboxResponse:
        """Return a JSON response with the headers of the Exchange API.

        Args:
            status: HTTP status.
            value: Value of the body.
        """
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        # JSON can spell half a surrogate pair, which has no bytes
        return cls(status, text.encode(errors="backslashreplace"), _JSON_HEADERS)

    @classmethod
    def of_error(cls, status: int, name: str, message: str) -> SandboxResponse:
        """Return a refusal in the form of the Exchange API.

        Args:
            status: HTTP status.
            name: ``error.name``.
            message: ``error.message``.
        """
        return cls.of_json(status, {"error": {"name": name, "message": message}})

    def with_headers(self, *headers: tuple[str, str]) -> SandboxResponse:
        """Return the same response with more headers.

        Args:
            headers: Pairs of name and value.
        """
        return attrs.evolve(self, headers=self.headers + headers)


@attrs.frozen(kw_only=True)
class RequestRecord:
    """One entry of the request log; tokens are never logged.

    Attributes:
        method: HTTP method; empty if the bytes received were no HTTP.
        path: Path; empty if the bytes received were no HTTP.
        query: Query string exactly as it was sent.
        body: Body as text, up to 16 KiB; empty if it was incomplete or refused unread.
        access_key: Access key in the token, if it could be read.
        nonce: Nonce in the token, if it could be read.
        status: Status of the response, or ``None`` if none was sent.
        at: Time at which it was received (aware, UTC).

    Example:
        .. code-block:: python

            await client.withdraws.list(currency="USDT")
            request = sandbox.requests[-1]
            assert (request.method, request.path, request.status) == ("GET", "/v1/withdraws", 200)
    """

    method: str
    path: str
    query: str
    body: str
    access_key: str | None
    nonce: str | None
    status: int | None
    at: datetime
