"""Classification of failed polls. Pure.

A failed poll is an event, not an end: networks, proxies and Upbit itself have bad moments, and the transfer goes
on. Only what would fail again at every later poll ends a wait.
"""

from __future__ import annotations

import enum
from http import HTTPStatus
from typing import Final

import attrs

from upbit_async.errors import APIError, DecodeError, NotFound, RateLimited, ServerError, UpbitError
from upbit_async.polling.permanent_errors import is_permanent

__all__ = ["FailedPoll", "PollFailure", "failure_of"]

_JUDGES_AN_ID: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Statuses with which a server judges what was asked for. 409, 423 and their like judge the moment."""
_QUERY_REFUSED: Final = "invalid_query_payload"


class PollFailure(enum.Enum):
    """Kinds of failed polls."""

    PASSING = "passing"
    """Something else may come of the next poll: no wait ends."""
    KEY = "key"
    """The key is missing, refused or blocked: every wait of the client ends."""
    ID = "id"
    """An id was refused by name, or can't be sent. Poll each id alone; the wait for the one refused ends."""
    ABSENT = "absent"
    """Upbit knows no such transfer. Poll each id alone; within the grace this is patience."""
    ROW = "row"
    """A row does not decode. Poll each id alone; no wait ends, because the row may change."""


@attrs.frozen
class FailedPoll:
    """A poll that failed.

    Attributes:
        error: Why.
        began: When it began, by the loop's clock.
        failure: What kind of failure it is.
    """

    error: UpbitError | ValueError
    began: float
    failure: PollFailure = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "failure", failure_of(self.error))

    @property
    def may_be_one(self) -> bool:
        """Whether a single transfer of several may have caused the failure of all."""
        return self.failure in {PollFailure.ID, PollFailure.ABSENT, PollFailure.ROW}


def failure_of(error: UpbitError | ValueError) -> PollFailure:
    """Return what kind of failure an error of a poll is."""
    if isinstance(error, ValueError):
        return PollFailure.ID
    if isinstance(error, DecodeError):
        return PollFailure.ROW if error.path.startswith("$[") else PollFailure.PASSING
    if isinstance(error, APIError) and error.name == _QUERY_REFUSED:
        return PollFailure.ID  # an odd id may have spoilt the hash of the query, which the signature covers
    if is_permanent(error):
        return PollFailure.KEY
    return _judgement(error)


def _judgement(error: UpbitError) -> PollFailure:
    # Without a name it is not Upbit that spoke, and what a proxy says may be otherwise at the next poll.
    if not isinstance(error, APIError) or isinstance(error, (RateLimited, ServerError)) or not error.name:
        return PollFailure.PASSING
    if isinstance(error, NotFound):
        return PollFailure.ABSENT
    return PollFailure.ID if error.status in _JUDGES_AN_ID else PollFailure.PASSING
