"""The check right before the first byte: which changes of the journal's row stop a payout's request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from clients import CREATE
from journals import InlineJournal

from upbit_async import RetryPolicy, errors
from upbit_async.payouts import Payouts, PayoutState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upbit_async.payouts import Payout
    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.sandbox import Sandbox


class Paused(InlineJournal):
    """A journal of a process that pauses between recording a copy and reading its row again."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.recorded, self.go_on = anyio.Event(), anyio.Event()

    async def get(self, key: str) -> Payout | None:
        known = await super().get(key)
        if known is None or known.state is not PayoutState.SENDING or self.recorded.is_set():
            return known
        self.recorded.set()
        await self.go_on.wait()
        return await super().get(key)


class OtherEpoch(InlineJournal):
    """A journal whose clock can't be compared with that of other processes, as on macOS and Windows."""

    async def now(self) -> JournalTime:
        return attrs.evolve(await super().now(), epoch="/reader")


async def test_process_that_only_reads_a_payout_does_not_stop_it(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    journal = Paused(path)
    sender = Payouts(sandbox.client(retry=RetryPolicy(attempts=1)), journal=journal)
    async with sender, Payouts(sandbox.client(), journal=OtherEpoch(path)) as reader:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: sender.send("k", **tron))
            await journal.recorded.wait()
            before = await reader.get("k")
            assert before is not None
            with pytest.raises(errors.PollTimeout):
                await reader.wait("k", timeout=0)
            after = await reader.get("k")
            assert after is not None
            assert after.revision > before.revision  # the reader has added its reading of the clock
            journal.go_on.set()
        payout = await sender.get("k")
    assert payout is not None
    assert [step.state.value for step in payout.history] == ["planned", "sending", "accepted", "done"]
    assert len(sandbox.requests.of(*CREATE)) == 1


def request(payout: Payout, **changes: Any) -> Payout:
    """Return a payout whose recorded copy is another one."""
    return attrs.evolve(payout, sent_request=attrs.evolve(payout.required_request, **changes))


def members(payout: Payout, **changes: str) -> Payout:
    """Return a payout that asks for something else; unchanged members come last."""
    reordered = changes | dict(reversed(list(payout.intent.members.items())))
    return attrs.evolve(payout, intent=attrs.evolve(payout.intent, members=reordered))


CHANGES: dict[str, Callable[[Payout], Payout]] = {
    "state": lambda it: attrs.evolve(it, state=PayoutState.NEEDS_REVIEW),
    "no request": lambda it: attrs.evolve(it, sent_request=None),
    "owner": lambda it: request(it, owner="another"),
    "copies": lambda it: request(it, copies=2),
    "arrived": lambda it: request(it, arrived=True),
    "nonce": lambda it: request(it, signing=attrs.evolve(it.required_request.signing, nonce="another")),
    "order": members,
    "members": lambda it: members(it, beneficiary_name="Ann"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_changed_row_stops_the_request(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], name: str
) -> None:
    class Changed(InlineJournal):
        """Shows another row to the check before the first byte, and the true one before and after it."""

        reads = 0

        async def get(self, key: str) -> Payout | None:
            known = await super().get(key)
            if known is None or known.state is not PayoutState.SENDING or self.reads:
                return known
            self.reads += 1
            return CHANGES[name](known)

    journal = Changed(path)
    async with Payouts(sandbox.client(retry=RetryPolicy(attempts=1)), journal=journal) as payouts:
        with pytest.raises(errors.NotSent):
            await payouts.send("k", **tron)
        assert journal.reads == 1
        assert sandbox.requests.of(*CREATE) == ()
        payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.PLANNED
