"""Diagrams of the documentation as Graphviz sources: rooms, payout states, and the flow of a withdrawal and a payout.

A page shows one by ``<!--- diagram: name -->``; `SOURCES` has the names. ``python docs/diagrams.py`` writes the
picture of the README, which is committed.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grimp

from upbit_async.payouts.states import EDGES, PayoutState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["ALT_TEXTS", "PICTURE", "SOURCES", "USUAL_MOVES", "digest", "imports_between_rooms", "insert"]

PICTURE: Final = Path(__file__).parent / "images" / "payout-states.svg"
"""The picture in the README."""

_PACKAGE: Final = "upbit_async"
_FONT: Final = 'fontname="Helvetica,Arial,sans-serif"'
_HEAD: Final = (
    'bgcolor="transparent" pad=0.2 nodesep=0.3 ranksep=0.45',
    f'node [shape=box style="rounded,filled" {_FONT} fontsize=12 margin="0.14,0.08" height=0.4]',
    f"edge [{_FONT} fontsize=10 arrowsize=0.7]",
)


def _graph(lines: Iterable[str]) -> str:
    return "\n".join(["digraph {", *(f"  {line}" for line in (*_HEAD, *lines)), "}"])


_FILLS: Final = {"step": "#eef3f8", "doubt": "#fff3d1", "stop": "#fbe6e6", "end": "#e3f4e8"}
"""Kinds of boxes and their colours in the README's picture; in pages ``diagrams.css`` sets the colours."""


def _node(name: str, label: str = "", kind: str = "step") -> str:
    return f'"{_line(name)}" [label="{_line(label or name)}" class="{kind}" fillcolor="{_FILLS[kind]}"]'


def _edge(start: str, end: str, label: str = "") -> str:
    return f'"{_line(start)}" -> "{_line(end)}" [label="{_line(label)}"]'


def _line(text: str) -> str:
    return text.replace("\n", "\\n")


# -- rooms -----------------------------------------------------------------------------------------


