"""Errors of requests that Upbit refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict, Unpack

from upbit_async.errors.base import UpbitError
from upbit_async.escaping import escaped

if TYPE_CHECKING:
    import datetime as dt

__all__ = [
    "APIError",
    "AuthenticationError",
    "Banned",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "ServerError",
    "ValidationError",
]


class _Refusal(TypedDict):
    """The arguments that every `APIError` takes."""

    status: int
    name: NotRequired[str]
    message: NotRequired[str]
    endpoint: NotRequired[str]
    asked_for: NotRequired[str]
    may_have_executed: NotRequired[bool]


class APIError(UpbitError):
    """Upbit refused the request. Read `name` and `message`, and correct the request before you repeat it.

    See https://global-docs.upbit.com/reference/rest-api-guide.

    Attributes:
        status: The HTTP status.
        name: Upbit's code for the error; there are codes that Upbit does not document. Empty if the answer had none.
        message: Upbit's text in English, Korean or both, escaped like the name.
        endpoint: The method and path of the request.
        asked_for: The record that the request was about, such as ``uuid 9b1f…`` or ``USDT on TRX``; empty if it
            named none.

    Example:
        .. code-block:: python

            try:
                withdrawal = await client.withdraws.get("9b1f0000-0000-4000-8000-000000000000")
            except errors.NotFound as error:
                print(error.asked_for)
            except errors.APIError as error:
                print(error.status, error.name, error.message)
    """

    def __init__(
        self,
        text: str,
        *,
        status: int,
        name: str = "",
        message: str = "",
        endpoint: str = "",
        asked_for: str = "",
        may_have_executed: bool = False,
    ) -> None:
        super().__init__(text, may_have_executed=may_have_executed)
        self.status = status
        self.name = escaped(name)
        self.message = escaped(message)
        self.endpoint = endpoint
        self.asked_for = asked_for


class AuthenticationError(APIError):
    """Upbit refused the key or the token (401). Check the key, its IP addresses, its expiry and the clock."""


class PermissionDenied(APIError):
    """The key lacks a permission, or a security setting forbids the call. Change it on Upbit's website."""


class NotFound(APIError):
    """Upbit has no such record (404, or an answer without it). Check the id or the names in `asked_for`."""


class ValidationError(APIError):
    """Upbit refused the parameters (400, and refusals with other statuses). Correct what `message` names."""


class RateLimited(APIError):
    """Upbit refused the request because the budget of the second is spent (429). Wait, and call again.

    Attributes:
        retry_after: The minimum time to wait, in seconds.

    Example:
        .. code-block:: python

            import anyio

            try:
                balances = await client.accounts.list()
            except errors.RateLimited as error:
                await anyio.sleep(error.retry_after)
    """

    def __init__(self, text: str, *, retry_after: float, **rest: Unpack[_Refusal]) -> None:
        super().__init__(text, **rest)
        self.retry_after = retry_after


class Banned(APIError):
    """Upbit has blocked this key or IP address for some time (418). The client sends it nothing until then.

    Attributes:
        until: The estimated end of the block, UTC.

    Example:
        .. code-block:: python

            try:
                balances = await client.accounts.list()
            except errors.Banned as error:
                print(f"blocked until {error.until:%H:%M:%S} UTC")
    """

    def __init__(self, text: str, *, until: dt.datetime, **rest: Unpack[_Refusal]) -> None:
        super().__init__(text, **rest)
        self.until = until


class ServerError(APIError):
    """Upbit has a fault or is under maintenance (5xx). The retry policy has repeated the request: call later."""
