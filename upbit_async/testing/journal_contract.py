"""Journal contract: the tests that every implementation of `upbit_async.payouts.Journal` must pass."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
import attrs
import pytest

from upbit_async import errors
from upbit_async.models import Intent, Withdrawal, WithdrawalState
from upbit_async.payouts import manual, transitions
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_time import JournalTime, Now
from upbit_async.payouts.manual import ManualDecision
from upbit_async.payouts.payout import PayoutState
from upbit_async.protocol.send_guard import SigningParams

if TYPE_CHECKING:
    from upbit_async.payouts.journal import Journal
    from upbit_async.payouts.payout import Payout

__all__ = ["JournalContract"]

_HOST: Final = "sg-api.upbit.com"
_UTC: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_NOW: Final = Now(_UTC, JournalTime(1000.0, "boot"))
_LEASE: Final = transitions.Lease("this test", 90.0)
_DECISION: Final = ManualDecision(note="compared with the website", actor="Ann")
_SETTLED: Final = [state for state in PayoutState if not state.may_have_unknown_withdrawal]


@pytest.mark.anyio
class JournalContract:
    """Tests of a journal. Subclass it, and override the fixture `journal`.

    Each test gets a new journal, which is bound to nothing yet; the fixture closes it. The tests run on the back ends
    of the fixture ``anyio_backend``. A journal that passes keeps the promises that payouts rely on, except for
    durability: no test can cut the power of a machine.

    Example:
        .. code-block:: python

            import pytest
            from upbit_async.payouts import MemoryJournal
            from upbit_async.testing.journal_contract import JournalContract


            class TestMyJournal(JournalContract):
                @pytest.fixture
                async def journal(self):
                    journal = MemoryJournal()
                    yield journal
                    await journal.aclose()
    """

    @pytest.fixture
    def journal(self) -> Any:
        """Return or yield a new journal."""
        raise NotImplementedError("override the fixture `journal` in a subclass of JournalContract")

    # -- binding and time --------------------------------------------------------------------------

    async def test_journal_is_bound_to_its_first_host(self, journal: Journal) -> None:
        """A journal refuses another host or region."""
        await journal.bind(_HOST, "sg")
        await journal.bind(_HOST, "sg")
        for host, region in (("elsewhere", "sg"), (_HOST, "th")):
            with pytest.raises(errors.JournalError, match="belongs to"):
                await journal.bind(host, region)

    async def test_time_does_not_run_backwards(self, journal: Journal) -> None:
        """Readings within one event loop can be compared, and do not decrease."""
        await journal.bind(_HOST, "sg")
        before = await journal.now()
        await anyio.sleep(0.01)
        after = await journal.now()
        assert before.epoch == after.epoch != ""
        assert before.seconds <= after.seconds

    # -- adding and reading ------------------------------------------------------------------------

    async def test_key_is_added_once(self, journal: Journal) -> None:
        """The first payout of a key stays."""
        await journal.bind(_HOST, "sg")
        first = _planned("k")
        assert await journal.get("k") is None
        assert await journal.add(first) == first
        assert await journal.add(_planned("k", amount="99")) == first
        assert await journal.get("k") == first

    async def test_payout_in_every_state_is_read_back(self, journal: Journal) -> None:
        """Everything of a payout is stored, with its error, history and request."""
        await journal.bind(_HOST, "sg")
        for number, payout in enumerate(_samples()):
            key = f"k{number}"
            added = await journal.add(_planned(key, amount=f"{number + 1}"))
            new = attrs.evolve(payout, key=key, intent=added.intent)
            stored = await journal.compare_and_swap(added, new)
            assert stored == attrs.evolve(new, revision=1)
            found = await journal.get(key)
            assert found == stored
            assert found is not None
            assert type(found.error) is type(payout.error)
            assert str(found.error) == str(payout.error)

    async def test_payouts_survive_closing(self, journal: Journal) -> None:
        """A journal can be used again after it was closed, and has kept everything."""
        await journal.bind(_HOST, "sg")
        payout = await _sending(journal, "k")
        await journal.aclose()
        assert await journal.get("k") == payout
        await journal.aclose()

    # -- compare-and-swap --------------------------------------------------------------------------

    async def test_change_of_an_old_revision_is_refused(self, journal: Journal) -> None:
        """Only the holder of the newest revision can change a payout."""
        await journal.bind(_HOST, "sg")
        old = await journal.add(_planned("k"))
        new = await journal.compare_and_swap(old, _departing(old))
        with pytest.raises(StaleRevision):
            await journal.compare_and_swap(old, _departing(old))
        assert await journal.get("k") == new

    async def test_one_of_many_concurrent_changes_succeeds(self, journal: Journal) -> None:
        """A compare-and-swap is atomic."""
        await journal.bind(_HOST, "sg")
        old = await journal.add(_planned("k"))
        succeeded: list[Payout] = []
        refused: list[StaleRevision] = []

        async def change() -> None:
            try:
                succeeded.append(await journal.compare_and_swap(old, _departing(old)))
            except StaleRevision as refusal:
                refused.append(refusal)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(change)
        assert (len(succeeded), len(refused)) == (1, 19)
        assert await journal.get("k") == succeeded[0]

    async def test_cancelled_change_is_made_wholly_or_not_at_all(self, journal: Journal) -> None:
        """A task can be cancelled at any checkpoint within a change."""
        await journal.bind(_HOST, "sg")
        for ticks in range(20):
            old = await journal.add(_planned(f"k{ticks}", amount=f"{ticks + 1}"))
            new = _departing(old)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.compare_and_swap, old, new)
                for _ in range(ticks):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            found = await journal.get(old.key)
            assert found in [old, attrs.evolve(new, revision=1)]
            assert found is not None
            assert len(found.history) == found.revision + 1

    # -- at most one unsettled payout of each kind ---------------------------------------------------

    @pytest.mark.parametrize("amount", ["13", "13.0", "013.000"])
    async def test_equal_payouts_are_never_under_way_at_once(self, journal: Journal, amount: str) -> None:
        """Payouts are equal if they agree in currency, network and amount, however the amount is written."""
        await journal.bind(_HOST, "sg")
        await _sending(journal, "a")
        with pytest.raises(ConflictingPayout) as conflict:
            await _sending(journal, "b", amount=amount)
        assert conflict.value.by_key == "a"
        for name, value in (("amount", "13.01"), ("currency", "XRP"), ("net_type", "ETH")):
            await _sending(journal, f"another {name}", **{name: value})

    async def test_payout_in_review_holds_up_equal_ones(self, journal: Journal) -> None:
        """No equal payout starts while one needs review. A second review is always stored."""
        await journal.bind(_HOST, "sg")
        first = await _sending(journal, "a")
        await journal.compare_and_swap(first, attrs.evolve(first, state=PayoutState.NEEDS_REVIEW))
        second = await journal.add(_planned("b"))
        with pytest.raises(ConflictingPayout) as conflict:
            await journal.compare_and_swap(second, _departing(second))
        assert conflict.value.by_key == "a"
        await journal.compare_and_swap(second, attrs.evolve(second, state=PayoutState.NEEDS_REVIEW))

    @pytest.mark.parametrize("state", _SETTLED)
    async def test_settled_payout_holds_up_no_other(self, journal: Journal, state: PayoutState) -> None:
        """An equal payout can be sent once the first is settled."""
        await journal.bind(_HOST, "sg")
        first = await _sending(journal, "a")
        await journal.compare_and_swap(first, attrs.evolve(first, state=state))
        await _sending(journal, "b")

    async def test_withdrawal_belongs_to_one_payout(self, journal: Journal) -> None:
        """Ids compare in any case of letters."""
        await journal.bind(_HOST, "sg")
        await _accepted(journal, "a", "w-1")
        with pytest.raises(ConflictingPayout) as conflict:
            await _accepted(journal, "b", "W-1", amount="14")
        assert conflict.value.by_key == "a"

    # -- queries -----------------------------------------------------------------------------------

    async def test_open_payouts_are_listed_oldest_first(self, journal: Journal) -> None:
        """Final payouts are left out, except for abandoned ones of which a copy was recorded."""
        await journal.bind(_HOST, "sg")
        for number in range(3):
            await journal.add(_planned(f"k{number}", amount=f"{number + 1}"))
        accepted = await _accepted(journal, "done", "w-1", amount="50")
        await journal.compare_and_swap(accepted, attrs.evolve(accepted, state=PayoutState.DONE))
        abandoned = await _sending(journal, "abandoned", amount="60")
        await journal.compare_and_swap(abandoned, attrs.evolve(abandoned, state=PayoutState.ABANDONED))
        assert list(await journal.open_keys()) == ["k0", "k1", "k2", "abandoned"]

    async def test_related_returns_all_possible_owners(self, journal: Journal) -> None:
        """Owners in any currency, and all payouts in the currency whose withdrawal may be unknown."""
        await journal.bind(_HOST, "sg")
        await _sending(journal, "sending")
        await _sending(journal, "other currency", currency="XRP")
        await journal.add(_planned("planned"))
        await _accepted(journal, "owner", "W-9", amount="30", currency="BTC")
        for state in (PayoutState.NOT_SENT, PayoutState.ABANDONED):
            payout = await _sending(journal, state.value, amount="40")
            await journal.compare_and_swap(payout, attrs.evolve(payout, state=state))
        related = await journal.related("USDT", ["w-9", *(f"x{number}" for number in range(1200))])
        assert {each.key for each in related.payouts} == {"sending", "owner", "not_sent", "abandoned"}
        assert related.owner_of("w-9") == "owner"

    async def test_unowned_withdrawals_are_stored_until_acknowledged(self, journal: Journal) -> None:
        """A withdrawal of a payout is not stored; an acknowledged one is returned as such."""
        await journal.bind(_HOST, "sg")
        await _accepted(journal, "owner", "w-9")
        await journal.acknowledge("x7", "USDT", _DECISION, _UTC)
        rows = [_record("X8"), _record("X7"), _record("W-9")]
        await journal.reconcile("USDT", rows, old_mark=None, new_mark="x8", at=_UTC)
        related = await journal.related("USDT", ["x7", "x8", "w-9"])
        assert set(related.acknowledged) == {"x7"}
        assert [each.uuid for each in related.unowned] == ["X8"]
        await journal.acknowledge("x8", "USDT", _DECISION, _UTC)
        related = await journal.related("USDT", ["x7", "x8", "w-9"])
        assert set(related.acknowledged) == {"x7", "x8"}
        assert list(related.unowned) == []
        with pytest.raises(ConflictingPayout):
            await journal.acknowledge("w-9", "USDT", _DECISION, _UTC)

    async def test_mark_moves_only_from_its_newest_value(self, journal: Journal) -> None:
        """Of two processes that move a mark at once, one succeeds."""
        await journal.bind(_HOST, "sg")
        assert await journal.mark("USDT") is None
        await journal.reconcile("USDT", [], old_mark=None, new_mark="w-1", at=_UTC)
        await journal.reconcile("USDT", [], old_mark=None, new_mark="w-2", at=_UTC)
        await journal.reconcile("USDT", [], old_mark="w-0", new_mark="w-3", at=_UTC)
        assert (await journal.mark("USDT"), await journal.mark("XRP")) == ("w-1", None)
        await journal.reconcile("USDT", [], old_mark="w-1", new_mark="w-4", at=_UTC)
        assert await journal.mark("USDT") == "w-4"

    async def test_recent_answers_are_the_newest_first(self, journal: Journal) -> None:
        """Only payouts whose withdrawal Upbit's own answer has named."""
        await journal.bind(_HOST, "sg")
        for number in range(3):
            await _accepted(journal, f"k{number}", f"w-{number}", amount=f"{number + 1}")
        await _sending(journal, "sending", amount="9")
        assert [each.key for each in await journal.recent_answered()] == ["k2", "k1", "k0"]


