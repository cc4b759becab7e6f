"""Poller for one deposit."""

from __future__ import annotations

from typing import final

from upbit_async.errors import DepositNotAccepted
from upbit_async.models import Deposit, DepositState
from upbit_async.polling.poller import TransferPoller
from upbit_async.polling.resume import write_token

__all__ = ["DepositPoller"]


@final
class DepositPoller(TransferPoller[Deposit]):
    """A handle for one deposit. See https://global-docs.upbit.com/reference/get-deposit.

    A deposit in ``TRAVEL_RULE_SUSPECTED`` is not credited before its sender is verified, so a wait may last
    until somebody calls `client.travel_rule`: follow `changes` to see it come.
    """

    __slots__ = ()

    _kind = "deposit"

    @property
    def uuid(self) -> str | None:
        """The deposit's id; None as long as only its transaction is known."""
        if self._by == "uuid":
            return self._id
        return None if self._last is None else self._last.uuid

    @property
    def resume_token(self) -> str:
        """What `resume` takes to go on waiting elsewhere: short text without a secret."""
        if self.uuid is None:
            return super().resume_token
        return write_token(kind=self._kind, region=self._region, host=self._host, id=self.uuid)

    async def result(self, *, timeout: float | None = None) -> Deposit:  # noqa: ASYNC109 - as `wait`
        """Return the deposit once it is ``ACCEPTED``, that is credited.

        Args:
            timeout: For how many seconds at most; see `wait`.

        Raises:
            DepositNotAccepted: It ended otherwise; the error carries `record`.
            PollTimeout: The time is over; the deposit goes on.
            UpbitError: As for `changes`.
        """
        record = await self.wait(timeout=timeout)
        if record.state is not DepositState.ACCEPTED:
            text = (
                f"deposit {record.uuid} of {record.amount:f} {record.currency} ended as {record.state.value}"
            )
            error = DepositNotAccepted(f"{text}; it was not credited", record=record)
            error.resume_token = self.resume_token
            raise error
        return record

    @property
    def _identity(self) -> tuple[object, ...]:
        # One transaction may be a deposit of several accounts, which their clients' watchers tell apart.
        return super()._identity if self._by == "uuid" else (*super()._identity, id(self._watcher))

    def _advice(self) -> str:
        if self._last is not None and self._last.state is DepositState.TRAVEL_RULE_SUSPECTED:
            return "It is not credited before its sender is verified: see client.travel_rule"
        return super()._advice()
