"""Each deliberate break of the library is found."""

from __future__ import annotations

import pytest
from explorer.mutations import MUTATIONS


@pytest.mark.parametrize("name", MUTATIONS)
def test_break_is_found(name: str) -> None:
    found = MUTATIONS[name].found()
    assert found is not None, f"no state violates: {MUTATIONS[name].breaks}"
    assert found.trace
