"""Terminal output: colours on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import textwrap
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from decimal import Decimal

    from upbit_async.models import Withdrawal
    from upbit_async.polling import StateChange

__all__ = ["Show", "clock", "console_for", "digits"]

_WIDTH = 79
_INDENT = "  "
_LABEL = 13
_ASCII = {"✓": "+", "…": "..."}
_COLOURS = {
    "WAITING": "yellow",
    "PROCESSING": "cyan",
    "DONE": "green",
    "FAILED": "red",
    "CANCELLED": "magenta",
    "REJECTED": "red",
}


def console_for(stream: TextIO) -> Console:
    """Return a console: colours and motion for a person at a terminal, plain lines for everybody else."""
    if _is_watched(stream, os.environ):
        return Console(file=stream, highlight=False)
    # Everything is said outright, because rich would follow FORCE_COLOR and its like.
    return Console(
        file=stream, force_terminal=False, color_system=None, no_color=True, highlight=False, width=_WIDTH
    )


def _is_watched(stream: TextIO, environment: Mapping[str, str]) -> bool:
    unwanted = any(environment.get(name) for name in ("NO_COLOR", "CI")) or environment.get("TERM") == "dumb"
    return stream.isatty() and not unwanted


def clock(moment: dt.datetime) -> str:
    """Return a time of day in UTC."""
    return f"{moment.astimezone(dt.UTC):%H:%M:%S} UTC"


def digits(amount: Decimal) -> str:
    """Return an amount without idle zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Show:
    """Tells a story line by line; each line is out before the next begins.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0
        try:
            "".join(_ASCII).encode(console.encoding)
        except (UnicodeEncodeError, LookupError):
            self._signs = str.maketrans(_ASCII)
        else:
            self._signs = {}

    def title(self, text: str) -> None:
        """Say what this is about."""
        self._line((text, "bold"))

    def step(self, text: str, call: str) -> None:
        """Begin a numbered step, and name the call that it shows."""
        self._steps += 1
        self._line()
        self._line((f"{self._steps}  {text}", "bold"))
        self._line(_INDENT, (f">>> {call}", "dim"))

    def heading(self, text: str) -> None:
        """Begin a part that is no step."""
        self._line()
        self._line((text, "bold"))

    def row(self, label: str, text: str) -> None:
        """Show one row of a table of two columns."""
        self._line(_INDENT, (f"{label:<{_LABEL}}", "dim"), text)

    def check(self, label: str, text: str, *, ok: bool = True) -> None:
        """Show a check and what it found."""
        mark, colour = ("✓", "green") if ok else ("!", "yellow")
        self._line(_INDENT, (f"{mark} ", colour), f"{label:<{_LABEL - 2}}", text)

    def say(self, text: str, style: str = "") -> None:
        """Say a sentence or two."""
        for line in textwrap.wrap(escaped(text), _WIDTH - len(_INDENT), break_on_hyphens=False):
            self._line(_INDENT, (line, style))

    def state(self, change: StateChange[Withdrawal], since: dt.datetime) -> None:
        """Show a change of state, with its time and how long after the creation it was seen."""
        state, seconds = change.state.value, (change.at - since).total_seconds()
        missed = "  (one passed unseen)" if change.skipped else ""
        self._line(
            _INDENT, f"{clock(change.at)}  {seconds:+6.2f} s  ", (state, _COLOURS.get(state, "")), missed
        )

    @contextlib.contextmanager
    def waiting(self, text: str) -> Generator[Callable[[str], None]]:
        """Let a terminal see that time passes; the context gets what changes the text."""
        if not self._console.is_terminal:
            yield lambda _text: None
            return
        with self._console.status(self._text((text, "dim")), spinner_style="dim") as status:
            yield lambda changed: status.update(self._text((changed, "dim")))

    def _line(self, *parts: str | tuple[str, str]) -> None:
        self._console.print(self._text(*parts), soft_wrap=True)

    def _text(self, *parts: str | tuple[str, str]) -> Text:
        """Put texts and their styles together, escaped and in signs that the other end can show."""
        pairs = [(part, "") if isinstance(part, str) else part for part in parts]
        return Text.assemble(*((escaped(text).translate(self._signs), style) for text, style in pairs))
