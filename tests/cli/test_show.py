"""Output of the command: colours and a spinner at a terminal, plain lines elsewhere."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal

import pytest

from upbit_async.cli.show import Show, console_for, digits
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.polling import StateChange

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def change(state: str, *, seconds: float, skipped: bool = False) -> StateChange[Withdrawal]:
    word = WithdrawalState(state)
    record = Withdrawal(uuid="u", currency="USDT", state=word, amount=Decimal(13))
    at = NOON + dt.timedelta(seconds=seconds)
    return StateChange(previous=None, state=word, record=record, skipped=skipped, at=at)


def show_everything(stream: io.StringIO) -> str:
    show = Show(console_for(stream))
    show.title("Title [bold]")
    show.step("Step", "call(…)")
    show.heading("Heading")
    show.row("label", "text")
    show.check("label", "good")
    show.check("label", "bad", ok=False)
    show.say("words " * 30)
    with show.waiting("…") as tell:
        tell("waiting …")
        show.state(change("DONE", seconds=61.5, skipped=True), NOON)
    return stream.getvalue()


def test_terminal_output_has_colours_and_a_spinner() -> None:
    text = show_everything(Terminal())
    assert "\x1b[1mTitle [bold]\x1b[0m" in text
    assert "\x1b[32mDONE\x1b[0m" in text
    assert "\x1b[?25l" in text  # the cursor is hidden ...
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # ... and comes back


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("CI", "true"), ("TERM", "dumb")])
def test_terminal_output_is_plain_if_the_environment_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert show_everything(Terminal()) == show_everything(io.StringIO())


def test_output_to_a_file_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    lines = show_everything(io.StringIO()).splitlines()
    assert lines[:8] == [
        "Title [bold]",
        "",
        "1  Step",
        "  >>> call(…)",
        "",
        "Heading",
        "  label        text",
        "  ✓ label      good",
    ]
    assert lines[-1] == "  12:01:01 UTC  +61.50 s  DONE  (one passed unseen)"
    assert max(map(len, lines)) <= 79


def test_signs_are_replaced_where_the_encoding_lacks_them() -> None:
    raw = io.BytesIO()
    show = Show(console_for(io.TextIOWrapper(raw, encoding="ascii", write_through=True)))
    show.check("address", "TFak…keFa")
    assert raw.getvalue().split() == [b"+", b"address", b"TFak...keFa"]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("13", "13"),
        ("13.0", "13"),
        ("13.240", "13.24"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("1E-8", "0.00000001"),
    ],
)
def test_amounts_are_written_in_full_without_trailing_zeros(amount: str, text: str) -> None:
    assert digits(Decimal(amount)) == text
