"""The judge of the simulations finds deliberate breaks of the library."""

from __future__ import annotations

import os
from itertools import repeat
from typing import TYPE_CHECKING, Final

import pytest
from campaign import new_processes
from deliberate_breaks import BREAKS, find

if TYPE_CHECKING:
    from collections.abc import Mapping

_SEEDS: Final = range(1, 201)

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(900)]  # new processes, in real time


@pytest.fixture(scope="module")
def found() -> Mapping[str, int | None]:
    with new_processes(os.cpu_count() or 1) as pool:
        return dict(zip(BREAKS, pool.map(find, BREAKS, repeat(_SEEDS)), strict=True))


@pytest.mark.parametrize("name", BREAKS)
def test_judge_finds_a_break_within_a_few_hundred_simulations(
    name: str, found: Mapping[str, int | None]
) -> None:
    assert found[name] is not None
