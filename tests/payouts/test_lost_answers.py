"""What becomes of a payout whose answer was lost, and what may leave after that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from journals import InlineJournal

from upbit_async import errors
from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.payouts import Payout
    from upbit_async.sandbox import Sandbox

POST = ("POST", "/v1/withdraws/coin")
LIST = ("GET", "/v1/withdraws")
LOST = [
    Fault.lose_answer(*POST, how="reset"),
    Fault.lose_answer(*POST, how="close"),
    Fault.lose_answer(*POST, how="cut"),
    Fault.lose_answer(*POST, how="hang"),
    Fault.status(503, *POST, before=False),
    Fault.status(429, *POST, before=False, body="empty"),
    Fault.garbage(*POST, body="html"),
    Fault.garbage(*POST, body="empty"),
]
every_loss = pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.ending} {fault.delay}")


def states(payout: Payout) -> list[str]:
    return [step.state.value for step in payout.history]


@every_loss
async def test_a_payout_whose_answer_is_lost_is_found(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], fault: Fault
) -> None:
    sandbox.faults.add(fault)
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence, payout.error) == (PayoutState.DONE, Evidence.MATCH, None)
    assert states(payout)[2] == "unknown"
    (entry,) = sandbox.ledger.created
    assert payout.uuid == entry.uuid


@pytest.mark.parametrize("amounts", ["normalised", "as sent"])
@pytest.mark.parametrize("told", [True, False])
async def test_what_upbit_leaves_out_or_writes_otherwise_excludes_nothing(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], amounts: Any, told: bool
) -> None:
    sandbox.knobs.amounts, sandbox.knobs.list_net_type = amounts, told
    sandbox.faults.add(Fault.lose_answer(*POST))
    payout = await payouts.send("k", **dict(tron, amount="13.500"))
    assert payout.state is PayoutState.DONE


async def test_a_network_that_the_list_leaves_out_is_asked_for(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_net_type = False
    ethereum = dict(tron, net_type="ETH", address="0xFakeEthereumAddress")
    sandbox.account.allow_address("USDT", "ETH", ethereum["address"])
    sandbox.faults.add(Fault.lose_answer(*POST, times=2))
    for key, asked in (("tron", tron), ("ethereum", ethereum)):
        await payouts.send(key, **asked, wait=False)
    for key, asked in (("tron", tron), ("ethereum", ethereum)):
        payout = await payouts.wait(key)
        assert payout.state is PayoutState.DONE
        assert sandbox.withdrawals[payout.uuid or ""].address == asked["address"]


async def test_nothing_is_decided_before_the_settling_time_is_over(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    sandbox.faults.add(Fault.lose_answer(*POST))
    payout = await payouts.send("k", **tron, wait=False)
    assert payout.state is PayoutState.UNKNOWN
    assert isinstance(payout.error, errors.OutcomeUnknown)
    lost_at = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(payouts.wait, "k")
        await anyio.sleep(29)
        assert (await payouts.get("k")).state is PayoutState.UNKNOWN  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
        await anyio.sleep(2)
        assert (await payouts.get("k")).state is PayoutState.ACCEPTED  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
        tasks.cancel_scope.cancel()
    assert anyio.current_time() - lost_at < 40


async def test_a_list_that_lags_behind_is_waited_for(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 25
    sandbox.faults.add(Fault.lose_answer(*POST))
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_a_request_that_did_not_arrive_was_not_sent_and_can_be_sent_again(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence, payout.uuid) == (PayoutState.NOT_SENT, Evidence.MATCH, None)
    assert [each.key async for each in payouts.pending()] == ["k"]
    assert await payouts.send("k", **tron) == payout
    assert len(sandbox.requests.of(*POST)) == 1
    await payouts.retry("k")
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    first, second = sandbox.requests.of(*POST)
    assert (first.nonce, first.body, first.access_key) == (second.nonce, second.body, second.access_key)
    assert len(sandbox.ledger.created) == 1


async def test_a_copy_that_comes_second_is_refused_by_its_nonce_and_the_first_is_found(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 100  # so the first seems not to be there
    sandbox.faults.add(Fault.lose_answer(*POST))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    await payouts.retry("k")
    payout = await payouts.send("k", **tron, wait=False)
    assert payout.state is PayoutState.UNKNOWN
    assert payout.sent_request is not None
    assert (payout.sent_request.copies, payout.sent_request.arrived) == (2, True)
    sandbox.knobs.list_delay = 0
    payout = await payouts.wait("k")
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 1


async def test_arrived_does_not_mean_carried_out(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 1000
    sandbox.faults.add(Fault.lose_answer(*POST))
    await payouts.send("k", **tron)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert "arrived" in payout.history[-1].note
    assert len(sandbox.ledger.created) == 1


async def test_before_a_copy_is_sent_the_list_is_read_once_more(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 100
    sandbox.faults.add(Fault.lose_answer(*POST))
    await payouts.send("k", **tron)
    await anyio.sleep(100)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert len(sandbox.requests.of(*POST)) == 1
    (entry,) = sandbox.ledger.created
    assert entry.uuid in payout.history[-1].note
    assert (await payouts.resolve("k", uuid=entry.uuid)).state is PayoutState.DONE


async def test_what_refuses_a_second_copy_says_nothing_of_the_first(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron)
    sandbox.account.fund("USDT", -sandbox.account.balance("USDT").available)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert states(payout)[-3:] == ["sending", "unknown", "not_sent"]


async def test_a_copy_that_did_not_leave_leaves_things_as_they_were(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST), Fault.status(429, *POST, times=None))
    before = await payouts.send("k", **tron)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert isinstance(payout.error, errors.RateLimited)  # told and not raised: the first copy may have left
    assert (payout.state, payout.evidence) == (PayoutState.QUEUED, None)
    assert payout.sent_request is not None
    assert before.sent_request is not None
    assert (payout.sent_request.copies, payout.sent_request.signing) == (1, before.sent_request.signing)


async def test_a_copy_signed_with_another_key_never_leaves(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    keys = [b"0123456789abcdef"]
    sandbox.faults.add(Fault.reset_before(*POST))
    async with Payouts(client, journal=InlineJournal(path), journal_keys=keys) as payouts:
        await payouts.send("k", **tron)
    other = sandbox.client(credentials=sandbox.issue_key())
    async with Payouts(other, journal=InlineJournal(path), journal_keys=keys) as others:
        await others.retry("k")
        payout = await others.send("k", **tron)
        assert payout.state is PayoutState.QUEUED
        assert isinstance(payout.error, errors.ConfigurationError)
        assert "former key" in str(payout.error)
    assert len(sandbox.requests.of(*POST)) == 1


async def test_a_copy_is_signed_as_the_first_was(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron)
    sandbox.knobs.algorithms = frozenset({"HS256"})
    async with Payouts(sandbox.client(algorithm="HS512"), journal=InlineJournal(path)) as others:
        sandbox.knobs.algorithms = frozenset({"HS256", "HS512"})
        await others.retry("k")
        payout = await others.send("k", **tron)
    assert payout.state is PayoutState.DONE
    assert payout.sent_request is not None
    assert payout.sent_request.signing.algorithm == "HS256"


# What others do meanwhile


async def test_a_stranger_of_the_same_amount_makes_it_a_persons_matter(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*POST))
    await payouts.send("k", **tron, wait=False)
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    payout = await payouts.wait("k")
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert all(entry.uuid in payout.history[-1].note for entry in sandbox.ledger.created)
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("k2", **tron)
    assert caught.value.by_key == "k"
    assert (await payouts.send("k3", **dict(tron, amount="14"))).state is PayoutState.DONE


async def test_a_stranger_in_the_same_currency_forbids_to_say_not_sent(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron, wait=False)
    stranger = sandbox.withdrawals.create_on_website("USDT", "TRX", "500", address=tron["address"])
    payout = await payouts.wait("k")
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert stranger.uuid in payout.history[-1].note


async def test_other_currencies_do_not_matter(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron, wait=False)
    xrp = "rFakeXrpWithdrawAddressFakeFakeFak"
    sandbox.withdrawals.create_on_website("XRP", "XRP", "20", address=xrp, secondary_address="123456789")
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT


@pytest.mark.parametrize("amount", ["13", "20"])
async def test_what_the_same_client_has_made_beside_it_is_not_taken_for_it_and_excuses_nothing(
    payouts: Payouts, client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], amount: str
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron, wait=False)
    made = await client.withdraws.create(**dict(tron, amount=amount))
    payout = await payouts.wait("k")
    assert (payout.state, payout.candidates) == (PayoutState.NEEDS_REVIEW, (made.uuid,))


async def test_other_payouts_are_known_from_the_journal(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron, wait=False)
    await elsewhere.send("other", **dict(tron, amount="20"), wait=False)
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT


async def test_while_one_settles_its_like_waits_and_then_is_paid(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*POST))
    first = await payouts.send("k1", **tron, wait=False)
    assert first.state is PayoutState.UNKNOWN
    began = anyio.current_time()
    second = await elsewhere.send("k2", **tron)  # which settles the first, since nobody else does
    assert anyio.current_time() - began >= 30
    assert second.state is PayoutState.DONE
    known = await payouts.send("k1", **tron)
    assert known.state is PayoutState.DONE
    assert {first.key, second.key} == {"k1", "k2"}
    assert {known.uuid, second.uuid} == {entry.uuid for entry in sandbox.ledger.created}


async def test_amounts_net_of_the_fee_are_learned_from_answers(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.amounts = "net of fee"
    sandbox.faults.add(Fault.lose_answer(*POST))
    first = await payouts.send("before", **tron)
    assert first.state is PayoutState.NEEDS_REVIEW  # 12 may be anybody's
    await payouts.send("answered", **dict(tron, amount="50"))
    sandbox.faults.add(Fault.lose_answer(*POST))
    second = await payouts.send("after", **dict(tron, amount="20"))
    assert (second.state, second.evidence) == (PayoutState.DONE, Evidence.MATCH)


async def test_two_that_differ_by_the_fee_are_not_taken_for_each_other(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.amounts = "net of fee"
    sandbox.faults.add(Fault.reset_before(*POST), Fault.lose_answer(*POST))
    await elsewhere.send("thirteen", **tron, wait=False)  # never arrived
    await payouts.send("fourteen", **dict(tron, amount="14"), wait=False)  # shows as 13
    found: dict[str, Payout] = {}

    async def wait(by: Payouts, key: str) -> None:
        found[key] = await by.wait(key)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, payouts, "fourteen")
        tasks.start_soon(wait, elsewhere, "thirteen")
    assert {payout.state for payout in found.values()} == {PayoutState.NEEDS_REVIEW}


# A list that can't be read


async def test_a_list_that_fails_decides_nothing_and_is_told(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST), Fault.status(503, *LIST, skip=1, times=None))
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.UNKNOWN
    assert isinstance(payout.error, errors.ServerError)
    sandbox.faults.clear()
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT


async def test_waiting_goes_on_through_failures_that_pass(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*POST), Fault.status(503, *LIST, skip=1, times=9))
    await payouts.send("k", **tron, wait=False)
    assert (await payouts.wait("k")).state is PayoutState.DONE


async def test_waiting_ends_when_looking_is_hopeless(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    hopeless = Fault.status(401, *LIST, name="expired_access_key", skip=1, times=None)
    sandbox.faults.add(Fault.lose_answer(*POST), hopeless)
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.UNKNOWN
    assert isinstance(payout.error, errors.AuthenticationError)
    with pytest.raises(errors.AuthenticationError):
        await payouts.wait("k")


async def test_a_list_that_does_not_reach_back_proves_nothing(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await payouts.send("before", **tron)
    sandbox.faults.add(Fault.reset_before(*POST))
    await payouts.send("k", **tron, wait=False)
    sandbox.faults.add(Fault.status(200, *LIST, body=b"[]", times=None))
    with pytest.raises(errors.PollTimeout):
        await payouts.wait("k", timeout=120)
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.UNKNOWN
    assert isinstance(payout.error, errors.DecodeError)
    sandbox.faults.clear()
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT


async def test_a_long_list_is_read_back_to_the_baseline(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.immediate()
    for _ in range(40):
        sandbox.withdrawals.create_on_website("USDT", "TRX", "77", address=tron["address"])
    sandbox.faults.add(Fault.lose_answer(*POST))
    await payouts.send("k", **tron, wait=False)
    for _ in range(250):
        sandbox.withdrawals.create_on_website("USDT", "TRX", "77", address=tron["address"])
    assert (await payouts.wait("k")).state is PayoutState.DONE