def imports_between_rooms() -> dict[str, set[str]]:
    """Return which rooms each room imports directly.

    A room is a package, or a module of the root that imports one. Imports for type checkers only don't count.
    """
    graph = grimp.build_graph(_PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    imports: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules - {_PACKAGE}:
        for imported in graph.find_modules_directly_imported_by(module):
            if (start := _room(module)) != (end := _room(imported)):
                imports[start].add(end)
    packages = {_room(module) for module in graph.modules if module.count(".") > 1}
    rooms = packages | {room for room, imported in imports.items() if imported & packages}
    return {room: imports[room] & rooms for room in sorted(rooms)}


def _room(module: str) -> str:
    return module.removeprefix(f"{_PACKAGE}.").partition(".")[0]


def _reachable(room: str, imports: Mapping[str, set[str]]) -> set[str]:
    return imports[room].union(*(_reachable(each, imports) for each in imports[room]))


def rooms() -> str:
    """Draw the rooms. An import is left out if a longer way over other imports leads to the same room."""
    imports = imports_between_rooms()
    lines = [_node(room) for room in imports]
    for room, imported in imports.items():
        indirect = set[str]().union(*(_reachable(each, imports) for each in imported))
        lines += [_edge(room, each) for each in sorted(imported - indirect)]
    return _graph(lines)


# -- payout states ---------------------------------------------------------------------------------

_ENDS: Final = (PayoutState.DONE, PayoutState.FAILED, PayoutState.CANCELLED, PayoutState.REJECTED)
_ENDED: Final = "done · failed\ncancelled · rejected"
USUAL_MOVES: Final[Mapping[tuple[PayoutState, PayoutState], str]] = {
    (PayoutState.PLANNED, PayoutState.SENDING): "send again",
    (PayoutState.QUEUED, PayoutState.SENDING): "recorded as leaving",
    (PayoutState.QUEUED, PayoutState.DECLINED): "a check failed for good",
    (PayoutState.SENDING, PayoutState.PLANNED): "nothing was sent",
    (PayoutState.SENDING, PayoutState.QUEUED): "nothing was sent",
    (PayoutState.SENDING, PayoutState.ACCEPTED): "Upbit answered",
    (PayoutState.SENDING, PayoutState.DECLINED): "Upbit refused",
    (PayoutState.SENDING, PayoutState.UNKNOWN): "the answer was lost",
    (PayoutState.UNKNOWN, PayoutState.ACCEPTED): "found in Upbit's list",
    (PayoutState.UNKNOWN, PayoutState.NOT_SENT): "not in Upbit's list",
    (PayoutState.UNKNOWN, PayoutState.NEEDS_REVIEW): "the list is ambiguous",
    **{(PayoutState.ACCEPTED, end): "followed to its end" for end in _ENDS},
    (PayoutState.NEEDS_REVIEW, PayoutState.ACCEPTED): "resolve(uuid=…)",
    (PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT): "resolve(not_sent=True)",
    (PayoutState.DECLINED, PayoutState.QUEUED): "retry",
    (PayoutState.NOT_SENT, PayoutState.QUEUED): "retry",
    (PayoutState.NOT_SENT, PayoutState.ABANDONED): "abandon",
}
"""The usual moves of a payout and what causes each. The others in `EDGES` are in the table only."""
_KINDS: Final = {
    PayoutState.UNKNOWN: "doubt",
    PayoutState.NEEDS_REVIEW: "doubt",
    PayoutState.NOT_SENT: "stop",
    PayoutState.DECLINED: "stop",
    PayoutState.ABANDONED: "stop",
    **dict.fromkeys(_ENDS, "end"),
}


def payout_states() -> str:
    """Draw the usual moves of a payout; the four ends of a withdrawal are one box."""
    if impossible := [move for move in USUAL_MOVES if move[1] not in EDGES[move[0]]]:
        raise AssertionError(f"no payout can move so: {impossible}")
    names = {state: _ENDED if state in _ENDS else state.value for state in PayoutState}
    lines = {_node(name, kind=_KINDS.get(state, "step")): None for state, name in names.items()}
    edges = {
        _edge(names[start], names[end], f" {cause} "): None for (start, end), cause in USUAL_MOVES.items()
    }
    return _graph([*lines, *edges])


def state_table() -> str:
    """Return all moves of a payout as a Markdown table: the usual ones and the rare ones."""
    rows = [("from", "usually to", "rarely to"), ("---",) * 3]
    for start in PayoutState:
        usual = [end for end in PayoutState if (start, end) in USUAL_MOVES]
        rare = [end for end in PayoutState if end in EDGES[start] - {start, *usual}]
        rows.append(
            (f"`{start}`", *(", ".join(f"`{end}`" for end in ends) or "none" for ends in (usual, rare)))
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


# -- flows -----------------------------------------------------------------------------------------


def withdrawal_flow() -> str:
    """Draw one call of ``client.withdraws.send``."""
    return _graph(
        [
            _node(
                "check",
                "preflight: registered address and memo,\nwallet, account, minimum, decimals, balance",
            ),
            _node("wait", "wait for a connection slot\nand for the rate limit"),
            _node("connect", "open a new connection,\nsign the request"),
            _node("send", "first byte leaves:\nrepeated only after Upbit's own 429", "doubt"),
            _node("poller", "WithdrawalPoller", "end"),
            _node("failed", "PreflightFailed\nnothing was sent", "stop"),
            _node("not_sent", "NotSent\nnothing was sent", "stop"),
            _node("refused", "APIError\nno money moved", "stop"),
            _node("unknown", "OutcomeUnknown\ncall reconcile", "doubt"),
            _edge("check", "wait", " all checks pass "),
            _edge("check", "failed", " a check fails "),
            _edge("wait", "connect"),
            _edge("wait", "not_sent", " the time is over "),
            _edge("connect", "wait", " no connection: try again "),
            _edge("connect", "not_sent", " still none after 3 attempts "),
            _edge("connect", "send"),
            _edge("send", "poller", " Upbit confirms\n this withdrawal "),
            _edge("send", "refused", " a named 4xx, or 418 "),
            _edge("send", "wait", " Upbit's own 429 "),
            _edge("send", "unknown", " anything else "),
            _edge("unknown", "poller", " found in the list "),
        ]
    )


def payout_flow() -> str:
    """Draw one call of ``Payouts.send``, and what ``Payouts.run`` does with a queued payout."""
    return _graph(
        [
            _node("start", "send, or run with a queued payout:\nmake all checks of client.withdraws.check"),
            _node("baseline", "read Upbit's newest withdrawals: the baseline"),
            _node("wait", "wait for equal payouts to be settled,\nfor a connection slot and the rate limit"),
            _node("commit", "record nonce and body in the journal: sending"),
            _node("lease", "check the lease, send the first byte", "doubt"),
            _node("follow", "follow the withdrawal: accepted"),
            _node("end", "done · failed · cancelled · rejected", "end"),
            _node("declined", kind="stop"),
            _node(
                "settle", "wait for the settling time: unknown\nread the list back to the baseline", "doubt"
            ),
            _node("not_sent", kind="stop"),
            _node("review", "needs_review", "doubt"),
            _node(
                "held",
                "nothing was sent: send raises an error,\nrun keeps the payout queued until later",
                "stop",
            ),
            _edge("start", "baseline"),
            _edge("start", "held", " a check fails "),
            _edge("baseline", "wait"),
            _edge("baseline", "held", " unreadable, or it shows an equal\n withdrawal that no payout owns "),
            _edge("wait", "commit"),
            _edge("commit", "held", " paused, above a limit,\n or it can't be written "),
            _edge("commit", "lease"),
            _edge("lease", "held", " provably not processed "),
            _edge("lease", "follow", " Upbit confirms "),
            _edge("lease", "declined", " Upbit refuses "),
            _edge("lease", "settle", " the answer is lost,\n or the process dies "),
            _edge("follow", "end"),
            _edge("settle", "follow", " one withdrawal fits "),
            _edge("settle", "not_sent", " two lists show none\n that could be it "),
            _edge("settle", "review", " otherwise "),
            _edge("review", "follow", " resolve(uuid=…) "),
            _edge("review", "not_sent", " resolve(not_sent=True) "),
        ]
    )


def payout_processes() -> str:
    """Draw two processes of a service, and a job, that share a journal."""
    return _graph(
        [
            "rankdir=LR",
            _node("request", "web request"),
            _node("job", "script or job"),
            _node("enqueue", "enqueue"),
            _node("send", "send:\nits own payout only"),
            _node("journal", "journal", "end"),
            _node("first", "run in process 1:\nits claimed payouts"),
            _node("second", "run in process 2:\nits claimed payouts"),
            _node("Upbit", kind="doubt"),
            _edge("request", "enqueue"),
            _edge("job", "send"),
            _edge("enqueue", "journal", " one write "),
            _edge("journal", "first", " claims "),
            _edge("journal", "second", " claims "),
            _edge("send", "journal", " records the departure "),
            _edge("send", "Upbit"),
            _edge("first", "Upbit"),
            _edge("second", "Upbit"),
        ]
    )


# -- pages and the picture -------------------------------------------------------------------------

SOURCES: Final[Mapping[str, Callable[[], str]]] = {
    "rooms": rooms,
    "payout-states": payout_states,
    "withdrawal-flow": withdrawal_flow,
    "payout-flow": payout_flow,
    "payout-processes": payout_processes,
}
"""The diagrams that a page can show."""
ALT_TEXTS: Final = {
    "rooms": "The rooms of the package; each arrow is an import",
    "payout-states": "The states of a payout and its usual moves",
    "withdrawal-flow": "What client.withdraws.send does, and each way in which it can end",
    "payout-flow": "How a payout is sent, and each way in which that can end",
    "payout-processes": "Two processes that run payouts, a web request that enqueues and a job that sends",
}


def insert(page: str, *, drawn: bool) -> str:
    """Return a page with its diagrams in place of the comments that name them.

    Args:
        page: The page, as Markdown.
        drawn: Whether Graphviz draws them. Otherwise the page shows their sources.
    """

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        head = f"```{{graphviz}}\n:alt: {ALT_TEXTS[name]}" if drawn else "```text"
        return f"{head}\n\n{SOURCES[name]()}\n```"

    page = re.sub(r"<!--- diagram: (?P<name>[\w-]+) -->", block, page)
    return page.replace("<!--- payout moves -->", state_table())


def digest(source: str) -> str:
    """Return what the README's picture shows of the source from which it was made."""
    return hashlib.sha256(source.encode()).hexdigest()


def main() -> None:
    """Write the README's picture. It has a background, so it can be read in light and dark."""
    source = payout_states()
    command = ["dot", "-Tsvg", "-Gbgcolor=white"]
    drawn = subprocess.run(command, input=source.encode(), capture_output=True, check=True).stdout.decode()  # noqa: S603 - fixed arguments
    body = re.sub(r"<!--.*?-->\n", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(f"<!-- docs/diagrams.py {digest(source)} -->\n{body}", encoding="utf-8")


if __name__ == "__main__":
    main()
