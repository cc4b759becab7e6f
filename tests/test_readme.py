"""The README: its code runs against a sandbox on a socket, and its commands and links exist."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import re
import subprocess
import sys
import tomllib
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clients import CREATE
from environment import clear_environment
from source_tree import parsed
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from upbit_async import errors
from upbit_async.payouts import Payouts, SqliteJournal
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")


ADDRESS = "TFakeTronWithdrawAddressFakeFakeFa"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox that the environment names as the README says, and a working folder."""
    monkeypatch.chdir(tmp_path)
    clear_environment(monkeypatch)
    sandbox = Sandbox("sg", transitions=Transitions.immediate())
    with sandbox.serve() as url:
        monkeypatch.setenv("UPBIT_BASE_URL", url)
        monkeypatch.setenv("UPBIT_ACCESS_KEY", sandbox.credentials.access_key.reveal())
        monkeypatch.setenv("UPBIT_SECRET_KEY", sandbox.credentials.secret_key.reveal())
        yield sandbox


def run_blocks() -> dict[str, Any]:
    """Run all blocks in order, as one program, and return the names that they define."""
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(README)
    for example in document.examples():
        example.evaluate()
    names: dict[str, Any] = document.namespace
    return names


def test_readme_code_runs(sandbox: Sandbox, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names = run_blocks()

    first, invoice_42 = sandbox.ledger.created
    assert first.amount == Decimal("13.241")
    read, *changes, txid, paid = capsys.readouterr().out.splitlines()
    assert read == "Tron working"
    assert [line.split()[-1] for line in changes] == ["WAITING", "DONE"]
    assert txid == sandbox.withdrawals[first.uuid].txid
    assert (paid, sandbox.withdrawals[invoice_42.uuid].state) == ("done", "DONE")
    asyncio.run(names["pay_invoice_42"]())  # by another process, say
    assert capsys.readouterr().out == "done\n"
    assert len(sandbox.ledger.created) == 2
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    assert inspect.iscoroutinefunction(test)
    apart = tmp_path / "apart"
    apart.mkdir()
    asyncio.run(test(apart))


def test_readme_first_block_sends_nothing(sandbox: Sandbox) -> None:
    block = TEXT.split("```python\n")[1].split("```")[0]
    assert ".send(" not in block
    exec(block, {})  # noqa: S102 - the lines that a user copies
    assert not sandbox.requests  # the block creates its own sandbox


def test_readme_withdraws_in_ten_lines_that_raise_if_an_answer_is_lost(sandbox: Sandbox) -> None:
    block = TEXT.split("## Withdraw\n")[1].split("```")[1].removeprefix("python\n")
    assert sum(bool(line) for line in block.splitlines()) == 10
    sandbox.faults.add(Fault.lose_answer("POST", "/v1/withdraws/coin"))
    with pytest.raises(Exception, match="may or may not have been carried out"):
        exec(block, {})  # noqa: S102 - the lines that a user copies
    assert len(sandbox.requests.of("POST")) == len(sandbox.ledger.created) == 1


def test_readme_withdrawal_sends_no_real_key_to_a_sandbox(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPBIT_SG_ACCESS_KEY", "a-real-key")
    monkeypatch.setenv("UPBIT_SG_SECRET_KEY", "a-real-secret")
    with pytest.raises(errors.ConfigurationError, match="unset UPBIT_SG_ACCESS_KEY and UPBIT_SG_SECRET_KEY"):
        run_blocks()
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (None, "done"),
        (Fault.lose_answer(*CREATE), "done"),
        (Fault.reset_before(*CREATE), "not_sent"),
        (Fault.status(400, *CREATE, name="withdraw_address_not_registered"), "declined"),
        (
            Fault.status(201, *CREATE, body=b'{"uuid":"u","currency":"XRP","state":"DONE","amount":"1"}'),
            "needs_review",
        ),
    ],
    ids=["paid", "lost answer", "lost request", "declined", "in doubt"],
)
def test_readme_recipe_pays_once_and_raises_unless_it_is_done(
    fault: Fault | None, state: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    pay = run_blocks()["pay"]
    before = len(sandbox.ledger.created)

    async def state_after_pay(payouts: Payouts) -> str:
        payout = None
        with contextlib.suppress(errors.PayoutNotDone):
            payout = await pay(payouts, "invoice-43", "17", ADDRESS)
        found = await payouts.get("invoice-43")
        assert found is not None
        assert (payout == found) == (found.state == "done")
        assert found.reason
        return found.state

    async def pay_twice() -> list[str]:
        journal = SqliteJournal(tmp_path / "another.db")
        if fault is not None:
            sandbox.faults.add(fault)
        async with Payouts(sandbox.client(), journal, settling_time=0).running() as payouts:
            return [await state_after_pay(payouts) for _ in range(2)]

    assert asyncio.run(pay_twice()) == [state, state]
    assert len(sandbox.ledger.created) - before == (state == "done")


def test_readme_recipe_waits_while_nothing_can_be_sent(tmp_path: Path, sandbox: Sandbox) -> None:
    pay = run_blocks()["pay"]
    before = len(sandbox.ledger.created)

    async def pay_blindly() -> None:
        journal = SqliteJournal(tmp_path / "another.db")
        sandbox.faults.add(Fault.status(503, "GET", "/v1/withdraws", times=None))
        async with Payouts(sandbox.client(), journal).running() as payouts, asyncio.TaskGroup() as tasks:
            paying = tasks.create_task(pay(payouts, "invoice-43", "14", ADDRESS))
            payout = None
            while payout is None or payout.error is None:
                await asyncio.sleep(0.01)
                payout = await payouts.get("invoice-43")
            assert payout.state == "queued"
            assert isinstance(payout.error, errors.ServerError)
            assert not paying.done()
            paying.cancel()

    asyncio.run(pay_blindly())
    assert len(sandbox.ledger.created) == before


def test_readme_test_passes_with_the_plugin_that_it_names(tmp_path: Path) -> None:
    """Run the test in a separate file, with all imports of the README and the function that it tests."""
    assert 'This one needs pytest and anyio\'s plugin, with `anyio_mode = "auto"`' in TEXT
    body = parsed("\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))).body
    kept = [
        part
        for part in body
        if isinstance(part, ast.Import | ast.ImportFrom)
        or (isinstance(part, ast.AsyncFunctionDef) and (part.name == "pay" or part.name.startswith("test_")))
    ]
    (tmp_path / "test_it.py").write_text("\n".join(map(ast.unparse, kept)), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "asyncio"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


def test_readme_commands_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    commands = re.findall(r"```console\n(.*)\n```", TEXT)
    assert commands == ['pip install ".[cli]" && upbit-async demo', "pip install nox && nox"]
    assert "cli" in project["optional-dependencies"]
    module, _, function = project["scripts"]["upbit-async"].partition(":")
    assert callable(getattr(import_module(module), function))


def test_readme_links_exist() -> None:
    pages = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert "docs/images/payout-states.svg" in pages
    assert "docs/index.md" in pages
    assert all((ROOT / page).is_file() for page in pages)


def test_readme_is_short() -> None:
    assert len(TEXT.splitlines()) <= 95
