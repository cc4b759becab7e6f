"""Journal contract: binding, time, and what is read back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import anyio
import attrs
import pytest

from upbit_async import errors
from upbit_async.testing.journal_contract.samples import (
    HOST,
    UTC,
    accepted,
    departing,
    planned,
    samples,
    sending,
)

if TYPE_CHECKING:
    from upbit_async.payouts.journal import Journal

__all__ = ["StorageContract"]


class StorageContract:
    """A journal belongs to one host, and keeps everything of a payout."""

    async def test_journal_is_bound_to_its_first_host(self, journal: Journal) -> None:
        """A journal refuses another host or region."""
        await journal.bind(HOST, "sg")
        await journal.bind(HOST, "sg")
        for host, region in (("elsewhere", "sg"), (HOST, "th")):
            with pytest.raises(errors.JournalError, match="belongs to"):
                await journal.bind(host, region)

    async def test_time_does_not_run_backwards(self, journal: Journal) -> None:
        """Readings within one event loop can be compared, and do not decrease."""
        await journal.bind(HOST, "sg")
        before = await journal.now()
        await anyio.sleep(0.01)
        after = await journal.now()
        assert before.epoch == after.epoch != ""
        assert before.seconds <= after.seconds

    async def test_key_is_added_once(self, journal: Journal) -> None:
        """The first payout of a key stays."""
        await journal.bind(HOST, "sg")
        first = planned("k")
        assert await journal.get("k") is None
        assert await journal.add(first) == first
        assert await journal.add(planned("k", amount="99")) == first
        assert await journal.get("k") == first

    async def test_added_payout_has_revision_zero(self, journal: Journal) -> None:
        """A payout that no journal has can be added by `add` too."""
        await journal.bind(HOST, "sg")
        added = await journal.add(attrs.evolve(planned("k"), revision=-1))
        assert added.revision == 0
        assert await journal.get("k") == added

    async def test_payout_in_every_state_is_read_back(self, journal: Journal) -> None:
        """Everything of a payout is stored, with its error, history and request."""
        await journal.bind(HOST, "sg")
        for number, payout in enumerate(samples()):
            key = f"k{number}"
            added = await journal.add(planned(key, amount=f"{number + 1}"))
            new = attrs.evolve(payout, key=key, intent=added.intent)
            stored = await journal.compare_and_swap(added, new)
            assert stored == attrs.evolve(new, revision=1)
            found = await journal.get(key)
            assert found == stored
            assert found is not None
            assert type(found.error) is type(payout.error)
            assert str(found.error) == str(payout.error)
            for name in ("by_key", "uuids", "currency", "limit", "departed"):
                assert getattr(found.error, name, None) == getattr(payout.error, name, None)

    async def test_payouts_survive_closing(self, journal: Journal) -> None:
        """A journal can be used again after it was closed, and has kept everything."""
        await journal.bind(HOST, "sg")
        payout = await sending(journal, "k")
        await journal.aclose()
        assert await journal.get("k") == payout
        await journal.aclose()

    async def test_history_stays_whole_if_a_payout_was_read_without_it(self, journal: Journal) -> None:
        """The entries that a change adds are appended to those that the journal has."""
        await journal.bind(HOST, "sg")
        added = await journal.add(planned("k"))
        without = attrs.evolve(added, history=())
        await journal.compare_and_swap(without, departing(without))
        found = await journal.get("k")
        assert found is not None
        assert found.history == departing(added).history
        assert [each.previous for each in await journal.changes(0, 10)] == [None, "planned"]

    async def test_second_journal_reads_what_the_first_has_written(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """All journals of one store show the same payouts, as soon as a write has returned."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        payout = await accepted(journal, "k", "w-1")
        assert await second_journal.get("k") == payout
        assert payout.created_at == UTC
        assert payout.updated_at - payout.created_at == dt.timedelta()
