"""Answers that were not noted down excuse nothing."""

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


class Torn(BaseException):
    """Tears a task apart in the middle, as KeyboardInterrupt may."""


async def test_an_answer_that_was_heard_and_not_noted_does_not_hide_the_withdrawal(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    journal = InlineJournal(path)
    swaps = 0

    def tear(work: str) -> None:
        nonlocal swaps
        swaps += work == "compare_and_swap"
        if swaps == 2:  # the one that notes the answer
            swaps += 1
            raise Torn

    journal.before = tear
    async with Payouts(client, journal=journal) as payouts:
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - alone, or in a group
            await payouts.send("k", **tron)
        assert isinstance(caught.value, Torn) or caught.group_contains(Torn)
        await anyio.sleep(100)
        (payout,) = await payouts.recover()
    assert payout.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1
