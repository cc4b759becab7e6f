"""Journal contract: compare-and-swap, and the rules between payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import attrs
import pytest

from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.payout import PayoutState
from upbit_async.testing.journal_contract.samples import (
    HOST,
    accepted,
    departing,
    planned,
    sending,
    settled,
)

if TYPE_CHECKING:
    from upbit_async.payouts.journal import Journal
    from upbit_async.payouts.payout import Payout

__all__ = ["SwapContract"]

_SETTLED: Final = [state for state in PayoutState if not state.may_have_unknown_withdrawal]


class SwapContract:
    """A change is written wholly or not at all, and never against another payout."""

    async def test_change_of_an_old_revision_is_refused(self, journal: Journal) -> None:
        """Only the holder of the newest revision can change a payout."""
        await journal.bind(HOST, "sg")
        old = await journal.add(planned("k"))
        new = await journal.compare_and_swap(old, departing(old))
        with pytest.raises(StaleRevision):
            await journal.compare_and_swap(old, departing(old))
        assert await journal.get("k") == new

    async def test_one_of_many_concurrent_changes_succeeds(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """A compare-and-swap is atomic."""
        await journal.bind(HOST, "sg")
        old = await journal.add(planned("k"))
        succeeded: list[Payout] = []
        refused: list[StaleRevision] = []

        async def change(used: Journal) -> None:
            try:
                succeeded.append(await used.compare_and_swap(old, departing(old)))
            except StaleRevision as refusal:
                refused.append(refusal)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(change, journal)
                tasks.start_soon(change, second_journal)
        assert (len(succeeded), len(refused)) == (1, 19)
        assert await journal.get("k") == succeeded[0]

    async def test_payout_that_the_journal_does_not_have_is_inserted(self, journal: Journal) -> None:
        """Revision -1 stands for no payout, so that a payout's first write can be its departure."""
        await journal.bind(HOST, "sg")
        old = attrs.evolve(planned("k"), revision=-1)
        inserted = await journal.compare_and_swap(old, departing(old))
        assert inserted.revision == 0
        assert await journal.get("k") == inserted
        with pytest.raises(StaleRevision):
            await journal.compare_and_swap(old, departing(old))
        missing = planned("missing")
        with pytest.raises(StaleRevision):
            await journal.compare_and_swap(missing, departing(missing))
        assert await journal.get("missing") is None

    async def test_one_of_two_concurrent_insertions_succeeds(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """Two processes that send under one key at once do not both depart."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        old = attrs.evolve(planned("k"), revision=-1)
        outcomes: list[str] = []

        async def insert(used: Journal) -> None:
            try:
                await used.compare_and_swap(old, departing(old))
                outcomes.append("inserted")
            except StaleRevision:
                outcomes.append("refused")

        async with anyio.create_task_group() as tasks:
            for used in (journal, second_journal, journal, second_journal):
                tasks.start_soon(insert, used)
        assert sorted(outcomes) == ["inserted", "refused", "refused", "refused"]

    async def test_failed_change_does_not_affect_those_made_at_the_same_time(self, journal: Journal) -> None:
        """Changes may share a transaction, but each fails alone."""
        await journal.bind(HOST, "sg")
        olds = [await journal.add(planned(f"k{number}", amount=f"{number + 1}")) for number in range(10)]
        refused: list[str] = []

        async def change(old: Payout) -> None:
            try:
                await journal.compare_and_swap(old, departing(old))
            except StaleRevision:
                refused.append(old.key)

        async with anyio.create_task_group() as tasks:
            for number, old in enumerate(olds):
                tasks.start_soon(change, attrs.evolve(old, revision=old.revision + number % 2))
        assert sorted(refused) == ["k1", "k3", "k5", "k7", "k9"]
        for number, old in enumerate(olds):
            found = await journal.get(old.key)
            assert found == (old if number % 2 else attrs.evolve(departing(old), revision=1))

    async def test_cancelled_change_is_made_wholly_or_not_at_all(self, journal: Journal) -> None:
        """A task can be cancelled at any checkpoint within a change."""
        await journal.bind(HOST, "sg")
        for ticks in range(20):
            old = await journal.add(planned(f"k{ticks}", amount=f"{ticks + 1}"))
            new = departing(old)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.compare_and_swap, old, new)
                for _ in range(ticks):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            found = await journal.get(old.key)
            assert found in [old, attrs.evolve(new, revision=1)]
            assert found is not None
            assert len(found.history) == found.revision + 1

    @pytest.mark.parametrize("amount", ["13", "13.0", "013.000"])
    async def test_equal_payouts_are_never_under_way_at_once(self, journal: Journal, amount: str) -> None:
        """Payouts are equal if they agree in currency, network and amount, however the amount is written."""
        await journal.bind(HOST, "sg")
        await sending(journal, "a")
        with pytest.raises(ConflictingPayout) as conflict:
            await sending(journal, "b", amount=amount)
        assert conflict.value.by_key == "a"
        for name, value in (("amount", "13.01"), ("currency", "XRP"), ("net_type", "ETH")):
            await sending(journal, f"another {name}", **{name: value})

    async def test_one_of_two_concurrent_departures_of_equal_payouts_succeeds(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """Two processes that each send one of two equal payouts do not send them at once."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        outcomes: list[str] = []

        async def send(used: Journal, key: str) -> None:
            try:
                await sending(used, key)
                outcomes.append("sent")
            except ConflictingPayout:
                outcomes.append("refused")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, journal, "a")
            tasks.start_soon(send, second_journal, "b")
        assert sorted(outcomes) == ["refused", "sent"]

    async def test_lost_payout_does_not_become_the_second_of_its_kind(self, journal: Journal) -> None:
        """A payout that becomes unknown without a departure conflicts too."""
        await journal.bind(HOST, "sg")
        queued = await settled(journal, "a", PayoutState.QUEUED)
        await sending(journal, "b")
        with pytest.raises(ConflictingPayout) as conflict:
            await journal.compare_and_swap(queued, attrs.evolve(queued, state=PayoutState.UNKNOWN))
        assert conflict.value.by_key == "b"

    async def test_payout_in_review_holds_up_equal_ones(self, journal: Journal) -> None:
        """No equal payout starts while one needs review. A second review is always stored."""
        await journal.bind(HOST, "sg")
        first = await sending(journal, "a")
        await journal.compare_and_swap(first, attrs.evolve(first, state=PayoutState.NEEDS_REVIEW))
        second = await journal.add(planned("b"))
        with pytest.raises(ConflictingPayout) as conflict:
            await journal.compare_and_swap(second, departing(second))
        assert conflict.value.by_key == "a"
        await journal.compare_and_swap(second, attrs.evolve(second, state=PayoutState.NEEDS_REVIEW))

    async def test_review_that_began_after_its_settling_holds_up_nothing(self, journal: Journal) -> None:
        """The baselines of equal payouts already include the candidates of such a review."""
        await journal.bind(HOST, "sg")
        first = await sending(journal, "a")
        late = attrs.evolve(first.required_request, reopened=True)
        review = attrs.evolve(first, state=PayoutState.NEEDS_REVIEW, sent_request=late)
        await journal.compare_and_swap(first, review)
        assert (await sending(journal, "b")).state is PayoutState.SENDING

    @pytest.mark.parametrize("state", _SETTLED)
    async def test_settled_payout_holds_up_no_other(self, journal: Journal, state: PayoutState) -> None:
        """An equal payout can be sent once the first is settled."""
        await journal.bind(HOST, "sg")
        first = await sending(journal, "a")
        await journal.compare_and_swap(first, attrs.evolve(first, state=state))
        await sending(journal, "b")

    async def test_withdrawal_belongs_to_one_payout(self, journal: Journal) -> None:
        """Ids compare in any case of letters."""
        await journal.bind(HOST, "sg")
        await accepted(journal, "a", "w-1")
        with pytest.raises(ConflictingPayout) as conflict:
            await accepted(journal, "b", "W-1", amount="14")
        assert conflict.value.by_key == "a"
