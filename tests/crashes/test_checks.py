"""The checks of the crash schedules find each kind of problem."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from checks import check
from drawing import draw
from harness import STRANGER, Trial
from journals import InlineJournal
from schedules import PAY, SKEW, Invoice

from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

LAG = 6.0
POST = ("POST", PAY)
INVOICE = Invoice(key="k", currency="USDT", net_type="TRX", amount="13", address="somewhere")
LATER = attrs.evolve(INVOICE, key="later", amount="37", address="elsewhere")


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    async with Sandbox("sg") as made:
        made.account.fund("USDT", 1_000)
        for address in (INVOICE.address, LATER.address, STRANGER):
            made.account.allow_address("USDT", "TRX", address)
        yield made


def _payouts(sandbox: Sandbox, folder: Path, skew: float = 0.0) -> Payouts:
    return Payouts(
        sandbox.client(),
        InlineJournal(folder / "payouts.db"),
        settling_time=2,
        clock=lambda: sandbox.now + dt.timedelta(seconds=skew),
        check=False,
    )


def _asked(invoice: Invoice) -> dict[str, Any]:
    return {name: value for name, value in attrs.asdict(invoice).items() if name != "key"}


def _found(sandbox: Sandbox, folder: Path, *, lag: float = 0.0, later: tuple[Invoice, ...] = ()) -> set[str]:
    schedule = attrs.evolve(
        draw(1),
        invoices=(INVOICE,),
        earlier=None,
        later=later,
        stop=None,
        knobs=attrs.evolve(sandbox.knobs, list_delay=lag),
    )
    trial = Trial(schedule=schedule, folder=folder, ledger=tuple(sandbox.ledger))
    return {finding.what for finding in check(trial)}


async def _abandon_what_is_carried_out(sandbox: Sandbox, payouts: Payouts) -> None:
    sandbox.knobs.list_delay = LAG
    sandbox.faults.add(Fault.lose_answer(*POST))
    assert (await payouts.send(INVOICE.key, **_asked(INVOICE))).state is PayoutState.NOT_SENT
    await payouts.abandon(INVOICE.key, force=True)


async def test_a_payment_that_is_given_up_and_made_is_forgotten_until_somebody_looks(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with _payouts(sandbox, tmp_path) as payouts:
        await _abandon_what_is_carried_out(sandbox, payouts)
        assert _found(sandbox, tmp_path, lag=LAG) == {"abandoned", "sent", "untrue", "forgotten"}
        await anyio.sleep(LAG)
        await payouts.run_once()
    assert _found(sandbox, tmp_path, lag=LAG) == {"abandoned", "sent", "untrue"}


async def test_where_the_list_is_in_time_a_payment_that_is_called_not_sent_is_wrong(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with _payouts(sandbox, tmp_path) as payouts:
        await _abandon_what_is_carried_out(sandbox, payouts)
        await anyio.sleep(LAG)
        await payouts.run_once()
    assert _found(sandbox, tmp_path) == {"abandoned", "sent", "wrong"}


@pytest.mark.parametrize("skew", [-SKEW, 0, SKEW])
async def test_a_wrong_clock_in_a_history_is_no_finding(
    sandbox: Sandbox, tmp_path: Path, skew: float
) -> None:
    sandbox.faults.add(Fault.reset_before(*POST))
    async with _payouts(sandbox, tmp_path, skew) as payouts:
        assert (await payouts.send(INVOICE.key, **_asked(INVOICE))).state is PayoutState.NOT_SENT
        await payouts.retry(INVOICE.key)
        assert (await payouts.send(INVOICE.key, **_asked(INVOICE))).state is PayoutState.DONE
    assert _found(sandbox, tmp_path) == set()


async def test_a_withdrawal_of_nobody_is_forgotten_until_the_next_payment(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with _payouts(sandbox, tmp_path) as payouts:
        await payouts.send(INVOICE.key, **_asked(INVOICE))
        sandbox.withdrawals.create_on_website("USDT", "TRX", 99, address=STRANGER)
        assert _found(sandbox, tmp_path) == {"forgotten"}
        await payouts.send(LATER.key, **_asked(LATER))
    assert _found(sandbox, tmp_path, later=(LATER,)) == set()
