"""Pictures of ``upbit-async payouts`` in a terminal, for the runbook.

``python docs/pictures.py`` makes them: it runs the commands in a terminal, on a journal that pays from a sandbox. Ids
and times are replaced by fixed ones, so that the text is the same in each run.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from upbit_async.client import UpbitClient
from upbit_async.payouts import Payouts, SqliteJournal
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALT_TEXTS", "FOLDER", "digest", "head", "texts", "write"]

FOLDER: Final = Path(__file__).parent / "images"
"""Folder of the pictures."""
ALT_TEXTS: Final = {
    "review-list": "The command list shows two payouts that wait for a decision, and one that is done.",
    "review-show": "The command show explains that several withdrawals fit the payout, lists both, and names the "
    "commands that can settle it.",
    "review-resolve": "The command resolve shows the payout and the withdrawal side by side, and then the payout, "
    "which is done.",
    "review-retry": "The command retry shows the payout and what will happen, and asks for the payout's key, which "
    "the operator types.",
}
"""The pictures, and what they show."""

_WIDTH: Final = 110
_INVOICE: Final = {"currency": "USDT", "net_type": "TRX", "address": "TFakeTronWithdrawAddressFakeFakeFa"}
_CREATE: Final = ("POST", "/v1/withdraws/coin")
_IDS: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{64}\b")
_CUT_ID: Final = re.compile(r"(?<= )([0-9a-f]{8}[0-9a-f-]{0,27})(?=…)")
_TIMES: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d UTC)?")
_AGES: Final = re.compile(r"\(\d+ (s|min) ago\)")
_FONTS: Final = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


async def _prepare(path: Path, url: str, sandbox: Sandbox) -> str:
    """Make the payouts of the pictures, and return a candidate of the one that needs review."""
    async with (
        UpbitClient("sg", credentials=sandbox.credentials, base_url=url) as client,
        Payouts(client, SqliteJournal(path), settling_time=0.1) as payouts,
    ):
        await payouts.send("invoice-43", amount="50", **_INVOICE)
        sandbox.faults.add(Fault.lose_answer(*_CREATE))
        await payouts.send("invoice-44", amount="13", until="accepted", **_INVOICE)
        sandbox.withdrawals.create_on_website("USDT", "TRX", "13", address=_INVOICE["address"])
        doubtful = await payouts.wait("invoice-44")
        sandbox.faults.add(Fault.reset_before(*_CREATE))
        await payouts.send("invoice-45", amount="25", **_INVOICE)
    return doubtful.candidates[0]


def texts() -> dict[str, str]:
    """Run the commands, and return what the terminal shows, by the names of the pictures."""
    sandbox = Sandbox("sg", transitions=Transitions.immediate())
    with tempfile.TemporaryDirectory() as name, sandbox.serve() as url:
        folder = Path(name)
        environment = {
            "UPBIT_BASE_URL": url,
            "UPBIT_ACCESS_KEY": sandbox.credentials.access_key.reveal(),
            "UPBIT_SECRET_KEY": sandbox.credentials.secret_key.reveal(),
            "SUDO_USER": "ann",
        }
        candidate = asyncio.run(_prepare(folder / "payouts.db", url, sandbox))
        note = ["--note", "found by its txid"]
        commands: dict[str, tuple[list[str], str]] = {
            "review-list": (["list"], ""),
            "review-show": (["show", "invoice-44"], ""),
            "review-resolve": (["resolve", "invoice-44", "--uuid", candidate, *note], ""),
            "review-retry": (["retry", "invoice-45", "--note", "the network is back"], "invoice-45"),
        }
        shown = {
            picture: _in_terminal(words, typed, folder, environment)
            for picture, (words, typed) in commands.items()
        }
    return _with_fixed_values(shown)


def _in_terminal(words: list[str], typed: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command in a terminal, type what it asks for, and return all that the terminal shows."""
    arguments = ["payouts", *words, "--journal", "payouts.db", "--region", "sg"]
    master, slave = os.openpty()
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("UPBIT_", "NO_COLOR", "CI"))
    }
    with subprocess.Popen(
        [sys.executable, "-m", "upbit_async.cli", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env=kept | environment | {"TERM": "xterm", "COLUMNS": str(_WIDTH), "PYTHONIOENCODING": "utf-8"},
    ):
        os.close(slave)
        shown = b""
        while part := _read(master):
            shown += part
            if typed and f"Type {typed} ".encode() in shown and shown.endswith(b": "):
                os.write(master, f"{typed}\n".encode())
                typed = ""
    os.close(master)
    return f"$ {shlex.join(['upbit-async', *arguments])}\n{shown.decode()}".replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """Read what the terminal shows next; empty at its end, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def _with_fixed_values(shown: Mapping[str, str]) -> dict[str, str]:
    """Replace ids and times, which differ in each run. An id may be cut at the edge of the terminal."""
    fixed: dict[str, str] = {}
    for number, found in enumerate(_IDS.findall("\n".join(shown.values()))):
        fixed.setdefault(
            found, f"4b1fa8f1-3d44-4b2f-9a5c-{number:012x}" if "-" in found else f"{number:064x}"
        )

    def fixed_id(cut: re.Match[str]) -> str:
        return next(new[: len(cut[1])] for real, new in fixed.items() if real.startswith(cut[1]))

    def fixed_values(text: str) -> str:
        for real, new in fixed.items():
            text = text.replace(real, new)
        text = _CUT_ID.sub(fixed_id, text)
        text = _TIMES.sub(lambda found: "2026-11-26 03:12:04 UTC"[: len(found[0])], text)
        return _AGES.sub("(12 min ago)", text)

    return {picture: fixed_values(text) for picture, text in shown.items()}


def digest(text: str) -> str:
    """Return the digest of what a picture shows."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def head(text: str) -> str:
    """Return the first line of a picture: it shows whether the picture is current."""
    return f"<!-- docs/pictures.py {digest(text)} -->"


def _drawn(picture: str, text: str) -> str:
    """Return a picture of a terminal."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text), soft_wrap=False)
    return console.export_svg(
        title="upbit-async",
        theme=SVG_EXPORT_THEME,
        code_format=_FONTS.sub("", CONSOLE_SVG_FORMAT),  # a page should load nothing from elsewhere
        unique_id=picture,
    )


def write() -> None:
    """Write all pictures."""
    for picture, text in texts().items():
        path = FOLDER / f"{picture}.svg"
        path.write_text(f"{head(text)}\n{_drawn(picture, text)}", encoding="utf-8")


if __name__ == "__main__":
    write()
