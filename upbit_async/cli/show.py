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
    """Return a console for a stream: colours and motion on a terminal, plain lines of 79 columns elsewhere."""
    if _wants_colours(stream, os.environ):
        return Console(file=stream, highlight=False)
    # Each option is explicit, because rich would otherwise obey FORCE_COLOR and similar variables.
    return Console(
        file=stream, force_terminal=False, color_system=None, no_color=True, highlight=False, width=_WIDTH
    )


def _wants_colours(stream: TextIO, environment: Mapping[str, str]) -> bool:
    unwanted = any(environment.get(name) for name in ("NO_COLOR", "CI")) or environment.get("TERM") == "dumb"
    return stream.isatty() and not unwanted


def clock(moment: dt.datetime) -> str:
    """Return a time of day in UTC."""
    return f"{moment.astimezone(dt.UTC):%H:%M:%S} UTC"


def digits(amount: Decimal) -> str:
    """Return an amount in positional notation, without trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Show:
    """Output of a command, line by line; each line is flushed at once.

    Args:
        console: The console to print to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0
        try:
            "".join(_ASCII).encode(console.encoding)
        except (UnicodeEncodeError, LookupError):
            self._replacements = str.maketrans(_ASCII)
        else:
            self._replacements = {}

    @property
    def width(self) -> int | None:
        """Number of columns of the terminal; None if the output is no terminal."""
        return self._console.width if self._console.is_terminal else None

    def title(self, text: str) -> None:
        """Print the title."""
        self.line((text, "bold"))

    def step(self, text: str, call: str) -> None:
        """Begin a numbered step, and print the call that it makes."""
        self._steps += 1
        self.line()
        self.line((f"{self._steps}  {text}", "bold"))
        self.line(_INDENT, (f">>> {call}", "dim"))

    def heading(self, text: str) -> None:
        """Begin a part without a number."""
        self.line()
        self.line((text, "bold"))

    def row(self, label: str, text: str) -> None:
        """Print one row of a table of two columns."""
        self.line(_INDENT, (f"{label:<{_LABEL}}", "dim"), text)

    def check(self, label: str, text: str, *, ok: bool = True) -> None:
        """Print a check and its result."""
        mark, colour = ("✓", "green") if ok else ("!", "yellow")
        self.line(_INDENT, (f"{mark} ", colour), f"{label:<{_LABEL - 2}}", text)

    def paragraph(self, text: str, style: str = "", *, depth: int = 1) -> None:
        """Print text, indented and wrapped to the width."""
        indent = _INDENT * depth
        for line in textwrap.wrap(escaped(text), _WIDTH - len(indent), break_on_hyphens=False):
            self.line(indent, (line, style))

    def item(self, label: str, text: str, style: str = "") -> None:
        """Print a row of a table of two columns, with the text wrapped to the width."""
        lines = textwrap.wrap(escaped(text), _WIDTH - len(_INDENT) - _LABEL, break_on_hyphens=False)
        for number, line in enumerate(lines or [""]):
            self.line(_INDENT, (f"{'' if number else label:<{_LABEL}}", "dim"), (line, style))

    def state(self, change: StateChange[Withdrawal], since: dt.datetime) -> None:
        """Print a change of state, with its time and the seconds since the withdrawal was created."""
        state, seconds = change.state.value, (change.at - since).total_seconds()
        missed = "  (at least one state was skipped)" if change.skipped else ""
        self.line(
            _INDENT, f"{clock(change.at)}  {seconds:+6.2f} s  ", (state, _COLOURS.get(state, "")), missed
        )

    def raw(self, text: str) -> None:
        """Print a line that needs no escaping, such as JSON, at once."""
        try:
            self._console.file.write(f"{text}\n")
            self._console.file.flush()
        except BrokenPipeError:
            self._console.on_broken_pipe()

    @contextlib.contextmanager
    def waiting(self, text: str) -> Generator[Callable[[str], None]]:
        """Show a spinner on a terminal while the context is open; call its value to change the text."""
        if not self._console.is_terminal:
            yield lambda _text: None
            return
        with self._console.status(self._text((text, "dim")), spinner_style="dim") as status:
            yield lambda changed: status.update(self._text((changed, "dim")))

    def line(self, *parts: str | tuple[str, str]) -> None:
        """Print one line of texts, each alone or with its style. A terminal wraps it if it is too long."""
        self._console.print(self._text(*parts), soft_wrap=True)

    def _text(self, *parts: str | tuple[str, str]) -> Text:
        """Assemble texts and their styles, escaped, with ASCII for signs that the encoding lacks."""
        pairs = [(part, "") if isinstance(part, str) else part for part in parts]
        return Text.assemble(*((escaped(text).translate(self._replacements), style) for text, style in pairs))
