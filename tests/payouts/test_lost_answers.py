"""Payouts whose answer was lost: matches, second copies and unowned withdrawals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE, LIST
from journals import InlineJournal, open_payouts

from upbit_async import errors
from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.sandbox import Fault, Transitions

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.payouts import Payout
    from upbit_async.sandbox import Sandbox

LOST = [
    Fault.lose_answer(*CREATE, how="reset"),
    Fault.lose_answer(*CREATE, how="close"),
    Fault.lose_answer(*CREATE, how="cut"),
    Fault.lose_answer(*CREATE, how="hang"),
    Fault.status(503, *CREATE, before=False),
    Fault.status(429, *CREATE, before=False, body="empty"),
    Fault.garbage(*CREATE, body="html"),
    Fault.garbage(*CREATE, body="empty"),
]
every_loss = pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.ending} {fault.delay}")


def states(payout: Payout) -> list[str]:
    return [step.state.value for step in payout.history]


@every_loss
async def test_lost_answer_is_found_by_match(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], fault: Fault
) -> None:
    sandbox.faults.add(fault)
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence, payout.error) == (PayoutState.DONE, Evidence.MATCH, None)
    assert states(payout)[2] == "unknown"
    (entry,) = sandbox.ledger.created
    assert payout.uuid == entry.uuid


@pytest.mark.parametrize("amounts", ["normalised", "as sent"])
@pytest.mark.parametrize("lists_network", [True, False])
async def test_omitted_or_reformatted_fields_exclude_no_match(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], amounts: Any, lists_network: bool
) -> None:
    sandbox.knobs.amounts, sandbox.knobs.list_net_type = amounts, lists_network
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    payout = await payouts.send("k", **dict(tron, amount="13.500"))
    assert payout.state is PayoutState.DONE


async def test_network_missing_from_the_list_is_looked_up(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_net_type = False
    ethereum = dict(tron, net_type="ETH", address="0xFakeEthereumAddress")
    sandbox.account.allow_address("USDT", "ETH", ethereum["address"])
    sandbox.faults.add(Fault.lose_answer(*CREATE, times=2))
    for key, asked in (("tron", tron), ("ethereum", ethereum)):
        await payouts.send(key, **asked, until="accepted")
    for key, asked in (("tron", tron), ("ethereum", ethereum)):
        payout = await payouts.wait(key)
        assert payout.state is PayoutState.DONE
        assert sandbox.withdrawals[payout.uuid or ""].address == asked["address"]


async def test_nothing_is_decided_before_the_settling_time(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    payout = await payouts.send("k", **tron, until="accepted")
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


async def test_lagging_list_is_waited_for(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    sandbox.knobs.list_delay = 25
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_request_that_did_not_arrive_can_be_sent_again(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence, payout.uuid) == (PayoutState.NOT_SENT, Evidence.MATCH, None)
    assert [each.key for each in await open_payouts(payouts)] == ["k"]
    assert await payouts.send("k", **tron) == payout
    assert len(sandbox.requests.of(*CREATE)) == 1
    await payouts.retry("k")
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    first, second = sandbox.requests.of(*CREATE)
    assert (first.nonce, first.body, first.access_key) == (second.nonce, second.body, second.access_key)
    assert len(sandbox.ledger.created) == 1


async def test_second_copy_is_refused_by_its_nonce_and_the_first_found(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 100  # so the list does not show the first
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    await payouts.retry("k")
    payout = await payouts.send("k", **tron, until="accepted")
    assert payout.state is PayoutState.UNKNOWN
    assert payout.sent_request is not None
    assert (payout.sent_request.copies, payout.sent_request.arrived) == (2, True)
    sandbox.knobs.list_delay = 0
    payout = await payouts.wait("k")
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 1


async def test_arrived_does_not_mean_executed(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 1000
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("k", **tron)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert "arrived" in payout.history[-1].note
    assert len(sandbox.ledger.created) == 1


async def test_list_is_read_again_before_a_second_copy(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 100
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("k", **tron)
    await anyio.sleep(100)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert len(sandbox.requests.of(*CREATE)) == 1
    (entry,) = sandbox.ledger.created
    assert entry.uuid in payout.history[-1].note
    assert (await payouts.resolve("k", uuid=entry.uuid)).state is PayoutState.DONE


async def test_refusal_of_a_second_copy_says_nothing_about_the_first(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron)
    sandbox.account.fund("USDT", -sandbox.account.balance("USDT").available)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert states(payout)[-3:] == ["sending", "unknown", "not_sent"]


async def test_unsent_second_copy_changes_nothing(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE), Fault.status(429, *CREATE, times=None))
    before = await payouts.send("k", **tron)
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert isinstance(
        payout.error, errors.RateLimited
    )  # returned and not raised: the first copy may have left
    assert (payout.state, payout.evidence) == (PayoutState.QUEUED, None)
    assert payout.sent_request is not None
    assert before.sent_request is not None
    assert (payout.sent_request.copies, payout.sent_request.signing) == (1, before.sent_request.signing)


async def test_second_copy_is_never_signed_with_another_key(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    keys = [b"0123456789abcdef"]
    sandbox.faults.add(Fault.reset_before(*CREATE))
    async with Payouts(client, journal=InlineJournal(path), journal_keys=keys, check=False) as payouts:
        await payouts.send("k", **tron)
    other = sandbox.client(credentials=sandbox.issue_key())
    async with Payouts(other, journal=InlineJournal(path), journal_keys=keys, check=False) as others:
        await others.retry("k")
        payout = await others.send("k", **tron)
        assert payout.state is PayoutState.QUEUED
        assert isinstance(payout.error, errors.ConfigurationError)
        assert "former key" in str(payout.error)
    assert len(sandbox.requests.of(*CREATE)) == 1


async def test_second_copy_is_signed_like_the_first(
    payouts: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron)
    sandbox.knobs.algorithms = frozenset({"HS256"})
    async with Payouts(sandbox.client(algorithm="HS512"), journal=InlineJournal(path), check=False) as others:
        sandbox.knobs.algorithms = frozenset({"HS256", "HS512"})
        await others.retry("k")
        payout = await others.send("k", **tron)
    assert payout.state is PayoutState.DONE
    assert payout.sent_request is not None
    assert payout.sent_request.signing.algorithm == "HS256"


# Withdrawals of others


async def test_unowned_withdrawal_of_the_same_amount_needs_review(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"])
    payout = await payouts.wait("k")
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert all(entry.uuid in payout.history[-1].note for entry in sandbox.ledger.created)
    with pytest.raises(errors.PayoutBlocked) as caught:
        await payouts.send("k2", **tron)
    assert caught.value.by_key == "k"
    assert (await payouts.send("k3", **dict(tron, amount="14"))).state is PayoutState.DONE


async def test_unowned_withdrawal_in_the_currency_forbids_not_sent(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    unowned = sandbox.withdrawals.create_on_website("USDT", "TRX", "500", address=tron["address"])
    payout = await payouts.wait("k")
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert unowned.uuid in payout.history[-1].note


async def test_other_currencies_do_not_matter(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    xrp = "rFakeXrpWithdrawAddressFakeFakeFak"
    sandbox.withdrawals.create_on_website("XRP", "XRP", "20", address=xrp, secondary_address="123456789")
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT


@pytest.mark.parametrize("amount", ["13", "20"])
async def test_withdrawal_made_by_the_same_client_needs_review(
    payouts: Payouts, client: UpbitClient, sandbox: Sandbox, tron: dict[str, Any], amount: str
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    made = await client.withdraws.create(**dict(tron, amount=amount))
    payout = await payouts.wait("k")
    assert (payout.state, payout.candidates) == (PayoutState.NEEDS_REVIEW, (made.uuid,))


async def test_withdrawals_of_other_payouts_are_excluded(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    await elsewhere.send("other", **dict(tron, amount="20"), until="accepted")
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT


async def test_equal_payout_waits_for_settling_and_is_then_paid(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    first = await payouts.send("k1", **tron, until="accepted")
    assert first.state is PayoutState.UNKNOWN
    began = anyio.current_time()
    second = await elsewhere.send("k2", **tron)  # which settles the first
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
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    first = await payouts.send("before", **tron)
    assert first.state is PayoutState.NEEDS_REVIEW  # 12 may be of another payout
    await payouts.send("answered", **dict(tron, amount="50"))
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    second = await payouts.send("after", **dict(tron, amount="20"))
    assert (second.state, second.evidence) == (PayoutState.DONE, Evidence.MATCH)


async def test_payouts_that_differ_by_the_fee_are_not_confused(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.amounts = "net of fee"
    sandbox.faults.add(Fault.reset_before(*CREATE), Fault.lose_answer(*CREATE))
    await elsewhere.send("thirteen", **tron, until="accepted")  # never arrived
    await payouts.send("fourteen", **dict(tron, amount="14"), until="accepted")  # shows as 13
    found: dict[str, Payout] = {}

    async def wait(by: Payouts, key: str) -> None:
        found[key] = await by.wait(key)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, payouts, "fourteen")
        tasks.start_soon(wait, elsewhere, "thirteen")
    assert {payout.state for payout in found.values()} == {PayoutState.NEEDS_REVIEW}


# A list that can't be read


async def test_failed_list_decides_nothing_and_is_reported(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.reset_before(*CREATE), Fault.status(503, *LIST, skip=1, times=None))
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.UNKNOWN
    assert isinstance(payout.error, errors.ServerError)
    sandbox.faults.clear()
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT


async def test_waiting_continues_through_temporary_failures(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.lose_answer(*CREATE), Fault.status(503, *LIST, skip=1, times=9))
    await payouts.send("k", **tron, until="accepted")
    assert (await payouts.wait("k")).state is PayoutState.DONE


async def test_permanent_error_ends_waiting(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    hopeless = Fault.status(401, *LIST, name="expired_access_key", skip=1, times=None)
    sandbox.faults.add(Fault.lose_answer(*CREATE), hopeless)
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.UNKNOWN
    assert isinstance(payout.error, errors.AuthenticationError)
    with pytest.raises(errors.AuthenticationError):
        await payouts.wait("k")


async def test_list_that_does_not_reach_back_proves_nothing(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await payouts.send("before", **tron)
    sandbox.faults.add(Fault.reset_before(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    sandbox.faults.add(Fault.status(200, *LIST, body=b"[]", times=None))
    assert (await payouts.wait("k", timeout=120)).state is PayoutState.UNKNOWN
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.UNKNOWN
    assert isinstance(payout.error, errors.DecodeError)
    sandbox.faults.clear()
    assert (await payouts.wait("k")).state is PayoutState.NOT_SENT


async def test_long_list_is_read_back_to_the_baseline(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.withdrawals.transitions = Transitions.immediate()
    for _ in range(40):
        sandbox.withdrawals.create_on_website("USDT", "TRX", "77", address=tron["address"])
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    await payouts.send("k", **tron, until="accepted")
    for _ in range(250):
        sandbox.withdrawals.create_on_website("USDT", "TRX", "77", address=tron["address"])
    assert (await payouts.wait("k")).state is PayoutState.DONE
