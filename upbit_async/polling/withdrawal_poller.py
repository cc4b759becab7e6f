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
    """Poller for one withdrawal. See https://global-docs.upbit.com/docs/digital-asset-withdrawal.

    Creating one starts no task and sends no request. It can be used for several waits, also by several tasks at once;
    all waits for withdrawals of one client share their requests. Two pollers are equal if they are for the same
    withdrawal.

    Example:
        .. code-block:: python

            poller = await client.withdraws.send(
                currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
            )
            token = poller.resume_token  # store it: another process can continue the wait
            withdrawal = await client.withdraws.resume(token).result(timeout=3600)
    """

    __slots__ = ()

    _kind = "withdrawal"

    @property
    def uuid(self) -> str:
        """The withdrawal's id."""
        return self._id

    async def result(self, *, timeout: float | None = None) -> Withdrawal:  # noqa: ASYNC109 - as `wait`
        """Wait until the withdrawal is ``DONE``, and return it.

        Args:
            timeout: Timeout, in seconds; None for no limit. See `wait`.

        Raises:
            WithdrawalFailed: The withdrawal is ``FAILED``. This and the next three have the `record`.
            WithdrawalCancelled: The withdrawal is ``CANCELLED``.
            WithdrawalRejected: The withdrawal is ``REJECTED``.
            WithdrawalNotDone: The withdrawal has another final state.
            PollTimeout: The timeout has passed, and the withdrawal is not final.
            UpbitError: As for `changes`.

        Example:
            .. code-block:: python

                poller = await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
                )
                try:
                    withdrawal = await poller.result(timeout=3600)
                except errors.WithdrawalNotDone as error:
                    print(f"{error.record.amount} were not paid out: {error.record.state}")
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
        error = kind(f"{text}; check the reason before you withdraw again", record=record)
        error.resume_token = self.resume_token
        return error
