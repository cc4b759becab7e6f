"""`Payouts.send`: one key is one withdrawal."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE
from internals import register_key, repository_of
from journals import InlineJournal, open_payouts

from upbit_async import Credentials, NoLimiter, RetryPolicy, Timeouts, errors, events
from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.payouts import Payout
    from upbit_async.sandbox import Sandbox


def states(payout: Payout) -> list[str]:
    return [step.state.value for step in payout.history]


async def test_send_pays_once_and_returns_the_whole_payout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    payout = await payouts.send("invoice-42", **tron)
    (entry,) = sandbox.ledger.created
    assert (payout.key, payout.state, payout.uuid) == ("invoice-42", PayoutState.DONE, entry.uuid)
    assert payout.record is not None
    assert (payout.record.state, payout.record.amount) == ("DONE", Decimal(13))
    assert (payout.error, payout.evidence) == (None, Evidence.ANSWER)
    assert states(payout) == ["planned", "sending", "accepted", "done"]
    assert await payouts.get("invoice-42") == payout
    assert await open_payouts(payouts) == []


async def test_send_with_a_finished_key_sends_nothing(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    first = await payouts.send("k", **tron)
    before = len(sandbox.requests)
    assert await payouts.send("k", **dict(tron, amount=Decimal("13.000"))) == first
    assert len(sandbox.requests) == before


async def test_send_without_wait_returns_after_the_answer(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    payout = await payouts.send("k", **tron, until="accepted")
    assert payout.state is PayoutState.ACCEPTED
    assert sandbox.withdrawals[payout.uuid or ""].state == "WAITING"
    assert [each.key for each in await open_payouts(payouts)] == ["k"]
    assert (await payouts.wait("k")).state is PayoutState.DONE


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED", "REJECTED"])
async def test_failed_withdrawal_ends_the_payout(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], end: str
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(1, states=["PROCESSING", end])
    payout = await payouts.send("k", **tron)
    assert payout.state == end.lower()
    assert await payouts.send("k", **tron) == payout
    assert len(sandbox.ledger.created) == 1


async def test_final_answer_ends_the_payout_at_once(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.manual(first="DONE")
    assert states(await payouts.send("k", **tron)) == ["planned", "sending", "done"]


async def test_many_calls_with_one_key_are_one_withdrawal(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    found: list[Payout] = []

    async def send(by: Payouts) -> None:
        found.append(await by.send("k", **tron))

    async with anyio.create_task_group() as tasks:
        for each in (payouts, elsewhere) * 10:
            tasks.start_soon(send, each)
    assert len(found) == 20
    assert {payout.uuid for payout in found} == {sandbox.ledger.created[0].uuid}
    assert len(sandbox.requests.of(*CREATE)) == 1


async def test_equal_payouts_with_different_keys_are_all_paid(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    found: list[Payout] = []

    async def send(by: Payouts, key: str) -> None:
        found.append(await by.send(key, **tron))

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(send, (payouts, elsewhere)[number % 2], f"k{number}")
    assert {payout.state for payout in found} == {PayoutState.DONE}
    assert len({payout.uuid for payout in found}) == len(sandbox.ledger.created) == 12


async def test_refusal_is_returned_and_retried_only_on_request(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.account.fund("USDT", -sandbox.account.balance("USDT").available)
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence) == (PayoutState.DECLINED, Evidence.ANSWER)
    assert isinstance(payout.error, errors.ValidationError)
    assert payout.error.name == "withdraw_insufficient_balance"
    sandbox.account.fund("USDT", 1000)
    again = await payouts.send("k", **tron)
    assert again.state is PayoutState.DECLINED
    assert type(again.error) is errors.ValidationError
    assert str(again.error) == str(payout.error)
    assert (await payouts.retry("k")).state is PayoutState.QUEUED
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    nonces = [line.nonce for line in sandbox.requests.of(*CREATE)]
    assert len(nonces) == len(set(nonces)) == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.status(429, *CREATE, times=None), errors.RateLimited),
        (Fault.status(418, *CREATE, times=None), errors.Banned),
    ],
    ids=["429", "418"],
)
async def test_request_rejected_unprocessed_is_planned_again(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], fault: Fault, kind: type[errors.UpbitError]
) -> None:
    sandbox.faults.add(fault)
    with pytest.raises(kind):
        await payouts.send("k", **tron)
    payout = await payouts.get("k")
    assert payout is not None
    assert (payout.state, type(payout.error), payout.uuid) == (PayoutState.PLANNED, kind, None)
    sandbox.faults.clear()
    await anyio.sleep(3600)
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_single_429_is_retried_with_a_fresh_stored_nonce(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(429, *CREATE))
    payout = await payouts.send("k", **tron)
    assert states(payout) == ["planned", "sending", "planned", "sending", "accepted", "done"]
    first, second = sandbox.requests.of(*CREATE)
    assert first.nonce != second.nonce
    assert payout.sent_request is not None
    assert payout.sent_request.signing.nonce == second.nonce


async def test_request_that_never_left_is_not_in_the_journal(
    client: UpbitClient, path: Path, tron: dict[str, Any]
) -> None:
    class Wall:
        async def acquire(self, group: str) -> Any:
            if not walls:
                await anyio.sleep_forever()
            return walls.pop()

        def observe(self, ticket: Any, remaining: int | None) -> None: ...
        def refuse(self, ticket: Any, seconds: float) -> None: ...

    walls: list[Any] = [NoLimiter()]  # the baseline gets through
    client.transport.shared.limiter = Wall()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    hasty = client.with_options(timeouts=Timeouts(total=5), retry=RetryPolicy(attempts=1))
    async with Payouts(hasty, journal=InlineJournal(path), check=False) as payouts:
        with pytest.raises(errors.NotSent):
            await payouts.send("k", **tron)
        assert await payouts.get("k") is None


async def test_without_a_baseline_nothing_is_sent(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(503, "GET", "/v1/withdraws", times=None))
    with pytest.raises(errors.ServerError):
        await payouts.send("k", **tron)
    assert sandbox.requests.of(*CREATE) == ()
    assert await payouts.get("k") is None


async def test_key_without_read_permission_pays_nothing(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    blind = sandbox.client(credentials=sandbox.issue_key(permissions={"withdraw"}))
    async with Payouts(blind, journal=InlineJournal(path), check=False) as payouts:
        with pytest.raises(errors.PermissionDenied):
            await payouts.send("k", **tron)
    assert sandbox.ledger.created == ()


async def test_departure_is_stored_before_the_request_leaves(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *CREATE))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron))
        await anyio.sleep(1)
        (line,) = sandbox.requests.of(*CREATE)
        payout = await elsewhere.get("k")
        assert payout is not None
        assert payout.state is PayoutState.SENDING
        assert payout.sent_request is not None
        assert payout.sent_request.signing.nonce == line.nonce
        elapsed = payout.sent_request.left_at.elapsed(await repository_of(elsewhere).journal.now())
        assert elapsed is not None
        assert 0 <= elapsed < 5 < payout.sent_request.lease
        assert list(payout.intent.members) == [
            "currency",
            "net_type",
            "amount",
            "address",
            "transaction_type",
        ]


async def test_answer_that_contradicts_needs_review_with_its_uuid(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 1000  # so it is not in the baseline
    other = sandbox.withdrawals.create_on_website("USDT", "TRX", "99", address=tron["address"])
    body = (
        f'{{"type":"withdraw","uuid":"{other.uuid}","currency":"USDT","net_type":"TRX","txid":null,'
        '"state":"WAITING","created_at":"2025-07-17T13:53:31","done_at":null,"amount":"99.0","fee":"1.0",'
        '"transaction_type":"default"}'
    )
    sandbox.faults.add(Fault.status(201, *CREATE, before=False, body=body.encode()))
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.uuid, payout.evidence) == (
        PayoutState.NEEDS_REVIEW,
        other.uuid,
        Evidence.ANSWER,
    )
    assert "99" in payout.history[-1].note
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("another", **tron)
    assert caught.value.by_key == "k"
    assert await payouts.get("another") is None
    assert (await payouts.resolve("k", uuid=other.uuid, note="Ann has checked")).state is PayoutState.ACCEPTED
    sandbox.knobs.list_delay = 0
    _, made = sandbox.ledger.created  # what was carried out for k belongs to no payout, now
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("another", **tron)
    assert (caught.value.by_key, caught.value.uuids) == (None, (made.uuid,))
    await payouts.acknowledge(made.uuid)
    assert (await payouts.send("another", **tron)).state is PayoutState.DONE


async def test_answer_with_a_uuid_of_the_baseline_is_a_lost_answer(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    before = sandbox.withdrawals.create_on_website("USDT", "TRX", "99", address=tron["address"])
    body = f'{{"uuid":"{before.uuid}","currency":"USDT","state":"WAITING","amount":"13"}}'.encode()
    sandbox.faults.add(Fault.status(201, *CREATE, before=False, body=body))
    payout = await payouts.send("k", **tron)
    assert states(payout)[2] == "unknown"
    _, made = sandbox.ledger.created
    assert (payout.state, payout.uuid) == (PayoutState.DONE, made.uuid)


async def test_answer_net_of_the_fee_is_accepted(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.amounts = "net of fee"
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.DONE
    assert payout.record is not None
    assert payout.record.amount == 12


async def test_check_option_runs_the_preflight_first(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    xrp: dict[str, Any] = {
        "currency": "XRP",
        "net_type": "XRP",
        "amount": "25",
        "address": "rFakeXrpWithdrawAddressFakeFakeFak",
    }
    async with Payouts(client, journal=InlineJournal(path), check=True) as payouts:
        with pytest.raises(errors.PreflightFailed, match="less than the minimum"):
            await payouts.send("k", **dict(tron, amount="1"))
        with pytest.raises(errors.PreflightFailed, match="secondary_address"):
            await payouts.send("memo", **xrp)
        assert sandbox.requests.of(*CREATE) == ()
        paid = await payouts.send("with memo", **xrp, secondary_address="123456789")
        assert paid.state is PayoutState.DONE
        assert (await payouts.send("tron", **tron)).state is PayoutState.DONE


async def test_extra_members_are_sent_last(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    await payouts.send("k", **tron, extra={"beneficiary_name": "Ann Ö", "agreed": True, "age": 7})
    (line,) = sandbox.requests.of(*CREATE)
    assert line.body.endswith(
        '"transaction_type":"default","beneficiary_name":"Ann Ö","agreed":"true","age":"7"}'
    )


async def test_each_change_is_an_event(client: UpbitClient, path: Path, tron: dict[str, Any]) -> None:
    observed: list[events.Event] = []
    watched = client.with_options(observer=observed.append)
    async with Payouts(watched, journal=InlineJournal(path), check=False) as payouts:
        payout = await payouts.send("k", **tron)
    changes = [event for event in observed if isinstance(event, events.PayoutChanged)]
    assert [(event.previous, event.state) for event in changes] == [
        (None, "sending"),
        ("sending", "accepted"),
        ("accepted", "done"),
    ]
    assert {event.key for event in changes} == {"k"}
    assert changes[-1].uuid == payout.uuid
    assert changes[-1].host == client.host


async def test_no_key_is_in_the_journal(sandbox: Sandbox, path: Path, tron: dict[str, Any]) -> None:
    keys = Credentials("CANARYACCESS", "CANARYSECRET")
    register_key(sandbox, keys)
    async with Payouts(sandbox.client(credentials=keys), journal=InlineJournal(path), check=False) as payouts:
        sandbox.faults.add(Fault.lose_answer(*CREATE))
        payout = await payouts.send("k", **tron)
        assert "TFakeTron" not in f"{payout!r} {payout} {payout.error!r}"
        written = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert b"CANARY" not in written
    assert (
        b".eyJ" not in written
    )  # how a token goes on after its first part; a digest may contain "eyJ" alone
