"""Events that an observer receives.

An observer is any callable that takes one event; it is called in the task in which things happen, so it
should be quick. If it raises, that is logged once and the call goes on.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import attrs

from upbit_async.errors import UpbitError
from upbit_async.models import Intent

__all__ = [
    "AnswerAfterCancellation",
    "AttemptFinished",
    "AttemptStarted",
    "ConnectionReplaced",
    "Event",
    "FieldIgnored",
    "LimitWaited",
    "Observer",
    "PayoutChanged",
    "PollFailed",
    "RetryPlanned",
    "StateChanged",
]


@attrs.frozen(kw_only=True)
class Event:
    """Something happened.

    Attributes:
        host: The host that is talked to.
        at: When, UTC.
    """

    host: str
    at: dt.datetime = attrs.field(factory=lambda: dt.datetime.now(dt.UTC))


@attrs.frozen(kw_only=True)
class AttemptStarted(Event):
    """A request is about to leave.

    Attributes:
        endpoint: The method and path.
        attempt: 1 for the first.
    """

    endpoint: str
    attempt: int


@attrs.frozen(kw_only=True)
class AttemptFinished(Event):
    """A request has its answer, or never will.

    Attributes:
        endpoint: The method and path.
        attempt: 1 for the first.
        seconds: How long it took.
        status: The HTTP status, or None if no whole answer came.
        fault: What went wrong, in a word, or None.
        remaining: What ``Remaining-Req`` says is left of the second, or None.
    """

    endpoint: str
    attempt: int
    seconds: float
    status: int | None
    fault: str | None
    remaining: int | None = None


@attrs.frozen(kw_only=True)
class RetryPlanned(Event):
    """A request will be repeated.

    Attributes:
        endpoint: The method and path.
        attempt: The number of the attempt that failed.
        seconds: How long is waited before the next.
        fault: What went wrong, in a word.
    """

    endpoint: str
    attempt: int
    seconds: float
    fault: str


@attrs.frozen(kw_only=True)
class LimitWaited(Event):
    """A request was held back by the rate limiter.

    Attributes:
        group: The rate group.
        seconds: For how long.
    """

    group: str
    seconds: float


@attrs.frozen(kw_only=True)
class ConnectionReplaced(Event):
    """A connection was thrown away because an attempt on it did not end cleanly."""


@attrs.frozen(kw_only=True)
class FieldIgnored(Event):
    """An optional field of an answer holds a value that Upbit does not document, and reads as None.

    A client reports each field once.

    Attributes:
        endpoint: The method and path.
        field: The field's path in a record, such as ``fee`` or ``withdraw_limit.minimum``.
    """

    endpoint: str
    field: str


@attrs.frozen(kw_only=True)
class AnswerAfterCancellation(Event):
    """The answer to a request that must not be repeated came after its caller had gone.

    Attributes:
        intent: What the request meant to do.
        result: The decoded answer, or None.
        error: Why there is no answer, or None.
    """

    intent: Intent
    result: object
    error: UpbitError | None


@attrs.frozen(kw_only=True)
class StateChanged(Event):
    """A watched transfer is in another state than before.

    Attributes:
        uuid: The transfer's id.
        previous: The state before, or None at the first look.
        state: The state now.
    """

    uuid: str
    previous: str | None
    state: str


@attrs.frozen(kw_only=True)
class PollFailed(Event):
    """A look at watched transfers failed; the next one will come.

    Attributes:
        uuids: The transfers that were to be looked at; by their transactions, if only these are known.
        error: Why it failed.
    """

    uuids: tuple[str, ...]
    error: UpbitError


@attrs.frozen(kw_only=True)
class PayoutChanged(Event):
    """A payout has changed its state.

    Attributes:
        key: The payout's key.
        previous: The state before; None for a new payout.
        state: The state after.
        uuid: The withdrawal's id; None while it is not known.
        note: Reason for the change, as text for people.

    Example:
        .. code-block:: python

            from upbit_async.events import Event, PayoutChanged


            def alert(event: Event) -> None:
                if isinstance(event, PayoutChanged) and event.state == "needs_review":
                    print("review", event.key, event.note)


            payouts = Payouts(client.with_options(observer=alert), journal=journal)
    """

    key: str
    previous: str | None
    state: str
    uuid: str | None
    note: str


class Observer(Protocol):
    """Receiver of events: any function of one event."""

    def __call__(self, event: Event, /) -> None:
        """Receive one event."""
