"""What the README shows is run, against a sandbox on a socket."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from upbit_async.client import UpbitClient
from upbit_async.policy import PollSchedule
from upbit_async.sandbox import Fault, Plan, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
TRON = "TFakeTronWithdrawAddressFakeFakeFa"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox to which the environment leads, as the README says it should."""
    sandbox = Sandbox("sg", plan=Plan.at_once())
    with sandbox.serve() as url:
        monkeypatch.setenv("UPBIT_BASE_URL", url)
        monkeypatch.setenv("UPBIT_SG_ACCESS_KEY", sandbox.credentials.access_key.reveal())
        monkeypatch.setenv("UPBIT_SG_SECRET_KEY", sandbox.credentials.secret_key.reveal())
        yield sandbox


def run_blocks() -> dict[str, Any]:
    """Run all blocks one after the other, as one program, and return the names that it leaves."""
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(README)
    for example in document.examples():
        example.evaluate()
    names: dict[str, Any] = document.namespace
    return names


def test_its_code_runs(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    names = run_blocks()

    (entry,) = sandbox.ledger.created
    assert (entry.amount, entry.address) == (entry.amount.from_float(0) + 13 + entry.amount / 1 - 13, TRON)
    *changes, txid = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in changes] == ["WAITING", "DONE"]
    assert txid == sandbox.withdrawals[entry.uuid].txid
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    for test in tests:
        assert inspect.iscoroutinefunction(test)
        asyncio.run(test())
