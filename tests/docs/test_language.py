"""The prose of the project is plain: it has no archaic or literary phrases."""

from __future__ import annotations

from pathlib import Path

import pytest
from prose import tells_in

ROOT = Path(__file__).parents[2]
PLACES = ("upbit_async", "tests", "docs", "README.md", "noxfile.py")

QUOTED = {
    "tests/docs/test_language.py": "shows what is found",
    "tests/support/prose.py": "lists the phrases",
}
"""Files that quote such phrases, and why: they are not searched."""


def searched() -> list[Path]:
    """Return the files with prose."""
    found = [
        path
        for place in PLACES
        for path in ((ROOT / place).rglob("*.*") if (ROOT / place).is_dir() else [ROOT / place])
    ]
    texts = [path for path in found if path.suffix in {".md", ".py"}]
    return sorted(path for path in texts if path.relative_to(ROOT).as_posix() not in QUOTED)


def test_prose_has_no_archaic_phrase() -> None:
    found = {path.relative_to(ROOT).as_posix(): tells for path in searched() if (tells := tells_in(path))}
    assert found == {}, "write it in plain words"


def test_the_quoting_files_exist() -> None:
    assert [path for path in QUOTED if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ('"""It is told, and very soon."""', ["told", "very"]),
        ("a = 1  # whoever asks", ["whoever"]),
        ("# a clock of\n# its own\n", ["of its own"]),
        ('x = f"{a} is gone"', ["gone"]),
        ('"""what became\nof it"""', ["what became of"]),
        ("message = 'Besides, take note'", ["besides", "take note"]),
        ("told = very.gone", []),
        ("'retold everything'", []),
    ],
)
def test_a_phrase_is_found_in_prose_and_not_in_names(text: str, tells: list[str], tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")
    assert tells_in(path) == tells


def test_all_of_a_page_is_searched(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# So many\n\n```python\ntold()  # lest it fails\n```\n", encoding="utf-8")
    assert tells_in(path) == ["so many", "told", "lest"]
