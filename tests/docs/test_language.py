"""The prose of the project is plain: archaic and literary phrases are counted, and a further one fails."""

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

BASELINE: dict[str, int] = {
    "tests/benchmarks/contenders.py": 2,
    "tests/benchmarks/cpu.py": 3,
    "tests/benchmarks/lost_answers.py": 1,
    "tests/benchmarks/peer.py": 3,
    "tests/benchmarks/startup.py": 1,
    "tests/benchmarks/waiting.py": 2,
    "tests/docs/test_virtual_time.py": 1,
    "tests/payouts/sqlite/test_file.py": 5,
    "tests/payouts/test_baseline.py": 2,
    "tests/payouts/test_new_nonce.py": 1,
    "tests/polling/test_failures.py": 1,
    "tests/polling/test_scale.py": 3,
    "tests/polling/test_sweep.py": 3,
    "tests/polling/test_undecodable_rows.py": 1,
    "tests/rivals/conftest.py": 1,
    "tests/sockets/test_cancellation.py": 1,
    "tests/support/commands.py": 1,
    "tests/support/crashing_process.py": 1,
    "tests/support/docstring_examples.py": 1,
    "tests/support/outage.py": 3,
    "tests/support/payout_samples.py": 1,
    "tests/support/payout_world.py": 1,
    "tests/support/raw_requests.py": 1,
    "tests/support/transfer_list.py": 1,
    "tests/support/virtual_time.py": 1,
    "tests/test_readme.py": 4,
    "tests/transport/test_key_state.py": 1,
    "tests/transport/test_limiter_other_processes.py": 1,
}
"""How many each file still has. It only shrinks: a smaller number, and a file without any, must be corrected here."""


def searched() -> list[Path]:
    """Return the files with prose."""
    found = [
        path
        for place in PLACES
        for path in ((ROOT / place).rglob("*.*") if (ROOT / place).is_dir() else [ROOT / place])
    ]
    texts = [path for path in found if path.suffix in {".md", ".py"}]
    return sorted(path for path in texts if path.relative_to(ROOT).as_posix() not in QUOTED)


def test_no_file_gains_an_archaic_phrase() -> None:
    found = {path.relative_to(ROOT).as_posix(): tells for path in searched() if (tells := tells_in(path))}
    more = {path: tells for path, tells in found.items() if len(tells) > BASELINE.get(path, 0)}
    fewer = {
        path: len(found.get(path, [])) for path, count in BASELINE.items() if len(found.get(path, [])) < count
    }
    assert more == {}, "say it in plain words"
    assert fewer == {}, "correct the numbers in BASELINE, and remove those that are 0"


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
