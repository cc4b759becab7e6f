"""Journals for tests of ``upbit-async payouts``, and the command on them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
from clients import CREATE
from environment import clear_environment
from payout_samples import EVERY

from upbit_async import UpbitClient
from upbit_async.cli import main
from upbit_async.payouts import Payout, PayoutQuery, Payouts, PayoutState, SqliteJournal
from upbit_async.region import Region
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

__all__ = [
    "INVOICE",
    "SAMPLES",
    "json_lines",
    "one_of_each_state",
    "payouts_command",
    "served_sandbox",
    "states_in",
    "write_doubts",
    "write_journal",
]

SAMPLES: dict[str, Payout] = {name: payout for name, payout in EVERY.items() if payout is not None}
"""Payouts in every situation."""


def one_of_each_state() -> list[Payout]:
    """Return payouts without withdrawals in common, one in each state, which is its key."""
    by_state = {payout.state: payout for payout in SAMPLES.values()}
    ended = by_state[PayoutState.DONE]
    return [
        _distinct(attrs.evolve(by_state.get(state, ended), key=state.value, state=state), number)
        for number, state in enumerate(PayoutState, start=1)
    ]


def _distinct(payout: Payout, number: int) -> Payout:
    members = {**payout.intent.members, "amount": f"{number}.50"}
    uuid = None if payout.uuid is None else f"w-{number}"
    record = None if payout.record is None or uuid is None else attrs.evolve(payout.record, uuid=uuid)
    return attrs.evolve(payout, intent=attrs.evolve(payout.intent, members=members), uuid=uuid, record=record)


def write_journal(path: Path, payouts: Iterable[Payout], *, host: str = Region.SG.host) -> str:
    """Write a journal with payouts, oldest first, and return its path."""

    async def write() -> None:
        journal = SqliteJournal(path)
        await journal.bind(host, "sg")
        for payout in payouts:
            await journal.add(payout)
        await journal.aclose()

    asyncio.run(write())
    return str(path)


def payouts_command(journal: str, *words: str) -> int:
    """Run ``upbit-async payouts`` with words and a journal, and return the exit code."""
    return main(["payouts", *words, "--journal", journal, "--region", "sg"])


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the objects on standard output."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@contextlib.contextmanager
def served_sandbox() -> Generator[Sandbox]:
    """Yield a sandbox on a socket, that the environment names; the operator is Ann."""
    sandbox = Sandbox("sg", transitions=Transitions.immediate())
    with pytest.MonkeyPatch.context() as patch, sandbox.serve() as url:
        clear_environment(patch)
        patch.setenv("UPBIT_BASE_URL", url)
        patch.setenv("UPBIT_ACCESS_KEY", sandbox.credentials.access_key.reveal())
        patch.setenv("UPBIT_SECRET_KEY", sandbox.credentials.secret_key.reveal())
        patch.setenv("SUDO_USER", "ann")
        yield sandbox


INVOICE: Final[dict[str, Any]] = {
    "currency": "USDT",
    "net_type": "TRX",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
}


async def write_doubts(path: Path, sandbox: Sandbox) -> None:
    """Write a journal with payouts that people must decide about; their keys say what happened.

    Args:
        path: Path of the journal.
        sandbox: A sandbox that the environment names.
    """
    journal = SqliteJournal(path)
    async with UpbitClient("sg") as client, Payouts(client, journal, settling_time=0.1) as payouts:
        await payouts.send("paid", amount="11", **INVOICE)
        sandbox.faults.add(Fault.reset_before(*CREATE))
        await payouts.send("unsent", amount="12", **INVOICE)
        sandbox.faults.add(Fault.lose_answer(*CREATE))
        await payouts.send("doubtful", amount="13", **INVOICE, until="accepted")
        sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=INVOICE["address"])
        await payouts.wait("doubtful")
        sandbox.withdrawals.create_on_website("USDT", "TRX", "14", address=INVOICE["address"])
        await payouts.enqueue("blocked", amount="14", **INVOICE)
        await payouts.run_once(timeout=0.1)


def states_in(path: Path) -> dict[str, str]:
    """Return the state of each payout of a journal, by its key."""

    async def read() -> dict[str, str]:
        journal = SqliteJournal(path)
        found = await journal.select(PayoutQuery())
        await journal.aclose()
        return {payout.key: payout.state.value for payout in found}

    return asyncio.run(read())
