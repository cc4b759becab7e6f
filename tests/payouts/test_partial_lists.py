"""Lists that are read back to the mark only: conclusions are never bolder than from the whole list."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from payout_samples import INTENT, UNKNOWN, WHEN

from upbit_async import errors
from upbit_async.checks import FeeConvention
from upbit_async.models import TransactionType, Withdrawal, WithdrawalState
from upbit_async.payouts import Evidence, Payout, PayoutState, Related
from upbit_async.payouts.baseline import Listing
from upbit_async.payouts.decision import Adopt, Conclusion, DeclareNotSent, RequireReview, decide
from upbit_async.payouts.observation import new_rows, observation
from upbit_async.payouts.snapshot import Snapshot

NOW = attrs.evolve(WHEN, utc=WHEN.utc + dt.timedelta(days=1))
AMOUNTS = ("11", "12", "13", "14", "500")
PAGE = 100


def withdrawal(number: int, amount: str = "900", **changes: Any) -> Withdrawal:
    """Return a withdrawal; one with a higher number was made later."""
    known = Withdrawal(
        uuid=f"w{number}",
        currency="USDT",
        net_type="TRX",
        state=WithdrawalState.DONE,
        amount=Decimal(amount),
        fee=Decimal(1),
        transaction_type=TransactionType.DEFAULT,
        created_at=WHEN.utc + dt.timedelta(seconds=10 * number),
    )
    return attrs.evolve(known, **changes)


def payout(key: str, amount: str, state: PayoutState = PayoutState.DONE, **changes: Any) -> Payout:
    """Return a payout of an amount."""
    intent = attrs.evolve(INTENT, members={**INTENT.members, "amount": amount})
    return attrs.evolve(Payout(key=key, state=state, intent=intent), **changes)


def owner_of(row: Withdrawal, evidence: Evidence, amount: str) -> Payout:
    """Return a payout that has a withdrawal."""
    return payout(f"owner of {row.uuid}", amount, uuid=row.uuid, record=row, evidence=evidence)


OLD = [withdrawal(number) for number in range(-130, 0)]
"""Withdrawals from before everything else, which answers gave to payouts."""
ANCIENT = withdrawal(-200, "13")
"""An unowned withdrawal from before every baseline."""
OWNERS = {row.uuid: owner_of(row, Evidence.ANSWER, "900") for row in OLD}


@attrs.frozen
class Made:
    """One withdrawal and what the journal knows about it.

    Attributes:
        amount: Its amount.
        owner: How it belongs to a payout, or why it belongs to none.
        requested: The amount that its owner requested.
        is_late: Whether it was listed after baselines that should show it.
        lacks: A field that its record in the journal lacks.
    """

    amount: str
    owner: Evidence | str
    requested: str
    is_late: bool
    lacks: str


def made_by(*owners: Evidence | str) -> st.SearchStrategy[Made]:
    return st.builds(
        Made,
        st.sampled_from(AMOUNTS),
        st.sampled_from(owners),
        st.sampled_from(AMOUNTS),
        st.sampled_from([False] * 9 + [True]),
        st.sampled_from(["", "", "", "fee", "net_type", "transaction_type"]),
    )


CERTAIN = (Evidence.ANSWER, Evidence.MANUAL, "acknowledged")
UNCERTAIN = (Evidence.MATCH, "unowned", "by this client")


@attrs.frozen
class Other:
    """Another payout that may own a withdrawal."""

    amount: str
    state: PayoutState
    reopened: bool


others = st.builds(
    Other,
    st.sampled_from(AMOUNTS),
    st.sampled_from([PayoutState.UNKNOWN, PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT, PayoutState.DONE]),
    st.booleans(),
)


@attrs.frozen
class World:
    """A ledger and a journal, and a payout whose answer was lost.

    An earlier list has shown the withdrawals with the numbers `known_as_new` to be newer than its baseline.
    """

    made: list[Made]
    others: list[Other]
    baseline_at: int
    mark_at: int
    rest_of_page: int
    fee_convention: FeeConvention | None
    days: int
    forgets_matches: bool
    known_as_new: frozenset[int] = frozenset()

    @property
    def rows(self) -> list[Withdrawal]:
        """The withdrawals, newest first."""
        rows = [withdrawal(number, each.amount) for number, each in enumerate(self.made)]
        return [*reversed(rows), *reversed(OLD), ANCIENT]

    @property
    def lost(self) -> Payout:
        """The payout: its baseline was taken after some of the withdrawals."""
        listed = [withdrawal(n) for n, each in enumerate(self.made[: self.baseline_at]) if not each.is_late]
        baseline = tuple(row.uuid for row in [*reversed(listed), *reversed(OLD)][:PAGE])
        intent = attrs.evolve(INTENT, started_at=NOW.utc - dt.timedelta(days=self.days))
        new = tuple(f"w{number}" for number in sorted(self.known_as_new) if number >= self.baseline_at)
        sent_request = attrs.evolve(UNKNOWN.required_request, baseline=baseline, new_candidates=new)
        return attrs.evolve(UNKNOWN, intent=intent, sent_request=sent_request)

    def related(self, shown: frozenset[str]) -> Related:
        """Return what the journal knows about the withdrawals that are shown."""
        owners, unowned, acknowledged = dict(OWNERS), [ANCIENT], set[str]()
        for number, each in enumerate(self.made):
            row = withdrawal(number, each.amount)
            lacking: dict[str, Any] = {each.lacks: None} if each.lacks else {}
            record = attrs.evolve(row, **lacking)
            if isinstance(each.owner, Evidence):
                owners[row.uuid] = attrs.evolve(owner_of(row, each.owner, each.requested), record=record)
            elif each.owner == "acknowledged":
                acknowledged.add(row.uuid)
            else:
                unowned.append(record)
        claimants = [
            payout(
                f"other {number}",
                each.amount,
                each.state,
                sent_request=attrs.evolve(UNKNOWN.required_request, reopened=each.reopened, baseline=()),
            )
            for number, each in enumerate(self.others)
        ]
        matched = [each for each in owners.values() if each.evidence is Evidence.MATCH]
        return Related(
            payouts=[*(owner for uuid, owner in owners.items() if uuid in shown), *claimants],
            acknowledged=acknowledged & shown,
            unowned=unowned,
            matched=[] if self.forgets_matches and self.days >= 7 else matched,
        )

    def conclude(self, rows: list[Withdrawal], mark: str | None, *, is_whole: bool) -> Conclusion:
        """Return the conclusion from a list."""
        lost = self.lost
        snapshot = Snapshot(
            currency="USDT",
            listing=Listing(tuple(rows), is_whole=is_whole),
            mark=mark,
            # The end of the baseline is looked up too, for its time.
            related=self.related(
                frozenset([*(row.uuid for row in rows), lost.required_request.baseline[-1]])
            ),
            fee_convention=self.fee_convention,
            now=NOW,
            position=0,
        )
        made_here = {f"w{n}" for n, each in enumerate(self.made) if each.owner == "by this client"}
        found = new_rows(lost, snapshot)
        return decide(
            lost, observation(lost, snapshot, found, made_without_payout=made_here, waiting_for_this=())
        )

    def from_all(self) -> Conclusion:
        """Return the conclusion from the whole list."""
        return self.conclude(self.rows, None, is_whole=True)

    def back_to_mark(self) -> Conclusion:
        """Return the conclusion from the list back to the mark, and the rest of its page."""
        rows = self.rows
        at = len(self.made) - 1 - self.mark_at
        return self.conclude(rows[: at + 1 + self.rest_of_page], rows[at].uuid, is_whole=False)


@st.composite
def worlds(draw: st.DrawFn, behind_the_mark: tuple[Evidence | str, ...] = (*CERTAIN, *UNCERTAIN)) -> World:
    """Draw a world, with the owners that withdrawals behind the mark may have."""
    behind = draw(st.lists(made_by(*behind_the_mark), min_size=1, max_size=6))
    newer = draw(st.lists(made_by(*CERTAIN, *UNCERTAIN), max_size=3))
    count = len(behind) + len(newer)
    known_as_new = draw(st.integers(0, 2**count - 1))  # a bit for each, which is faster than a set
    return World(
        [*behind, *newer],
        draw(st.lists(others, max_size=2)),
        baseline_at=draw(st.integers(0, count)),
        mark_at=len(behind) - 1,
        rest_of_page=draw(st.sampled_from([0, 0, 1, 3, 40])),
        fee_convention=draw(st.sampled_from([None, *FeeConvention])),
        days=draw(st.sampled_from([0, 0, 0, 6, 7, 30])),
        forgets_matches=draw(st.booleans()),
        known_as_new=frozenset(number for number in range(count) if known_as_new >> number & 1),
    )


@settings(max_examples=500)
@given(worlds())
def test_conclusion_from_the_mark_is_never_bolder_than_from_the_whole_list(world: World) -> None:
    whole = world.from_all()
    try:
        short = world.back_to_mark()
    except errors.DecodeError:  # the list lacks a late row or the baseline, and nothing is concluded
        return
    event(f"{type(short).__name__} where the whole list means {type(whole).__name__}")
    if isinstance(short, Adopt):
        assert isinstance(whole, Adopt)
        assert whole.record.uuid == short.record.uuid  # the journal's record may lack what the list shows
    if isinstance(short, DeclareNotSent):
        assert isinstance(whole, DeclareNotSent)


@settings(max_examples=100)
@given(worlds(behind_the_mark=CERTAIN))
def test_conclusion_from_the_mark_is_the_same_if_the_journal_is_certain(world: World) -> None:
    known = world.fee_convention or FeeConvention.GROSS  # else it is inferred from what the list shows
    world = attrs.evolve(world, days=min(world.days, 6), fee_convention=known)
    try:
        short = world.back_to_mark()
    except errors.DecodeError:
        return
    whole = world.from_all()
    assert type(short) is type(whole)
    assert not isinstance(whole, Adopt) or whole == short


def world_of(*rows: Made, days: int = 0, baseline_at: int = 0) -> World:
    """Return a world in which all withdrawals are behind the mark, and only the last is in the list."""
    return World(
        list(rows),
        [],
        baseline_at=baseline_at,
        mark_at=len(rows) - 1,
        rest_of_page=0,
        fee_convention=FeeConvention.GROSS,
        days=days,
        forgets_matches=True,
    )


ELSEWHERE = Made("500", Evidence.ANSWER, "500", is_late=False, lacks="")


def test_payout_of_last_week_is_not_called_unsent_behind_the_mark() -> None:
    """A match of another payout may have been compacted since, so that the journal does not show it."""
    matched = Made("13", Evidence.MATCH, "13", is_late=False, lacks="")
    assert isinstance(world_of(matched, ELSEWHERE, days=7).back_to_mark(), RequireReview)
    assert isinstance(world_of(ELSEWHERE, ELSEWHERE, days=6).back_to_mark(), DeclareNotSent)
    old = world_of(ELSEWHERE, ELSEWHERE, days=7)
    assert isinstance(old.back_to_mark(), RequireReview)
    assert isinstance(old.from_all(), DeclareNotSent)


def test_recorded_withdrawal_is_adopted_if_an_earlier_list_has_shown_it_to_be_new() -> None:
    unowned = Made("13", "unowned", "", is_late=False, lacks="")
    world = world_of(unowned, ELSEWHERE)
    assert isinstance(world.back_to_mark(), RequireReview)
    known = attrs.evolve(world, known_as_new=frozenset({0})).back_to_mark()
    assert isinstance(known, Adopt)
    assert known.record.uuid == "w0"


@pytest.mark.parametrize("lacks", ["fee", "transaction_type"])
def test_incomplete_record_is_not_adopted_although_it_is_new(lacks: str) -> None:
    unowned = Made("13", "unowned", "", is_late=False, lacks=lacks)
    world = attrs.evolve(world_of(unowned, ELSEWHERE), known_as_new=frozenset({0}))
    assert isinstance(world.back_to_mark(), RequireReview)


def test_unowned_withdrawal_from_before_the_baseline_is_not_held_against_a_payout() -> None:
    unowned = Made("13", "unowned", "", is_late=False, lacks="")
    assert isinstance(world_of(unowned, ELSEWHERE, ELSEWHERE, baseline_at=1).back_to_mark(), DeclareNotSent)
    found = world_of(unowned, ELSEWHERE, ELSEWHERE, baseline_at=0).back_to_mark()
    assert isinstance(found, RequireReview)
    assert found.uuids == ["w0"]
