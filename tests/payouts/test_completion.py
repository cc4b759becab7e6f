"""Errors raised inside protected work reach the caller, even if they are no `Exception`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from journals import InlineJournal

from upbit_async.errors import UpbitError
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.payouts.completion import run_to_completion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from upbit_async.sandbox import Sandbox


class Stop(BaseException):
    """Something that is no `Exception`."""


def _raising(error: BaseException) -> Callable[[], Awaitable[int]]:
    async def work() -> int:
        await anyio.lowlevel.checkpoint()
        raise error

    return work


def _not_stopped() -> None:
    raise AssertionError


@pytest.mark.parametrize("error", [Stop(), SystemExit(3), KeyboardInterrupt(), LookupError()], ids=repr)
async def test_run_to_completion_raises_the_error_of_the_work(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        await run_to_completion(_raising(error), stop=_not_stopped)
    assert caught.value is error


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_future_cancelled_inside_the_work_is_an_upbit_error() -> None:
    async def work() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(UpbitError, match="call send again with the same key") as caught:
        await run_to_completion(work, stop=_not_stopped)
    assert caught.value.may_have_executed
    assert caught.value.__cause__ is caught.value.__context__ is None
    await anyio.lowlevel.checkpoint()  # and its caller goes on


async def test_observer_that_raises_cancelled_error_loses_no_payout(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    def observer(_event: object) -> None:
        raise asyncio.CancelledError

    client = sandbox.client(observer=observer)
    async with Payouts(client, journal=InlineJournal(path)) as payouts:
        payout = await payouts.send("invoice-42", **tron)
    assert (payout.state, payout.uuid in sandbox.withdrawals) == (PayoutState.DONE, True)
