"""Payouts under false assumptions, and with an edited or a lost journal: what the pages say is true."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from journals import InlineJournal

from upbit_async import errors
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "payouts.md"
POST = ("POST", "/v1/withdraws/coin")
TRON: dict[str, Any] = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}
OTHER = "TAnotherTronAddress"


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg", transitions=Transitions.immediate()) as made:
        made.account.fund("USDT", 100_000)
        made.account.allow_address("USDT", "TRX", OTHER, exchange_name="Elsewhere")
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payouts.db"


def payouts_of(sandbox: Sandbox, path: Path, **options: Any) -> Payouts:
    return Payouts(sandbox.client(), InlineJournal(path), check=False, **options)


def edit(path: Path, statement: str, *values: object) -> None:
    """Change the journal as another program could."""
    connection = sqlite3.connect(path, isolation_level=None)
    assert connection.execute(statement, values).rowcount == 1
    connection.close()


def set_back(path: Path) -> None:
    """Make the only payout look as if nothing had left."""
    edit(
        path,
        "UPDATE payouts SET state = 'planned', is_open = 1, holds_up_equals = 0, may_be_unseen = 0, uuid = NULL, "
        "evidence = NULL, record = NULL, error = NULL, sent_request = NULL",
    )


def lose(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def test_each_assumption_has_its_row() -> None:
    section = PAGE.read_text(encoding="utf-8").split("\n## Assumptions\n")[1].split("\n## ")[0]
    named = re.findall(r"^\| \*\*(\w+)\*\* \|", section, re.MULTILINE)
    assert named == ["L", "N", "O", "NET", "PAUSE", "U", "TRUTH", "D", "EQUAL"]


# -- assumptions that do not hold ------------------------------------------------------------------


async def _lost_and_listed_late(payouts: Payouts, sandbox: Sandbox) -> None:
    """Send a payout that is carried out, but that Upbit's list shows only after the settling time."""
    await anyio.sleep(200)  # so that the list's delay does not hide older withdrawals
    sandbox.knobs.list_delay = 100
    sandbox.faults.add(Fault.lose_answer(*POST))
    payout = await payouts.send("k", **TRON)
    assert payout.state is PayoutState.NOT_SENT
    assert len(sandbox.ledger.created) == 1


async def test_without_l_the_nonce_stops_the_second_copy(sandbox: Sandbox, path: Path) -> None:
    async with payouts_of(sandbox, path) as payouts:
        await _lost_and_listed_late(payouts, sandbox)
        await payouts.retry("k")
        await payouts.send("k", **TRON, until="accepted")
        sandbox.knobs.list_delay = 0
        assert (await payouts.wait("k")).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_without_l_a_payout_that_turns_up_goes_to_review(sandbox: Sandbox, path: Path) -> None:
    async with payouts_of(sandbox, path) as payouts:
        await _lost_and_listed_late(payouts, sandbox)
        sandbox.knobs.list_delay = 0
        (payout,) = await payouts.run_once()
        assert payout.state is PayoutState.NEEDS_REVIEW
        assert payout.candidates == (sandbox.ledger.created[0].uuid,)


async def test_without_l_and_n_it_is_paid_twice(sandbox: Sandbox, path: Path) -> None:
    sandbox.knobs.nonce_memory = 0
    async with payouts_of(sandbox, path) as payouts:
        await _lost_and_listed_late(payouts, sandbox)
        await payouts.retry("k")
        await payouts.send("k", **TRON)
    assert len(sandbox.ledger.created) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(429, *POST, before=False),
        Fault.status(400, *POST, name="withdraw_address_not_registered", before=False),
    ],
    ids=["429", "400"],
)
async def test_without_u_the_withdrawal_is_unowned_and_blocks(
    fault: Fault, sandbox: Sandbox, path: Path
) -> None:
    async with payouts_of(sandbox, path) as payouts:
        sandbox.faults.add(fault)
        blocked: errors.UpbitError | None = None
        try:
            assert (await payouts.send("k", **TRON)).state is PayoutState.DECLINED
            await payouts.retry("k")
            blocked = (await payouts.send("k", **TRON)).error  # it is queued: `run` would continue
        except errors.PayoutBlocked as error:
            blocked = error
        assert isinstance(blocked, errors.PayoutBlocked)
        assert blocked.uuids == (sandbox.ledger.created[0].uuid,)
    assert len(sandbox.ledger.created) == 1


