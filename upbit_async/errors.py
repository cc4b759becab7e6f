"""Errors that can occur in operation.

::

    UpbitError              .may_have_executed  .resume_token
    ├─ ConfigurationError   keys, region or base URL are missing or wrong; nothing was sent
    ├─ PreflightFailed      .reasons  a withdrawal was not even tried
    ├─ TransportError       no usable answer; safe to repeat
    │   └─ NotSent          the request provably never left
    ├─ OutcomeUnknown       .intent .raw .status .name .uuid .connection_bounded  find out first
    ├─ DecodeError          .path .raw .uuid  the answer is not what Upbit documents
    ├─ APIError             .status .name .message .endpoint .asked_for  Upbit said no
    │   ├─ AuthenticationError
    │   ├─ PermissionDenied
    │   ├─ NotFound
    │   ├─ ValidationError
    │   ├─ RateLimited      .retry_after
    │   ├─ Banned           .until
    │   └─ ServerError
    ├─ RepeatTooSoon        .retry_after  refused by this library
    ├─ PollTimeout          .record  the transfer goes on without us
    ├─ WithdrawalNotDone    .record  it ended, and not with DONE
    │   ├─ WithdrawalFailed
    │   ├─ WithdrawalCancelled
    │   └─ WithdrawalRejected
    ├─ DepositNotAccepted   .record  it ended, and was not credited
    ├─ PayoutConflict       the key is taken by another payment
    ├─ PayoutBlocked        .by_key .uuids  another payment must be settled first
    └─ JournalError         the payouts' journal can't be used; nothing was sent

Programming mistakes (a wrong type, a ``float`` amount, an empty id) are `TypeError` and `ValueError`.
Every error can be copied and pickled. None shows a key, a token, a whole address or a body, and texts of a server or a
caller are escaped in it: it is always one line. `raw` alone holds what came as it came, without keys and tokens.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, NotRequired, Self, TypedDict, TypeVar, Unpack

from upbit_async.escaping import escaped
from upbit_async.models.reason import Reason

if TYPE_CHECKING:
    import datetime as dt

    from upbit_async.models import Deposit, Intent, Withdrawal

__all__ = [
    "APIError",
    "AuthenticationError",
    "Banned",
    "ConfigurationError",
    "DecodeError",
    "DepositNotAccepted",
    "JournalError",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "PayoutBlocked",
    "PayoutConflict",
    "PermissionDenied",
    "PollTimeout",
    "PreflightFailed",
    "RateLimited",
    "Reason",
    "RepeatTooSoon",
    "ServerError",
    "TransportError",
    "UpbitError",
    "ValidationError",
    "WithdrawalCancelled",
    "WithdrawalFailed",
    "WithdrawalNotDone",
    "WithdrawalRejected",
]

RAW_CAP = 64 * 1024

_E = TypeVar("_E", bound="UpbitError")


def raise_alone(error: Exception) -> NoReturn:
    """Raise an error of ours without the foreign exception that is being handled.

    ``from None`` only hides that exception, which may hold what it was given: a request with its token, a key.

    Raises:
        Exception: The error.
    """
    try:
        raise error
    except type(error):
        error.__cause__ = error.__context__ = None
        raise


def _restore(cls: type[_E], text: str, state: dict[str, Any]) -> _E:
    error = cls.__new__(cls, text)
    error.args = (text,)
    error.__dict__.update(state)
    return error


class UpbitError(Exception):
    """The base of all errors of this library.

    Attributes:
        may_have_executed: Whether Upbit may have carried out what was asked although the call failed.
        resume_token: Where the error ended a wait: what `resume` takes to go on waiting.
    """

    _not_pickled: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, text: str, *, may_have_executed: bool = False) -> None:
        super().__init__(escaped(text))
        self.may_have_executed = may_have_executed
        self.resume_token: str | None = None

    def with_resume_token(self, token: str) -> Self:
        """Return a copy for one waiter, which carries what it needs to go on waiting."""
        twin = copy.copy(self)
        twin.resume_token = token
        twin.__cause__ = self.__cause__
        return twin

    def __copy__(self) -> Self:
        return _restore(type(self), str(self.args[0]), self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return _restore(type(self), str(self.args[0]), copy.deepcopy(self.__dict__, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name not in self._not_pickled}
        state |= dict.fromkeys(self._not_pickled, "")
        return _restore, (type(self), str(self.args[0]), state)


class ConfigurationError(UpbitError):
    """Keys, region or base URL are missing or wrong. Nothing was sent."""


class PreflightFailed(UpbitError):
    """A withdrawal was refused by our own checks, before money moved.

    Attributes:
        reasons: Everything that stands in the way, each with a code and a text.
    """

    def __init__(self, text: str, *, reasons: tuple[Reason, ...]) -> None:
        super().__init__(f"{text}: {'; '.join(reason.text for reason in reasons)}")
        self.reasons = reasons


class TransportError(UpbitError):
    """No usable answer came. The request may be repeated safely."""


class NotSent(TransportError):
    """The request provably never left this machine."""


class OutcomeUnknown(UpbitError):
    """A request that must not happen twice has lost its answer.

    Do not send it again. For a withdrawal, hand this error to `client.withdraws.reconcile`; for a
    travel-rule verification, read the deposit.

    Attributes:
        intent: What the request meant to do.
        raw: What came back, if anything did, up to 64 KiB; in no str, repr or pickle.
        status: The HTTP status of what came back, or None.
        name: Upbit's code for the error, if what came back had one. ``nonce_used`` says that a copy of this
            request has arrived.
        uuid: The id in an answer that says the request was accepted, but can't be read or is about something else
            than was asked. It may or may not be this request's. None if there was none.
        connection_bounded: Whether the operating system drops what is left of the request when its connection is
            closed, so that it can't arrive later. False if that is not known, as over HTTP/2 and through HTTP
            clients that do not tell of their connections: then the request may still arrive for about 16 minutes
            after it left (see ``intent.started_at``).
    """

    _not_pickled = frozenset({"raw"})

    def __init__(
        self,
        text: str,
        *,
        intent: Intent,
        raw: str = "",
        status: int | None = None,
        name: str = "",
        uuid: str | None = None,
        connection_bounded: bool = False,
    ) -> None:
        super().__init__(text, may_have_executed=True)
        self.intent = intent
        self.raw = raw[:RAW_CAP]
        self.status = status
        self.name = escaped(name)
        self.uuid = uuid
        self.connection_bounded = connection_bounded


class DecodeError(UpbitError):
    """An answer is not what Upbit documents.

    Attributes:
        path: Where in the answer, such as ``$[3].amount``.
        raw: The answer, up to 64 KiB; in no str, repr or pickle.
        uuid: The id of the record that can't be read, if only one can't be and its id can.
    """

    _not_pickled = frozenset({"raw"})

    def __init__(
        self,
        text: str,
        *,
        path: str = "$",
        raw: str = "",
        may_have_executed: bool = False,
        uuid: str | None = None,
    ) -> None:
        super().__init__(text, may_have_executed=may_have_executed)
        self.path = escaped(path)
        self.raw = raw[:RAW_CAP]
        self.uuid = uuid


class _About(TypedDict):
    """What every `APIError` is told."""

    status: int
    name: NotRequired[str]
    message: NotRequired[str]
    endpoint: NotRequired[str]
    asked_for: NotRequired[str]
    may_have_executed: NotRequired[bool]


class APIError(UpbitError):
    """Upbit said no.

    See https://global-docs.upbit.com/reference/rest-api-guide.

    Attributes:
        status: The HTTP status.
        name: Upbit's code for the error; unknown codes are normal. Empty if the answer had none.
        message: Upbit's text, meant for people: English, Korean or both. It is escaped, like the name.
        endpoint: The method and path that were asked.
        asked_for: The record that the request was about, such as ``uuid 9b1f…`` or ``USDT on TRX``; empty if it
            named none.
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
    """The token or the key was refused (401)."""


