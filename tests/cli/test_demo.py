"""``upbit-async demo``: what it prints, and that the sandbox's ledger agrees with it."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from typing import Any

import pytest

from upbit_async.cli import Exit, demo, main
from upbit_async.cli.show import Show, console_for
from upbit_async.models import Withdrawal, WithdrawalState
from upbit_async.sandbox import Fault, Sandbox, Transitions

FAST = ("demo", "--speed", "50")
COUNT = "1 POST on the wire, 1 withdrawal in the ledger."


@pytest.fixture
def sandboxes(monkeypatch: pytest.MonkeyPatch) -> list[Sandbox]:
    """The sandboxes that the demo has made."""
    made: list[Sandbox] = []

    class RecordedSandbox(Sandbox):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(demo, "Sandbox", RecordedSandbox)
    return made


def output(capsys: pytest.CaptureFixture[str], *options: str, speed: str = "50") -> str:
    """Run the demo, which must succeed, and return what it prints."""
    code = main(["demo", "--speed", speed, *options])
    out, err = capsys.readouterr()
    assert (code, err) == (Exit.OK, "")
    return out


def row(text: str, label: str) -> str:
    """Return a field of the final record."""
    found = re.search(rf"^  {label} +(.+)$", text.partition("The final record")[2], re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("lost", [(), ("--lose-answer",)])
@pytest.mark.parametrize(
    ("end", "error", "movements"),
    [
        ("done", None, ["created", "settled"]),
        ("failed", "WithdrawalFailed", ["created", "released"]),
        ("cancelled", "WithdrawalCancelled", ["created", "released"]),
        ("rejected", "WithdrawalRejected", ["created", "released"]),
    ],
)
def test_demo_shows_every_final_state(
    capsys: pytest.CaptureFixture[str],
    sandboxes: list[Sandbox],
    end: str,
    error: str | None,
    movements: list[str],
    lost: tuple[str, ...],
) -> None:
    text = output(capsys, "--end", end, *lost)

    (sandbox,) = sandboxes
    (entry,) = sandbox.ledger.created
    assert [each.kind for each in sandbox.ledger] == movements
    assert len(sandbox.requests.of("POST")) == 1
    assert len(sandbox.requests.of("DELETE")) == (end == "cancelled")
    assert (row(text, "uuid"), row(text, "state")) == (entry.uuid, end.upper())
    assert (row(text, "amount"), row(text, "fee")) == ("13 USDT on TRX", "1 USDT")
    assert (row(text, "txid") == "-") == (end != "done")
    assert (row(text, "done at") == "-") == (end == "cancelled")  # as Upbit publishes it
    assert f"raises {error}" in text if error else "returns the record" in text
    assert COUNT in text


def test_demo_steps_name_their_calls_in_the_order_of_the_tutorial(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys)
    calls = re.findall(r"^  >>> .*client\.(\w+\.\w+)", text, re.MULTILINE)
    assert calls == ["withdraws.addresses", "status.wallet", "withdraws.check", "withdraws.send"]
    assert re.findall(r"^(\d)  ", text, re.MULTILINE) == list("12345")
    assert len(re.findall(r"^  ✓ ", text, re.MULTILINE)) == 7


def test_states_are_shown_with_time_and_elapsed_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = output(capsys, speed="10")
    states = re.findall(r"^  \d\d:\d\d:\d\d UTC +\+(\d+\.\d\d) s  ([A-Z]+)", text, re.MULTILINE)
    seconds = [float(after) for after, _ in states]
    assert states[0][1] == "WAITING"
    assert states[-1][1] == "DONE"
    assert seconds == sorted(seconds)
    assert 0.4 <= seconds[-1] <= 10


def test_lost_answer_is_explained_and_the_withdrawal_found(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "--lose-answer", speed="10")
    steps = (
        "OutcomeUnknown",
        "withdrawal of 13 USDT on TRX to TFak…keFa",
        "do not send it again",
        "a second POST might pay twice",
        "client.withdraws.reconcile(unknown)",
        "found",
        "poller.changes()",
        "WAITING",
        COUNT,
    )
    positions = [text.find(part) for part in steps]
    assert -1 not in positions
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("region", "how"),
    [
        ("sg", 'exchange_name="Binance"'),
        ("kr", 'exchange_name="Binance"'),
        ("id", 'address="TFak…keFa"'),
        ("th", 'address="TFak…keFa"'),
    ],
)
def test_regions_without_exchange_names_use_the_address(
    capsys: pytest.CaptureFixture[str], sandboxes: list[Sandbox], region: str, how: str
) -> None:
    assert f"withdraws.send(..., {how})" in output(capsys, "--region", region)
    assert [sandbox.region.value for sandbox in sandboxes] == [region]


def test_memo_of_another_currency_is_sent(
    capsys: pytest.CaptureFixture[str], sandboxes: list[Sandbox]
) -> None:
    text = output(capsys, "--currency", "XRP", "--net-type", "XRP", "--amount", "20.5")
    assert "123456789, sent along" in text
    assert row(text, "amount") == "20.5 XRP on XRP"
    assert sandboxes[0].ledger[0].secondary_address == "123456789"


def test_warning_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    # The balance is 10000 USDT and the fee 1: it is not documented which side the fee is taken from.
    assert re.search(r"^  ! note +\S", output(capsys, "--amount", "9998.5"), re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--amount", "1"), "PreflightFailed: .* less than the minimum, 5"),
        (("--amount", "20000"), "PreflightFailed: .* does not cover"),
        (("--currency", "XYZ", "--net-type", "XYZ"), "PreflightFailed: .* no address for XYZ is registered"),
        (("--currency", "NOPE"), "NotFound: .* no wallet for NOPE"),
    ],
)
def test_refusal_is_printed_without_a_traceback(
    capsys: pytest.CaptureFixture[str], sandboxes: list[Sandbox], options: tuple[str, ...], error: str
) -> None:
    assert main([*FAST, *options]) == Exit.FAILED
    message = capsys.readouterr().err
    assert re.match(f"upbit-async: {error}", message)
    assert message.count("\n") == 1
    assert not sandboxes[0].requests.of("POST")


def test_output_and_log_contain_no_key(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    sandboxes: list[Sandbox],
) -> None:
    caplog.set_level(0)
    text = output(capsys, "--lose-answer") + caplog.text
    assert sandboxes[0].credentials.access_key.reveal() not in text
    assert sandboxes[0].credentials.secret_key.reveal() not in text
    assert sandboxes[0].ledger[0].address not in text


@pytest.mark.parametrize(("key", "url"), [("the-real-one", "http://127.0.0.1:1"), ("", "")])
def test_keys_and_servers_of_the_environment_are_not_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, key: str, url: str
) -> None:
    for name in ("UPBIT_SG_ACCESS_KEY", "UPBIT_SG_SECRET_KEY", "UPBIT_ACCESS_KEY"):
        monkeypatch.setenv(name, key)
    for name in ("UPBIT_BASE_URL", "UPBIT_SG_BASE_URL", "HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, url)
    assert COUNT in output(capsys)


def test_piped_output_is_plain_and_at_most_79_columns_wide(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    text = output(capsys, "--lose-answer")
    assert text.replace("\n", "").isprintable()
    assert max(map(len, text.splitlines())) <= 79
    assert not re.search("[\u2500-\u257f]", text)  # boxes


# -- failures --------------------------------------------------------------------------------------


def test_unexpected_final_state_fails_the_demo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.Wish, "plan", Transitions.immediate("FAILED"))
    assert main(FAST) == Exit.FAILED
    assert "should have ended as DONE, not as FAILED" in capsys.readouterr().err


def test_answer_that_was_not_lost_fails_the_demo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_PLACE", "/v1/elsewhere")
    assert main([*FAST, "--lose-answer"]) == Exit.FAILED
    assert "should have been lost, and was not" in capsys.readouterr().err


def test_withdrawal_that_is_not_found_fails_the_demo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    never_arrived = Fault.reset_before("POST", "/v1/withdraws/coin")

    def lose(*_args: object, **_options: object) -> Fault:
        return never_arrived

    monkeypatch.setattr(Fault, "lose_answer", lose)
    assert main([*FAST, "--lose-answer"]) == Exit.FAILED
    assert "should have been found, and is not_found" in capsys.readouterr().err


def test_ledger_that_does_not_agree_fails_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    record = Withdrawal(uuid="u", currency="USDT", state=WithdrawalState.DONE, amount=Decimal(13))
    with pytest.raises(demo.DemoError, match="one POST, and one withdrawal"):
        demo.show_books(Sandbox("sg"), record, Show(console_for(sys.stdout)))
    assert "0 POSTs on the wire, 0 withdrawals in the ledger." in capsys.readouterr().out
