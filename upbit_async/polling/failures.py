"""Classification of failed polls. Pure.

A failed poll does not end a wait: networks, proxies and Upbit fail temporarily while the transfer continues. It is
reported to the observer as `PollFailed`. Only an error with which every later poll would fail too ends a wait.
"""

from __future__ import annotations

import enum
from http import HTTPStatus
from typing import Final

import attrs

from upbit_async.errors import (
    APIError,
    AuthenticationError,
    Banned,
    ConfigurationError,
    DecodeError,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UpbitError,
)

__all__ = ["FailedPoll", "PollFailure", "failure_of", "is_permanent"]

_CONCERNS_AN_ID: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Statuses that reject what was requested. Others, such as 409 and 423, reject the moment of the request."""
_QUERY_REFUSED: Final = "invalid_query_payload"


class PollFailure(enum.Enum):
    """Kinds of failed polls."""

    PASSING = "passing"
    """The next poll may succeed: continue with every wait."""
    KEY = "key"
    """The key is missing, refused or blocked: end every wait of the client."""
    ID = "id"
    """An id was refused by name, or can't be sent: poll each id alone, and end the wait for the one that is refused."""
    ABSENT = "absent"
    """Upbit does not know a transfer: poll each id alone, and end a wait only once the grace period is over."""
    ROW = "row"
    """A row does not decode: poll each id alone, and continue with every wait, because the row may change."""


@attrs.frozen
class FailedPoll:
    """A poll that failed.

    Attributes:
        error: Reason of the failure.
        began: Start of the poll, by the event loop's clock.
        failure: Kind of the failure.
    """

    error: UpbitError | ValueError
    began: float
    failure: PollFailure = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "failure", failure_of(self.error))

    @property
    def may_concern_one(self) -> bool:
        """Whether a single transfer may have caused the failure of its whole batch."""
        return self.failure in {PollFailure.ID, PollFailure.ABSENT, PollFailure.ROW}


def failure_of(error: UpbitError | ValueError) -> PollFailure:
    """Return the kind of failure that an error of a poll is."""
    if isinstance(error, ValueError):
        return PollFailure.ID
    if isinstance(error, DecodeError):
        return PollFailure.ROW if error.path.startswith("$[") else PollFailure.PASSING
    if isinstance(error, APIError) and error.name == _QUERY_REFUSED:
        return PollFailure.ID  # an odd id may have changed the hash of the query, which the signature covers
    if is_permanent(error):
        return PollFailure.KEY
    return _failure_of_answer(error)


def is_permanent(error: UpbitError) -> bool:
    """Return whether every later poll would fail too: the key is missing, refused or blocked."""
    if isinstance(error, (AuthenticationError, PermissionDenied)):
        # An error without a name does not come from Upbit but from a proxy, which may answer the next poll otherwise.
        # A used nonce concerns one token, and the next request has another.
        return error.name not in {"", "nonce_used"}
    return isinstance(error, (Banned, ConfigurationError))


def _failure_of_answer(error: UpbitError) -> PollFailure:
    # An error without a name does not come from Upbit but from a proxy, which may answer the next poll otherwise.
    if not isinstance(error, APIError) or isinstance(error, (RateLimited, ServerError)) or not error.name:
        return PollFailure.PASSING
    if isinstance(error, NotFound):
        return PollFailure.ABSENT
    return PollFailure.ID if error.status in _CONCERNS_AN_ID else PollFailure.PASSING
