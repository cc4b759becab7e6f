"""The documentation's diagrams: complete, made from the code, and current where they are committed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from upbit_async.payouts import PayoutState
from upbit_async.payouts.states import EDGES

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))

_SPEC = importlib.util.spec_from_file_location("docs_diagrams", ROOT / "docs" / "diagrams.py")
assert _SPEC is not None
assert _SPEC.loader is not None
diagrams: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(diagrams)


def test_every_diagram_is_on_a_page() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    shown = re.findall(r"<!--- diagram: ([\w-]+) -->", pages)
    assert sorted(shown) == sorted(diagrams.SOURCES)
    assert diagrams.ALT_TEXTS.keys() == diagrams.SOURCES.keys()


@pytest.mark.parametrize("drawn", [True, False], ids=["drawn", "without Graphviz"])
def test_a_page_gets_the_source_of_its_diagram(drawn: bool) -> None:
    page = diagrams.insert("before\n<!--- diagram: rooms -->\nafter", drawn=drawn)
    assert page.startswith("before\n```{graphviz}\n:alt: " if drawn else "before\n```text\n")
    assert diagrams.SOURCES["rooms"]() in page
    assert page.endswith("\n```\nafter")


def test_payout_states_are_drawn_from_edges() -> None:
    source = diagrams.payout_states()
    assert all(state.value in source for state in PayoutState)
    assert all(end in EDGES[start] for start, end in diagrams.USUAL_MOVES)


def test_a_move_that_edges_do_not_have_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagrams, "USUAL_MOVES", {(PayoutState.DONE, PayoutState.SENDING): "by magic"})
    with pytest.raises(AssertionError, match="no payout can move so"):
        diagrams.payout_states()


def test_the_table_of_moves_has_all_of_edges() -> None:
    moves: dict[str, set[str]] = {}
    for row in diagrams.insert("<!--- payout moves -->", drawn=False).splitlines()[2:]:
        start, *ends = (re.findall(r"`(\w+)`", cell) for cell in row.strip("|").split("|"))
        assert not set(ends[0]) & set(ends[1])
        moves[start[0]] = {*ends[0], *ends[1]}
    assert moves == {start: {end.value for end in ends - {start}} for start, ends in EDGES.items()}


def test_rooms_are_drawn_from_imports() -> None:
    imports = diagrams.imports_between_rooms()
    source = diagrams.SOURCES["rooms"]()
    drawn = {room: set(re.findall(rf'"{room}" -> "(\w+)"', source)) for room in imports}
    assert all(f'"{room}" [label' in source for room in imports)
    assert {room: _below(room, drawn) for room in drawn} == {room: _below(room, imports) for room in imports}


def _below(room: str, imports: dict[str, set[str]]) -> set[str]:
    return imports[room].union(*(_below(each, imports) for each in imports[room]))


def test_the_table_of_rooms_has_each_room() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    table = page.split("| room |")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    assert sorted(named) == sorted(diagrams.imports_between_rooms())


def test_the_picture_of_the_readme_is_current() -> None:
    head = diagrams.PICTURE.read_text(encoding="utf-8").splitlines()[0]
    current = diagrams.digest(diagrams.payout_states())
    assert head == f"<!-- docs/diagrams.py {current} -->", "run: python docs/diagrams.py"
    assert diagrams.PICTURE.relative_to(ROOT).as_posix() in (ROOT / "README.md").read_text(encoding="utf-8")
