"""The penalty box: length, counting and cancelling effect of bans."""

from __future__ import annotations

import contextlib

import anyio
import anyio.lowlevel
import pytest

from upbit_async.transport import shared_clock
from upbit_async.transport.penalty_box import PenaltyBox


async def test_ban_lasts_for_the_given_time() -> None:
    box = PenaltyBox()
    assert box.seconds_left() == 0
    assert box.ban(lambda _: 30.0) == 30.0
    assert box.seconds_left() == pytest.approx(30)
    await anyio.sleep(29.5)
    assert box.seconds_left() > 0
    await anyio.sleep(1)
    assert box.seconds_left() == 0


async def test_bans_are_counted_until_a_call_succeeds() -> None:
    box = PenaltyBox()
    counts: list[int] = []

    def note(bans: int) -> float:
        counts.append(bans)
        return 1.0

    box.ban(note)
    left_before = shared_clock.now()
    await anyio.sleep(2)
    box.ban(note)
    box.forgive(left_before)  # it had left before the ban: that proves nothing
    await anyio.sleep(2)
    box.ban(note)
    await anyio.sleep(2)
    box.forgive(shared_clock.now())
    box.ban(note)
    assert counts == [0, 1, 2, 0]


async def test_answers_418_during_a_ban_do_not_extend_it() -> None:
    box = PenaltyBox()
    lengths = [box.ban(lambda bans: 60.0 * 2**bans) for _ in range(10)]
    assert lengths == [60.0] * 10
    assert box.seconds_left() == pytest.approx(60)


async def test_shorter_ban_does_not_shorten_a_longer_one() -> None:
    box = PenaltyBox()
    box.ban(lambda _: 100.0)
    box.ban(lambda _: 1.0)
    assert box.seconds_left() > 99


async def test_ban_cancels_current_waits_only() -> None:
    box, before = PenaltyBox(), anyio.current_time()
    with anyio.CancelScope() as over, box.cutting_short(over):
        await anyio.lowlevel.checkpoint()
    waiting = anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        with waiting, box.cutting_short(waiting):
            tasks.start_soon(_ban, box)
            await anyio.sleep_forever()
    assert waiting.cancelled_caught
    assert not over.cancel_called
    assert anyio.current_time() == before


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_ban_skips_waiters_of_an_ended_event_loop(backend: str) -> None:
    box = PenaltyBox()
    with contextlib.ExitStack() as stack:

        async def wait() -> None:
            stack.enter_context(box.cutting_short(anyio.CancelScope()))

        anyio.run(wait, backend=backend)
        anyio.run(_ban, box)


async def _ban(box: PenaltyBox) -> None:
    assert box.ban(lambda _: 60.0) == 60