async def test_without_truth_a_new_nonce_pays_twice(sandbox: Sandbox, path: Path) -> None:
    async with payouts_of(sandbox, path) as payouts:
        await _lost_and_listed_late(payouts, sandbox)
        await payouts.resolve("k", not_sent=True)
        await payouts.retry("k", new_nonce=True)
        await payouts.send("k", **TRON)
    assert len(sandbox.ledger.created) == 2


# -- a journal that was changed or lost ------------------------------------------------------------


def redirect(path: Path, member: str, value: str) -> None:
    """Change what the only payout's row asks for."""
    place = {"amount": "$.members[2][1]", "address": "$.members[3][1]"}[member]
    edit(path, "UPDATE payouts SET intent = json_set(intent, ?, ?)", place, value)
    if member == "amount":
        edit(path, "UPDATE payouts SET amount = ?", value)


async def _not_sent(sandbox: Sandbox, path: Path, *, retry: bool = False) -> None:
    async with payouts_of(sandbox, path) as payouts:
        sandbox.faults.add(Fault.reset_before(*POST))
        assert (await payouts.send("k", **TRON)).state is PayoutState.NOT_SENT
        if retry:
            await payouts.retry("k")


@pytest.mark.parametrize(("member", "value"), [("address", OTHER), ("amount", "99")])
@pytest.mark.parametrize("resend", ["manual", "automatic"])
async def test_an_edited_row_is_not_sent(
    member: str, value: str, resend: Any, sandbox: Sandbox, path: Path
) -> None:
    await _not_sent(sandbox, path, retry=resend == "manual")
    redirect(path, member, value)
    async with payouts_of(sandbox, path, resend=resend) as payouts:
        (payout,) = await payouts.run_once()
        assert isinstance(payout.error, errors.JournalError)
        assert "changed by something else" in str(payout.error)
        with pytest.raises(errors.PayoutConflict):
            await payouts.send("k", **TRON)
    assert len(sandbox.requests.of(*POST)) == 1
    assert sandbox.ledger.created == ()


async def test_retry_authorises_an_edited_row_only_after_a_warning(sandbox: Sandbox, path: Path) -> None:
    async with payouts_of(sandbox, path) as payouts:
        sandbox.faults.add(Fault.status(400, *POST, name="withdraw_address_not_registered"))
        assert (await payouts.send("k", **TRON)).state is PayoutState.DECLINED
    redirect(path, "address", OTHER)
    async with payouts_of(sandbox, path) as payouts:
        await payouts.retry("k")
        (payout,) = await payouts.run_once()
        assert (payout.state, sandbox.ledger.created) == (PayoutState.QUEUED, ())
        assert "check what it asks for, then call retry('k')" in str(payout.error)
        with pytest.raises(errors.PayoutConflict):
            await payouts.send("k", **TRON)
        await payouts.retry("k")
        await payouts.run_once()
    assert [entry.address for entry in sandbox.ledger.created] == [OTHER]


@pytest.mark.parametrize("is_queued", [False, True])
async def test_a_copy_has_left_under_a_former_journal_key_so_retry_names_the_way_out(
    sandbox: Sandbox, path: Path, is_queued: bool
) -> None:
    await _not_sent(sandbox, path)
    if is_queued:
        async with payouts_of(sandbox, path) as payouts:
            await payouts.retry("k")
    async with payouts_of(sandbox, path, journal_keys=[b"another key of 32 bytes, or so.."]) as payouts:
        with pytest.raises(ValueError, match="its nonce can't be trusted"):
            await payouts.retry("k")
        payout = await payouts.send("k", **TRON)
        assert payout.state is (PayoutState.QUEUED if is_queued else PayoutState.NOT_SENT)
        if is_queued:
            assert "resolve('k', not_sent=True) and retry('k', new_nonce=True)" in str(payout.error)
        await payouts.resolve("k", not_sent=True)
        await payouts.retry("k", new_nonce=True)
        assert [each.state for each in await payouts.run_once()] == [PayoutState.DONE]
    assert len(sandbox.ledger.created) == 1


