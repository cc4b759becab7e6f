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
    """Poller for one deposit. See https://global-docs.upbit.com/reference/get-deposit.

    Creating one starts no task and sends no request. It can be used for several waits, also by several tasks at once;
    all waits for deposits of one client by the same kind of id share their requests. Two pollers are equal if they are
    for the same deposit by uuid, or by the same transaction and from the same client.

    A deposit in ``TRAVEL_RULE_SUSPECTED`` is not credited until its sender is verified with `client.travel_rule`. Use
    `changes` to detect this state.

    Example:
        .. code-block:: python

            deposit_id = sandbox.deposits.arrive("USDT", "TRX", "35.7").uuid

            poller = client.deposits.poller(deposit_id)
            async for change in poller.changes():
                if change.state == "TRAVEL_RULE_SUSPECTED":
                    print(f"verify the sender of {change.record.txid}")
    """

    __slots__ = ()

    _kind = "deposit"

    @property
    def uuid(self) -> str | None:
        """The deposit's id; None while only its transaction is known."""
        if self._by == "uuid":
            return self._id
        return None if self._last is None else self._last.uuid

    @property
    def resume_token(self) -> str:
        """Token with which `resume` continues the wait, also in another process: short text without a secret."""
        if self.uuid is None:
            return super().resume_token
        return write_token(kind=self._kind, region=self._region, host=self._host, id=self.uuid)

    async def result(self, *, timeout: float | None = None) -> Deposit:  # noqa: ASYNC109 - as `wait`
        """Wait until the deposit is ``ACCEPTED``, that is, credited to the account, and return it.

        Args:
            timeout: Timeout, in seconds; None for no limit. See `wait`.

        Raises:
            DepositNotAccepted: The deposit has another final state; the error has the `record`.
            PollTimeout: The timeout has passed, and the deposit is not final.
            UpbitError: As for `changes`.

        Example:
            .. code-block:: python

                arrived = sandbox.deposits.arrive("USDT", "TRX", "35.7")
                deposit = await client.deposits.poller(txid=arrived.txid).result(timeout=600)
                assert deposit.amount == Decimal("35.7")
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
        # One transaction may be a deposit to several accounts, which differ in their clients' watchers.
        return super()._identity if self._by == "uuid" else (*super()._identity, id(self._watcher))

    def _advice(self) -> str:
        if self._last is not None and self._last.state is DepositState.TRAVEL_RULE_SUSPECTED:
            return "It is not credited until its sender is verified: see client.travel_rule"
        return super()._advice()
