"""What each state of a payout means, and what an operator can do about it. Pure.

The words are those of ``docs/reference/payout-states.md``; a test compares them.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from upbit_async.errors import PayoutBlocked
from upbit_async.escaping import escaped
from upbit_async.payouts import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upbit_async.cli.payouts.options import JournalOptions

__all__ = ["STATES", "Advice", "StateWords", "advice_for", "command_line", "sentence"]

_MOST_COMMANDS: Final = 5


@attrs.frozen
class StateWords:
    """A state in the words of the reference of payout states.

    Attributes:
        meaning: What it means.
        action: What you can do.
        never: What it can never do.
    """

    meaning: str
    action: str
    never: str


STATES: Final[Mapping[PayoutState, StateWords]] = {
    PayoutState.PLANNED: StateWords(
        "`send` could not send it yet, and no copy counts",
        "call `send` again with the same key, or `enqueue`; `abandon` it",
        "leave by `run`; become `unknown`, `not_sent` or `declined` before it was `sending`",
    ),
    PayoutState.QUEUED: StateWords(
        "`enqueue` or `retry` has accepted it; `reason` says what it waits for",
        "nothing; `abandon` it if you do not want it any more",
        "become `planned`; leave while payouts are paused",
    ),
    PayoutState.SENDING: StateWords(
        "one task of one process is sending its request",
        "nothing: its answer or its lease ends it",
        "be sent a second time; become `abandoned`",
    ),
    PayoutState.ACCEPTED: StateWords(
        "Upbit has the withdrawal, and `uuid` is known",
        "nothing; `client.withdraws.cancel` may still cancel it at Upbit",
        "be sent; become `planned`, `queued`, `unknown`, `declined` or `abandoned`",
    ),
    PayoutState.DONE: StateWords(
        "Upbit has paid it",
        "nothing",
        "be sent; become `planned`, `queued`, `unknown`, `declined` or `abandoned`",
    ),
    PayoutState.FAILED: StateWords(
        "the withdrawal failed at Upbit, which releases the amount",
        "to pay all the same, use a new key",
        "be sent; become `planned`, `queued`, `unknown`, `declined` or `abandoned`",
    ),
    PayoutState.CANCELLED: StateWords(
        "the withdrawal was cancelled at Upbit, which releases the amount",
        "to pay all the same, use a new key",
        "be sent; become `planned`, `queued`, `unknown`, `declined` or `abandoned`",
    ),
    PayoutState.REJECTED: StateWords(
        "Upbit rejected the withdrawal, and releases the amount",
        "to pay all the same, use a new key",
        "be sent; become `planned`, `queued`, `unknown`, `declined` or `abandoned`",
    ),
    PayoutState.DECLINED: StateWords(
        "a check or Upbit refused the request, and no money has moved",
        "correct what `reason` names, then `retry`; for another amount or address use a new key",
        "be sent; become `accepted`, `done`, `not_sent` or `abandoned`",
    ),
    PayoutState.UNKNOWN: StateWords(
        "the answer was lost, and the settling time is running",
        "nothing; `resolve` it if you know the outcome",
        "be sent; become `planned`, `queued` or `abandoned`",
    ),
    PayoutState.NOT_SENT: StateWords(
        "Upbit's list shows no withdrawal that could be this payout",
        "`retry` sends the same request again; `abandon` it; `resolve` it if you know better",
        "become `planned`; leave with a new nonce without `resolve` and `retry`",
    ),
    PayoutState.NEEDS_REVIEW: StateWords(
        "Upbit's list allows more than one conclusion",
        "compare `candidates` with Upbit's website, then `resolve` it",
        "be sent; become `planned`, `queued`, `unknown` or `abandoned`",
    ),
    PayoutState.ABANDONED: StateWords(
        "`abandon` or `not_after` has ended it; no proof that nothing was sent before",
        "nothing; if `is_open`, `resolve` it or `acknowledge` its candidates",
        "be sent; become `planned`, `queued`, `unknown`, `not_sent` or `declined`",
    ),
}


@attrs.frozen
class Advice:
    """What can be done about a payout.

    Attributes:
        text: The advice.
        commands: Command lines that do it.
    """

    text: str
    commands: tuple[str, ...] = ()


def sentence(words: str) -> str:
    """Return words of `STATES` as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def command_line(options: JournalOptions, command: str, subject: str, *flags: str) -> str:
    """Return a command line that can be copied into a shell.

    Args:
        options: The journal and the region that it is about.
        command: The command, such as ``retry``.
        subject: The payout's key or the withdrawal's id.
        flags: Further options.
    """
    if escaped(subject) != subject:  # what a terminal can't show can't be copied
        subject = "KEY"
    flags = (*flags, "--journal", options.journal, "--region", options.region.value)
    if options.group_shared:
        flags = (*flags, "--group-shared")
    words = (*flags, "--", subject) if subject.startswith("-") else (subject, *flags)
    return shlex.join(["upbit-async", "payouts", command, *words])