async def test_unsent_payout_of_a_former_journal_key_takes_a_new_nonce(sandbox: Sandbox, path: Path) -> None:
    await _not_sent(sandbox, path)
    async with payouts_of(sandbox, path, journal_keys=[b"another key of 32 bytes, or so.."]) as payouts:
        await payouts.resolve("k", not_sent=True)
        await payouts.retry("k", new_nonce=True)
        assert (await payouts.send("k", **TRON)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


async def test_a_former_journal_key_that_is_kept_still_verifies(sandbox: Sandbox, path: Path) -> None:
    former, present = b"the former key, of 32 bytes or so", b"the present key, of 32 bytes or so"
    async with payouts_of(sandbox, path, journal_keys=[former]) as payouts:
        sandbox.faults.add(Fault.reset_before(*POST))
        assert (await payouts.send("k", **TRON)).state is PayoutState.NOT_SENT
    async with payouts_of(sandbox, path, journal_keys=[present, former]) as payouts:
        await payouts.retry("k")
        assert (await payouts.send("k", **TRON)).state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO unowned (uuid, currency, is_acknowledged) VALUES (?, 'USDT', 1)",
        "INSERT INTO marks (currency, uuid) VALUES ('USDT', ?)",
    ],
    ids=["acknowledged", "marked"],
)
async def test_a_row_that_is_set_back_is_paid_again_if_its_withdrawal_is_accounted_for(
    statement: str, sandbox: Sandbox, path: Path
) -> None:
    async with payouts_of(sandbox, path) as payouts:
        paid = await payouts.send("k", **TRON)
    set_back(path)
    async with payouts_of(sandbox, path) as payouts:
        with pytest.raises(errors.PayoutBlocked):
            await payouts.send("k", **TRON)
    assert len(sandbox.ledger.created) == 1
    edit(path, "DELETE FROM unowned")
    edit(path, statement, paid.uuid)
    async with payouts_of(sandbox, path) as payouts:
        again = await payouts.send("k", **TRON)
    assert again.state is PayoutState.DONE
    assert len(sandbox.ledger.created) == 2


@pytest.mark.parametrize(("days", "is_paid_again"), [(6, False), (8, True), (-300, False)])
async def test_a_clock_that_is_a_week_ahead_hides_what_a_lost_journal_has_paid(
    days: int, is_paid_again: bool, sandbox: Sandbox, path: Path
) -> None:
    async with payouts_of(sandbox, path) as payouts:
        await payouts.send("k", **TRON)
    lose(path)

    def clock() -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)

    async with payouts_of(sandbox, path, clock=clock) as payouts:
        if is_paid_again:
            assert (await payouts.send("k", **TRON)).state is PayoutState.DONE
        else:
            with pytest.raises(errors.PayoutBlocked):
                await payouts.send("k", **TRON)
    assert len(sandbox.ledger.created) == 1 + is_paid_again


@pytest.mark.parametrize(("minutes", "status"), [(9, "found"), (11, "not_found")])
async def test_a_clock_that_is_ten_minutes_ahead_hides_a_lost_withdrawal(
    minutes: int, status: str, sandbox: Sandbox
) -> None:
    client = sandbox.client()
    sandbox.faults.add(Fault.lose_answer(*POST))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        await client.withdraws.create(**TRON)
    started_at = caught.value.intent.started_at + dt.timedelta(minutes=minutes)
    caught.value.intent = attrs.evolve(caught.value.intent, started_at=started_at)
    assert (await client.withdraws.reconcile(caught.value, timeout=5)).status == status


async def test_a_restored_journal_blocks_what_was_paid_since_however_long_ago(
    sandbox: Sandbox, path: Path, tmp_path: Path
) -> None:
    async with payouts_of(sandbox, path) as payouts:
        for number in range(3):
            earlier: dict[str, Any] = {**TRON, "amount": f"{20 + number}"}
            await payouts.send(f"before {number}", **earlier)
            await anyio.sleep(100)
    shutil.copy(path, tmp_path / "backup")
    async with payouts_of(sandbox, path) as payouts:
        paid = await payouts.send("k", **TRON)
    lose(path)
    shutil.copy(tmp_path / "backup", path)

    def clock() -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(days=30)

    async with payouts_of(sandbox, path, clock=clock) as payouts:
        with pytest.raises(errors.PayoutBlocked) as caught:
            await payouts.send("k", **TRON)
    assert caught.value.uuids == (paid.uuid,)
