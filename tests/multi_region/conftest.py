"""Sandboxes of three regions, and an environment without the library's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from environment import clear_environment

from upbit_async import Region, UpbitRegions
from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_environment(monkeypatch)


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
