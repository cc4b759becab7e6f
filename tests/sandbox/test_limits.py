"""Thirty calls per second, 429 above that, and 418 for clients that do not stop."""

from __future__ import annotations

import pytest
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.sandbox import Sandbox


async def statuses(client: SignedClient, count: int) -> list[int]:
    return [(await client.get("/v1/status/wallet")).status_code for _ in range(count)]


async def test_header_counts_down(client: SignedClient) -> None:
    headers = [(await client.get("/v1/status/wallet")).headers["Remaining-Req"] for _ in range(3)]
    assert headers == [f"group=default; min=1800; sec={left}" for left in (29, 28, 27)]


async def test_refusal_is_charged_and_has_the_header(client: SignedClient) -> None:
    response = await client.get("/v1/withdraw", "uuid=unknown")
    assert response.headers["Remaining-Req"] == "group=default; min=1800; sec=29"


async def test_call_31_of_a_second_is_refused(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    clock.tick(0.5)
    assert await statuses(client, 30) == [200] * 30
    response = await client.withdraw()
    assert (response.status_code, response.json()["error"]["name"]) == (429, "too_many_requests")
    assert response.headers["Remaining-Req"] == "group=default; min=1800; sec=0"
    assert len(sandbox.ledger) == 0
    sandbox.knobs.remaining_on_429 = False
    assert "Remaining-Req" not in (await client.withdraw()).headers
    clock.tick(0.5)
    assert await statuses(client, 31) == [200] * 30 + [429]


async def test_sliding_window_counts_the_last_second(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.knobs.window = "sliding"
    clock.tick(0.5)
    assert await statuses(client, 30) == [200] * 30
    clock.tick(0.9)
    assert await statuses(client, 1) == [429]
    clock.tick(0.1)
    assert await statuses(client, 1) == [200]


@pytest.mark.parametrize(("counted", "then"), [(False, 200), (True, 429)])
async def test_refused_calls_count_by_knob(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock, *, counted: bool, then: int
) -> None:
    sandbox.knobs.window = "sliding"
    sandbox.knobs.rejected_count = counted
    await statuses(client, 30)
    clock.tick(0.6)
    assert await statuses(client, 30) == [429] * 30
    clock.tick(0.6)
    assert await statuses(client, 1) == [then]


async def test_keys_of_an_account_share_its_limit(client: SignedClient, sandbox: Sandbox) -> None:
    async with signed_client(sandbox, sandbox.issue_key()) as other:
        assert await statuses(client, 20) + await statuses(other, 11) == [200] * 30 + [429]


async def test_ban_after_many_429_is_longer_each_time(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.knobs.ban_after = 3
    assert (await statuses(client, 35))[30:] == [429, 429, 429, 418, 418]
    clock.tick(59.5)
    response = await client.get("/v1/status/wallet")
    assert response.status_code == 418
    assert response.json()["error"]["message"].endswith("blocked for 1 seconds.")
    clock.tick(0.5)
    assert (await statuses(client, 34))[29:] == [200, 429, 429, 429, 418]
    clock.tick(119)
    assert await statuses(client, 1) == [418]
    clock.tick(1)
    assert await statuses(client, 1) == [200]


async def test_body_of_a_ban_follows_its_knobs(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.limit, sandbox.knobs.ban_after = 0, 0
    sandbox.knobs.ban_name, sandbox.knobs.ban_message = "blocked", "for {seconds} s"
    response = await client.get("/v1/status/wallet")
    assert response.json() == {"error": {"name": "blocked", "message": "for 60 s"}}
    sandbox.knobs.ban_body = "wait {seconds}"
    assert (await client.get("/v1/status/wallet")).text == "wait 60"
    sandbox.knobs.ban_body = "half of \ud83d"
    assert (await client.get("/v1/status/wallet")).text == "half of \\ud83d"


async def test_old_429_lead_to_no_ban(client: SignedClient, sandbox: Sandbox, clock: ManualClock) -> None:
    sandbox.knobs.ban_after = 3
    for _ in range(3):
        assert (await statuses(client, 32))[30:] == [429, 429]
        clock.tick(10)


async def test_bans_are_off_by_knob(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.ban_after = None
    assert set(await statuses(client, 200)) == {200, 429}


async def test_sandbox_without_limits_counts_nothing() -> None:
    async with signed_client(Sandbox("sg", limits=False)) as client:
        assert await statuses(client, 100) == [200] * 100
        assert "Remaining-Req" not in (await client.get("/v1/status/wallet")).headers
