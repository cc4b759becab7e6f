"""Errors of withdrawals and deposits: checks that failed, waits that timed out, transfers that did not succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.errors.base import UpbitError

if TYPE_CHECKING:
    from upbit_async.models import Deposit, Withdrawal
    from upbit_async.models.reason import Reason

__all__ = [
    "DepositNotAccepted",
    "PollTimeout",
    "PreflightFailed",
    "WithdrawalCancelled",
    "WithdrawalFailed",
    "WithdrawalNotDone",
    "WithdrawalRejected",
]


class PreflightFailed(UpbitError):
    """A check of this library failed before the withdrawal was sent. Remove every reason, then send it again.

    Attributes:
        reasons: All reasons, each with a code and a text.

    Example:
        .. code-block:: python

            try:
                await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="0.5", exchange_name="Binance"
                )
            except errors.PreflightFailed as error:
                print([reason.code for reason in error.reasons])
    """

    def __init__(self, text: str, *, reasons: tuple[Reason, ...]) -> None:
        super().__init__(f"{text}: {'; '.join(reason.text for reason in reasons)}")
        self.reasons = reasons


class PollTimeout(UpbitError):
    """The time limit of a wait has passed. The transfer continues: pass `resume_token` to `resume` to wait again.

    Attributes:
        record: The latest record of the transfer, or None.

    Example:
        .. code-block:: python

            poller = await client.withdraws.send(
                currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
            )
            try:
                done = await poller.result(timeout=2)
            except errors.PollTimeout as error:
                done = await client.withdraws.resume(error.resume_token).result()
    """

    def __init__(self, text: str, *, record: object = None) -> None:
        super().__init__(text)
        self.record = record


class WithdrawalNotDone(UpbitError):
    """A withdrawal ended in another state than ``DONE``, and was not paid. Upbit releases the amount.

    Attributes:
        record: The final record.

    Example:
        .. code-block:: python

            poller = await client.withdraws.send(
                currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
            )
            try:
                done = await poller.result(timeout=3600)
            except errors.WithdrawalNotDone as error:
                print(error.record.uuid, error.record.state)
    """

    def __init__(self, text: str, *, record: Withdrawal) -> None:
        super().__init__(text)
        self.record = record


class WithdrawalFailed(WithdrawalNotDone):
    """The withdrawal ended in ``FAILED``: the transfer did not succeed. Read the reason on Upbit's website."""


class WithdrawalCancelled(WithdrawalNotDone):
    """The withdrawal ended in ``CANCELLED``, by a call or on Upbit's website. Send a new one if it is still due."""


class WithdrawalRejected(WithdrawalNotDone):
    """The withdrawal ended in ``REJECTED``: Upbit refused it after it was accepted. Ask Upbit for the reason."""


class DepositNotAccepted(UpbitError):
    """A deposit ended without being credited. Read its state, and ask Upbit how to recover the amount.

    Attributes:
        record: The final record.

    Example:
        .. code-block:: python

            (deposit,) = await client.deposits.list(state="ACCEPTED", limit=1)
            try:
                done = await client.deposits.poller(deposit.uuid).result(timeout=3600)
            except errors.DepositNotAccepted as error:
                print(error.record.uuid, error.record.state)
    """

    def __init__(self, text: str, *, record: Deposit) -> None:
        super().__init__(text)
        self.record = record
