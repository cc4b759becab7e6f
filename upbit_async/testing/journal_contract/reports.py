"""Journal contract: selections, changes, health and compaction."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs
import pytest

from upbit_async.errors import ChangesCompacted, JournalError
from upbit_async.payouts import manual
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.pause import Pause
from upbit_async.payouts.payout import Evidence, PayoutState
from upbit_async.payouts.payout_query import PayoutQuery
from upbit_async.testing.journal_contract.samples import (
    DECISION,
    HOST,
    NOW,
    UTC,
    accepted,
    departing,
    noted,
    planned,
    sending,
    settled,
)

if TYPE_CHECKING:
    from upbit_async.payouts.journal import Journal

__all__ = ["ReportContract"]

_WEEK: Final = dt.timedelta(days=7)
_MOMENT: Final = dt.timedelta(seconds=1)


async def _keys(journal: Journal, **properties: Any) -> list[str]:
    return [payout.key for payout in await journal.select(PayoutQuery(**properties))]


class ReportContract:
    """What a journal reports is complete, and stays so when payouts are compacted."""

    # -- selections --------------------------------------------------------------------------------

    async def test_selection_is_newest_first(self, journal: Journal) -> None:
        """By the time of the request, then by the order in which the payouts were added; with their histories."""
        await journal.bind(HOST, "sg")
        await journal.add(planned("late", UTC + _MOMENT))
        first = await sending(journal, "first")
        await journal.add(planned("second", amount="14"))
        assert await _keys(journal) == ["late", "second", "first"]
        assert (await journal.select(PayoutQuery()))[2] == first

    async def test_selection_has_the_properties_that_are_asked_for(self, journal: Journal) -> None:
        """Each alone, and several together."""
        await journal.bind(HOST, "sg")
        await journal.add(planned("planned", amount="1"))
        await accepted(journal, "usdt", "W-1", amount="2")
        await accepted(journal, "xrp", "w-2", currency="XRP")
        await settled(journal, "done", PayoutState.DONE, currency="XRP", amount="3")
        both = [PayoutState.ACCEPTED, PayoutState.DONE]
        assert await _keys(journal, states=both) == ["done", "xrp", "usdt"]
        assert await _keys(journal, states=[]) == []
        assert await _keys(journal, states=[PayoutState.FAILED]) == []
        assert await _keys(journal, currency="XRP") == ["done", "xrp"]
        assert await _keys(journal, states=[PayoutState.ACCEPTED], currency="XRP") == ["xrp"]
        assert await _keys(journal, uuid="w-1") == ["usdt"]
        assert await _keys(journal, uuid="w-1", currency="XRP") == []
        assert await _keys(journal, uuid="w-1", states=[PayoutState.DONE]) == []

    async def test_selection_by_time_includes_its_beginning_and_excludes_its_end(
        self, journal: Journal
    ) -> None:
        """So that two spans that follow each other share no payout."""
        await journal.bind(HOST, "sg")
        for number in range(4):
            at = UTC + number * dt.timedelta(microseconds=1)
            await journal.add(planned(f"k{number}", at, amount=f"{number + 1}"))
        middle = UTC + 2 * dt.timedelta(microseconds=1)
        assert await _keys(journal, created_after=middle) == ["k3", "k2"]
        assert await _keys(journal, created_before=middle) == ["k1", "k0"]
        seoul = dt.timezone(dt.timedelta(hours=9))
        assert await _keys(journal, created_after=middle.astimezone(seoul)) == ["k3", "k2"]

    @pytest.mark.parametrize("states", [None, [PayoutState.PLANNED, PayoutState.QUEUED]])
    async def test_pages_of_a_selection_have_every_payout_once(
        self, journal: Journal, states: list[PayoutState] | None
    ) -> None:
        """Also if many payouts were requested at the same time."""
        await journal.bind(HOST, "sg")
        for number in range(7):
            await journal.add(planned(f"k{number}", UTC + number // 4 * _MOMENT, amount=f"{number + 1}"))
        found = await _keys(journal, states=states, limit=3)
        while page := await _keys(journal, states=states, limit=3, before_key=found[-1]):
            found += page
        assert found == [f"k{number}" for number in reversed(range(7))]
        with pytest.raises(ValueError, match="before_key must be the key of a payout"):
            await _keys(journal, before_key="unknown")

    # -- changes -----------------------------------------------------------------------------------

    async def test_changes_are_returned_in_the_order_of_their_positions(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """With the state before and after, the reason and the actor; those of all journals of a store."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        assert (await journal.position(), list(await journal.changes(0, 10))) == (0, [])
        payout = await journal.add(planned("a"))
        payout = await second_journal.compare_and_swap(payout, noted(payout, "it\nwaits"))
        await second_journal.add(planned("b", amount="14"))
        await journal.compare_and_swap(payout, manual.abandoned(payout, DECISION, NOW))
        changes = await second_journal.changes(0, 10)
        assert [(each.key, each.previous, each.state) for each in changes] == [
            ("a", None, "planned"),
            ("a", "planned", "planned"),
            ("b", None, "planned"),
            ("a", "planned", "abandoned"),
        ]
        assert changes[1].reason == "it\\nwaits"
        assert (changes[3].reason, changes[3].actor, changes[3].at) == (
            "manual decision: abandoned (compared with the website)",
            "Ann",
            UTC,
        )
        positions = [each.position for each in changes]
        assert positions == sorted(set(positions))
        assert await journal.position() == positions[-1]
        assert await journal.changes(positions[1], 1) == changes[2:3]
        assert list(await journal.changes(positions[-1], 10)) == []

    async def test_change_without_an_entry_in_the_history_is_not_returned(self, journal: Journal) -> None:
        """Such as a newer record of the withdrawal in the same state."""
        await journal.bind(HOST, "sg")
        payout = await accepted(journal, "a", "w-1")
        position = await journal.position()
        await journal.compare_and_swap(payout, attrs.evolve(payout, evidence=Evidence.MATCH))
        assert await journal.position() == position

    async def test_refused_change_leaves_no_change(self, journal: Journal) -> None:
        """A reader of changes never sees what was not written."""
        await journal.bind(HOST, "sg")
        await sending(journal, "a")
        position = await journal.position()
        with pytest.raises(ConflictingPayout):
            await sending(journal, "b")
        (added,) = await journal.changes(position, 10)
        assert (added.key, added.state) == ("b", "planned")

    async def test_no_change_appears_before_one_that_was_returned(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """A reader that continues after the newest position misses nothing, while two journals write."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        seen: list[str] = []
        writers = 2

        async def write(used: Journal, name: str) -> None:
            nonlocal writers
            for number in range(10):
                await used.add(planned(f"{name}{number}", amount=f"{number + 1}"))
            writers -= 1

        async def read() -> None:
            position, is_last = 0, False
            while not is_last:
                is_last = writers == 0
                while found := await journal.changes(position, 3):
                    seen.extend(change.key for change in found)
                    position = found[-1].position

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, journal, "a")
            tasks.start_soon(write, second_journal, "b")
            tasks.start_soon(read)
        assert sorted(seen) == sorted(f"{name}{number}" for name in "ab" for number in range(10))

    # -- health ------------------------------------------------------------------------------------

    async def test_health_of_an_empty_journal_shows_nothing(self, journal: Journal) -> None:
        """Only that it can be read."""
        await journal.bind(HOST, "sg")
        health = await journal.health()
        assert (health.journal_ok, health.paused, dict(health.counts)) == (True, False, {})
        assert health.oldest_queued is health.oldest_unknown is health.oldest_needs_review is None
        assert health.runner_seen_at is health.reconciled_at is None

    async def test_health_shows_counts_and_the_oldest_payouts(self, journal: Journal) -> None:
        """By the times at which they were requested."""
        await journal.bind(HOST, "sg")
        states = (PayoutState.QUEUED, PayoutState.UNKNOWN, PayoutState.NEEDS_REVIEW)
        for number in range(6):
            at = UTC + (6 - number) * _MOMENT
            payout = await journal.add(planned(f"k{number}", at, amount=f"{number + 1}"))
            payout = await journal.compare_and_swap(payout, departing(payout))
            await journal.compare_and_swap(payout, attrs.evolve(payout, state=states[number % 3]))
        health = await journal.health()
        assert dict(health.counts) == dict.fromkeys(states, 2)
        oldest = (health.oldest_queued, health.oldest_unknown, health.oldest_needs_review)
        assert oldest == (UTC + 3 * _MOMENT, UTC + 2 * _MOMENT, UTC + _MOMENT)

    async def test_health_shows_runners_pauses_and_reconciliations(self, journal: Journal) -> None:
        """A runner was seen also if it has retired; only a complete reconciliation counts."""
        await journal.bind(HOST, "sg")
        before = dt.datetime.now(dt.UTC)
        await journal.claim("a", lease=60.0, limit=1, states=[PayoutState.QUEUED])
        await journal.retire("a")
        await journal.pause(DECISION, UTC)
        await journal.reconcile("", [], old_mark=None, new_mark=None, at=UTC)
        health = await journal.health()
        assert health.paused
        assert health.pause == Pause(since=UTC, note=DECISION.note, actor=DECISION.actor)
        assert health.reconciled_at is None
        assert health.runner_seen_at is not None
        assert before <= health.runner_seen_at <= dt.datetime.now(dt.UTC)
        await journal.resume(DECISION, UTC)
        await journal.reconcile("", [], old_mark=None, new_mark=None, at=UTC + _MOMENT, is_complete=True)
        health = await journal.health()
        assert (health.paused, health.pause, health.reconciled_at) == (False, None, UTC + _MOMENT)

    async def test_health_counts_the_abandoned_payouts_that_are_open(self, journal: Journal) -> None:
        """Only those of which a withdrawal may show that they were paid."""
        await journal.bind(HOST, "sg")
        await settled(journal, "a", PayoutState.ABANDONED, amount="1")
        await settled(journal, "b", PayoutState.ABANDONED, amount="2")
        doubt = await settled(journal, "doubt", PayoutState.ABANDONED)
        request = attrs.evolve(doubt.required_request, candidates=("w-1",))
        await journal.compare_and_swap(doubt, attrs.evolve(doubt, sent_request=request))
        health = await journal.health()
        assert (health.counts[PayoutState.ABANDONED], health.open_abandoned) == (3, 1)

    # -- compaction --------------------------------------------------------------------------------

    async def test_compacted_payout_keeps_its_key_outcome_and_digest(self, journal: Journal) -> None:
        """It is found by its key and by its withdrawal, and is in no selection and no count."""
        await journal.bind(HOST, "sg")
        payout = await accepted(journal, "k", "W-1")
        await journal.compare_and_swap(payout, attrs.evolve(payout, state=PayoutState.DONE))
        assert await journal.compact(UTC + _MOMENT, UTC + _WEEK + _MOMENT) == 1
        found = await journal.get("k")
        assert found is not None
        assert (found.state, found.uuid, found.evidence) == (PayoutState.DONE, "W-1", Evidence.ANSWER)
        assert (found.created_at, dict(found.intent.members), found.history) == (UTC, {}, ())
        assert found.digest
        assert str(found).startswith("payout 'k'")
        assert (await journal.related("USDT", ["w-1"])).payouts == [found]
        assert list((await journal.related("USDT", [])).payouts) == []
        assert await _keys(journal) == []
        assert dict((await journal.health()).counts) == {}
        await journal.aclose()
        assert await journal.get("k") == found

    async def test_equal_requests_have_the_same_digest(self, journal: Journal) -> None:
        """However their amounts and the letters of an EVM address are written."""
        await journal.bind(HOST, "sg")
        address = "0x" + "aB" * 20
        for number, members in enumerate(
            [
                {"amount": "13.50", "address": address},
                {"amount": "013.5", "address": address.lower()},
                {"amount": "13.51", "address": address},
            ]
        ):
            payout = await journal.add(planned(f"k{number}", **members))
            await journal.compare_and_swap(payout, manual.abandoned(payout, DECISION, NOW))
        assert await journal.compact(UTC + _MOMENT, UTC + _WEEK + _MOMENT) == 3
        first, same, other = [await journal.get(f"k{number}") for number in range(3)]
        assert first is not None
        assert same is not None
        assert other is not None
        assert first.digest == same.digest != other.digest

    async def test_compacted_key_and_withdrawal_are_not_used_again(self, journal: Journal) -> None:
        """A key is never forgotten, and neither is the owner of a withdrawal."""
        await journal.bind(HOST, "sg")
        payout = await accepted(journal, "k", "w-1")
        payout = await journal.compare_and_swap(payout, attrs.evolve(payout, state=PayoutState.DONE))
        await journal.compact(UTC + _MOMENT, UTC + _WEEK + _MOMENT)
        found = await journal.get("k")
        assert found is not None
        assert await journal.add(planned("k", amount="99")) == found
        new = attrs.evolve(planned("k"), revision=-1)
        for stale in (payout, new):
            with pytest.raises(StaleRevision):
                await journal.compare_and_swap(stale, departing(planned("k")))
        with pytest.raises(JournalError, match="is compacted"):
            await journal.compare_and_swap(found, found)
        with pytest.raises(ConflictingPayout) as conflict:
            await accepted(journal, "another", "W-1", amount="14")
        assert conflict.value.by_key == "k"
        with pytest.raises(ConflictingPayout):
            await journal.acknowledge("w-1", "USDT", DECISION, UTC)

    async def test_payout_is_kept_for_a_week_and_while_it_is_open(self, journal: Journal) -> None:
        """After its departure and its last change; and only final payouts are compacted."""
        await journal.bind(HOST, "sg")
        for number, state in enumerate(PayoutState):
            await settled(journal, state.value, state, amount=f"{number + 1}")
        doubt = await settled(journal, "doubt", PayoutState.ABANDONED, amount="100")
        request = attrs.evolve(doubt.required_request, candidates=("w-1",))
        await journal.compare_and_swap(doubt, attrs.evolve(doubt, sent_request=request))
        assert await journal.compact(UTC + _WEEK, UTC + _WEEK - _MOMENT) == 0
        assert await journal.compact(UTC, UTC + 2 * _WEEK) == 0
        assert await journal.compact(UTC + _MOMENT, UTC + _WEEK + _MOMENT) == sum(
            state.is_final for state in PayoutState
        )
        kept = await _keys(journal)
        assert set(kept) == {state.value for state in PayoutState if not state.is_final} | {"doubt"}

    async def test_late_change_of_a_payout_postpones_its_compaction(self, journal: Journal) -> None:
        """Its last change counts, not its first, and not only its departure."""
        await journal.bind(HOST, "sg")
        payout = await settled(journal, "k", PayoutState.DONE)
        later = attrs.evolve(NOW, utc=UTC + _WEEK)
        entry = attrs.evolve(payout.history[-1], at=later.utc, note="late")
        await journal.compare_and_swap(payout, attrs.evolve(payout, history=(*payout.history, entry)))
        assert await journal.compact(UTC + 3 * _WEEK, UTC + 2 * _WEEK) == 0
        assert await journal.compact(UTC + 3 * _WEEK, UTC + 2 * _WEEK + _MOMENT) == 1

    async def test_removed_changes_are_an_error(self, journal: Journal) -> None:
        """A reader learns from where it can continue; positions are not used again."""
        await journal.bind(HOST, "sg")
        old = await settled(journal, "old", PayoutState.DONE)
        await journal.add(planned("open", amount="14"))
        position = await journal.position()
        await journal.compact(UTC + _MOMENT, UTC + _WEEK + _MOMENT)
        with pytest.raises(ChangesCompacted) as compacted:
            await journal.changes(0, 10)
        oldest = compacted.value.oldest
        assert old.key not in {each.key for each in await journal.changes(oldest, 10)}
        assert [each.key for each in await journal.changes(oldest, 10)] == ["open"]
        assert await journal.position() == position
        await journal.add(planned("new", amount="15"))
        (new,) = await journal.changes(position, 10)
        assert new.position > position

    async def test_position_does_not_fall_if_the_newest_change_is_removed(self, journal: Journal) -> None:
        """Or else a reader at the newest position would get an error, although it misses nothing."""
        await journal.bind(HOST, "sg")
        await settled(journal, "old", PayoutState.DONE)
        position = await journal.position()
        await journal.compact(UTC + _MOMENT, UTC + _WEEK + _MOMENT)
        assert await journal.position() == position
        assert list(await journal.changes(position, 10)) == []
        await journal.add(planned("new"))
        assert await journal.position() > position

    async def test_selection_continues_after_a_compacted_payout(self, journal: Journal) -> None:
        """A page that was read before a compaction has a next page."""
        await journal.bind(HOST, "sg")
        await journal.add(planned("a", amount="1"))
        await settled(journal, "b", PayoutState.DONE, amount="2")
        await journal.add(planned("c", amount="3"))
        await journal.compact(UTC + _MOMENT, UTC + _WEEK + _MOMENT)
        assert await _keys(journal, before_key="b") == ["a"]
