"""The end of `Payouts.run` over a real socket: what is on the wire is finished, or stopped at the shutdown timeout."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import anyio
import pytest
from clients import CREATE, WITHDRAWAL

from upbit_async import UpbitClient
from upbit_async.payouts import MemoryJournal, Payouts, PayoutState
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.manual()) as made:
        yield made


@pytest.mark.parametrize(
    ("shutdown_timeout", "state"), [(0.3, PayoutState.UNKNOWN), (10, PayoutState.ACCEPTED)]
)
async def test_request_is_finished_or_stopped_at_the_shutdown_timeout(
    sandbox: Sandbox, shutdown_timeout: float, state: PayoutState
) -> None:
    sandbox.faults.add(Fault.slow(2, *CREATE))
    journal = MemoryJournal()
    async with (
        sandbox.serve() as url,
        UpbitClient("sg", base_url=url, credentials=sandbox.credentials) as client,
        Payouts(client, journal, check=False) as payouts,
    ):
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(functools.partial(payouts.run, shutdown_timeout=shutdown_timeout))
            await payouts.enqueue("k", **WITHDRAWAL)
            with anyio.fail_after(5):
                while not sandbox.requests.of(*CREATE):  # noqa: ASYNC110 - the sandbox has no event for it
                    await anyio.sleep(0.02)
            began = anyio.current_time()
            tasks.cancel_scope.cancel()
        took = anyio.current_time() - began
        payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is state, payout.reason
    assert took < (1.5 if state is PayoutState.UNKNOWN else 5)
