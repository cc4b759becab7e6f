"""Classification of answers into failures and errors.

See https://global-docs.upbit.com/reference/rest-api-guide. Upbit recommends deciding by ``error.name``, because 401 and
403 are used inconsistently. Not every name is documented.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from upbit_async.errors import (
    APIError,
    AuthenticationError,
    DecodeError,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    ValidationError,
)
from upbit_async.protocol.decode import decode_untyped
from upbit_async.protocol.rates import LONGEST_BAN, Remaining, parse_remaining, parse_retry_after

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["Answer", "Failure", "api_error", "classify", "hint_for"]

_ADVICE: Final = {
    "invalid_query_payload": "the query and its hash disagree; report this as a bug of upbit_async",
    "jwt_verification": "check the secret key, and that it belongs to the access key",
    "invalid_access_key": "check the access key, and that it was issued in this region",
    "expired_access_key": "issue a new key on the website",
    "no_authorization_ip": "add this machine's public address to the key's IP allowlist",
    "no_authorization_i_p": "add this machine's public address to the key's IP allowlist",
    "out_of_scope": "the key lacks the permission for this call: issue one that has it",
    "open_api_withdraw_locked": "release the withdrawal lock of this key in the mobile app",
    "withdraw_address_not_registered": "register the address on the website first",
    "withdraw_address_not_registerd": "register the address on the website first",
    "nonce_used": "the same token arrived twice",
    "thirdparty_agreement_required": "accept the agreement on the website",
}
_KINDS: Final[dict[int, type[APIError]]] = {
    HTTPStatus.UNAUTHORIZED: AuthenticationError,
    HTTPStatus.FORBIDDEN: PermissionDenied,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
}
_remaining = functools.lru_cache(maxsize=128)(parse_remaining)  # the header has few different values
_LONGEST_MESSAGE: Final = 500
_LONGEST_NAME: Final = 100


class Failure(enum.Enum):
    """Result of an attempt without a good answer."""

    NOT_SENT = "not sent"
    """The request provably did not reach Upbit. It is safe to repeat."""
    NETWORK = "network fault"
    """The request was or may have been sent, and no whole answer was received. It may have been executed."""
    THROTTLED = "throttled"
    """429 of Upbit's own: the request was not executed. Repeat it after the standstill."""
    BARE_THROTTLED = "throttled by somebody"
    """429 without a sign that Upbit sent it, such as a proxy's. The request may have been executed."""
    BANNED = "banned"
    """418: Upbit has blocked the key temporarily. Send nothing with it until the ban is over."""
    NONCE_USED = "nonce used"
    """Upbit has seen this token before: this request, or a copy of it, arrived. It may have been executed."""
    UNAVAILABLE = "unavailable"
    """408 or 5xx: the request may have been executed. Reads are repeated."""
    REFUSED = "refused"
    """4xx with an error name: Upbit did not execute the request. Repeating it brings the same answer."""
    ODD = "odd answer"
    """Any other status, such as a redirect, 409 or a 4xx without an error name. It may have been executed."""
    UNREADABLE = "unreadable answer"
    """Good status with a body that Upbit does not document. The request may have been executed."""


_LONGEST_HINTS: Final = {Failure.BARE_THROTTLED: 60.0, Failure.THROTTLED: 600.0, Failure.BANNED: LONGEST_BAN}


