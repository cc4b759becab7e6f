"""Classification of failed polls. Pure.

What a failure does to the waits depends on its kind:

=========  ==============================================  ================================================
Kind       Cause                                           Effect
=========  ==============================================  ================================================
RETRYABLE  network, proxy, rate limit, server error        none; the next poll is made as planned
KEY        key missing, refused or blocked                 ends all waits of the watcher
ID         an id was refused, or can't be sent             ends the waits for this id
ABSENT     Upbit does not know a transfer                  ends its waits once the grace period is over
ROW        the record of a transfer does not decode        none; the transfer is polled alone from then on
=========  ==============================================  ================================================

For the last three kinds, the batch is halved until the transfer is found. A failure that ends no wait is reported to
the observer as the event `PollFailed`.
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

__all__ = ["PollFailure", "PollFailureKind", "ends_waits", "kind_of"]

_CONCERNS_AN_ID: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Statuses that reject what was requested. Others, such as 409 and 423, reject the moment of the request."""
_QUERY_REFUSED: Final = "invalid_query_payload"


class PollFailureKind(enum.Enum):
    """Kind of a failed poll: what to do with the waits."""

    RETRYABLE = "retryable"
    """The next poll may succeed: continue all waits."""
    KEY = "key"
    """The key is missing, refused or blocked: end all waits of this watcher."""
    ID = "id"
    """Upbit refused an id with one of its error names (a proxy has none), or an id can't be sent.

    Narrow down to single ids, and end the waits for the one that is refused.
    """
    ABSENT = "absent"
    """Upbit does not know a transfer: narrow down to single ids, and end its waits once the grace period is over."""
    ROW = "row"
    """A row does not decode: narrow down to single ids, and continue all waits, because the row may change."""


@attrs.frozen
class PollFailure:
    """Failure of one poll.

    Attributes:
        error: Reason of the failure.
        began: Start of the poll, by the event loop's clock.
        kind: Kind of the failure.
    """

    error: UpbitError | ValueError
    began: float
    kind: PollFailureKind = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "kind", kind_of(self.error))

    @property
    def may_concern_one(self) -> bool:
        """Whether a single transfer may have caused the failure of its whole batch."""
        return self.kind in {PollFailureKind.ID, PollFailureKind.ABSENT, PollFailureKind.ROW}


def kind_of(error: UpbitError | ValueError) -> PollFailureKind:
    """Return the kind of failure that an error means."""
    if isinstance(error, ValueError):
        return PollFailureKind.ID
    if isinstance(error, DecodeError):
        return PollFailureKind.ROW if error.path.startswith("$[") else PollFailureKind.RETRYABLE
    if isinstance(error, APIError) and error.name == _QUERY_REFUSED:
        return (
            PollFailureKind.ID
        )  # an odd id may have changed the hash of the query, which the signature covers
    if ends_waits(error):
        return PollFailureKind.KEY
    return _kind_of_answer(error)


def ends_waits(error: UpbitError) -> bool:
    """Return whether an error ends all waits that use the key: the key is missing, refused or blocked.

    The problem may be temporary, as a ban (418) is. The waits can be resumed later with the resume tokens of their
    errors.
    """
    if isinstance(error, (AuthenticationError, PermissionDenied)):
        # An error without a name does not come from Upbit but from a proxy, which may answer the next poll otherwise.
        # A used nonce concerns one token, and the next request has another.
        return error.name not in {"", "nonce_used"}
    return isinstance(error, (Banned, ConfigurationError))


def _kind_of_answer(error: UpbitError) -> PollFailureKind:
    # An error without a name does not come from Upbit but from a proxy, which may answer the next poll otherwise.
    if not isinstance(error, APIError) or isinstance(error, (RateLimited, ServerError)) or not error.name:
        return PollFailureKind.RETRYABLE
    if isinstance(error, NotFound):
        return PollFailureKind.ABSENT
    return PollFailureKind.ID if error.status in _CONCERNS_AN_ID else PollFailureKind.RETRYABLE
