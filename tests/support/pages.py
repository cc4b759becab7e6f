"""Runs the blocks of a page of the documentation, from top to bottom, as one program.

- ``python`` runs, with ``await`` wherever it likes, as at the prompt of ``python -m asyncio``. If its first line
  is a comment with a file's name, it is written to that file instead; files of tests are handed to pytest.
- ``console`` runs too, each line behind a ``$``, with its own output below.
- ``text`` is what the block before has printed; an ellipsis stands for anything, and an id for any id.

What a page needs and should not show stands in its comments: ``<!--- invisible-code-block: python``.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from docstring_examples import run_source
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sybil import Document, Example

__all__ = ["Page", "blocks_in", "fits"]

_FENCE = re.compile(r" *(?P<ticks>```+|~~~+)(?P<info>.*)")
_FILE = re.compile(r"# (?P<name>\w+\.py)\n")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b(0x)?[0-9a-f]{64}\b")
"""A transfer's, or a transaction's."""
_LANGUAGES = ("python", "console", "text")
_DIRECTIVES = frozenset({"{toctree}", "{eval-rst}", "{endpoints}"})
"""What is written like a block of code and is none."""


class Page:
    """One page.

    Args:
        path: The page.
        folder: Where its files are written.
        loop_factory: Makes the event loop in which its ``await`` runs.
        console: Runs a command line and returns what it prints.
    """

    def __init__(
        self,
        path: Path,
        *,
        folder: Path,
        loop_factory: Callable[[], asyncio.AbstractEventLoop],
        console: Callable[[list[str]], str],
    ) -> None:
        self._path = path
        self._folder = folder
        self._loop_factory = loop_factory
        self._console = console
        self._printed = ""

    def run(self, **names: Any) -> None:
        """Run all of it; a block that fails, or that nothing runs, is an AssertionError.

        Args:
            names: What it finds defined. Those with an ``aclose`` are closed in the end.
        """
        with asyncio.Runner(loop_factory=self._loop_factory) as self._runner:
            document = self._parsed()
            document.namespace.update(names)
            ran = set[int]()
            try:
                for example in document.examples():
                    example.evaluate()
                    ran.add(example.line)
            finally:
                for closing in [value for value in names.values() if hasattr(value, "aclose")]:
                    self._runner.run(closing.aclose())
        left = [line for line in blocks_in(self._path.read_text(encoding="utf-8")) if line not in ran]
        assert not left, f"{self._path}: nothing runs the blocks in lines {left}"

    def _parsed(self) -> Document:
        evaluators = (self._run_python, self._run_console, self._compare)
        parsers = map(CodeBlockParser, _LANGUAGES, evaluators)
        return Sybil(parsers=[*parsers]).parse(self._path)

    def _run_python(self, example: Example) -> None:
        source: str = example.parsed
        if file := _FILE.match(source):
            self._printed = self._write(file["name"], source)
            return
        line = example.line + example.parsed.line_offset + 1
        names = example.namespace
        self._printed = run_source(source, path=example.path, line=line, names=names, runner=self._runner)

    def _write(self, name: str, source: str) -> str:
        (self._folder / name).write_text(source, encoding="utf-8")
        if not name.startswith("test_"):
            return ""
        (self._folder / "pytest.ini").write_text("[pytest]\n")  # so that none above is found
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", name]
        ran = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def _run_console(self, example: Example) -> str | None:
        self._printed = ""
        for command, shown in _commands(example.parsed):
            printed = self._console(shlex.split(command))
            if shown and not fits(shown, printed):
                return f"{command} printed:\n{printed}"
        return None

    def _compare(self, example: Example) -> str | None:
        return None if fits(example.parsed, self._printed) else f"the block before printed:\n{self._printed}"


def fits(shown: str, printed: str) -> bool:
    """Whether a text on a page is what was printed; ``…`` stands for anything, and an id for any id."""
    wanted, came = (_ID.sub("<id>", text.strip()) for text in (shown, printed))
    pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", wanted))
    return bool(re.fullmatch(pattern, came, re.DOTALL))


def blocks_in(text: str) -> Iterator[int]:
    """Yield the line of each block of code, by a reading of Markdown that is not Sybil's."""
    closing = ""
    for number, line in enumerate(text.splitlines(), start=1):
        baseline = _FENCE.fullmatch(line)
        if baseline is None:
            continue
        if closing:
            closing = "" if line.strip() == closing else closing
            continue
        closing = baseline["ticks"]
        if baseline["info"].split(" ")[0] not in _DIRECTIVES:
            yield number


def _commands(block: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown
