"""The documentation: every code block runs, and prints what the page shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pages import blocks_in, fits

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio-virtual"], indirect=True)


@on_asyncio
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_every_block_of_a_page_runs(path: Path, page: Callable[[Path], None]) -> None:
    page(path)


@on_asyncio
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```python\nassert False, 'so'\n```", "so"),
        ("```python\nimport anyio\nawait anyio.sleep(3600)\nassert False, 'late'\n```", "late"),
        ("```python\nprint(1)\n```\n\n```text\n2\n```", "the block before printed:\n1"),
        ("```text\nout of nothing\n```", "the block before printed:\n"),
        ("```ruby\nputs 1\n```", "nothing runs the blocks in lines \\[1\\]"),
        ("Look:\n\n```\nplain\n```", "nothing runs the blocks in lines \\[3\\]"),
        ("```{code-block} python\npass\n```", "nothing runs the blocks in lines \\[1\\]"),
        ("```console\n$ upbit-async demo --speed nonsense\n```", "nonsense"),
        ("```console\n$ upbit-async --version\nupbit-async 9.9.9\n```", "printed:\nupbit-async"),
        ("```console\n$ pip install upbit_async[nonsense]\n```", "nonsense"),
        ("```python\n# test_it.py\ndef test_it(): assert 1 == 2\n```", "1 == 2"),
        ("<!--- invisible-code-block: python\nassert False, 'hidden'\n-->", "hidden"),
    ],
)
def test_a_page_that_is_wrong_fails(
    text: str, complaint: str, tmp_path: Path, page: Callable[[Path], None]
) -> None:
    path = tmp_path / "page.md"
    path.write_text(text + "\n", encoding="utf-8")
    with pytest.raises((AssertionError, pytest.fail.Exception), match=complaint):
        page(path)


def test_every_page_is_found_and_its_blocks_are_seen() -> None:
    assert len(PAGES) > 15
    assert sum(1 for path in PAGES for _ in blocks_in(path.read_text(encoding="utf-8"))) > 40


def test_an_id_stands_for_any_id_and_an_ellipsis_for_anything() -> None:
    assert fits("id 00000000-0000-4000-8000-000000000003", "id 2cec56b9-5a83-4e59-8c1f-6a8e4b0e54e0")
    assert not fits("id 00000000-0000-4000-8000-000000000003", "id 3")
    assert fits("a … c", "a b c")
    assert fits("a\n…\nc\n", "a\nb\nb\nc")
    assert not fits("a.c", "abc")
    assert not fits("a …", "b c")
