"""What each state of a payout means, and what an operator can do about it. Pure.

The words are those of the table in the documentation.
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

__all__ = ["STATES", "Advice", "StateWords", "advice_for", "command_line"]

_MOST_COMMANDS: Final = 5


@attrs.frozen
class StateWords:
    """A state in words.

    Attributes:
        meaning: What has happened.
        action: What an operator can do.
        never: What can never happen in this state by itself.
    """

    meaning: str
    action: str
    never: str


_PAID_ELSEWHERE: Final = StateWords(
    "The withdrawal ended at Upbit without being paid. Upbit releases the locked amount.",
    "Find out why on Upbit's website. To pay again, use a new key.",
    "It is never sent again.",
)

STATES: Final[Mapping[PayoutState, StateWords]] = {
    PayoutState.PLANNED: StateWords(
        "`send` could not send it yet, and only its caller sends it.",
        "Let your program call `send` or `enqueue` with the same key, or abandon it.",
        "`run` never sends it.",
    ),
    PayoutState.QUEUED: StateWords(
        "It waits to be sent by `run`. The reason says what it waits for.",
        "Remove what the reason names, or abandon it.",
        "It is never sent while it is blocked, or while payouts are paused.",
    ),
    PayoutState.SENDING: StateWords(
        "Its request is being sent, by one task of one process.",
        "Wait: it ends with an answer, or with its lease.",
        "No other task or process sends it meanwhile.",
    ),
    PayoutState.ACCEPTED: StateWords(
        "Upbit has the withdrawal, and has not ended it.",
        "Wait. To stop it, cancel the withdrawal at Upbit while Upbit allows it.",
        "It is never sent again.",
    ),
    PayoutState.DONE: StateWords(
        "Upbit has paid it.",
        "Nothing.",
        "It is never sent again.",
    ),
    PayoutState.FAILED: _PAID_ELSEWHERE,
    PayoutState.CANCELLED: _PAID_ELSEWHERE,
    PayoutState.REJECTED: _PAID_ELSEWHERE,
    PayoutState.DECLINED: StateWords(
        "It was not accepted, by a check or by Upbit, and no money has moved.",
        "Correct what the reason names, then retry it.",
        "It is never sent without a retry.",
    ),
    PayoutState.UNKNOWN: StateWords(
        "The answer was lost, so it may have been paid or not.",
        "Wait: `run` determines the outcome after the settling time.",
        "It is never sent again in this state, and no equal payout is sent.",
    ),
    PayoutState.NOT_SENT: StateWords(
        "Upbit's list does not show the withdrawal after the settling time.",
        "Retry it, which sends the same request with the same nonce, or abandon it.",
        "It is never sent with a new nonce without a manual decision.",
    ),
    PayoutState.NEEDS_REVIEW: StateWords(
        "Upbit's list does not show whether it was paid.",
        "Compare its candidates with Upbit's website, then resolve it.",
        "It is never sent, nor decided, without a manual decision.",
    ),
    PayoutState.ABANDONED: StateWords(
        "It was given up, and nothing more is sent. That is no proof that nothing was sent before.",
        "If it has candidates, compare them with Upbit's website, then resolve or acknowledge them.",
        "It is never sent again.",
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
    return Advice(words.action, commands)


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
    return Advice(STATES[payout.state].action, (lines.for_key("abandon"),))


def _advice_for_not_sent(payout: Payout, lines: _Lines) -> Advice:
    """Return what can be done about a payout that Upbit's list does not show."""
    abandon = lines.for_key("abandon")
    if not payout.required_request.arrived:
        return Advice(STATES[payout.state].action, (lines.for_key("retry"), abandon))
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
