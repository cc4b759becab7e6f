"""The Python examples in the docstrings of a package, found by reading its source.

An example is a ``.. code-block:: python`` in the ``Example:`` section of a docstring. Reading the source instead of
importing it finds the docstrings of private objects, of attributes and of overridden methods as well.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from source_tree import parsed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Docstring", "DocstringExample", "docstrings_in", "run_source"]

_SECTION = re.compile(r"( *)Examples?:")
_DIRECTIVE = re.compile(r"( *)\.\. code-block:: python")
_LITERAL = re.compile(r"( *)(?!\.\. ).*::")
_OTHER_FORMS = re.compile(r" *((```|~~~) *py|>>> )")


@dataclass(frozen=True)
class DocstringExample:
    """One block of code.

    Attributes:
        path: The file.
        line: The line of its first line in the file, from 1.
        source: The code, without indentation.
    """

    path: Path
    line: int
    source: str


@dataclass(frozen=True)
class Docstring:
    """One docstring.

    Attributes:
        name: The dotted name of the module, class or function that it belongs to.
        path: The file.
        line: Its first line in the file, from 1.
        text: The text, as it is indented in the file.
    """

    name: str
    path: Path
    line: int
    text: str

    @property
    def examples(self) -> list[DocstringExample]:
        """Its executable examples."""
        lines = self.text.splitlines()
        return [self._example(lines, at) for at, line in enumerate(lines) if _DIRECTIVE.fullmatch(line)]

    @property
    def problems(self) -> list[str]:
        """What in it looks like an example and is not executed."""
        lines = self.text.splitlines()
        return [
            f"{self.path}:{self.line + at}: {problem}"
            for at, line in enumerate(lines)
            for problem in self._problems(lines, at, line)
        ]

    def _problems(self, lines: list[str], at: int, line: str) -> Iterator[str]:
        if _OTHER_FORMS.match(line):
            yield "write an example as `.. code-block:: python`"
        if section := _SECTION.fullmatch(line):
            block = _indented(lines, at, len(section[1]))
            if not any(_DIRECTIVE.fullmatch(each) for each in block):
                yield "a section `Example:` needs a `.. code-block:: python`"
        if (literal := _LITERAL.fullmatch(line)) and _is_python(_indented(lines, at, len(literal[1]))):
            yield "Python code after `::` is not executed: use `.. code-block:: python`"

    def _example(self, lines: list[str], at: int) -> DocstringExample:
        block = _indented(lines, at, len(lines[at]) - len(lines[at].lstrip()))
        return DocstringExample(self.path, self.line + at + 1, dedent("\n".join(block)))


def docstrings_in(package: Path) -> Iterator[Docstring]:
    """Yield every docstring of a package, and every string that documents an attribute."""
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        module = ".".join(parts).removesuffix(".__init__")
        yield from _docstrings(path, parsed(path.read_text(encoding="utf-8")), module)


def _docstrings(path: Path, node: ast.AST, name: str) -> Iterator[Docstring]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Expr(value=ast.Constant(value=str(text), lineno=line)):
                yield Docstring(name, path, line, text)
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _docstrings(path, child, f"{name}.{child.name}")
            case _:
                yield from _docstrings(path, child, name)


def _indented(lines: list[str], at: int, margin: int) -> list[str]:
    """Return the lines below a line that are indented by more than `margin`."""
    block: list[str] = []
    for line in lines[at + 1 :]:
        if line.strip() and len(line) - len(line.lstrip()) <= margin:
            break
        block.append(line)
    return block


def _is_python(block: list[str]) -> bool:
    source = dedent("\n".join(block))
    with contextlib.suppress(SyntaxError):
        return bool(
            compile(source, "<block>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT).body
        )
    return False


def run_source(
    source: str, *, path: Path | str, line: int, names: dict[str, Any], runner: asyncio.Runner
) -> str:
    """Run code in which ``await`` may stand at the top level, and return what it prints.

    Args:
        source: The code.
        path: The file that tracebacks show.
        line: The line of the code's first line in that file, from 1.
        names: The namespace in which it runs.
        runner: Runs the coroutine that the code becomes if it awaits.
    """
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile("\n" * (line - 1) + source, str(path), "exec", flags=flags, dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        work = eval(code, names)  # noqa: S307 - the lines that a reader copies
        if inspect.iscoroutine(work):
            runner.run(work)
    return out.getvalue()
