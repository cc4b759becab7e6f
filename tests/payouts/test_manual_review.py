"""What a person finds out or decides, and what a person is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from internals import repository_of

from upbit_async import errors
from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from upbit_async.payouts.journal_moments import Now
    from upbit_async.sandbox import Sandbox

POST = ("POST", "/v1/withdraws/coin")
LIST = ("GET", "/v1/withdraws")


def later(now: Now, seconds: float) -> Now:
    return attrs.evolve(now, journal=attrs.evolve(now.journal, seconds=now.journal.seconds + seconds))


async def _in_doubt(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> list[str]:
    sandbox.faults.add(Fault.lose_answer(*POST))
    await payouts.send("k", **tron, wait=False)
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    assert (await payouts.wait("k")).state is PayoutState.NEEDS_REVIEW
    return [entry.uuid for entry in sandbox.ledger.created]


async def test_a_person_says_which_it_is(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    ours, _ = await _in_doubt(payouts, sandbox, tron)
    payout = await payouts.resolve("k", uuid=ours, note="Ann, by the website")
    assert (payout.state, payout.uuid, payout.evidence) == (PayoutState.DONE, ours, Evidence.MANUAL)
    assert payout.history[-1].note == f"manual decision: it is withdrawal {ours} (Ann, by the website)"


async def test_a_person_may_put_right_what_a_person_has_said(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    ours, strangers = await _in_doubt(payouts, sandbox, tron)
    assert (await payouts.resolve("k", uuid=strangers)).uuid == strangers
    assert (await payouts.resolve("k", not_sent=True)).state is PayoutState.NOT_SENT
    payout = await payouts.resolve("k", uuid=ours)
    assert (payout.state, payout.uuid, payout.evidence) == (PayoutState.DONE, ours, Evidence.MANUAL)


async def test_what_was_there_before_it_can_not_be_it(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    before = sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    await payouts.acknowledge(before.uuid)
    await _in_doubt(payouts, sandbox, tron)
    with pytest.raises(ValueError, match="was there before"):
        await payouts.resolve("k", uuid=before.uuid)


async def test_a_person_is_held_to_the_amount_as_upbit_is_known_to_tell_it(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await payouts.send("known", **dict(tron, amount="40"))  # its answer has a fee of 1, beside the amount
    sandbox.faults.add(Fault.lose_answer(*POST))
    await payouts.send("k", **tron, wait=False)
    others = [
        sandbox.withdrawals.create_on_website("USDT", "TRX", a, address=tron["address"]).uuid
        for a in ("13", "12")
    ]
    assert (await payouts.wait("k")).state is PayoutState.NEEDS_REVIEW
    with pytest.raises(ValueError, match="amounts are as asked for"):
        await payouts.resolve("k", uuid=others[1])
    assert (await payouts.resolve("k", uuid=others[0])).state is PayoutState.DONE


async def test_a_person_says_that_it_was_not_sent_and_it_can_be_sent_again_safely(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    ours, _ = await _in_doubt(payouts, sandbox, tron)
    payout = await payouts.resolve("k", not_sent=True, note="Bob was wrong")
    assert (payout.state, payout.evidence) == (PayoutState.NOT_SENT, Evidence.MANUAL)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.NEEDS_REVIEW  # the nonce has saved Bob
    assert "arrived" in payout.history[-1].note
    assert len(sandbox.ledger.created) == 2
    assert (await payouts.resolve("k", uuid=ours)).state is PayoutState.DONE


async def test_what_a_person_has_excluded_is_not_asked_about_again(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron, wait=False)
    for amount in ("13", "13", "500"):
        sandbox.withdrawals.create_on_website("USDT", "TRX", amount, address=tron["address"])
    assert (await payouts.wait("k")).state is PayoutState.NEEDS_REVIEW
    await payouts.resolve("k", not_sent=True)
    await payouts.retry("k")
    (payout,) = await payouts.recover()
    assert payout.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 4


async def test_a_withdrawal_is_one_payouts_only(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    paid = await payouts.send("paid", **tron)
    await _in_doubt(payouts, sandbox, tron)
    with pytest.raises(errors.PayoutConflict, match="belongs to payout 'paid'"):
        await payouts.resolve("k", uuid=paid.uuid)


async def test_a_withdrawal_of_something_else_is_refused(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await _in_doubt(payouts, sandbox, tron)
    other = sandbox.withdrawals.create_on_website("USDT", "TRX", "99", address=tron["address"])
    with pytest.raises(ValueError, match="99"):
        await payouts.resolve("k", uuid=other.uuid)
    with pytest.raises(errors.NotFound):
        await payouts.resolve("k", uuid="00000000-0000-4000-8000-999999999999")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"uuid": "u", "not_sent": True}, {"uuid": ""}, {"not_sent": 1}, {"not_sent": True, "note": 7}],
)
async def test_a_resolution_must_say_one_thing(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], arguments: dict[str, Any]
) -> None:
    await _in_doubt(payouts, sandbox, tron)
    with pytest.raises((ValueError, TypeError)):
        await payouts.resolve("k", **arguments)


async def test_what_upbit_has_answered_was_sent(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    body = b'{"uuid":"00000000-0000-4000-8000-000000000001","currency":"XRP","state":"DONE","amount":"10.0"}'
    sandbox.faults.add(Fault.status(201, *POST, body=body))
    assert (await payouts.send("k", **tron)).state is PayoutState.NEEDS_REVIEW
    with pytest.raises(ValueError, match="it was sent"):
        await payouts.resolve("k", not_sent=True)


# Giving up


async def test_what_is_given_up_is_never_sent(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(503, *LIST, times=3))
    with pytest.raises(errors.ServerError):
        await payouts.send("k", **tron)
    payout = await payouts.abandon("k", note="the invoice was withdrawn")
    assert (payout.state, payout.evidence) == (PayoutState.ABANDONED, Evidence.MANUAL)
    assert payout.reason == "manual decision: given up (the invoice was withdrawn)"
    assert await elsewhere.send("k", **tron) == payout
    assert await elsewhere.abandon("k") == payout
    assert await elsewhere.wait("k") == payout
    assert [each async for each in payouts.pending()] == []
    assert sandbox.requests.of(*POST) == ()
    with pytest.raises(ValueError, match="nothing to resolve"):
        await payouts.resolve("k", not_sent=True)


@pytest.mark.parametrize("by_a_person", [True, False])
async def test_one_that_was_not_sent_can_be_given_up(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], by_a_person: bool
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron)
    if by_a_person:
        await payouts.resolve("k", not_sent=True)
    with pytest.raises(ValueError, match="less than an hour ago"):
        await payouts.abandon("k")
    looks = len(sandbox.requests.of(*LIST))
    assert (await payouts.abandon("k", force=True)).state is PayoutState.ABANDONED
    assert len(sandbox.requests.of(*LIST)) - looks == 1  # a manual decision may be wrong, too
    assert await payouts.recover() == []
    assert (await payouts.send("k", **tron)).state is PayoutState.ABANDONED
    assert (await payouts.send("alike", **tron)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_what_may_have_left_can_not_be_given_up(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("not sent", **tron)
    stranger = sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    with pytest.raises(ValueError, match="is needs_review"):
        await payouts.abandon("not sent")
    assert (await payouts.resolve("not sent", uuid=stranger.uuid)).state is PayoutState.ACCEPTED
    with pytest.raises(ValueError, match="is accepted"):
        await payouts.abandon("not sent")
    with pytest.raises(ValueError, match="there is no payout"):
        await payouts.abandon("nobody's")


async def test_an_answer_to_what_was_given_up_is_not_forgotten(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    from upbit_async.payouts import transitions  # noqa: PLC0415

    sandbox.knobs.list_delay = 100  # or the look before giving up would find it
    sandbox.faults.add(Fault.slow(8, *POST))
    found: list[Any] = []

    async def send() -> None:
        found.append(await payouts.send("k", **tron, wait=False))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await anyio.sleep(1)
        await repository_of(elsewhere).change("k", lambda k, now: transitions.expired(k, later(now, 90)))
        assert (await elsewhere.resolve("k", not_sent=True)).state is PayoutState.NOT_SENT
        assert (await elsewhere.abandon("k", force=True)).state is PayoutState.ABANDONED
    (entry,) = sandbox.ledger.created
    assert (found[0].state, found[0].evidence) == (PayoutState.NEEDS_REVIEW, Evidence.ANSWER)
    assert found[0].uuid == entry.uuid
    assert "given up, and yet" in found[0].reason
    assert (await elsewhere.resolve("k", uuid=entry.uuid)).state.is_final


async def test_what_is_given_up_stays_so_unless_it_shows_up(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron)
    await payouts.abandon("k", force=True)
    payout = await payouts.resolve("k", not_sent=True)
    assert (payout.state, payout.is_open) == (PayoutState.ABANDONED, False)
    stranger = sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    assert (await payouts.resolve("k", uuid=stranger.uuid)).evidence is Evidence.MANUAL


async def test_one_that_waits_behind_its_like_can_be_given_up_at_once(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*POST))
    await payouts.send("first", **tron, wait=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("k", **tron))
        await anyio.sleep(5)
        began = anyio.current_time()
        assert (await payouts.abandon("k")).state is PayoutState.ABANDONED
        assert anyio.current_time() == began
    assert len(sandbox.requests.of(*POST)) == 1


async def test_a_person_who_is_put_right_while_it_is_followed(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    ours, strangers = await _in_doubt(payouts, sandbox, tron)
    sandbox.withdrawals.transitions = Transitions.manual()
    await payouts.resolve("k", uuid=strangers)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(payouts.wait, "k")
        await anyio.sleep(1)
        assert (await payouts.resolve("k", uuid=ours)).uuid == ours
        await anyio.sleep(60)
    payout = await payouts.get("k")
    assert payout is not None
    assert payout.record is not None
    assert payout.record.uuid == payout.uuid == ours


async def test_what_upbit_has_answered_was_sent_whatever_persons_say(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    uuid = "00000000-0000-4000-8000-000000000001"
    body = f'{{"uuid":"{uuid}","currency":"USDT","state":"DONE","amount":"99"}}'.encode()
    sandbox.faults.add(Fault.status(201, *POST, body=body))
    assert (await payouts.send("k", **tron)).state is PayoutState.NEEDS_REVIEW
    fitting = sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    assert (await payouts.resolve("k", uuid=fitting.uuid)).evidence is Evidence.MANUAL
    with pytest.raises(ValueError, match="it was sent"):
        await payouts.resolve("k", not_sent=True)


# What stands in the way


async def test_one_that_is_planned_says_what_has_kept_it(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await _in_doubt(payouts, sandbox, tron)
    with pytest.raises(errors.PayoutBlocked):
        await payouts.send("alike", **tron)
    alike = await elsewhere.get("alike")
    assert alike is not None
    assert alike.state is PayoutState.PLANNED
    assert isinstance(alike.error, errors.PayoutBlocked)
    assert alike.error.by_key == "k"
    revision = alike.revision
    with pytest.raises(errors.PayoutBlocked):
        await payouts.send("alike", **tron)
    assert (await elsewhere.get("alike")).revision == revision  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]


async def test_one_in_doubt_says_what_to_do_and_no_more_what_went_wrong(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await _in_doubt(payouts, sandbox, tron)
    payout = await payouts.get("k")
    assert payout is not None
    assert payout.error is None
    assert payout.reason.endswith(
        "compare with Upbit's website, then call resolve('k', uuid=…) or resolve('k', not_sent=True)"
    )


async def test_a_doubt_is_judged_again_when_more_is_known(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.amounts = "net of fee"
    sandbox.faults.add(Fault.lose_answer(*POST))
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.NEEDS_REVIEW  # 12 is shown, and whether that is 13 nobody has told yet
    assert [each.state for each in await payouts.recover()] == [PayoutState.NEEDS_REVIEW]
    assert (await payouts.send("another", **dict(tron, amount="40"))).state is PayoutState.DONE
    (payout,) = await payouts.recover()
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)


async def test_what_turns_up_is_no_doubt_if_who_has_made_it_is_just_being_answered(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    sandbox.faults.add(Fault.slow(8, *POST))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: payouts.send("alike", **tron, wait=False))
        await anyio.sleep(1)
        first, _ = await elsewhere.recover()
        assert (first.key, first.state) == ("k", PayoutState.NOT_SENT)
