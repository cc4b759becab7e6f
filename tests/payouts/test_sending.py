"""One key is one withdrawal, whatever becomes of its request."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from internals import register_key, repository_of
from journals import InlineJournal

from upbit_async import Credentials, NoLimiter, RetryPolicy, Timeouts, errors, events
from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.payouts import Payout
    from upbit_async.sandbox import Sandbox

POST = ("POST", "/v1/withdraws/coin")


def states(payout: Payout) -> list[str]:
    return [step.state.value for step in payout.history]


async def test_a_payout_is_paid_once_and_is_told_whole(
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
    assert [each async for each in payouts.pending()] == []


async def test_the_same_key_again_asks_for_nothing(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    first = await payouts.send("k", **tron)
    before = len(sandbox.requests)
    assert await payouts.send("k", **dict(tron, amount=Decimal("13.000"))) == first
    assert len(sandbox.requests) == before


async def test_without_waiting_it_returns_when_upbit_has_answered(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    payout = await payouts.send("k", **tron, wait=False)
    assert payout.state is PayoutState.ACCEPTED
    assert sandbox.withdrawals[payout.uuid or ""].state == "WAITING"
    assert [each.key async for each in payouts.pending()] == ["k"]
    assert (await payouts.wait("k")).state is PayoutState.DONE


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED", "REJECTED"])
async def test_an_end_without_payment_is_an_end(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], end: str
) -> None:
    sandbox.withdrawals.transitions = Transitions.after_seconds(1, states=["PROCESSING", end])
    payout = await payouts.send("k", **tron)
    assert payout.state == end.lower()
    assert await payouts.send("k", **tron) == payout
    assert len(sandbox.ledger.created) == 1


async def test_an_answer_that_is_the_end_already_is_taken_as_it_is(
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
    assert len(sandbox.requests.of(*POST)) == 1


async def test_equal_payouts_under_many_keys_are_as_many_withdrawals(
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


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"amount": "13.1"}, "amount"),
        ({"address": "TAnother"}, "address"),
        ({"currency": "BTC"}, "currency"),
        ({"net_type": "ETH"}, "net_type"),
        ({"secondary_address": "1"}, "secondary_address"),
        ({"transaction_type": "internal"}, "transaction_type"),
        ({"extra": {"note": "x"}}, "note"),
    ],
)
async def test_a_key_stands_for_one_payment(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], changes: dict[str, Any], name: str
) -> None:
    await payouts.send("k", **tron)
    with pytest.raises(errors.PayoutConflict, match=f"differs in {name}"):
        await payouts.send("k", **tron | changes)
    assert len(sandbox.ledger.created) == 1


async def test_a_refusal_is_returned_and_tried_again_only_on_request(
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
    nonces = [line.nonce for line in sandbox.requests.of(*POST)]
    assert len(nonces) == len(set(nonces)) == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.status(429, *POST, times=None), errors.RateLimited),
        (Fault.status(418, *POST, times=None), errors.Banned),
    ],
    ids=["429", "418"],
)
async def test_what_was_turned_away_unread_is_planned_again(
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


async def test_a_single_429_is_waited_out_with_a_fresh_nonce_that_the_journal_knows(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(429, *POST))
    payout = await payouts.send("k", **tron)
    assert states(payout) == ["planned", "sending", "planned", "sending", "accepted", "done"]
    first, second = sandbox.requests.of(*POST)
    assert first.nonce != second.nonce
    assert payout.sent_request is not None
    assert payout.sent_request.signing.nonce == second.nonce


async def test_what_never_left_is_told_as_not_sent_and_planned(
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
    async with Payouts(hasty, journal=InlineJournal(path)) as payouts:
        with pytest.raises(errors.NotSent):
            await payouts.send("k", **tron)
        payout = await payouts.get("k")
        assert payout is not None
        assert states(payout) == ["planned"]


async def test_without_a_fence_nothing_is_sent(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(503, "GET", "/v1/withdraws", times=None))
    with pytest.raises(errors.ServerError):
        await payouts.send("k", **tron)
    assert sandbox.requests.of(*POST) == ()
    payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.PLANNED


async def test_a_key_that_may_not_read_withdrawals_pays_nothing(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    blind = sandbox.client(credentials=sandbox.issue_key(permissions={"withdraw"}))
    async with Payouts(blind, journal=InlineJournal(path)) as payouts:
        with pytest.raises(errors.PermissionDenied):
            await payouts.send("k", **tron)
    assert sandbox.ledger.created == ()


async def test_the_journal_knows_what_leaves_before_it_leaves(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.slow(5, *POST))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron))
        await anyio.sleep(1)
        (line,) = sandbox.requests.of(*POST)
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


async def test_an_answer_that_disagrees_keeps_its_uuid_and_goes_to_a_person(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 1000  # so it is not in the baseline
    other = sandbox.withdrawals.create_on_website("USDT", "TRX", "99", address=tron["address"])
    body = (
        f'{{"type":"withdraw","uuid":"{other.uuid}","currency":"USDT","net_type":"TRX","txid":null,'
        '"state":"WAITING","created_at":"2025-07-17T13:53:31","done_at":null,"amount":"99.0","fee":"1.0",'
        '"transaction_type":"default"}'
    )
    sandbox.faults.add(Fault.status(201, *POST, before=False, body=body.encode()))
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
    assert (await payouts.get("another")).state is PayoutState.PLANNED  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    assert (await payouts.resolve("k", uuid=other.uuid, note="Ann has looked")).state is PayoutState.ACCEPTED
    sandbox.knobs.list_delay = 0
    _, made = sandbox.ledger.created  # what was carried out for k belongs to no payout, now
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("another", **tron)
    assert (caught.value.by_key, caught.value.uuids) == (None, (made.uuid,))
    await payouts.acknowledge(made.uuid)
    assert (await payouts.send("another", **tron)).state is PayoutState.DONE


async def test_an_answer_that_names_what_was_there_before_is_a_lost_answer(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    before = sandbox.withdrawals.create_on_website("USDT", "TRX", "99", address=tron["address"])
    body = f'{{"uuid":"{before.uuid}","currency":"USDT","state":"WAITING","amount":"13"}}'.encode()
    sandbox.faults.add(Fault.status(201, *POST, before=False, body=body))
    payout = await payouts.send("k", **tron)
    assert states(payout)[2] == "unknown"
    _, made = sandbox.ledger.created
    assert (payout.state, payout.uuid) == (PayoutState.DONE, made.uuid)


async def test_an_amount_that_is_net_of_the_fee_is_no_disagreement(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.amounts = "net of fee"
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.DONE
    assert payout.record is not None
    assert payout.record.amount == 12


async def test_checks_come_first_on_request(
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
        assert sandbox.requests.of(*POST) == ()
        paid = await payouts.send("with memo", **xrp, secondary_address="123456789")
        assert paid.state is PayoutState.DONE
        assert (await payouts.send("tron", **tron)).state is PayoutState.DONE


async def test_a_further_member_is_sent_in_its_place(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await payouts.send("k", **tron, extra={"beneficiary_name": "Ann Ö", "agreed": True, "age": 7})
    (line,) = sandbox.requests.of(*POST)
    assert line.body.endswith(
        '"transaction_type":"default","beneficiary_name":"Ann Ö","agreed":"true","age":"7"}'
    )


async def test_each_change_is_an_event(client: UpbitClient, path: Path, tron: dict[str, Any]) -> None:
    told: list[events.Event] = []
    watched = client.with_options(observer=told.append)
    async with Payouts(watched, journal=InlineJournal(path)) as payouts:
        payout = await payouts.send("k", **tron)
    changes = [event for event in told if isinstance(event, events.PayoutChanged)]
    assert [(event.previous, event.state) for event in changes] == [
        (None, "planned"),
        ("planned", "sending"),
        ("sending", "accepted"),
        ("accepted", "done"),
    ]
    assert {event.key for event in changes} == {"k"}
    assert changes[-1].uuid == payout.uuid
    assert changes[-1].host == client.host


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"key": ""}, ValueError),
        ({"key": "k" * 257}, ValueError),
        ({"key": "\ud800"}, ValueError),
        ({"key": "a\0b"}, ValueError),
        ({"key": 7}, TypeError),
        ({"amount": 13.5}, TypeError),
        ({"amount": "0"}, ValueError),
        ({"address": ""}, ValueError),
        ({"wait": "yes"}, TypeError),
        ({"extra": {"amount": "2"}}, ValueError),
        ({"extra": {"names": ["a", "b"]}}, TypeError),
        ({"extra": {"ratio": 0.5}}, TypeError),
    ],
)
async def test_mistakes_are_told_before_anything_is_noted(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], arguments: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await payouts.send(**dict(tron, key="k") | arguments)
    assert [each async for each in payouts.pending()] == []
    assert len(sandbox.requests) == 0


async def test_payouts_are_made_of_the_right_things(client: UpbitClient, path: Path) -> None:
    journal = InlineJournal(path)
    for wrong, kind in (
        ({"client": "client"}, TypeError),
        ({"journal": str(path)}, TypeError),
        ({"settling_time": -1}, ValueError),
        ({"settling_time": float("inf")}, ValueError),
        ({"settling_time": "30"}, TypeError),
        ({"check": 1}, TypeError),
        ({"resend": "always"}, ValueError),
        ({"on_unowned": "ask"}, ValueError),
        ({"journal_keys": [b"short"]}, ValueError),
    ):
        with pytest.raises(kind):
            Payouts(**{"client": client, "journal": journal, **wrong})  # type: ignore[arg-type]


async def test_no_key_is_in_the_journal(sandbox: Sandbox, path: Path, tron: dict[str, Any]) -> None:
    keys = Credentials("CANARYACCESS", "CANARYSECRET")
    register_key(sandbox, keys)
    async with Payouts(sandbox.client(credentials=keys), journal=InlineJournal(path)) as payouts:
        sandbox.faults.add(Fault.lose_answer(*POST))
        payout = await payouts.send("k", **tron)
        assert "TFakeTron" not in f"{payout!r} {payout} {payout.error!r}"
        written = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert b"CANARY" not in written
    assert b"eyJ" not in written