# -- payouts ---------------------------------------------------------------------------------------


def _planned(key: str, **members: str) -> Payout:
    usual = {"currency": "USDT", "net_type": "TRX", "amount": "13", "address": "TFakeTronWithdrawAddress"}
    intent = Intent(
        endpoint="POST /v1/withdraws/coin", host=_HOST, members={**usual, **members}, started_at=_UTC
    )
    return transitions.planned(key, intent)


def _departing(payout: Payout) -> Payout:
    signing = transitions.SigningRecord(SigningParams(nonce="n", algorithm="HS256"), signed_by="a digest")
    return transitions.departing(payout, _LEASE, _NOW, signing, baseline=("w-0",))


def _record(uuid: str, amount: str = "13") -> Withdrawal:
    return Withdrawal(
        uuid=uuid, currency="USDT", net_type="TRX", state=WithdrawalState.WAITING, amount=Decimal(amount)
    )


async def _sending(journal: Journal, key: str, **members: str) -> Payout:
    payout = await journal.add(_planned(key, **members))
    return await journal.compare_and_swap(payout, _departing(payout))


async def _accepted(journal: Journal, key: str, uuid: str, **members: str) -> Payout:
    sending = await _sending(journal, key, **members)
    record = attrs.evolve(
        _record(uuid, members.get("amount", "13")), currency=members.get("currency", "USDT")
    )
    answered = transitions.answered(sending, record, _NOW)
    assert answered is not None
    return await journal.compare_and_swap(sending, answered)


