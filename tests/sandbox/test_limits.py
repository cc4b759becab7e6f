"""Thirty calls a second, 429 above that, and 418 for those who go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from upbit_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.sandbox.conftest import ManualClock, SignedClient


async def statuses(hand: SignedClient, count: int) -> list[int]:
    return [(await hand.get("/v1/status/wallet")).status_code for _ in range(count)]


async def test_the_header_counts_down(hand: SignedClient) -> None:
    told = [(await hand.get("/v1/status/wallet")).headers["Remaining-Req"] for _ in range(3)]
    assert told == [f"group=default; min=1800; sec={left}" for left in (29, 28, 27)]


async def test_refusals_are_charged_and_tell_what_is_left(hand: SignedClient) -> None:
    response = await hand.get("/v1/withdraw", "uuid=unknown")
    assert response.headers["Remaining-Req"] == "group=default; min=1800; sec=29"


async def test_the_thirty_first_call_of_a_second_is_refused(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock
) -> None:
    watch.tick(0.5)
    assert await statuses(hand, 30) == [200] * 30
    response = await hand.withdraw()
    assert (response.status_code, response.json()["error"]["name"]) == (429, "too_many_requests")
    assert response.headers["Remaining-Req"] == "group=default; min=1800; sec=0"
    assert len(sandbox.ledger) == 0
    sandbox.knobs.remaining_on_429 = False
    assert "Remaining-Req" not in (await hand.withdraw()).headers
    watch.tick(0.5)
    assert await statuses(hand, 31) == [200] * 30 + [429]


async def test_a_sliding_window_remembers_for_a_whole_second(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock
) -> None:
    sandbox.knobs.window = "sliding"
    watch.tick(0.5)
    assert await statuses(hand, 30) == [200] * 30
    watch.tick(0.9)
    assert await statuses(hand, 1) == [429]
    watch.tick(0.1)
    assert await statuses(hand, 1) == [200]


@pytest.mark.parametrize(("counted", "then"), [(False, 200), (True, 429)])
async def test_whether_refused_calls_count(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock, *, counted: bool, then: int
) -> None:
    sandbox.knobs.window = "sliding"
    sandbox.knobs.rejected_count = counted
    await statuses(hand, 30)
    watch.tick(0.6)
    assert await statuses(hand, 30) == [429] * 30
    watch.tick(0.6)
    assert await statuses(hand, 1) == [then]


async def test_all_keys_share_the_accounts_budget(
    hand: SignedClient, sandbox: Sandbox, hand_at: Callable[..., AbstractAsyncContextManager[SignedClient]]
) -> None:
    async with hand_at(sandbox, sandbox.issue_key()) as other:
        assert await statuses(hand, 20) + await statuses(other, 11) == [200] * 30 + [429]


async def test_who_goes_on_is_banned_for_longer_each_time(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock
) -> None:
    sandbox.knobs.ban_after = 3
    assert (await statuses(hand, 35))[30:] == [429, 429, 429, 418, 418]
    watch.tick(59.5)
    response = await hand.get("/v1/status/wallet")
    assert response.status_code == 418
    assert response.json()["error"]["message"].endswith("blocked for 1 seconds.")
    watch.tick(0.5)
    assert (await statuses(hand, 34))[29:] == [200, 429, 429, 429, 418]
    watch.tick(119)
    assert await statuses(hand, 1) == [418]
    watch.tick(1)
    assert await statuses(hand, 1) == [200]


async def test_the_bans_body_by_knob(hand: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.limit, sandbox.knobs.ban_after = 0, 0
    sandbox.knobs.ban_name, sandbox.knobs.ban_message = "blocked", "for {seconds} s"
    response = await hand.get("/v1/status/wallet")
    assert response.json() == {"error": {"name": "blocked", "message": "for 60 s"}}
    sandbox.knobs.ban_body = "wait {seconds}"
    assert (await hand.get("/v1/status/wallet")).text == "wait 60"
    sandbox.knobs.ban_body = "half of \ud83d"
    assert (await hand.get("/v1/status/wallet")).text == "half of \\ud83d"


async def test_429_are_forgiven_in_time(hand: SignedClient, sandbox: Sandbox, watch: ManualClock) -> None:
    sandbox.knobs.ban_after = 3
    for _ in range(3):
        assert (await statuses(hand, 32))[30:] == [429, 429]
        watch.tick(10)


async def test_bans_can_be_switched_off(hand: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.ban_after = None
    assert set(await statuses(hand, 200)) == {200, 429}


async def test_without_limits_nothing_is_counted_or_told(
    hand_at: Callable[..., AbstractAsyncContextManager[SignedClient]],
) -> None:
    async with hand_at(Sandbox("sg", limits=False)) as hand:
        assert await statuses(hand, 100) == [200] * 100
        assert "Remaining-Req" not in (await hand.get("/v1/status/wallet")).headers
