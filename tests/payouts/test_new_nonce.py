"""A new nonce counts as a first send: it needs a finding, and the unowned guard checks again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE, LIST
from journals import InlineJournal

from upbit_async import errors
from upbit_async.payouts import Evidence, Payouts, PayoutState
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.payouts import Payout
    from upbit_async.sandbox import Sandbox


def nonces(sandbox: Sandbox) -> list[str | None]:
    return [request.nonce for request in sandbox.requests.of(*CREATE)]


async def lose_unsent(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> Payout:
    """Lose a request before it arrives; return the payout when it is not_sent."""
    sandbox.faults.add(Fault.reset_before(*CREATE))
    payout = await payouts.send("k", **tron)
    assert (payout.state, payout.evidence) == (PayoutState.NOT_SENT, Evidence.MATCH)
    return payout


async def lose_a_refusal(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> Payout:
    """Lose a refusal, which has used up the nonce, and send again, so that Upbit reports it."""
    sandbox.account.lock()
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    sandbox.account.unlock()
    await payouts.retry("k")
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.NEEDS_REVIEW
    assert payout.required_request.arrived
    return payout


# -- the finding that it needs ---------------------------------------------------------------------


async def test_empty_list_does_not_allow_a_new_nonce(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    before = await lose_unsent(payouts, sandbox, tron)
    with pytest.raises(ValueError, match=r"call resolve\('k', not_sent=True\) before"):
        await payouts.retry("k", new_nonce=True)
    assert await payouts.get("k") == before
    await payouts.resolve("k", not_sent=True)
    assert (await payouts.retry("k", new_nonce=True)).state is PayoutState.QUEUED
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert len(set(nonces(sandbox))) == 2
    assert len(sandbox.ledger.created) == 1


@pytest.mark.parametrize("new_nonce", [True, False])
async def test_each_loss_needs_its_own_finding(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], new_nonce: bool
) -> None:
    await lose_unsent(payouts, sandbox, tron)
    await payouts.resolve("k", not_sent=True)
    await payouts.retry("k", new_nonce=new_nonce)
    await lose_unsent(payouts, sandbox, tron)
    with pytest.raises(ValueError, match="before retry"):
        await payouts.retry("k", new_nonce=True)
    await payouts.retry("k")
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    first, second, third = nonces(sandbox)
    assert (first == second, second == third) == (not new_nonce, True)


async def test_copy_of_a_crashed_owner_needs_its_own_finding(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    await lose_unsent(payouts, sandbox, tron)
    await payouts.resolve("k", not_sent=True)
    await payouts.retry("k")
    sandbox.faults.add(Fault.lose_answer(*CREATE, how="hang"))
    dying = InlineJournal(path)
    dying.before = dies_when(lambda: len(nonces(sandbox)) > 1)
    sandbox.knobs.list_delay = 1000
    owner = Payouts(sandbox.client(), journal=dying, check=False)
    await owner.send("k", **tron, until="accepted")
    await anyio.sleep(100)
    assert (await elsewhere.wait("k")).state is PayoutState.NOT_SENT
    with pytest.raises(ValueError, match="before retry"):
        await elsewhere.retry("k", new_nonce=True)
    dying.before = None
    await owner.aclose()


@pytest.mark.parametrize("how", ["its answer is lost", "its owner dies"])
async def test_automatic_resend_uses_the_newest_nonce(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any], how: str
) -> None:
    journal = InlineJournal(path)
    async with Payouts(client, journal=journal, resend="automatic", check=False) as payouts:
        await lose_unsent(payouts, sandbox, tron)
        await payouts.resolve("k", not_sent=True)
        await payouts.retry("k", new_nonce=True)
        sandbox.faults.add(Fault.reset_before(*CREATE))
        if how == "its owner dies":
            journal.before = dies_when(lambda: len(nonces(sandbox)) == 2)
        assert (await payouts.send("k", **tron, until="accepted")).state is PayoutState.UNKNOWN
        async with Payouts(
            sandbox.client(), journal=InlineJournal(path), resend="automatic", check=False
        ) as others:
            await anyio.sleep(100)
            assert (await others.wait("k")).state is PayoutState.NOT_SENT
            assert [payout.state for payout in await others.run_once()] == [PayoutState.DONE]
        journal.before = None
    first, second, third = nonces(sandbox)
    assert (first == second, second == third) == (False, True)


def dies_when(is_over: Callable[[], bool]) -> Callable[[str], None]:
    """Return a hook that fails every change of the journal once a condition holds."""

    def before(work: str) -> None:
        if work == "compare_and_swap" and is_over():
            raise errors.JournalError("the process has died")

    return before


async def test_declined_payout_needs_no_finding(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.account.lock()
    assert (await payouts.send("k", **tron)).state is PayoutState.DECLINED
    sandbox.account.unlock()
    await payouts.retry("k", new_nonce=True)
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert len(set(nonces(sandbox))) == 2


async def test_used_nonce_is_replaced_on_retry(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await lose_a_refusal(payouts, sandbox, tron)
    payout = await payouts.resolve("k", not_sent=True)
    assert "call retry('k', new_nonce=True)" in payout.reason
    with pytest.raises(ValueError, match="would refuse it again"):
        await payouts.retry("k")
    await payouts.retry("k", new_nonce=True)
    payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_lost_new_nonce_is_not_known_to_have_arrived(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await lose_a_refusal(payouts, sandbox, tron)
    await payouts.resolve("k", not_sent=True)
    await payouts.retry("k", new_nonce=True)
    await lose_unsent(payouts, sandbox, tron)
    await payouts.retry("k")
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_used_nonce_is_not_resent_automatically(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    async with Payouts(client, journal=InlineJournal(path), resend="automatic", check=False) as payouts:
        await lose_a_refusal_automatically(payouts, sandbox, tron)
        found = await payouts.resolve("k", not_sent=True)
        requests = len(nonces(sandbox))
        assert await payouts.run_once() == [found]
        assert await payouts.send("k", **tron) == found
        assert len(nonces(sandbox)) == requests
        await payouts.retry("k", new_nonce=True)
        assert [payout.state for payout in await payouts.run_once()] == [PayoutState.DONE]


async def lose_a_refusal_automatically(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    sandbox.account.lock()
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    sandbox.account.unlock()
    (payout,) = await payouts.run_once()
    assert payout.required_request.arrived
    assert [payout.state for payout in await payouts.run_once()] == [PayoutState.NEEDS_REVIEW]


# -- as a first send -------------------------------------------------------------------------------


async def test_unowned_guard_checks_before_a_new_nonce(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    """A withdrawal that shows up after the list was last read, and before the baseline is taken, blocks it."""
    journal = InlineJournal(path)
    theirs: list[str] = []
    snapshots = 0

    def withdraw(name: str) -> None:
        nonlocal snapshots
        snapshots += name == "mark"
        if snapshots == 2 and not theirs:
            theirs.append(
                sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=tron["address"]).uuid
            )

    async with Payouts(sandbox.client(), journal=journal, check=False) as payouts:
        await lose_unsent(payouts, sandbox, tron)
        await payouts.resolve("k", not_sent=True)
        await payouts.retry("k", new_nonce=True)
        journal.after = withdraw
        payout = await payouts.send("k", **tron)
        assert isinstance(payout.error, errors.PayoutBlocked)
        assert (payout.state, payout.candidates) == (PayoutState.QUEUED, tuple(theirs))
        assert len(nonces(sandbox)) == 1


async def test_list_without_the_mark_prevents_a_new_nonce(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await lose_unsent(payouts, sandbox, tron)  # its baseline is empty, so any list reaches back to it
    for amount in ("40", "41", "42"):  # the mark trails behind the newest one
        await payouts.send(amount, **dict(tron, amount=amount))
        await anyio.sleep(60)
    await payouts.resolve("k", not_sent=True)
    await payouts.retry("k", new_nonce=True)
    sandbox.faults.add(Fault.status(200, *LIST, body=b"[]", times=None))
    payout = await payouts.send("k", **tron)
    assert (payout.state, type(payout.error)) == (PayoutState.QUEUED, errors.DecodeError)
    assert len(nonces(sandbox)) == 4
    sandbox.faults.clear()
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE


async def test_first_baseline_is_kept(payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]) -> None:
    await payouts.send("before", **dict(tron, amount="40"))
    first = await lose_unsent(payouts, sandbox, tron)
    await payouts.send("between", **dict(tron, amount="41"))
    await payouts.resolve("k", not_sent=True)
    await payouts.retry("k", new_nonce=True)
    second = await lose_unsent(payouts, sandbox, tron)
    assert len(first.required_request.baseline) == 1
    assert second.required_request.baseline == first.required_request.baseline
    assert second.required_request.copies == 2
    assert second.required_request.signing != first.required_request.signing


async def test_late_first_copy_is_adopted_after_a_lost_new_nonce(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    """With a new baseline, the second copy would have hidden the withdrawal of the first."""
    sandbox.knobs.list_delay = 100
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.NOT_SENT
    await payouts.resolve("k", not_sent=True)  # which is wrong
    await payouts.retry("k", new_nonce=True)
    sandbox.faults.add(Fault.reset_before(*CREATE))
    assert (await payouts.send("k", **tron, until="accepted")).state is PayoutState.UNKNOWN
    await anyio.sleep(100)
    payout = await payouts.wait("k")
    (entry,) = sandbox.ledger.created
    assert (payout.state, payout.uuid) == (PayoutState.DONE, entry.uuid)


async def test_rejected_unprocessed_request_gets_another_nonce(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await lose_unsent(payouts, sandbox, tron)
    await payouts.resolve("k", not_sent=True)
    await payouts.retry("k", new_nonce=True)
    sandbox.faults.add(Fault.status(429, *CREATE))
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    assert len(set(nonces(sandbox))) == len(nonces(sandbox)) == 3
    assert len(sandbox.ledger.created) == 1


async def test_new_nonce_is_signed_with_the_current_key(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    keys = [b"0123456789abcdef"]
    async with Payouts(client, journal=InlineJournal(path), journal_keys=keys, check=False) as payouts:
        await lose_unsent(payouts, sandbox, tron)
    other = sandbox.client(credentials=sandbox.issue_key())
    async with Payouts(other, journal=InlineJournal(path), journal_keys=keys, check=False) as payouts:
        await payouts.resolve("k", not_sent=True)
        await payouts.retry("k", new_nonce=True)
        payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.DONE
    assert payout.required_request.signed_by == other.transport.key_digest
    first, second = sandbox.requests.of(*CREATE)
    assert first.access_key != second.access_key
