"""An answer that was not stored does not exclude its withdrawal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from journals import InlineJournal

from upbit_async.payouts import Payouts, PayoutState

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox


class Interrupted(BaseException):
    """Interrupts a task at any point, as KeyboardInterrupt may."""


async def test_answer_received_but_not_stored_does_not_hide_the_withdrawal(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    journal = InlineJournal(path)
    swaps = 0

    def interrupt(work: str) -> None:
        nonlocal swaps
        swaps += work == "compare_and_swap"
        if swaps == 2:  # the one that stores the answer
            swaps += 1
            raise Interrupted

    journal.before = interrupt
    async with Payouts(client, journal=journal, check=False) as payouts:
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - alone, or in a group
            await payouts.send("k", **tron)
        assert isinstance(caught.value, Interrupted) or caught.group_contains(Interrupted)
        await anyio.sleep(100)
        (payout,) = await payouts.run_once()
    assert payout.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1
