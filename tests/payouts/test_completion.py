"""Cancellations that do not come from the caller of `send` lose no payout."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio.lowlevel
import pytest
from journals import InlineJournal

from upbit_async.errors import UpbitError
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.payouts.send_attempt import SendAttempt

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.sandbox import Sandbox


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_future_cancelled_inside_a_send_is_an_error_that_says_what_to_do(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(_self: SendAttempt) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    monkeypatch.setattr(SendAttempt, "_call", send)
    async with Payouts(sandbox.client(), journal=InlineJournal(path), check=False) as payouts:
        with pytest.raises(UpbitError, match="call send again with the same key") as caught:
            await payouts.send("invoice-42", **tron)
    assert caught.value.may_have_executed
    assert caught.value.__cause__ is caught.value.__context__ is None
    await anyio.lowlevel.checkpoint()  # the caller itself is not cancelled


async def test_observer_that_raises_cancelled_error_loses_no_payout(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    def observer(_event: object) -> None:
        raise asyncio.CancelledError

    client = sandbox.client(observer=observer)
    async with Payouts(client, journal=InlineJournal(path), check=False) as payouts:
        payout = await payouts.send("invoice-42", **tron)
    assert (payout.state, payout.uuid in sandbox.withdrawals) == (PayoutState.DONE, True)
