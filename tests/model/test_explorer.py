"""The explorer itself: rewritten operations, relative time, the journal as a value, and traces."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs
import pytest
from explorer.ages import NOW, OLDEST, STEP, aged
from explorer.commands import main
from explorer.journal_state import STALE, JournalState, execute
from explorer.properties import TRUE
from explorer.search import explore
from explorer.service import replaced
from explorer.setup import Setup
from explorer.values import Interned, rewritten
from explorer.world import World
from payout_samples import REFUSED, SENDING, UNKNOWN, WHEN, planned

from upbit_async.payouts import DepartureConditions, Payout, StaleBaseline, StaleRevision, transitions
from upbit_async.payouts.departure import UNCONDITIONAL
from upbit_async.payouts.journal_time import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.state import State

WITHOUT_L = Setup(false={"L"}, reads_at_once=True)


# -- values and time ---------------------------------------------------------------------------------


def test_equal_values_have_one_number_and_others_have_others() -> None:
    values = Interned()
    number = values.number(SENDING)
    assert values.number(attrs.evolve(SENDING)) == number
    assert values.number(UNKNOWN) != number
    assert values.number(True) != values.number(1)
    assert values.value(number) is SENDING


def test_time_passes_until_it_is_old() -> None:
    moment = Moment.at(NOW)
    for _ in range(OLDEST + 2):
        moment = rewritten(moment, aged)
    assert moment == Moment.at(attrs.evolve(NOW, seconds=-OLDEST * STEP))


def test_what_was_requested_does_not_age() -> None:
    older = rewritten(SENDING, aged)
    assert older.intent is SENDING.intent
    assert older.required_request.left_at != SENDING.required_request.left_at


# -- the journal as a value --------------------------------------------------------------------------


@pytest.fixture
def _without_event_loop() -> Iterator[None]:
    with replaced():
        yield


def added(*keys: str) -> JournalState:
    journal = JournalState()
    for key in keys:
        journal = execute(journal, "add", (planned(key),)).state
    return journal


def departing(journal: JournalState, key: str) -> tuple[Payout, Payout]:
    row = journal.row(key)
    assert row is not None
    return row, attrs.evolve(SENDING, key=key, revision=row.revision)


@pytest.mark.usefixtures("_without_event_loop")
def test_journal_as_a_value_swaps_only_the_newest_revision() -> None:
    journal = added("a")
    row, sending = departing(journal, "a")
    outcome = execute(journal, "compare_and_swap", (row, sending, UNCONDITIONAL))
    assert outcome.result == outcome.state.row("a")
    assert (outcome.written, outcome.appended) == (("a",), ("a",))
    stale = attrs.evolve(row, revision=STALE)
    refused = execute(journal, "compare_and_swap", (stale, sending, UNCONDITIONAL))
    assert isinstance(refused.error, StaleRevision)
    assert refused.state == journal


@pytest.mark.usefixtures("_without_event_loop")
@pytest.mark.parametrize("position", [0b00, 0b01, 0b10])
def test_position_is_the_set_of_the_payouts_that_have_changed_since(position: int) -> None:
    journal = added("a", "b")
    row, sending = departing(journal, "a")
    declined = transitions.declined(sending, REFUSED, lease_holder="me", now=WHEN)
    journal = execute(journal, "compare_and_swap", (row, declined, UNCONDITIONAL)).state
    conditions = DepartureConditions(baseline_position=position)
    outcome = execute(journal, "compare_and_swap", (*departing(journal, "b"), conditions))
    assert isinstance(outcome.error, StaleBaseline) == (position == 0b01)


# -- operations --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setup",
    [
        Setup(copies=2, crashes=1, processes=2),
        Setup(amounts=("13", "13"), reads_at_once=True),
        Setup(amounts=("13", "14"), shows_net=True, reads_at_once=True),
    ],
)
def test_rewritten_operation_is_where_a_replay_leads(setup: Setup) -> None:
    with replaced():
        world = World(setup)
        busy = [process for state in some_states(world, 3000) for process in state.processes if process]
        assert len(busy) > 1000
        for process in set(busy):
            assert world.is_reproducible(process), world.describe(process)


def some_states(world: World, count: int) -> list[State]:
    found = {world.initial: None}
    queue = deque(found)
    while queue and len(found) < count:
        for step in world.steps(queue.popleft()):
            if step.state not in found:
                found[step.state] = None
                queue.append(step.state)
    return list(found)


# -- searches ----------------------------------------------------------------------------------------


def test_trace_is_the_shortest_and_always_the_same() -> None:
    first, again = explore(WITHOUT_L), explore(WITHOUT_L)
    assert first == again
    (violation,) = first.violations
    assert violation.problem == TRUE
    assert violation.trace[-1] == "A writes a as not_sent (ends: a is not_sent)"
    assert str(violation).startswith(f"violated: {TRUE}\n  1. A begins to drive a")


def test_search_can_be_given_up() -> None:
    found = explore(Setup(copies=2, crashes=2), most_states=50)
    assert not found.is_complete
    assert 50 < found.states < 100


def test_unknown_assumption_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no assumption M"):
        Setup(false={"M"})


def test_command_prints_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["short", "refusals"]) == 0
    assert main(["mutations", "settling takes no time"]) == 0
    assert main(["trace", "EQUAL"]) == 0
    assert main(["nonsense"]) == 2
    shown = capsys.readouterr().out
    assert "refusals: 934 states" in shown
    assert "settling takes no time\nviolated:" in shown
    assert "the command must be one of table, trace" in shown
