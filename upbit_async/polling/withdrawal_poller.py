"""Poller for one withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from upbit_async.errors import (
    WithdrawalCancelled,
    WithdrawalFailed,
    WithdrawalNotDone,
    WithdrawalRejected,
)
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.polling.poller import TransferPoller

if TYPE_CHECKING:
    from upbit_async.errors import UpbitError

__all__ = ["WithdrawalPoller"]

_NOT_DONE: dict[str, type[WithdrawalNotDone]] = {
    WithdrawalState.FAILED: WithdrawalFailed,
    WithdrawalState.CANCELLED: WithdrawalCancelled,
    WithdrawalState.REJECTED: WithdrawalRejected,
}


@final
class WithdrawalPoller(TransferPoller[Withdrawal]):
    """A handle for one withdrawal. See https://global-docs.upbit.com/docs/digital-asset-withdrawal."""

    __slots__ = ()

    _kind = "withdrawal"

    @property
    def uuid(self) -> str:
        """The withdrawal's id."""
        return self._id

    async def result(self, *, timeout: float | None = None) -> Withdrawal:  # noqa: ASYNC109 - as `wait`
        """Return the withdrawal once it is ``DONE``.

        Args:
            timeout: For how many seconds at most; see `wait`.

        Raises:
            WithdrawalFailed: It ended in ``FAILED``; this and the next two carry `record`.
            WithdrawalCancelled: It ended in ``CANCELLED``.
            WithdrawalRejected: It ended in ``REJECTED``.
            WithdrawalNotDone: It ended otherwise, and not with ``DONE``.
            PollTimeout: The time is over; the withdrawal goes on.
            UpbitError: As for `changes`.
        """
        record = await self.wait(timeout=timeout)
        if record.state is not WithdrawalState.DONE:
            raise self._not_done(record)
        return record

    def _not_done(self, record: Withdrawal) -> UpbitError:
        kind = _NOT_DONE.get(record.state, WithdrawalNotDone)
        text = (
            f"withdrawal {record.uuid} of {record.amount:f} {record.currency} ended as {record.state.value}"
        )
        error = kind(f"{text}; whether to try again is yours to decide", record=record)
        error.resume_token = self.resume_token
        return error
