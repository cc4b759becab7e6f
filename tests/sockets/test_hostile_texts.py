"""Hostile texts from a server or a caller: they cannot forge a log line or control a terminal."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from clients import WITHDRAWAL, client_for, withdrawal_json
from fault_server import Connection, Ending, answers, closes, http, serve

from upbit_async import UpbitClient, errors
from upbit_async.checks import contradictions
from upbit_async.cli import main
from upbit_async.cli.show import Show, console_for
from upbit_async.escaping import escaped
from upbit_async.models import Intent, Withdrawal, WithdrawalState
from upbit_async.payouts.payout import Evidence, HistoryEntry, Payout, PayoutState
from upbit_async.polling.resume import read_token
from upbit_async.protocol.message import compose

if TYPE_CHECKING:
    from upbit_async.events import Event

HOSTILE = "USDT\nERROR:upbit_async:forged \x1b[2J\x1b]0;x\x07 \u202egnp\u2066 \u2028\u200b\udcff"
AT = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
RECORD = Withdrawal(uuid=HOSTILE, currency=HOSTILE, state=WithdrawalState(HOSTILE), amount=Decimal(1))
INTENT = Intent(
    endpoint="POST /v1/withdraws/coin",
    host="h",
    members=dict.fromkeys(("currency", "net_type", "address"), HOSTILE) | {"amount": "13"},
    started_at=AT,
)


def assert_harmless(text: str) -> None:
    assert text
    assert escaped(text) == text


def error_body() -> bytes:
    text = HOSTILE.replace("\udcff", "")  # JSON cannot contain it
    return json.dumps({"error": {"name": text, "message": text}}).encode()


REFUSALS = {400: errors.ValidationError, 401: errors.AuthenticationError, 418: errors.Banned}


@pytest.mark.parametrize(("status", "kind"), REFUSALS.items())
async def test_refusal_texts_are_escaped(status: int, kind: type[errors.APIError]) -> None:
    async def refuse(connection: Connection, request: bytes) -> None:
        await connection.send(http(status, error_body()))

    async with serve(refuse) as server, client_for(server.url) as client:
        with pytest.raises(kind) as caught:
            await client.withdraws.list()
    for text in (str(caught.value), repr(caught.value), caught.value.name, caught.value.message):
        assert_harmless(text)
    assert "\\x1b[2J" in str(caught.value)


async def test_raw_keeps_the_text_unescaped() -> None:
    hostile = HOSTILE.replace("\udcff", "")

    async def answer(connection: Connection, request: bytes) -> None:
        await connection.send(http(201, hostile.encode()))

    async with serve(answer) as server, client_for(server.url) as client:
        with pytest.raises(errors.OutcomeUnknown) as caught:
            await client.withdraws.create(**WITHDRAWAL)
        assert caught.value.raw == hostile
        assert_harmless(str(caught.value))
        with pytest.raises(errors.DecodeError) as misfit:
            await client.withdraws.list()
    assert misfit.value.raw == hostile
    assert_harmless(str(misfit.value))


@pytest.mark.parametrize(
    "ending", [answers(http(201, b"x")), answers(b"HTTP/1.1 \x1b[2J\xe2\x80\xae x\r\n\r\n"), closes]
)
async def test_callers_currency_cannot_forge_a_log_line(
    ending: Ending, caplog: pytest.LogCaptureFixture
) -> None:
    async def behave(connection: Connection, request: bytes) -> bool | None:
        return await ending(connection)

    hostile: dict[str, Any] = WITHDRAWAL | {"currency": HOSTILE.replace("\udcff", "")}
    with caplog.at_level(logging.DEBUG, "upbit_async"):
        async with serve(behave) as server, client_for(server.url) as client:
            with pytest.raises(errors.OutcomeUnknown) as caught:
                await client.withdraws.create(**hostile)
    assert_harmless(str(caught.value))
    assert caplog.messages
    for line in caplog.messages:
        assert_harmless(line)


async def test_observer_exception_cannot_forge_a_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def observe(event: Event) -> None:
        raise ValueError(HOSTILE)

    async def answer(connection: Connection, request: bytes) -> None:
        await connection.send(http(201, withdrawal_json()))

    async with serve(answer) as server, client_for(server.url, observer=observe) as client:
        await client.withdraws.create(**WITHDRAWAL)
    assert "ValueError" in caplog.text
    assert not [line for line in caplog.text.splitlines() if line.startswith("ERROR:upbit_async:forged")]
    assert "\x1b" not in caplog.text
    assert "\u202e" not in caplog.text


def test_every_error_is_one_escaped_line() -> None:
    reason = errors.Reason("unknown_network", HOSTILE)
    assert_harmless(reason.text)
    about: dict[str, Any] = {"status": 400, "name": HOSTILE, "message": HOSTILE, "endpoint": "GET /"}
    for error in (
        errors.PreflightFailed(HOSTILE, reasons=(reason,)),
        errors.OutcomeUnknown(HOSTILE, intent=INTENT, raw=HOSTILE, name=HOSTILE),
        errors.DecodeError(HOSTILE, path=HOSTILE),
        errors.NotFound(HOSTILE, **about),
        errors.PayoutConflict(HOSTILE),
        errors.JournalError(HOSTILE),
    ):
        assert_harmless(str(error))
        assert_harmless(repr(error))


def test_intent_and_payout_texts_are_escaped() -> None:
    client = UpbitClient("sg")
    history = (HistoryEntry(at=AT, state=PayoutState.NEEDS_REVIEW, note=HOSTILE),)
    payout = Payout(
        key=HOSTILE, state=PayoutState.NEEDS_REVIEW, intent=INTENT, history=history, evidence=Evidence.MANUAL
    )
    for text in (
        str(INTENT),
        repr(INTENT),
        str(payout),
        payout.reason,
        repr(client.withdraws.poller(HOSTILE.replace("\udcff", ""))),
        contradictions(INTENT, RECORD),
    ):
        assert_harmless(text)


def test_wrong_argument_is_shown_escaped() -> None:
    token = json.dumps({"v": 1, "kind": HOSTILE, "region": HOSTILE, "host": HOSTILE, "uuid": "u"})
    region = UpbitClient("sg").region
    attempts: list[Any] = [
        lambda: read_token(token, kind="withdrawal", region=region, host="h"),
        lambda: compose("POST", "/", {HOSTILE: object()}),  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
        lambda: compose("POST", "/", {HOSTILE: Decimal("NaN")}),
        lambda: UpbitClient(HOSTILE[:7]),
    ]
    for attempt in attempts:
        with pytest.raises((ValueError, TypeError)) as caught:
            attempt()
        assert_harmless(str(caught.value))


# -- the terminal ----------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO, _Terminal])
def test_terminal_output_is_escaped(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    out = stream()
    show = Show(console_for(out))
    show.title(HOSTILE)
    show.step(HOSTILE, HOSTILE)
    show.row(HOSTILE, HOSTILE)
    show.check(HOSTILE, HOSTILE)
    show.paragraph(HOSTILE)
    with show.waiting(HOSTILE) as looking:
        looking(HOSTILE)
    for odd in ("\x1b[2J", "\x1b]0;", "\u202e", "\u2066", "\u2028", "\u200b", "\udcff", "\nERROR"):
        assert odd not in out.getvalue()


def test_command_errors_are_escaped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["demo", "--amount", HOSTILE])

    async def fail(*_: object) -> None:
        raise OSError(HOSTILE)

    monkeypatch.setattr(sys.modules["upbit_async.cli.demo"], "run", fail)
    main(["demo"])
    for odd in ("\x1b[2J", "\u202e", "\nERROR"):
        assert odd not in capsys.readouterr().err
