"""Preflight of payouts: shared reads, and reasons that pass or last."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anyio
import pytest
from payout_samples import planned
from source_tree import parsed

import upbit_async
from upbit_async import errors
from upbit_async.models.reason import Reason
from upbit_async.payouts.preflight import LASTING, PASSING, PayoutPreflight, is_passing
from upbit_async.payouts.shared_reads import SharedReads
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.payouts import Payout
    from upbit_async.sandbox import Sandbox

PACKAGE = Path(upbit_async.__file__).parent
READS = {
    "GET /v1/withdraws/coin_addresses": ("GET", "/v1/withdraws/coin_addresses"),
    "GET /v1/status/wallet": ("GET", "/v1/status/wallet"),
    "GET /v1/withdraws/chance": ("GET", "/v1/withdraws/chance"),
}


@pytest.fixture
def preflight(client: UpbitClient) -> PayoutPreflight:
    return PayoutPreflight(client.transport, SharedReads())


def payout_of(tron: dict[str, Any], **changes: str) -> Payout:
    """Return a planned payout."""
    members: dict[str, str] = {**tron, **changes}
    return planned("k", **members)


# -- sharing ---------------------------------------------------------------------------------------


async def test_concurrent_checks_share_their_reads(
    preflight: PayoutPreflight, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(preflight.check, payout_of(tron, amount=str(10 + number)))
    assert all(1 <= len(sandbox.requests.of(*read)) <= 5 for read in READS.values())


async def test_limits_of_two_networks_are_read_separately(
    preflight: PayoutPreflight, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    await preflight.check(payout_of(tron))
    with pytest.raises(errors.PreflightFailed):
        await preflight.check(payout_of(tron, net_type="ETH"))
    networks = [
        parse_qs(line.query)["net_type"] for line in sandbox.requests.of(*READS["GET /v1/withdraws/chance"])
    ]
    assert networks == [["TRX"], ["ETH"]]


@pytest.mark.parametrize("read", READS)
async def test_read_from_before_the_question_does_not_serve_a_payout(
    preflight: PayoutPreflight, sandbox: Sandbox, tron: dict[str, Any], read: str
) -> None:
    sandbox.faults.add(Fault.slow(3, *READS[read]))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(preflight.check, payout_of(tron))
        await anyio.sleep(1)
        tasks.start_soon(preflight.check, payout_of(tron))
    first, second = (line.at for line in sandbox.requests.of(*READS[read]))
    assert (second - first).total_seconds() >= 1


async def test_failed_read_fails_the_checks_that_shared_it(
    preflight: PayoutPreflight, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.faults.add(Fault.status(401, *READS["GET /v1/status/wallet"], times=None))
    failures: list[errors.UpbitError] = []

    async def check() -> None:
        with pytest.raises(errors.AuthenticationError) as caught:
            await preflight.check(payout_of(tron))
        failures.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(check)
    assert len(failures) == len({id(failure) for failure in failures}) == 10


# -- what is checked -------------------------------------------------------------------------------


async def test_all_reasons_are_in_the_error(preflight: PayoutPreflight, tron: dict[str, Any]) -> None:
    with pytest.raises(errors.PreflightFailed) as caught:
        await preflight.check(payout_of(tron, amount="99999999.12345678", address="TElsewhere"))
    codes = {reason.code for reason in caught.value.reasons}
    assert codes == {"address_not_registered", "too_many_decimals", "insufficient_balance"}


async def test_memo_must_be_the_registered_one(preflight: PayoutPreflight, tron: dict[str, Any]) -> None:
    with pytest.raises(errors.PreflightFailed) as caught:
        await preflight.check(payout_of(tron, secondary_address="memo"))
    assert [reason.code for reason in caught.value.reasons] == ["other_secondary_address"]
    assert "must be left out" in str(caught.value)


# -- reasons ---------------------------------------------------------------------------------------


def codes_in(path: Path) -> set[str]:
    """Return the codes of the reasons that a module names."""
    calls = (node for node in ast.walk(parsed(path.read_text())) if isinstance(node, ast.Call))
    return {
        ast.literal_eval(call.args[0])
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Reason"
    }


def test_every_reason_passes_or_lasts() -> None:
    paths = [*(PACKAGE / "checks").rglob("*.py"), PACKAGE / "payouts" / "preflight.py"]
    codes = set[str]().union(*map(codes_in, paths))
    assert codes - {"fee_side_undocumented"} == PASSING | LASTING  # a warning prevents nothing
    assert not PASSING & LASTING


def test_no_other_module_makes_reasons() -> None:
    paths = {path for path in PACKAGE.rglob("*.py") if codes_in(path)}
    assert {path.relative_to(PACKAGE).parts[0] for path in paths} == {"checks", "payouts"}


@pytest.mark.parametrize(
    ("code", "passes"),
    [("insufficient_balance", True), ("wallet_not_working", True), ("below_minimum", False), ("new", False)],
)
def test_reason_passes_if_it_lies_outside_the_payout(code: str, passes: bool) -> None:
    assert is_passing(Reason(code, "text")) is passes
