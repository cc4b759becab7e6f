"""Escape texts from a server or a caller before people read them in a log, an error or a terminal."""

from __future__ import annotations

import functools
import re
from typing import Final

__all__ = ["escaped"]

# Unicode calls these printable, but nothing is drawn for them: fillers, and marks that only steer other characters.
_INVISIBLE: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\uffa0"
_DRAWN_AS_NOTHING: Final = re.compile(f"[{_INVISIBLE}]")


def escaped(text: str) -> str:
    r"""Return a text on one line, with everything that is not drawn written as an escape.

    Line breaks and other control characters (such as ESC, which begins a terminal's commands), characters that turn
    the direction of writing round, line and paragraph separators, zero-width characters, spaces other than the
    ordinary one, and lone surrogates become ``\n``, ``\x1b``, ``\u202e`` and so on. A backslash stays as it is, so a
    text that was escaped before does not change.
    """
    if text.isprintable() and (text.isascii() or not _DRAWN_AS_NOTHING.search(text)):
        return text
    return "".join([_written(character) for character in text])


@functools.lru_cache(maxsize=1024)
def _written(character: str) -> str:
    if character.isprintable() and not _DRAWN_AS_NOTHING.match(character):
        return character
    return character.encode("unicode_escape").decode("ascii")
