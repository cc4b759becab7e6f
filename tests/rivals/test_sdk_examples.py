"""The official SDK's example programs, exactly as they are published; the host and the keys are ours."""

from __future__ import annotations

import asyncio
import gc
import os
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.sandbox import Transitions

if TYPE_CHECKING:
    from collections.abc import Generator

    from upbit_async.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
upbit: Any = import_module("upbit")

TRON_ADDRESS = "TFakeTronWithdrawAddressFakeFakeFa"
SATOSHI = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
NOT_THERE = {  # these name records of their authors' accounts
    "deposits/get_deposit": "deposit_not_found",
    "travel_rule/verify_travelrule_by_txid": "deposit_not_found",
    "travel_rule/verify_travelrule_by_uuid": "deposit_not_found",
    "withdraws/cancel_withdrawal": "withdraw_not_found",
}
SINGLE = [
    "accounts/get_balance",
    "api_keys/list_api_keys",
    "deposits/available_deposit_information",
    "deposits/create_deposit_address",
    "deposits/deposit_krw",
    "deposits/get_deposit",
    "deposits/get_deposit_address",
    "deposits/list_deposit_addresses",
    "deposits/list_deposits",
    "trading_pairs/list_trading_pairs",
    "travel_rule/list_travelrule_vasps",
    "travel_rule/verify_travelrule_by_txid",
    "travel_rule/verify_travelrule_by_uuid",
    "wallet_status/get_service_status",
    "withdraws/available_withdrawal_information",
    "withdraws/cancel_withdrawal",
    "withdraws/get_withdrawal",
    "withdraws/list_withdrawal_addresses",
    "withdraws/list_withdrawals",
    "withdraws/withdraw",
    "withdraws/withdraw_krw",
]


@pytest.fixture(scope="module", autouse=True)
def collect_what_is_left_open() -> Generator[None]:
    """Collect the scripts' clients, which are never closed, where their warnings are let be."""
    yield
    gc.collect()


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch, region: str, url: str, keys: dict[str, str]) -> None:
    """Tell the SDK where its environment is, and the keys; these scripts name their environment."""
    environments: dict[str, str] = import_module("upbit._client").ENVIRONMENTS
    monkeypatch.setitem(environments, region, url)
    monkeypatch.delenv("UPBIT_BASE_URL", raising=False)
    monkeypatch.setenv("UPBIT_ACCESS_KEY", keys["access_key"])
    monkeypatch.setenv("UPBIT_SECRET_KEY", keys["secret_key"])
    monkeypatch.setenv("DRY_RUN", "false")


def play(name: str, *, as_program: bool = True) -> dict[str, Any]:
    script = Path(os.environ["UPBIT_SDK_EXAMPLES"], f"{name}.py")  # nox fetches them
    return runpy.run_path(str(script), run_name="__main__" if as_program else name)


def asked(sandbox: Sandbox) -> list[str]:
    return [f"{line.method} {line.path.removeprefix('/v1/')} {line.status}" for line in sandbox.requests]


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(("region", "name"), [("sg", "withdrawals"), ("kr", "withdrawals_kr")])
def test_withdrawals(sandbox: Sandbox, name: str, region: str, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.withdrawals.transitions = Transitions.immediate()
    script = play(name)
    krw = ["POST withdraws/krw 201"] if region == "kr" else []
    assert asked(sandbox) == [
        "GET withdraws/coin_addresses 200",
        "GET status/wallet 200",
        "GET withdraws/chance 200",
        *["GET withdraws 200"] * 3,  # two pages with rows, and an empty one
        "GET withdraw 200",
        *krw,
    ]
    with upbit.Upbit(environment=region) as client:
        script["withdraw_coin"](client, amount="13", address=TRON_ADDRESS)
    assert sandbox.ledger.moved("USDT") == 14
    printed = capsys.readouterr().out
    assert TRON_ADDRESS in printed
    assert sandbox.ledger.settled[-1].uuid in printed


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(("region", "name"), [("sg", "deposits"), ("kr", "deposits_kr")])
def test_deposits(sandbox: Sandbox, name: str, region: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = play(name)
    assert asked(sandbox) == [
        "GET deposits/coin_addresses 200",
        "GET deposits/coin_address 200",
        "POST deposits/generate_coin_address 201",
        "GET deposits/chance/coin 200",
        *["GET deposits 200"] * 3,
        *["GET deposit 200"] * 3,
        "GET travel_rule/vasps 200",
    ]
    with upbit.Upbit(environment=region) as client:
        vasp = client.travel_rule.list_vasps()[0]
        plan = Transitions.suspected()
        deposit = sandbox.deposits.arrive("USDT", "TRX", "100", vasp_name=vasp.vasp_name, transitions=plan)
        script["verify_travel_rule"](client, deposit_uuid=deposit.uuid, vasp_uuid=vasp.vasp_uuid)
    printed = capsys.readouterr().out
    assert deposit.uuid in printed
    assert "verified" in printed


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("region", ["kr"])
@pytest.mark.parametrize("name", SINGLE)
def test_single_calls(sandbox: Sandbox, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.account.allow_address("BTC", "BTC", SATOSHI)
    with upbit.Upbit() as client:  # one example looks for a withdrawal of BTC
        client.withdraws.create_withdrawal(currency="BTC", net_type="BTC", amount="0.1", address=SATOSHI)
    script = play(name, as_program=False)
    (sync_call,) = (function for key, function in script.items() if key.startswith("sync_"))
    (async_call,) = (function for key, function in script.items() if key.startswith("async_"))
    refusal = NOT_THERE.get(name)
    for call in (sync_call, lambda: asyncio.run(async_call())):
        sandbox.requests.clear()
        if refusal is None:
            call()
            assert capsys.readouterr().out
        else:
            with pytest.raises(upbit.NotFoundError) as raised:
                call()
            assert raised.value.response.json()["error"]["name"] == refusal
        assert {line.status in {200, 201} for line in sandbox.requests} == {refusal is None}


def test_the_lines_that_the_sandbox_prints_are_all_that_the_sdk_needs(
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    command = [sys.executable, "-m", "upbit_async.sandbox", "--port", "0"]
    with subprocess.Popen(command, cwd=pytestconfig.rootpath, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for _ in range(3):
                name, _, value = process.stdout.readline().strip().partition("=")
                monkeypatch.setenv(name, value)
            with upbit.Upbit() as client:
                assert len(client.wallet_status.list()) == 7
        finally:
            process.terminate()
