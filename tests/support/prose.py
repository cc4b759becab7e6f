"""The prose of the project: documentation, docstrings, comments and the texts of messages."""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["TELLS", "tells_in"]

TELLS = (
    "a person's word",
    "anew",
    "as it is then",
    "besides",
    "(?:come|comes|came|coming) to",
    "gone",
    "heard",
    "is for a person",
    "lest",
    "of its own",
    "(?:see|sees|saw|seen|seeing) to",
    "so long",
    "so many",
    "(?:take|takes|took|taken|taking) along",
    "(?:take|takes|took|taken|taking) note",
    "thereof",
    "told",
    "very",
    "what became of",
    "whoever",
    "wish(?:es|ed)?",
)
"""Patterns of archaic or literary phrases; each has a plain alternative."""

_TELL = re.compile(rf"\b(?:{'|'.join(TELLS)})\b", re.IGNORECASE)
_STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def tells_in(path: Path) -> list[str]:
    """Return every archaic or literary phrase in the prose of a file: of Markdown all text, of Python no names."""
    text = path.read_text(encoding="utf-8")
    prose = " \n".join(_prose_of_python(text)) if path.suffix == ".py" else text
    return [tell.lower() for tell in _TELL.findall(" ".join(prose.split()))]


def _prose_of_python(text: str) -> Iterator[str]:
    """Yield strings and comments; the lines of one comment follow each other."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")
        elif token.type in _STRINGS:
            yield token.string
