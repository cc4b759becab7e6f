"""Runner for the code blocks of a documentation page, in order, as one program.

- ``python`` runs, with top-level ``await``, as at the prompt of ``python -m asyncio``. If its first line is a comment
  with a file name, it is written to that file instead, and pytest runs test files.
- ``console`` runs too: each line after a ``$`` is a command, and its output follows.
- ``text`` is what the block before printed. An ellipsis matches anything, and an id matches any id.

Code that a page needs but does not show is in comments: ``<!--- invisible-code-block: python``.
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
"""The id of a transfer or a transaction."""
_LANGUAGES = ("python", "console", "text")
_DIRECTIVES = frozenset({"{toctree}", "{eval-rst}", "{endpoints}"})
"""Fences that are directives and not code."""


class Page:
    """One page.

    Args:
        path: The page.
        folder: Folder for the files that the page writes.
        loop_factory: Factory of the event loop for the page's ``await``.
        console: Function that runs a command line and returns its output.
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
        """Run the page; a block that fails, or that nothing runs, is an AssertionError.

        Args:
            names: Names that the page finds defined. Values with an ``aclose`` are closed at the end.
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
        (self._folder / "pytest.ini").write_text("[pytest]\n")  # hides that of a parent folder
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
    """Whether a text on a page matches the output; ``…`` matches anything, and an id matches any id."""
    wanted, came = (_ID.sub("<id>", text.strip()) for text in (shown, printed))
    pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", wanted))
    return bool(re.fullmatch(pattern, came, re.DOTALL))


def blocks_in(text: str) -> Iterator[int]:
    """Yield the line of each code block, found without Sybil so that a block that Sybil misses is noticed."""
    closing = ""
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.fullmatch(line)
        if fence is None:
            continue
        if closing:
            closing = "" if line.strip() == closing else closing
            continue
        closing = fence["ticks"]
        if fence["info"].split(" ")[0] not in _DIRECTIVES:
            yield number


def _commands(block: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown
