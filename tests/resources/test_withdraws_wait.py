"""`client.withdraws`: `poller`, `wait`, `resume`, and the errors that end a wait."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.errors import (
    AuthenticationError,
    NotFound,
    PollTimeout,
    WithdrawalCancelled,
    WithdrawalFailed,
    WithdrawalNotDone,
    WithdrawalRejected,
)
from upbit_async.events import PollFailed, StateChanged
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.events import Event

MANY = "/v1/withdraws"


async def test_poller_sends_nothing_before_it_is_used(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    poller = client.withdraws.poller(old[0])
    assert client.withdraws.resume(poller.resume_token) == poller
    assert (poller.uuid, poller.last) == (old[0], None)
    assert len(sandbox.requests) == 0
    assert (await poller.wait()).state == "DONE"
    assert [line.query for line in sandbox.requests] == [f"uuids[]={old[0]}&limit=100&order_by=desc"]


async def test_wait_returns_the_record_in_any_final_state(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(3, states=("PROCESSING", "FAILED"))
    record = await client.withdraws.create(**tron)
    assert (await client.withdraws.wait(record.uuid)).state == "FAILED"
    assert (await client.withdraws.wait(record.uuid, timeout=0)).state == "FAILED"


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("FAILED", WithdrawalFailed),
        ("CANCELLED", WithdrawalCancelled),
        ("REJECTED", WithdrawalRejected),
    ],
)
async def test_result_raises_unless_done(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], end: str, kind: type[WithdrawalNotDone]
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(3, states=("PROCESSING", end))
    poller = await client.withdraws.send(**tron)
    with pytest.raises(kind, match=f"ended as {end}") as caught:
        await poller.result()
    assert (caught.value.record.uuid, caught.value.record.state) == (poller.uuid, end)
    assert caught.value.resume_token == poller.resume_token
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made a line above
    assert again.record == caught.value.record


async def test_timed_out_wait_can_be_resumed_by_another_client(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    poller = await client.withdraws.send(**tron)
    with pytest.raises(PollTimeout) as caught:
        await poller.wait(timeout=10)
    token = caught.value.resume_token
    assert token is not None
    for secret in (sandbox.credentials.access_key, sandbox.credentials.secret_key):
        assert secret.reveal() not in token
    sandbox.withdrawals.set_state(poller.uuid, "DONE")
    resumed = sandbox.client().withdraws.resume(token)
    assert resumed == poller
    assert (await resumed.result()).state == "DONE"


async def test_done_at_and_is_cancelable_do_not_end_a_wait(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    sandbox.withdrawals[old[4]].done_at = sandbox.now
    with pytest.raises(PollTimeout, match="PROCESSING"):
        await client.withdraws.wait(old[4], timeout=60)


async def test_late_withdrawal_is_waited_for_and_unknown_one_not_found(
    client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 20.0
    sandbox.withdrawals.transitions = Transitions.immediate()
    record = await client.withdraws.create(**tron)
    assert (await client.withdraws.wait(record.uuid)).state == "DONE"
    with pytest.raises(NotFound) as caught:
        await client.withdraws.wait("nobody's")
    assert caught.value.resume_token == client.withdraws.poller("nobody's").resume_token


async def test_failed_polls_are_events_and_a_refused_key_ends_the_wait(
    sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    events: list[Event] = []
    client = sandbox.client(observer=events.append)
    poller = await client.withdraws.send(**tron)
    sandbox.withdrawals.transitions = Transitions.manual()
    sandbox.faults.add(Fault.status(500, "GET", MANY, times=3))
    with pytest.raises(PollTimeout):
        await poller.wait(timeout=30)
    assert [type(event) for event in events if isinstance(event, (PollFailed, StateChanged))][
        -1
    ] is PollFailed
    sandbox.faults.add(Fault.status(401, "GET", MANY, name="expired_access_key"))
    with pytest.raises(AuthenticationError) as caught:
        await poller.wait()
    assert caught.value.resume_token == poller.resume_token


async def test_resume_token_for_something_else_is_refused(
    client: UpbitClient, sandbox: Sandbox, old: list[str]
) -> None:
    token = json.loads(client.withdraws.poller(old[0]).resume_token)
    for change, problem in (
        ({"kind": "deposit"}, "for a deposit"),
        ({"region": "th"}, "region 'th'"),
        ({"host": "th-api.upbit.com"}, "at th-api.upbit.com"),
        ({"v": 2}, "newer version"),
        ({"uuid": ""}, "uuid is missing"),
    ):
        with pytest.raises(ValueError, match=problem):
            client.withdraws.resume(json.dumps(token | change))
    for garbage in ("", "{", "[]", "null"):
        with pytest.raises(ValueError, match="invalid resume token"):
            client.withdraws.resume(garbage)
    async with Sandbox("id") as other:
        with pytest.raises(ValueError, match="region 'sg'"):
            other.client().withdraws.resume(json.dumps(token))
    assert len(sandbox.requests) == 0
