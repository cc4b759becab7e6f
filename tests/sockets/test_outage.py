"""A network that is down for 27 seconds at a withdrawal's first byte, with the library's defaults."""

from __future__ import annotations

import functools
import json
import subprocess
from typing import Any

import anyio
import anyio.to_thread
import pytest
from outage import SCENARIOS, command, obstacle

pytestmark = pytest.mark.thorough


async def _play(scenario: str, results: dict[str, dict[str, Any]]) -> None:
    run = functools.partial(subprocess.run, command(scenario), capture_output=True, text=True, check=False)
    done = await anyio.to_thread.run_sync(run)
    assert done.returncode == 0, f"{scenario}: {done.stderr}"
    results[scenario] = json.loads(done.stdout)


@pytest.mark.outage
@pytest.mark.timeout(150)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_withdrawal_given_up_in_an_outage_never_arrives() -> None:
    if reason := obstacle():
        pytest.skip(f"it needs a network namespace: {reason}")
    results: dict[str, dict[str, Any]] = {}
    async with anyio.create_task_group() as tasks:
        for scenario in SCENARIOS:
            tasks.start_soon(_play, scenario, results)
    # Without the socket options it arrives long after it was given up, so the outage is real.
    assert [at > 30 for at in results.pop("unbounded")["delivered"]] == [True], results
    assert {scenario for scenario, result in results.items() if result["delivered"]} == set()
    for scenario in ("own", "httpx", "httpx2", "forked"):
        assert results[scenario]["outcome"] == "OutcomeUnknown"
        assert results[scenario]["after"] < 20