def advice_for(payout: Payout, options: JournalOptions) -> Advice:
    """Return what can be done about a payout now, with the command lines."""
    words, lines = STATES[payout.state], _Lines(payout, functools.partial(command_line, options))
    if payout.state.may_be_sent:
        return _advice_for_unsent(payout, lines)
    commands: tuple[str, ...] = ()
    match payout.state:
        case PayoutState.NOT_SENT:
            return _advice_for_not_sent(payout, lines)
        case PayoutState.DECLINED:
            commands = (lines.for_key("retry"),)
        case PayoutState.NEEDS_REVIEW:
            commands = (*lines.resolutions, lines.for_key("resolve", "--not-sent"))
        case PayoutState.ABANDONED if payout.candidates:
            commands = (*lines.resolutions, *lines.acknowledgements)
        case _:
            pass
    return Advice(sentence(words.action), commands)


@attrs.frozen
class _Lines:
    """Command lines about a payout and its candidates."""

    payout: Payout
    line: Callable[..., str]

    def for_key(self, command: str, *flags: str) -> str:
        return self.line(command, self.payout.key, *flags)

    @property
    def resolutions(self) -> tuple[str, ...]:
        uuids = self.payout.candidates[:_MOST_COMMANDS] or ("UUID",)
        return tuple(self.for_key("resolve", "--uuid", uuid) for uuid in uuids)

    @property
    def acknowledgements(self) -> tuple[str, ...]:
        return tuple(self.line("acknowledge", uuid) for uuid in self.payout.candidates[:_MOST_COMMANDS])


def _advice_for_unsent(payout: Payout, lines: _Lines) -> Advice:
    """Return what can be done about a payout that waits to be sent."""
    if payout.candidates:
        return Advice(
            "A withdrawal that no payout owns could be this payment. Compare it with Upbit's website. If it is another "
            "payment, acknowledge it; then this payout is sent. If it is this payment, resolve the payout.",
            (*lines.acknowledgements, *lines.resolutions),
        )
    if isinstance(payout.error, PayoutBlocked) and payout.error.by_key is not None:
        other = payout.error.by_key
        return Advice(f"The payout {other!r} must be settled first.", (lines.line("show", other),))
    return Advice(sentence(STATES[payout.state].action), (lines.for_key("abandon"),))


def _advice_for_not_sent(payout: Payout, lines: _Lines) -> Advice:
    """Return what can be done about a payout that Upbit's list does not show."""
    abandon = lines.for_key("abandon")
    if not payout.required_request.arrived:
        return Advice(sentence(STATES[payout.state].action), (lines.for_key("retry"), abandon))
    renew = lines.for_key("retry", "--new-nonce")
    if payout.evidence is Evidence.MANUAL:
        return Advice(
            "Upbit has refused its nonce as used, so it can only be retried with a new nonce. Or abandon it.",
            (renew, abandon),
        )
    return Advice(
        "Upbit has refused its nonce as used: a copy has arrived, whatever its outcome. Compare with Upbit's website, "
        "and record the outcome. Only then can it be retried with a new nonce.",
        (*lines.resolutions, lines.for_key("resolve", "--not-sent"), renew),
    )
