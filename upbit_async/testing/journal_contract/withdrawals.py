"""Journal contract: withdrawals and their owners, reconciliation, and what the list shows of payouts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest

from upbit_async.payouts.journal import ConflictingPayout
from upbit_async.payouts.payout import Evidence, PayoutState
from upbit_async.testing.journal_contract.samples import (
    DECISION,
    HOST,
    UTC,
    accepted,
    planned,
    record,
    sending,
    settled,
)

if TYPE_CHECKING:
    from upbit_async.models import Withdrawal
    from upbit_async.payouts.journal import Journal

__all__ = ["WithdrawalContract"]


async def _store(journal: Journal, *withdrawals: Withdrawal, at: dt.datetime = UTC) -> None:
    await journal.reconcile("USDT", withdrawals, old_mark=None, new_mark=None, at=at)


class WithdrawalContract:
    """Every withdrawal belongs to a payout, is acknowledged, or is stored as unowned."""

    # -- owners ------------------------------------------------------------------------------------

    async def test_related_returns_all_possible_owners(self, journal: Journal) -> None:
        """Owners in any currency, and all payouts in the currency whose withdrawal may be unknown."""
        await journal.bind(HOST, "sg")
        await sending(journal, "sending")
        await sending(journal, "other currency", currency="XRP")
        await journal.add(planned("planned"))
        await accepted(journal, "owner", "W-9", amount="30", currency="BTC")
        for state in (PayoutState.NOT_SENT, PayoutState.ABANDONED):
            payout = await sending(journal, state.value, amount="40")
            await journal.compare_and_swap(payout, attrs.evolve(payout, state=state))
        related = await journal.related("USDT", ["w-9", *(f"x{number}" for number in range(1200))])
        assert {each.key for each in related.payouts} == {"sending", "owner", "not_sent", "abandoned"}
        assert all(each.history == () for each in related.payouts)
        assert related.owner_of("w-9") == "owner"

    async def test_related_returns_each_payout_once(self, journal: Journal) -> None:
        """Also one that is a possible owner for two reasons."""
        await journal.bind(HOST, "sg")
        owner = await accepted(journal, "owner", "w-9")
        late = attrs.evolve(owner.required_request, reopened=True)
        await journal.compare_and_swap(owner, attrs.evolve(owner, sent_request=late))
        related = await journal.related("USDT", ["w-9"])
        assert [each.key for each in related.payouts] == ["owner"]

    async def test_related_returns_payouts_that_were_only_matched(self, journal: Journal) -> None:
        """All in the currency, whatever their withdrawals."""
        await journal.bind(HOST, "sg")
        for number, evidence in enumerate(Evidence):
            payout = await accepted(journal, evidence.value, f"w-{number}", amount=f"{number + 1}")
            await journal.compare_and_swap(payout, attrs.evolve(payout, evidence=evidence))
        other = await accepted(journal, "other currency", "w-9", currency="XRP")
        await journal.compare_and_swap(other, attrs.evolve(other, evidence=Evidence.MATCH))
        unsent = await settled(journal, "not sent", PayoutState.NOT_SENT, amount="50")
        await journal.compare_and_swap(unsent, attrs.evolve(unsent, evidence=Evidence.MATCH))
        related = await journal.related("USDT", [])
        assert [(each.key, each.history) for each in related.matched] == [("match", ())]

    async def test_recent_answers_are_the_newest_first(self, journal: Journal) -> None:
        """Only payouts whose withdrawal Upbit's own answer has named."""
        await journal.bind(HOST, "sg")
        for number in range(3):
            await accepted(journal, f"k{number}", f"w-{number}", amount=f"{number + 1}")
        await sending(journal, "sending", amount="9")
        assert [each.key for each in await journal.recent_answered()] == ["k2", "k1", "k0"]

    # -- unowned withdrawals -----------------------------------------------------------------------

    async def test_unowned_withdrawals_are_stored_until_acknowledged(self, journal: Journal) -> None:
        """A withdrawal of a payout is not stored; an acknowledged one is returned as such."""
        await journal.bind(HOST, "sg")
        await accepted(journal, "owner", "w-9")
        await journal.acknowledge("x7", "USDT", DECISION, UTC)
        rows = [record("X8"), record("X7"), record("W-9")]
        await journal.reconcile("USDT", rows, old_mark=None, new_mark="x8", at=UTC)
        related = await journal.related("USDT", ["x7", "x8", "w-9"])
        assert set(related.acknowledged) == {"x7"}
        assert [each.uuid for each in related.unowned] == ["X8"]
        await journal.acknowledge("x8", "USDT", DECISION, UTC)
        related = await journal.related("USDT", ["x7", "x8", "w-9"])
        assert set(related.acknowledged) == {"x7", "x8"}
        assert list(related.unowned) == []
        with pytest.raises(ConflictingPayout):
            await journal.acknowledge("w-9", "USDT", DECISION, UTC)

    async def test_acknowledgement_compares_ids_in_any_case(self, journal: Journal) -> None:
        """Ids are stored in lower case, however they are written."""
        await journal.bind(HOST, "sg")
        await _store(journal, record("x8"))
        await journal.acknowledge("X8", "USDT", DECISION, UTC)
        await journal.acknowledge("X9", "USDT", DECISION, UTC)
        related = await journal.related("USDT", ["x8", "x9"])
        assert (set(related.acknowledged), list(related.unowned)) == ({"x8", "x9"}, [])

    async def test_withdrawal_that_a_payout_has_by_now_is_not_unowned(self, journal: Journal) -> None:
        """As when its payout is resolved; if that proves wrong, it is unowned again."""
        await journal.bind(HOST, "sg")
        await _store(journal, record("X8"))
        owner = await accepted(journal, "owner", "x8")
        assert list((await journal.related("USDT", [])).unowned) == []
        wrong = attrs.evolve(owner, state=PayoutState.NOT_SENT, uuid=None, record=None)
        await journal.compare_and_swap(owner, wrong)
        assert [each.uuid for each in (await journal.related("USDT", [])).unowned] == ["X8"]

    async def test_withdrawal_that_a_payout_gives_up_is_unowned(self, journal: Journal) -> None:
        """Its record is stored in the same write, so that no reconciliation has to find it again."""
        await journal.bind(HOST, "sg")
        owner = await accepted(journal, "owner", "X8")
        other = attrs.evolve(owner, uuid="x9", record=record("x9"))
        other = await journal.compare_and_swap(owner, other)
        assert [each.uuid for each in (await journal.related("USDT", [])).unowned] == ["X8"]
        none = attrs.evolve(other, state=PayoutState.NOT_SENT, uuid=None, record=None)
        await journal.compare_and_swap(other, none)
        assert {each.uuid for each in (await journal.related("USDT", [])).unowned} == {"X8", "x9"}
        await accepted(journal, "next", "x8", amount="40")
        assert {each.uuid for each in (await journal.related("USDT", [])).unowned} == {"x9"}

    async def test_unowned_withdrawals_of_all_currencies(self, journal: Journal) -> None:
        """Without those that are acknowledged or belong to a payout."""
        await journal.bind(HOST, "sg")
        await accepted(journal, "owner", "x1")
        await _store(journal, record("x1"), record("x2"), record("x3"), record("x4", currency="XRP"))
        await journal.acknowledge("x3", "USDT", DECISION, UTC)
        assert {each.uuid for each in await journal.unowned()} == {"x2", "x4"}

    async def test_withdrawals_are_stored_under_their_own_currencies(self, journal: Journal) -> None:
        """A list of all currencies is reconciled at once."""
        await journal.bind(HOST, "sg")
        rows = [record("x1"), record("x2", currency="XRP")]
        await journal.reconcile("", rows, old_mark=None, new_mark="x2", at=UTC)
        for currency, uuid in (("USDT", "x1"), ("XRP", "x2")):
            related = await journal.related(currency, [])
            assert [each.uuid for each in related.unowned] == [uuid]
        assert (await journal.mark(""), await journal.mark("USDT")) == ("x2", None)

    async def test_mark_moves_only_from_its_newest_value(self, journal: Journal) -> None:
        """Of two processes that move a mark at once, one succeeds."""
        await journal.bind(HOST, "sg")
        moves: list[tuple[str | None, str | None, str | None]] = [
            (None, "w-1", "w-1"),
            (None, "w-2", "w-1"),
            ("w-0", "w-3", "w-1"),
            ("w-1", None, "w-1"),
            ("w-1", "w-4", "w-4"),
        ]
        assert await journal.mark("USDT") is None
        for old, new, expected in moves:
            await journal.reconcile("USDT", [], old_mark=old, new_mark=new, at=UTC)
            assert await journal.mark("USDT") == expected
        assert await journal.mark("XRP") is None

    # -- reports -----------------------------------------------------------------------------------

    async def test_unowned_withdrawal_is_reported_once_after_the_settling_time(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """To one of all callers; storing it again changes neither its time nor that it was reported."""
        await journal.bind(HOST, "sg")
        await second_journal.bind(HOST, "sg")
        await _store(journal, record("X8"))
        await _store(journal, record("X8"), at=UTC + dt.timedelta(seconds=20))
        assert list(await journal.unreported(UTC + dt.timedelta(seconds=29), 30.0)) == []
        reported: list[Any] = []

        async def report(used: Journal) -> None:
            reported.extend(await used.unreported(UTC + dt.timedelta(seconds=30), 30.0))

        async with anyio.create_task_group() as tasks:
            for used in (journal, second_journal, journal):
                tasks.start_soon(report, used)
        assert reported == [record("X8")]
        await _store(journal, record("X8"), at=UTC + dt.timedelta(seconds=60))
        assert list(await journal.unreported(UTC + dt.timedelta(days=9), 30.0)) == []

    async def test_withdrawal_that_is_accounted_for_is_not_reported(self, journal: Journal) -> None:
        """Neither if it was acknowledged meanwhile, nor if a payout has it by now."""
        await journal.bind(HOST, "sg")
        await _store(journal, record("x1"), record("x2"), record("x3"))
        await journal.acknowledge("x1", "USDT", DECISION, UTC)
        await accepted(journal, "owner", "x2")
        reported = await journal.unreported(UTC + dt.timedelta(days=1), 30.0)
        assert [each.uuid for each in reported] == ["x3"]