def _samples() -> list[Payout]:
    """Return a payout in each state that a journal can meet, with errors of several kinds."""
    planned = _planned("k")
    sending = _departing(planned)
    lost = errors.OutcomeUnknown("the answer was lost", intent=planned.intent)
    refused = errors.ValidationError("no", status=400, name="no")
    unknown = _required(transitions.lost(sending, lost, lease_holder=_LEASE.holder, now=_NOW))
    review = _required(transitions.doubtful(unknown, "two withdrawals fit", ["w-1", "w-2"], _NOW))
    not_sent = transitions.not_found(unknown, _NOW)
    return [
        planned,
        attrs.evolve(planned, error=errors.NotSent("the network is down")),
        sending,
        unknown,
        review,
        not_sent,
        _required(transitions.answered(sending, _record("w-1"), _NOW)),
        _required(transitions.adopted(unknown, _record("w-2"), _NOW)),
        _required(transitions.declined(sending, refused, lease_holder=_LEASE.holder, now=_NOW)),
        manual.resolved(review, _record("w-3"), _DECISION, _NOW),
        manual.abandoned(not_sent, _DECISION, _NOW),
        manual.queued(not_sent, _DECISION, _NOW, needs_new_nonce=False, mac=""),
    ]


def _required(payout: Payout | None) -> Payout:
    assert payout is not None
    return payout
