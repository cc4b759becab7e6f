"""Escaping of foreign texts: one line, without invisible characters."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest

from upbit_async.escaping import escaped
from upbit_async.logs import logger

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

ODD = {
    "newline": ("a\nERROR b", "a\\nERROR b"),
    "carriage return": ("a\rb", "a\\rb"),
    "tab": ("a\tb", "a\\tb"),
    "null": ("a\0b", "a\\x00b"),
    "escape": ("\x1b[31mred", "\\x1b[31mred"),
    "terminal title": ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    "C1 control": ("\x9b31m", "\\x9b31m"),
    "delete": ("\x7f", "\\x7f"),
    "next line": ("a\x85b", "a\\x85b"),
    "line separator": ("a\u2028b", "a\\u2028b"),
    "paragraph separator": ("a\u2029b", "a\\u2029b"),
    "right-to-left override": ("a\u202eb", "a\\u202eb"),
    "isolates": ("\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"),
    "marks": ("\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"),
    "zero width": ("US\u200bDT\ufeff", "US\\u200bDT\\ufeff"),
    "soft hyphen": ("US\u00adDT", "US\\xadDT"),
    "tags": ("\U000e0041", "\\U000e0041"),
    "lone surrogate": ("a\udcffb", "a\\udcffb"),
    "no-break space": ("a\u00a0b", "a\\xa0b"),
    "filler": ("USDT\u3164", "USDT\\u3164"),
}


@pytest.mark.parametrize(("text", "shown"), ODD.values(), ids=ODD)
def test_invisible_characters_are_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(shown) == shown


@pytest.mark.parametrize(
    "text", ["", "withdraw_address_not_registered", "주소가 틀렸습니다", "Ünïcödé → ✓ 🙂", "a\\b"]
)
def test_ordinary_text_is_returned_unchanged(text: str) -> None:
    assert escaped(text) is text


def test_no_control_or_direction_character_remains() -> None:
    left = escaped("".join(map(chr, range(sys.maxunicode + 1))))
    assert {unicodedata.category(each) for each in left} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} == set()
    left.encode()


def test_long_hostile_text_is_escaped_in_one_pass() -> None:
    # A pass for each character would run into the suite's time limit.
    assert len(escaped("\u202e\n" * 500_000)) == 8 * 500_000


# -- log lines -------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    found = logger("upbit_async.test")
    yield found
    found.filters.clear()


def test_log_record_is_one_line(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log.warning("%s of %d is in state %s", "USDT\nERROR forged", 7, "\x1b[2J")
    assert caplog.messages == ["USDT\\nERROR forged of 7 is in state \\x1b[2J"]


def test_harmless_log_arguments_reach_handlers_unchanged(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    error = ValueError("plain")
    log.warning("%s %s %s", error, None, 1.5)
    assert caplog.records[0].args == (error, None, 1.5)


def test_exception_text_cannot_forge_a_log_line(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        raise ValueError("USDT\nERROR forged \x1b[2J")  # noqa: TRY301 - it is logged with its frames
    except ValueError:
        log.exception("the observer raised")
    lines = caplog.text.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [lines[0]]
    assert "  ERROR forged \\x1b[2J" in lines
    assert any("test_escaping.py" in line for line in lines)


def test_logger_gets_one_escaping_filter(log: logging.Logger) -> None:
    assert logger(log.name) is log
    assert len(log.filters) == 1
