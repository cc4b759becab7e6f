"""The table of assumptions on the page is what the explorer finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from explorer.assumptions import HEAD, SETUPS, cells, rows_of, violations_without

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "payouts.md"


def shown() -> list[str]:
    """Return the rows of the table on the page."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"{HEAD}\n")
    return rest.split("\n\n")[0].splitlines()


ROWS = shown()


def test_the_page_has_a_row_for_each_setup() -> None:
    named = [cells(row)[0] for row in ROWS]
    assert list(dict.fromkeys(named)) == [*SETUPS]


@pytest.mark.parametrize("assumptions", SETUPS, ids=", ".join)
def test_a_row_of_the_table_is_what_is_found(assumptions: tuple[str, ...]) -> None:
    rows = [row for row in ROWS if cells(row)[0] == assumptions]
    expected = {problem for row in rows for problem in cells(row)[1]}
    found = violations_without(assumptions, expected=expected)
    assert list(rows_of(assumptions, found)) == rows, "run: python tests/model/explore.py table"
