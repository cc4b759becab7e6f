"""Escaping of texts from a server or a caller, before a log, an error or a terminal shows them."""

from __future__ import annotations

import functools
import re
from typing import Final

__all__ = ["escaped"]

# Printable by Unicode's definition, but invisible: fillers, and marks that only affect other characters.
_INVISIBLE: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\uffa0"
_INVISIBLE_CHARACTER: Final = re.compile(f"[{_INVISIBLE}]")


def escaped(text: str) -> str:
    r"""Return a text on one line, with all invisible characters as escape sequences.

    Control characters (such as line breaks and ESC, which starts terminal commands), characters that reverse the
    direction of writing, line and paragraph separators, zero-width characters, spaces other than the ordinary one,
    and lone surrogates become ``\n``, ``\x1b``, ``\u202e`` and so on. A backslash is kept, so escaping twice is the
    same as escaping once.
    """
    if text.isprintable() and (text.isascii() or not _INVISIBLE_CHARACTER.search(text)):
        return text
    return "".join([_written(character) for character in text])


@functools.lru_cache(maxsize=1024)
def _written(character: str) -> str:
    if character.isprintable() and not _INVISIBLE_CHARACTER.match(character):
        return character
    return character.encode("unicode_escape").decode("ascii")
