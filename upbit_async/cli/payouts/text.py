"""Payouts as text for a terminal."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from upbit_async.cli.payouts.advice import STATES, advice_for, sentence
from upbit_async.cli.show import digits
from upbit_async.escaping import escaped
from upbit_async.models.intent import shortened
from upbit_async.payouts import PayoutState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from upbit_async.cli.payouts.options import JournalOptions
    from upbit_async.cli.show import Show
    from upbit_async.models import Withdrawal
    from upbit_async.payouts import Payout

__all__ = [
    "amount_of",
    "moment",
    "payment_of",
    "show_advice",
    "show_comparison",
    "show_history",
    "show_payout",
    "show_rows",
    "show_withdrawals",
]

STYLES: Final[Mapping[PayoutState, str]] = {
    PayoutState.DONE: "green",
    PayoutState.ACCEPTED: "cyan",
    PayoutState.SENDING: "cyan",
    PayoutState.UNKNOWN: "yellow",
    PayoutState.NOT_SENT: "yellow",
    PayoutState.DECLINED: "red",
    PayoutState.FAILED: "red",
    PayoutState.REJECTED: "red",
    PayoutState.CANCELLED: "magenta",
    PayoutState.NEEDS_REVIEW: "bold red",
}
_WIDEST: Final = 40
"""Width that a column of a table has at most; a longer text shifts the rest of its row."""


def moment(time: dt.datetime | None, now: dt.datetime | None = None) -> str:
    """Return a time in UTC, and with `now` how long ago it was."""
    if time is None:
        return "-"
    text = f"{time.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    return text if now is None else f"{text} ({_age(now - time)})"


def _age(span: dt.timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds < 0:
        return "in the future, by this machine's clock"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def amount_of(payout: Payout) -> str:
    """Return a payout's amount and currency."""
    amount = payout.intent.amount
    return "-" if amount is None else f"{digits(amount)} {payout.intent.currency}"


def payment_of(payout: Payout, options: JournalOptions) -> str:
    """Return what a payout pays, and where."""
    intent = payout.intent
    if intent.amount is None:
        return "not known any more: it was compacted"
    address, memo = intent.address or "", intent.secondary_address
    if not options.full_addresses:
        address, memo = shortened(address), shortened(memo) if memo else memo
    return f"{amount_of(payout)} on {intent.net_type} to {address}{f' with memo {memo}' if memo else ''}"


def show_payout(payout: Payout, options: JournalOptions, show: Show) -> None:
    """Show a payout: its payment, its state, and why."""
    sent_request, now = payout.sent_request, dt.datetime.now(dt.UTC)
    show.title(f"Payout {payout.key}")
    show.item("payment", payment_of(payout, options))
    show.item("state", payout.state.value, STYLES.get(payout.state, ""))
    show.item("", sentence(STATES[payout.state].meaning))
    show.item("reason", payout.reason or "-")
    show.item("requested", moment(payout.created_at, now))
    if payout.not_after is not None:
        show.item("not after", moment(payout.not_after))
    if sent_request is not None:
        copies = "1 copy" if sent_request.copies == 1 else f"{sent_request.copies} copies, the last one"
        show.item("sent", f"{copies} at {moment(sent_request.left_utc, now)}")
    if payout.uuid is not None:
        show.item("withdrawal", payout.uuid)
    if payout.record is not None:
        for fact in _facts(payout.record):
            show.item("", fact)
    if payout.evidence is not None:
        show.item("known by", payout.evidence.value)


def show_advice(payout: Payout, options: JournalOptions, show: Show) -> None:
    """Show what can be done about a payout, and what can't happen."""
    advice = advice_for(payout, options)
    show.heading("What can be done now")
    show.paragraph(advice.text)
    for line in advice.commands:
        show.line("  ", (line, "bold"))
    show.paragraph(f"It can never {STATES[payout.state].never}.", "dim")


def show_history(payout: Payout, show: Show) -> None:
    """Show all changes of a payout, with who decided them."""
    show.heading("History")
    for entry in payout.history:
        by = f"  by {entry.actor}" if entry.actor else ""
        show.line("  ", (moment(entry.at), "dim"), "  ", (entry.state.value, STYLES.get(entry.state, "")), by)
        show.paragraph(entry.note, depth=2)


def show_withdrawals(
    records: Mapping[str, Withdrawal | str], show: Show, heading: str = "Candidates"
) -> None:
    """Show withdrawals: each with its record, or why that is not known."""
    show.heading(heading)
    for uuid, record in records.items():
        show.line("  ", (uuid, "bold"))
        for fact in [record] if isinstance(record, str) else _facts(record):
            show.paragraph(fact, depth=2)


def show_comparison(payout: Payout, record: Withdrawal, options: JournalOptions, show: Show) -> None:
    """Show a payout and a withdrawal side by side."""
    left = 44
    show.heading("Is this the payout?")
    show.row("", f"{'payout':<{left}}withdrawal")
    fee = "" if record.fee is None else f" + fee {digits(record.fee)}"
    rows = {
        "id": (payout.key, record.uuid),
        "amount": (amount_of(payout), f"{digits(record.amount)} {record.currency}{fee}"),
        "network": (payout.intent.net_type or "-", record.net_type or "-"),
        "time": (f"requested {moment(payout.created_at)}", f"created {moment(record.created_at)}"),
        "state": (payout.state.value, record.state.value),
        "destination": (payment_of(payout, options).partition(" to ")[2], "Upbit's API does not show it"),
        "txid": ("-", record.txid or "-"),
    }
    for label, (ours, theirs) in rows.items():
        show.row(label, f"{escaped(ours):<{left}}{theirs}")


def _facts(record: Withdrawal) -> list[str]:
    """Return what is known about a withdrawal, line by line."""
    fee = "" if record.fee is None else f" with a fee of {digits(record.fee)}"
    network = f" on {record.net_type}" if record.net_type else ""
    facts = [
        f"{record.state.value}, {digits(record.amount)} {record.currency}{fee}{network}",
        f"created {moment(record.created_at)}",
    ]
    return [*facts, f"txid {record.txid}"] if record.txid else facts


def show_rows(payouts: Iterable[Payout], show: Show) -> None:
    """Show payouts, one per line. A terminal shows as much of the reason as fits."""
    rows = [
        (
            (escaped(payout.key), "bold"),
            (payout.state.value, STYLES.get(payout.state, "")),
            (amount_of(payout), ""),
            (f"{payout.created_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}", "dim"),
            (payout.reason, ""),
        )
        for payout in payouts
    ]
    if not rows:
        show.line("no payouts")
        return
    widths = [min(_WIDEST, max(len(row[column][0]) for row in rows)) for column in range(len(rows[0]) - 1)]
    for row in rows:
        show.line(*_padded(row, widths, show.width))


def _padded(
    row: Sequence[tuple[str, str]], widths: Sequence[int], columns: int | None
) -> list[tuple[str, str]]:
    """Return a row whose columns are aligned, and whose last column fits the terminal."""
    *cells, (reason, style) = row
    parts = [(f"{text:<{width}}  ", style) for (text, style), width in zip(cells, widths, strict=True)]
    left = None if columns is None else max(0, columns - sum(len(text) for text, _ in parts))
    if left is not None and len(reason) > left:
        reason = f"{reason[: max(0, left - 1)]}…"
    return [*parts, (reason, style)]
