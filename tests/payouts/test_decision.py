"""Decisions about a lost payout: adopt the narrowest match, declare the widest absence, else review."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payout_samples import ARRIVED, INTENT, NOT_SENT, UNKNOWN, WHEN, at

from upbit_async.checks import FeeConvention, contradictions, fee_convention_of, fits
from upbit_async.models import Intent, TransactionType, Withdrawal, WithdrawalState
from upbit_async.payouts import Evidence, Payout, PayoutState, transitions
from upbit_async.payouts.decision import (
    Adopt,
    DeclareNotSent,
    Observation,
    RequireReview,
    WaitFor,
    decide,
    other_claimants,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def row(uuid: str = "w", amount: str = "13", fee: str | None = "1", **changes: Any) -> Withdrawal:
    known = Withdrawal(
        uuid=uuid,
        currency="USDT",
        net_type="TRX",
        state=WithdrawalState.WAITING,
        amount=Decimal(amount),
        fee=None if fee is None else Decimal(fee),
        transaction_type=TransactionType.DEFAULT,
    )
    return attrs.evolve(known, **changes)


def other(key: str, amount: str, state: PayoutState, uuid: str | None = None, **changes: Any) -> Payout:
    intent = attrs.evolve(INTENT, members={**INTENT.members, "amount": amount})
    evidence = Evidence.ANSWER if uuid else None
    known = Payout(key=key, state=state, intent=intent, uuid=uuid, evidence=evidence)
    return attrs.evolve(known, **changes)


def verdict(
    rows: Sequence[Withdrawal],
    *,
    payout: Payout = UNKNOWN,
    others: Sequence[Payout] = (),
    **known: Any,
) -> Any:
    return decide(payout, Observation(rows=rows, others=others, **known))


@pytest.mark.parametrize(
    "only",
    [
        row(),
        row(amount="13.000"),
        row(net_type=None),
        row(transaction_type=None),
        row(fee=None),
    ],
)
def test_only_match_is_adopted(only: Withdrawal) -> None:
    assert verdict([row("x", "500"), only]) == Adopt(only)


@pytest.mark.parametrize(
    "unowned",
    [
        row(amount="13.0001"),
        row(amount="12"),
        row(amount="14"),
        row(net_type="ETH"),
        row(transaction_type=TransactionType.INTERNAL),
        row(amount="500"),
    ],
)
def test_any_unexplained_withdrawal_forbids_not_sent(unowned: Withdrawal) -> None:
    assert isinstance(verdict([unowned]), RequireReview)


def test_nothing_new_means_not_sent() -> None:
    assert verdict([]) == DeclareNotSent()


def test_two_matches_need_review() -> None:
    found = verdict([row("a"), row("b")])
    assert isinstance(found, RequireReview)
    assert [each.uuid for each in found.candidates] == ["a", "b"]
    assert "a of 13 USDT" in found.why


def test_withdrawals_of_other_payouts_are_excluded() -> None:
    others = [other("a", "13", PayoutState.DONE, uuid="A"), other("b", "20", PayoutState.ACCEPTED, uuid="b")]
    rows = [row("a"), row("b", "20"), row("c")]
    assert verdict(rows, others=others) == Adopt(rows[2])
    assert verdict(rows[:2], others=others) == DeclareNotSent()
    assert verdict(rows, others=others, excluded={"c"}) == DeclareNotSent()


def test_withdrawal_made_without_a_payout_is_no_match_but_forbids_not_sent() -> None:
    assert verdict([row("c"), row("d")], made_without_payout={"c"}) == Adopt(row("d"))
    doubt = verdict([row("c")], made_without_payout={"c"})
    assert isinstance(doubt, RequireReview)
    assert (doubt.candidates, doubt.uuids) == ((), ["c"])


def test_amount_net_of_a_zero_fee_matches() -> None:
    assert verdict([row(fee="0")], fee_convention=FeeConvention.NET) == Adopt(row(fee="0"))
    assert isinstance(verdict([row(fee=None)], fee_convention=FeeConvention.NET), RequireReview)


def test_match_of_another_payout_excludes_nothing_that_may_be_ours() -> None:
    found_for = other("a", "12", PayoutState.DONE, uuid="a", evidence=Evidence.MATCH)
    assert isinstance(verdict([row("a", "12")], others=[found_for]), RequireReview)
    assert (
        verdict([row("a", "12")], others=[found_for], fee_convention=FeeConvention.GROSS) == DeclareNotSent()
    )
    assert verdict([row("a", "12")], others=[found_for], made_without_payout=["a"]) == DeclareNotSent()
    far = other("b", "500", PayoutState.DONE, uuid="b", evidence=Evidence.MATCH)
    assert verdict([row("b", "500")], others=[far]) == DeclareNotSent()


def test_request_that_has_arrived_is_never_not_sent() -> None:
    arrived = transitions.lost(UNKNOWN, ARRIVED, lease_holder="x", now=WHEN)
    assert arrived is not None
    assert isinstance(verdict([], payout=arrived), RequireReview)
    assert verdict([row()], payout=arrived) == Adopt(row())


@pytest.mark.parametrize("state", [PayoutState.SENDING, PayoutState.UNKNOWN])
def test_shared_match_waits_until_the_other_payout_settles(state: PayoutState) -> None:
    rival = other("rival", "14", state)  # which shows as 13 if the fee is taken out
    assert verdict([row()], others=[rival]) == WaitFor(("rival",))
    found = verdict([row()], others=[rival], waiting_for_this=["rival"])
    assert isinstance(found, RequireReview)
    assert found.uuids == ["w"]
    assert verdict([row()], others=[rival], fee_convention=FeeConvention.GROSS) == Adopt(row())


@pytest.mark.parametrize(
    "state",
    [PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT, PayoutState.QUEUED, PayoutState.ABANDONED],
)
def test_match_shared_with_a_settled_payout_needs_review(state: PayoutState) -> None:
    rival = other("rival", "14", state, sent_request=UNKNOWN.sent_request)
    assert isinstance(verdict([row()], others=[rival]), RequireReview)
    assert verdict([row()], others=[other("rival", "14", PayoutState.DECLINED)]) == Adopt(row())
    decided = attrs.evolve(rival, evidence=Evidence.MANUAL)
    assert isinstance(verdict([row()], others=[decided]), RequireReview)
    assert UNKNOWN.sent_request is not None
    compared = attrs.evolve(rival, sent_request=attrs.evolve(UNKNOWN.sent_request, excluded=("w",)))
    assert verdict([row()], others=[compared]) == Adopt(row())


def test_withdrawal_older_than_another_payout_cannot_be_its() -> None:
    assert UNKNOWN.sent_request is not None
    later = attrs.evolve(UNKNOWN.sent_request, baseline=("w", "old"))
    rival = other("rival", "14", PayoutState.UNKNOWN, sent_request=later)
    assert verdict([row()], others=[rival]) == Adopt(row())


def test_amounts_explained_only_as_gross_are_read_as_gross() -> None:
    rivals = [other(f"r{n}", str(n), PayoutState.UNKNOWN) for n in (14, 15, 16)]
    rows = [row(f"w{n}", str(n)) for n in (13, 14, 15, 16)]
    assert verdict(rows, others=rivals) == Adopt(rows[0])
    # Of these each might be the next one's, net of its fee.
    assert verdict(rows[:3], others=rivals) == WaitFor(("r14",))


def test_withdrawal_an_unsettled_payout_may_explain_is_waited_for() -> None:
    under_way = other("r", "500", PayoutState.UNKNOWN)
    assert verdict([row("x", "500")], others=[under_way]) == WaitFor(("r",))
    assert isinstance(verdict([row("x", "500")], others=[under_way], waiting_for_this=["r"]), RequireReview)
    assert isinstance(verdict([row("x", "500"), row("y", "7")], others=[under_way]), RequireReview)


@pytest.mark.parametrize(
    ("fee_convention", "amount"), [(FeeConvention.GROSS, "13"), (FeeConvention.NET, "12")]
)
def test_fee_convention_is_learned_from_answers(fee_convention: FeeConvention, amount: str) -> None:
    known = [(INTENT, row(amount=amount)), (INTENT, row(amount="13", fee="0"))]
    assert fee_convention_of(known) is fee_convention
    assert verdict([row(amount=amount)], fee_convention=fee_convention) == Adopt(row(amount=amount))
    assert fee_convention_of([*known, (INTENT, row(amount="13")), (INTENT, row(amount="12"))]) is None
    assert fee_convention_of([]) is None
    assert contradictions(INTENT, row(amount=amount)) == ""


@pytest.mark.parametrize(
    "odd", [row(amount="11"), row(currency="BTC"), row(net_type="ETH"), row(amount="12", fee="0")]
)
def test_answer_about_something_else_contradicts(odd: Withdrawal) -> None:
    assert f"{odd.amount:f} {odd.currency}" in contradictions(INTENT, odd)


def test_intent_without_an_amount_matches_nothing() -> None:
    bare = Intent(endpoint="x", host="h", members={}, started_at=INTENT.started_at)
    assert not fits(bare, row(), FeeConvention.GROSS)
    assert contradictions(bare, row())


amounts = st.sampled_from(["11", "12", "13", "14", "15", "500"])
rows_of = st.lists(amounts, max_size=5).map(
    lambda found: [row(f"w{number}", amount) for number, amount in enumerate(found)]
)
owned = st.lists(
    st.tuples(
        st.integers(0, 4), amounts, st.sampled_from([Evidence.ANSWER, Evidence.MATCH, Evidence.MANUAL])
    ),
    max_size=3,
    unique_by=lambda each: each[0],
)
open_ones = st.lists(amounts, max_size=2)


@given(rows_of, owned, open_ones, st.sampled_from([None, *FeeConvention]))
def test_decision_never_adopts_anothers_nor_overlooks_a_match(
    rows: list[Withdrawal], owners: Any, unsettled: list[str], fee_convention: FeeConvention | None
) -> None:
    others = [other(f"o{n}", amount, PayoutState.DONE, uuid=f"w{n}", evidence=ev) for n, amount, ev in owners]
    others += [other(f"u{n}", amount, PayoutState.UNKNOWN) for n, amount in enumerate(unsettled)]
    found = verdict(rows, others=others, fee_convention=fee_convention)
    taken = {each.uuid for each in others}
    free = [each for each in rows if each.uuid not in taken]
    fitting = [each for each in free if fits(INTENT, each, fee_convention or FeeConvention.GROSS)]
    if isinstance(found, Adopt):
        assert fitting == [found.record]
    elif isinstance(found, DeclareNotSent):
        assert free == []
    elif isinstance(found, WaitFor):
        assert set(found.keys) <= {each.key for each in others if each.state is PayoutState.UNKNOWN}
    else:
        assert found.why
    if len(fitting) > 1:
        assert isinstance(found, RequireReview)


@pytest.mark.parametrize("state", [PayoutState.SENDING, PayoutState.UNKNOWN])
def test_manual_decision_ends_when_another_copy_leaves(state: PayoutState) -> None:
    again = other("rival", "14", state, evidence=Evidence.MANUAL)
    assert verdict([row()], others=[again]) == WaitFor(("rival",))


@pytest.mark.parametrize("evidence", [Evidence.MATCH, Evidence.MANUAL, None])
@pytest.mark.parametrize("state", [PayoutState.NOT_SENT, PayoutState.QUEUED, PayoutState.ABANDONED])
def test_copy_sent_within_seven_days_stays_a_claimant(state: PayoutState, evidence: Evidence | None) -> None:
    week = 7 * 24 * 3600
    rival = attrs.evolve(NOT_SENT, key="rival", state=state, evidence=evidence)
    assert other_claimants([rival], "k", at(week - 1)) == [rival]
    assert other_claimants([rival], "k", at(week)) == []
    assert other_claimants([rival], "rival", WHEN) == []
    assert other_claimants([attrs.evolve(rival, sent_request=None)], "k", WHEN) == []
    assert other_claimants([attrs.evolve(UNKNOWN, key="rival")], "k", at(week)) != []


@pytest.mark.parametrize(("utc", "journal"), [(0, 30), (30, 0)])
def test_clock_change_does_not_end_the_seven_days(utc: int, journal: int) -> None:
    day = 24 * 3600
    now = attrs.evolve(at(utc * day), journal=at(journal * day).journal)
    assert other_claimants([attrs.evolve(NOT_SENT, key="rival")], "k", now) != []


def test_list_with_a_gap_never_means_not_sent() -> None:
    found = verdict([], gap="Upbit's list is not newest first")
    assert isinstance(found, RequireReview)
    assert "not newest first" in found.why
    assert verdict([row()], gap="Upbit's list is not newest first") == Adopt(row())


# -- withdrawals that only the journal shows -------------------------------------------------------


def test_recorded_withdrawal_is_not_adopted() -> None:
    found = verdict([row()], recorded={"w"})
    assert isinstance(found, RequireReview)
    assert found.uuids == ["w"]
    assert verdict([row(), row("x", "500")], recorded={"x"}) == Adopt(row())


def test_recorded_withdrawals_do_not_show_the_fee_convention() -> None:
    rows, rival = [row(), row("x", "14")], other("rival", "14", PayoutState.UNKNOWN)
    assert verdict(rows, others=[rival]) == Adopt(row())
    assert verdict(rows, others=[rival], recorded={"x"}) == WaitFor(("rival",))


def test_reservation_prevents_a_match_and_not_sent() -> None:
    found = verdict([row()], reservation="it is old")
    assert isinstance(found, RequireReview)
    assert (found.uuids, "it is old" in found.why) == (["w"], True)
    found = verdict([], reservation="it is old")
    assert isinstance(found, RequireReview)
    assert (found.uuids, "it is old" in found.why) == ([], True)
