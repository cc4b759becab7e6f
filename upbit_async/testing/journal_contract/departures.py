"""Journal contract: what must hold in the transaction that records a copy."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio
import attrs
import pytest

from upbit_async.errors import AmountLimitExceeded
from upbit_async.payouts.amount_limit import AmountLimit
from upbit_async.payouts.departure import DepartureConditions, DeparturePaused, StaleBaseline
from upbit_async.payouts.manual import ManualDecision
from upbit_async.payouts.pause import Pause
from upbit_async.payouts.payout import PayoutState
from upbit_async.testing.journal_contract.samples import (
    DECISION,
    HOST,
    UTC,
    departing,
    later,
    noted,
    planned,
    sending,
    settled,
)

if TYPE_CHECKING:
    from upbit_async.payouts.journal import Journal
    from upbit_async.payouts.payout import Payout

__all__ = ["DepartureContract"]

_DAY: Final = 24 * 3600.0


def _limited(per_day: str | None = None, per_payout: str | None = None) -> DepartureConditions:
    return DepartureConditions(amount_limits=[AmountLimit("USDT", per_day=per_day, per_payout=per_payout)])


class DepartureContract:
    """Brakes and baselines hold for all journals of a store."""

    # -- pause -------------------------------------------------------------------------------------

    async def test_paused_journal_lets_nothing_depart(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """The refusal names the newest decision to pause; `resume` ends it."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        await journal.pause(DECISION, UTC)
        await journal.pause(ManualDecision(note="still", actor="Bob"), UTC)
        with pytest.raises(DeparturePaused) as paused:
            await sending(second_journal, "a")
        assert paused.value.decision == ManualDecision(note="still", actor="Bob")
        new = attrs.evolve(planned("b"), revision=-1)
        with pytest.raises(DeparturePaused):
            await journal.compare_and_swap(new, departing(new))
        assert await journal.get("b") is None
        await second_journal.resume(DECISION, UTC)
        assert (await sending(journal, "c")).state is PayoutState.SENDING

    async def test_pause_in_force_is_the_newest_decision(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """Another process reads it too."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        assert await journal.pause_in_force() is None
        await journal.pause(DECISION, UTC)
        at = UTC + dt.timedelta(minutes=1)
        await second_journal.pause(ManualDecision(note="still", actor="Bob"), at)
        assert await journal.pause_in_force() == Pause(since=at, note="still", actor="Bob")
        await second_journal.resume(DECISION, at)
        assert await journal.pause_in_force() is None

    async def test_paused_journal_stores_every_other_change(self, journal: Journal) -> None:
        """What has left already is followed and settled during a pause."""
        await journal.bind(HOST, "sg")
        payout = await sending(journal, "a")
        await journal.pause(DECISION, UTC)
        seen = attrs.evolve(payout, sent_request=attrs.evolve(payout.required_request, arrived=True))
        payout = await journal.compare_and_swap(payout, seen)
        assert payout.required_request.arrived
        payout = await journal.compare_and_swap(payout, attrs.evolve(payout, state=PayoutState.NOT_SENT))
        assert (await journal.add(planned("b"))).state is PayoutState.PLANNED
        with pytest.raises(DeparturePaused):
            await journal.compare_and_swap(payout, departing(payout))

    async def test_nothing_departs_after_a_pause_has_returned(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """A pause and departures that are recorded at the same time happen one after the other."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        payouts = [await journal.add(planned(f"k{number}", amount=f"{number + 1}")) for number in range(20)]
        sent: list[str] = []
        departed_before_the_pause: list[str] = []

        async def send(payout: Payout) -> None:
            try:
                await second_journal.compare_and_swap(payout, departing(payout))
                sent.append(payout.key)
            except DeparturePaused:
                pass

        async def pause() -> None:
            await journal.pause(DECISION, UTC)
            for payout in payouts:
                found = await journal.get(payout.key)
                if found is not None and found.state is PayoutState.SENDING:
                    departed_before_the_pause.append(payout.key)

        async with anyio.create_task_group() as tasks:
            for number, payout in enumerate(payouts):
                tasks.start_soon(send, payout)
                if number == len(payouts) // 2:
                    tasks.start_soon(pause)
        assert sorted(sent) == sorted(departed_before_the_pause)

    # -- baseline ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("state", [state for state in PayoutState if not state.is_under_way])
    async def test_baseline_is_stale_if_an_equal_payout_has_changed_since(
        self, journal: Journal, second_journal: Journal, state: PayoutState
    ) -> None:
        """Its withdrawal may be missing from the baseline, and would be taken for the new payout's."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        first = await sending(journal, "a")
        position = await second_journal.position()
        late = attrs.evolve(first.required_request, reopened=True)  # so that a review holds up nothing
        await journal.compare_and_swap(
            first, attrs.evolve(noted(first, "settled"), state=state, sent_request=late)
        )
        with pytest.raises(StaleBaseline) as stale:
            await sending(second_journal, "b", DepartureConditions(baseline_position=position))
        assert stale.value.by_key == "a"
        newer = DepartureConditions(baseline_position=await second_journal.position())
        assert (await sending(second_journal, "b", newer)).state is PayoutState.SENDING

    @pytest.mark.parametrize("state", [PayoutState.PLANNED, PayoutState.QUEUED])
    async def test_baseline_stays_valid_if_nothing_of_an_equal_payout_was_sent(
        self, journal: Journal, state: PayoutState
    ) -> None:
        """Payouts that only wait do not keep each other from being sent."""
        await journal.bind(HOST, "sg")
        position = await journal.position()
        other = await journal.add(planned("a"))
        await journal.compare_and_swap(other, attrs.evolve(noted(other, "it waits"), state=state))
        conditions = DepartureConditions(baseline_position=position)
        assert (await sending(journal, "b", conditions)).state is PayoutState.SENDING

    async def test_baseline_stays_valid_if_other_payouts_have_changed(self, journal: Journal) -> None:
        """Only payouts with the same currency, network and amount count, and none if there is no position."""
        await journal.bind(HOST, "sg")
        position = await journal.position()
        for name, value in (("amount", "14"), ("currency", "XRP"), ("net_type", "ETH")):
            await settled(journal, name, PayoutState.DONE, **{name: value})
        first = await sending(journal, "a", DepartureConditions(baseline_position=position))
        await journal.compare_and_swap(first, attrs.evolve(noted(first, "no"), state=PayoutState.NOT_SENT))
        assert (await sending(journal, "b", DepartureConditions())).state is PayoutState.SENDING

    async def test_own_changes_do_not_make_a_baseline_stale(self, journal: Journal) -> None:
        """A payout that returns to the queue can depart again with the same baseline."""
        await journal.bind(HOST, "sg")
        conditions = DepartureConditions(baseline_position=await journal.position())
        payout = await sending(journal, "a", conditions)
        back = attrs.evolve(noted(payout, "banned"), state=PayoutState.QUEUED)
        payout = await journal.compare_and_swap(payout, back)
        payout = await journal.compare_and_swap(payout, departing(payout), conditions)
        assert payout.state is PayoutState.SENDING

    # -- amount limits -----------------------------------------------------------------------------

    async def test_limit_per_payout_is_checked(self, journal: Journal) -> None:
        """A payout above the limit does not depart, and stays as it is."""
        await journal.bind(HOST, "sg")
        with pytest.raises(AmountLimitExceeded) as exceeded:
            await sending(journal, "a", _limited(per_payout="12.99"))
        assert exceeded.value.limit == Decimal("12.99")
        assert await journal.get("a") == planned("a")
        await sending(journal, "a", _limited(per_payout="13"))

    async def test_limit_per_day_includes_all_that_may_have_been_sent(self, journal: Journal) -> None:
        """Whatever became of a payout of which a copy counts, its amount counts."""
        await journal.bind(HOST, "sg")
        await settled(journal, "accepted", PayoutState.ACCEPTED, amount="1.5")
        await settled(journal, "abandoned", PayoutState.ABANDONED, amount="2.5")
        await sending(journal, "sending", amount="4")
        await settled(journal, "another currency", PayoutState.DONE, currency="XRP", amount="1000")
        unsent = await settled(journal, "declined", PayoutState.DECLINED, amount="1000")
        await journal.compare_and_swap(unsent, attrs.evolve(unsent, sent_request=None))
        await journal.add(planned("planned", amount="1000"))
        with pytest.raises(AmountLimitExceeded) as exceeded:
            await sending(journal, "a", _limited(per_day="20.99"))
        assert exceeded.value.departed == 8
        await sending(journal, "a", _limited(per_day="21"))

    async def test_limit_per_day_counts_a_payout_once(self, journal: Journal) -> None:
        """A further copy of the same payout replaces its earlier one."""
        await journal.bind(HOST, "sg")
        payout = await settled(journal, "a", PayoutState.NOT_SENT)
        payout = await journal.compare_and_swap(payout, departing(payout), _limited(per_day="13"))
        assert payout.state is PayoutState.SENDING

    @pytest.mark.parametrize(
        ("utc", "journal_time"), [(_DAY - 1, _DAY + 1), (_DAY + 1, _DAY - 1), (-_DAY, _DAY + 1)]
    )
    async def test_limit_per_day_counts_what_departed_lately_by_either_clock(
        self, journal: Journal, utc: float, journal_time: float
    ) -> None:
        """So that a wrong clock, which may have been set back, can't free the limit."""
        await journal.bind(HOST, "sg")
        await settled(journal, "first", PayoutState.DONE, amount="10")
        now = later(utc=utc, journal=journal_time)
        with pytest.raises(AmountLimitExceeded):
            await sending(journal, "a", _limited(per_day="22"), now)

    async def test_limit_per_day_is_free_again_after_a_day(self, journal: Journal) -> None:
        """By both clocks."""
        await journal.bind(HOST, "sg")
        await settled(journal, "first", PayoutState.DONE, amount="10")
        now = later(utc=_DAY + 1, journal=_DAY + 1)
        payout = await sending(journal, "a", _limited(per_day="22"), now)
        assert payout.state is PayoutState.SENDING

    async def test_limit_per_day_holds_for_two_departures_at_once(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """Of two payouts that together exceed the limit, exactly one departs."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        outcomes: list[str] = []

        async def send(used: Journal, key: str, amount: str) -> None:
            try:
                await sending(used, key, _limited(per_day="20"), amount=amount)
                outcomes.append("sent")
            except AmountLimitExceeded:
                outcomes.append("refused")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, journal, "a", "13")
            tasks.start_soon(send, second_journal, "b", "14")
        assert sorted(outcomes) == ["refused", "sent"]
