"""Events that an observer receives.

An observer is any function of one event. It runs in the task in which the event occurs, so it must be quick and must
not block. If it raises, the error is logged once, and the call continues.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import attrs

from upbit_async.errors import UpbitError
from upbit_async.models import Intent, Withdrawal

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
    "UnownedWithdrawal",
]


@attrs.frozen(kw_only=True)
class Event:
    """Base class of all events.

    Attributes:
        host: The host of the client.
        at: The time of the event, UTC.

    Example:
        .. code-block:: python

            def report(event: events.Event) -> None:
                if isinstance(event, events.PollFailed):
                    print(event.at, event.host, event.error)


            observed = client.with_options(observer=report)
    """

    host: str
    at: dt.datetime = attrs.field(factory=lambda: dt.datetime.now(dt.UTC))


@attrs.frozen(kw_only=True)
class AttemptStarted(Event):
    """A request is about to be sent.

    Attributes:
        endpoint: The method and path.
        attempt: The number of the attempt, from 1.
    """

    endpoint: str
    attempt: int


@attrs.frozen(kw_only=True)
class AttemptFinished(Event):
    """An attempt has ended, with an answer or without.

    Attributes:
        endpoint: The method and path.
        attempt: The number of the attempt, from 1.
        seconds: The duration of the attempt, in seconds.
        status: The HTTP status, or None without a complete answer.
        fault: The kind of failure in one word, or None.
        remaining: The rest of the budget of this second, from ``Remaining-Req``, or None.
    """

    endpoint: str
    attempt: int
    seconds: float
    status: int | None
    fault: str | None
    remaining: int | None = None


@attrs.frozen(kw_only=True)
class RetryPlanned(Event):
    """A request will be retried.

    Attributes:
        endpoint: The method and path.
        attempt: The number of the attempt that failed.
        seconds: The wait before the next attempt, in seconds.
        fault: The kind of failure in one word.
    """

    endpoint: str
    attempt: int
    seconds: float
    fault: str


@attrs.frozen(kw_only=True)
class LimitWaited(Event):
    """The rate limiter delayed a request.

    Attributes:
        group: The rate group.
        seconds: The delay, in seconds.
    """

    group: str
    seconds: float


@attrs.frozen(kw_only=True)
class ConnectionReplaced(Event):
    """A connection was closed because an attempt on it did not end cleanly."""


@attrs.frozen(kw_only=True)
class FieldIgnored(Event):
    """An optional field of an answer has a value that Upbit does not document, and was decoded as None.

    A client reports each field once. Please report the field to this project.

    Attributes:
        endpoint: The method and path.
        field: The field's path in a record, such as ``fee`` or ``withdraw_limit.minimum``.
    """

    endpoint: str
    field: str


@attrs.frozen(kw_only=True)
class AnswerAfterCancellation(Event):
    """The answer to a request that must not happen twice arrived after the calling task was cancelled.

    Record `result`, or reconcile `error`: no other code receives them.

    Attributes:
        intent: The request: endpoint, parameters and time.
        result: The decoded answer, or None.
        error: The error if there is no answer, or None.
    """

    intent: Intent
    result: object
    error: UpbitError | None


@attrs.frozen(kw_only=True)
class StateChanged(Event):
    """The state of a watched transfer has changed.

    Attributes:
        uuid: The id of the transfer.
        previous: The previous state, or None at the first poll.
        state: The new state.
    """

    uuid: str
    previous: str | None
    state: str


@attrs.frozen(kw_only=True)
class PollFailed(Event):
    """A poll of watched transfers failed. The next poll repeats it.

    Attributes:
        uuids: The ids of the polled transfers, or the ids of their transactions where only these are known.
        error: The error of the poll.
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


@attrs.frozen(kw_only=True)
class UnownedWithdrawal(Event):
    """The account has a withdrawal that belongs to no payout of the journal. Each one is reported once.

    Call `Payouts.acknowledge` if it was made elsewhere on purpose, or `Payouts.resolve` if it is a payout.

    Attributes:
        uuid: The withdrawal's id.
        record: The withdrawal.

    Example:
        .. code-block:: python

            from upbit_async.events import Event, UnownedWithdrawal


            def alert(event: Event) -> None:
                if isinstance(event, UnownedWithdrawal):
                    print("unowned", event.uuid, event.record.amount, event.record.currency)


            payouts = Payouts(client.with_options(observer=alert), journal=journal)
    """

    uuid: str
    record: Withdrawal


class Observer(Protocol):
    """Receiver of events: any function of one event.

    Example:
        .. code-block:: python

            class Counter:
                def __init__(self) -> None:
                    self.attempts = 0

                def __call__(self, event: events.Event) -> None:
                    self.attempts += isinstance(event, events.AttemptStarted)


            observer = Counter()
            wallets = await client.with_options(observer=observer).status.wallets()
            assert observer.attempts == 1
    """

    def __call__(self, event: Event, /) -> None:
        """Receive one event."""
