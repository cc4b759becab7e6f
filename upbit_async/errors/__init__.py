"""Errors that can occur in operation.

::

    UpbitError              .may_have_executed  .resume_token
    ├─ ConfigurationError   keys, region or base URL are missing or wrong; nothing was sent
    ├─ PreflightFailed      .reasons  a check failed before the withdrawal was sent
    ├─ TransportError       no usable answer; safe to repeat
    │   └─ NotSent          the request provably never left
    ├─ OutcomeUnknown       .intent .raw .status .name .uuid .connection_bounded  reconcile before anything else
    ├─ DecodeError          .path .raw .uuid  the answer is not what Upbit documents
    ├─ APIError             .status .name .message .endpoint .asked_for  Upbit refused the request
    │   ├─ AuthenticationError
    │   ├─ PermissionDenied
    │   ├─ NotFound
    │   ├─ ValidationError
    │   ├─ RateLimited      .retry_after
    │   ├─ Banned           .until
    │   └─ ServerError
    ├─ RepeatTooSoon        .retry_after  refused by this library
    ├─ PollTimeout          .record  the transfer continues; the wait is over
    ├─ WithdrawalNotDone    .record  the withdrawal ended in another state than DONE
    │   ├─ WithdrawalFailed
    │   ├─ WithdrawalCancelled
    │   └─ WithdrawalRejected
    ├─ DepositNotAccepted   .record  the deposit ended and was not credited
    ├─ PayoutConflict       the key belongs to a payment with other parameters
    ├─ PayoutBlocked        .by_key .uuids  another payment must be settled first
    ├─ PayoutNotDone        .payout  the payout is in another state than done
    ├─ PayoutsPaused        payouts are paused; nothing was sent
    ├─ AmountLimitExceeded  .currency .limit .departed  the payout would exceed a limit; nothing was sent
    ├─ ChangesCompacted     .oldest  the changes after a position are not kept any more
    └─ JournalError         .key  the payouts' journal can't be used; nothing was sent

Programming mistakes (a wrong type, a ``float`` amount, an empty id) are `TypeError` and `ValueError`.
Every error can be copied and pickled. None shows a key, a token, a whole address or a body. Texts from a server or a
caller are escaped, so an error is always one line. Only `raw` holds a body as it was received, without keys and tokens.
"""

from __future__ import annotations

from upbit_async.errors.api import (
    APIError,
    AuthenticationError,
    Banned,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    ValidationError,
)
from upbit_async.errors.base import RAW_CAP as RAW_CAP
from upbit_async.errors.base import ConfigurationError, UpbitError
from upbit_async.errors.base import raise_alone as raise_alone
from upbit_async.errors.payouts import (
    AmountLimitExceeded,
    ChangesCompacted,
    JournalError,
    PayoutBlocked,
    PayoutConflict,
    PayoutNotDone,
    PayoutsPaused,
)
from upbit_async.errors.requests import DecodeError, NotSent, OutcomeUnknown, RepeatTooSoon, TransportError
from upbit_async.errors.transfers import (
    DepositNotAccepted,
    PollTimeout,
    PreflightFailed,
    WithdrawalCancelled,
    WithdrawalFailed,
    WithdrawalNotDone,
    WithdrawalRejected,
)
from upbit_async.models.reason import Reason

__all__ = [
    "APIError",
    "AmountLimitExceeded",
    "AuthenticationError",
    "Banned",
    "ChangesCompacted",
    "ConfigurationError",
    "DecodeError",
    "DepositNotAccepted",
    "JournalError",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "PayoutBlocked",
    "PayoutConflict",
    "PayoutNotDone",
    "PayoutsPaused",
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
