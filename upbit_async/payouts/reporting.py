"""Reports of what happens to payouts: records of the log, and events for the client's observer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from upbit_async.errors import (
    AmountLimitExceeded,
    AuthenticationError,
    ConfigurationError,
    JournalError,
    PayoutBlocked,
    PayoutsPaused,
    PermissionDenied,
)
from upbit_async.events import PayoutChanged
from upbit_async.logs import logger
from upbit_async.payouts.payout import Payout, PayoutState

if TYPE_CHECKING:
    from upbit_async.errors import UpbitError
    from upbit_async.protocol.endpoint import Transport

__all__ = ["fields_of", "report_change", "report_reason"]

_log = logger("upbit_async.payouts")

_ALARMING: Final = frozenset({PayoutState.NEEDS_REVIEW, PayoutState.UNKNOWN})


def fields_of(payout: Payout) -> dict[str, str | None]:
    """Return the fields that each log record about a payout has."""
    return {"key": payout.key, "state": payout.state.value, "uuid": payout.uuid}


def report_change(before: Payout | None, after: Payout, transport: Transport) -> None:
    """Report that a payout has another state.

    Args:
        before: The payout before; None if it is new.
        after: The payout.
        transport: Transport of the client whose observer receives the event.
    """
    level = logging.WARNING if after.state in _ALARMING else logging.INFO
    _log.log(level, "%s is %s: %s", after, after.state, after.reason, extra=fields_of(after))
    transport.emit(
        PayoutChanged(
            host=transport.host,
            key=after.key,
            previous=None if before is None else before.state.value,
            state=after.state.value,
            uuid=after.uuid,
            note=after.reason,
        )
    )


def report_reason(before: Payout, after: Payout) -> None:
    """Report why a payout is held back, if the reason is new."""
    if not after.state.may_be_sent or after.error is None or after.reason == before.reason:
        return
    level = logging.WARNING if _needs_people(after.error) else logging.INFO
    _log.log(level, "%s is %s: %s", after, after.state, after.reason, extra=fields_of(after))


def _needs_people(error: UpbitError) -> bool:
    """Return whether a payout that an error holds back is sent only if people do something.

    One that waits for another payout does not: if people must look at the other, that is logged too.
    """
    match error:
        case AmountLimitExceeded():
            return error.departed is None  # a limit per payout; one per day passes
        case PayoutBlocked():
            return bool(error.uuids)
        case JournalError():
            return error.key is not None  # the row is not trusted
        case _:
            return isinstance(
                error, (AuthenticationError, ConfigurationError, PayoutsPaused, PermissionDenied)
            )
