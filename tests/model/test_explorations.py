"""All states within some bounds: no property is violated, and a state of rest can always be reached."""

from __future__ import annotations

import pytest
from explorer.explorations import SHORT
from explorer.search import explore


@pytest.mark.parametrize("name", SHORT)
def test_no_state_violates_a_property(name: str) -> None:
    found = explore(SHORT[name])
    assert found.is_complete
    assert found.states > 400
    assert not found.violations, "\n".join(map(str, found.violations))