class PermissionDenied(APIError):
    """The key lacks a permission, or a security setting forbids the call."""


class NotFound(APIError):
    """There is no such thing (404, or an answer that does not hold what was asked for): see `asked_for`."""


class ValidationError(APIError):
    """The request was refused as it stands (400, and refusals with other statuses)."""


class RateLimited(APIError):
    """The second's budget is spent (429).

    Attributes:
        retry_after: How long to wait at least, in seconds.
    """

    def __init__(self, text: str, *, retry_after: float, **rest: Unpack[_About]) -> None:
        super().__init__(text, **rest)
        self.retry_after = retry_after


class Banned(APIError):
    """Upbit has blocked this key or address for a while (418). Nothing is sent to it before it ends.

    Attributes:
        until: When the block is believed to end, UTC.
    """

    def __init__(self, text: str, *, until: dt.datetime, **rest: Unpack[_About]) -> None:
        super().__init__(text, **rest)
        self.until = until


class ServerError(APIError):
    """Upbit's own fault or maintenance (5xx)."""


class RepeatTooSoon(UpbitError):
    """Refused by this library, because Upbit allows the call only once in a while.

    Attributes:
        retry_after: How long to wait, in seconds.
    """

    def __init__(self, text: str, *, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class PollTimeout(UpbitError):
    """The time for waiting is over. The transfer goes on: `resume` with `resume_token` waits again.

    Attributes:
        record: The transfer as it was last seen, or None.
    """

    def __init__(self, text: str, *, record: object = None) -> None:
        super().__init__(text)
        self.record = record


class WithdrawalNotDone(UpbitError):
    """A withdrawal ended without being paid.

    Attributes:
        record: The withdrawal.
    """

    def __init__(self, text: str, *, record: Withdrawal) -> None:
        super().__init__(text)
        self.record = record


class WithdrawalFailed(WithdrawalNotDone):
    """The withdrawal ended in ``FAILED``."""


class WithdrawalCancelled(WithdrawalNotDone):
    """The withdrawal ended in ``CANCELLED``."""


class WithdrawalRejected(WithdrawalNotDone):
    """The withdrawal ended in ``REJECTED``."""


class DepositNotAccepted(UpbitError):
    """A deposit ended without being credited.

    Attributes:
        record: The deposit.
    """

    def __init__(self, text: str, *, record: Deposit) -> None:
        super().__init__(text)
        self.record = record


class PayoutConflict(UpbitError):
    """The payout's key is taken by a payment with other parameters."""


class PayoutBlocked(UpbitError):
    """A payment of the same amount, currency and network needs review first, or a withdrawal that no payout owns does.

    Attributes:
        by_key: The key of the payment that needs review; None if there is none.
        uuids: The withdrawals that no payout owns, by their ids in lower case: call `Payouts.acknowledge` for each
            that is another payment.
    """

    def __init__(self, text: str, *, by_key: str | None = None, uuids: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.by_key = by_key
        self.uuids = uuids


class JournalError(UpbitError):
    """The payouts' journal can't be used: it is full, locked, damaged, read-only or somebody else's.

    Where this is raised by `Payouts.send`, nothing has left. Where it is a payout's `error`, Upbit has answered, and
    the payout tells what; the answer is written as soon as that is possible again.

    Attributes:
        key: The payout whose row can't be trusted, if all others can be used.
    """

    def __init__(self, text: str, *, key: str | None = None) -> None:
        super().__init__(text)
        self.key = key