@attrs.frozen
class Answer:
    """Whole HTTP answer.

    Attributes:
        status: Status code.
        headers: Headers, by lower-case name.
        body: Body as it was received; of an error perhaps only its beginning.
        defect: Reason why the body can't be trusted, such as its size or an encoding; None if it can.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    defect: str | None = None

    @property
    def remaining(self) -> Remaining | None:
        """Value of ``Remaining-Req``, or None."""
        return _remaining(self.headers.get("remaining-req"))

    def retry_after(self, now: dt.datetime) -> float | None:
        """Return the value of ``Retry-After`` in seconds, or None."""
        return parse_retry_after(self.headers.get("retry-after"), now)

    def text(self) -> str:
        """Return the body as text, with a replacement character for each invalid byte."""
        return self.body.decode(errors="replace")

    def error(self) -> tuple[str, str] | None:
        """Return the name and the message of Upbit's error, or None if the body has no readable name.

        Upbit documents ``{"error":{"name":…,"message":…}}``. Its SDK also accepts the flat
        ``{"name":…,"message":…}``. That form counts only with both members and without ``error``, because answers
        of proxies may have a ``name`` too.
        """
        try:
            found = _object(decode_untyped(self.body, asked=""))
        except DecodeError:
            return None
        error = _object(found["error"]) if "error" in found else found
        name, message = error.get("name"), error.get("message")
        if isinstance(name, bool) or not isinstance(name, (str, int)) or not str(name):
            return None
        if not isinstance(message, str):
            return None if error is found else (str(name), "")
        return str(name), message


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def classify(answer: Answer) -> Failure | None:
    """Return the failure that an answer means; None if its status is good."""
    match answer.status // 100, answer.status:
        case 2, _:
            return None if answer.defect is None else Failure.UNREADABLE
        case (5, _) | (_, 408):
            return Failure.UNAVAILABLE
        case _, 418:
            return Failure.BANNED
        case _, 429:
            is_upbits_own = answer.error() is not None or answer.remaining is not None
            return Failure.THROTTLED if is_upbits_own else Failure.BARE_THROTTLED
        case 4, status:
            return _classify_refusal(answer.error(), named_is_enough=status != HTTPStatus.CONFLICT)
        case _:
            return Failure.ODD


def hint_for(answer: Answer, fault: Failure, now: dt.datetime) -> float | None:
    """Return how long the server asks the client to wait, in seconds, or None.

    A hint that outlives the call is capped: a bare 429 may be from a proxy, and no header may block a key for years.
    Hints with other failures affect this call only.
    """
    hint = answer.retry_after(now)
    return None if hint is None else min(hint, _LONGEST_HINTS.get(fault, hint))


def _classify_refusal(error: tuple[str, str] | None, *, named_is_enough: bool) -> Failure:
    if error is None:
        return Failure.ODD
    if error[0] == "nonce_used":
        return Failure.NONCE_USED
    return Failure.REFUSED if named_is_enough else Failure.ODD


def api_error(
    answer: Answer,
    *,
    asked: str,
    name: str,
    message: str,
    may_have_executed: bool,
    retry_after: float = 0.0,
    advice: str = "",
    asked_for: str = "",
) -> APIError:
    """Return the error for an answer with an error status.

    Args:
        answer: Answer.
        asked: Method and path of the request.
        name: Upbit's name for the error, scrubbed; empty if there is none.
        message: Upbit's message, scrubbed.
        may_have_executed: Whether this attempt or an earlier one may have been executed.
        retry_after: Time to wait after 429, in seconds.
        advice: What to do, in place of the usual advice.
        asked_for: Record that the request was about, such as ``uuid 9b1f…``; empty if there was none.
    """
    kind = _kind(answer.status, name)
    shown, message = name[:_LONGEST_NAME], message[:_LONGEST_MESSAGE]
    text = f"{asked}: Upbit answered {answer.status}"
    text += f" {shown}" if shown else " without a readable error name"
    if message:
        text += f" ({message})"
    if asked_for:
        text += f" for {asked_for}"
    if advice := advice or _ADVICE.get(name) or _general_advice(kind, retry_after):
        text += f"; {advice}"
    about: dict[str, Any] = {
        "status": answer.status,
        "name": shown,
        "message": message,
        "endpoint": asked,
        "asked_for": asked_for,
        "may_have_executed": may_have_executed,
    }
    if kind is RateLimited:
        return RateLimited(text, retry_after=retry_after, **about)
    return kind(text, **about)


def _kind(status: int, name: str) -> type[APIError]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError
    if name in {"out_of_scope", "open_api_withdraw_locked"}:
        return PermissionDenied
    if status in _KINDS:
        return _KINDS[status]
    if not _is_upbits_own(status, name):
        return APIError
    return NotFound if status == HTTPStatus.NOT_FOUND or name.endswith("_not_found") else ValidationError


def _is_upbits_own(status: int, name: str) -> bool:
    """Return whether a refusal is Upbit's decision, not that of a proxy."""
    if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}:
        return False
    return status == HTTPStatus.BAD_REQUEST or (bool(name) and status > HTTPStatus.BAD_REQUEST)


def _general_advice(kind: type[APIError], retry_after: float) -> str:
    if kind is RateLimited:
        return f"wait {retry_after:.1f} s; other programs may use the same account's rate limit"
    if kind is ServerError:
        return "Upbit may be under maintenance; try again later"
    if kind is APIError:
        return "a proxy may be answering in place of Upbit; check the base URL"
    return ""
