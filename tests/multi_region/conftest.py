"""Three sandboxes, and an environment that says nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from upbit_async import Region, UpbitRegions
from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture(autouse=True)
def _silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("UPBIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
async def sandboxes() -> AsyncGenerator[dict[Region, Sandbox]]:
    async with (
        Sandbox("sg", transitions=Transitions.manual()) as sg,
        Sandbox("id", transitions=Transitions.manual()) as indonesia,
        Sandbox("th", transitions=Transitions.manual()) as th,
    ):
        yield {each.region: each for each in (sg, indonesia, th)}


@pytest.fixture
def regions(sandboxes: dict[Region, Sandbox]) -> UpbitRegions:
    return UpbitRegions.of(*(each.client() for each in sandboxes.values()))
