"""What a payout whose row is damaged may own, so that no other payout takes its withdrawal."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
from internals import writing
from payout_samples import EVERY, LATER, WHEN, planned, record

from upbit_async import errors
from upbit_async.checks import FeeConvention
from upbit_async.models import TransactionType
from upbit_async.payouts import Evidence, Related, queueing, transitions
from upbit_async.payouts.decision import may_claim, other_claimants
from upbit_async.payouts.sqlite.rows import payout_of, row_of

if TYPE_CHECKING:
    from upbit_async.payouts import Payout
    from upbit_async.payouts.sqlite.store import Store


HELD_BACK = queueing.failed(planned("k"), errors.PayoutBlocked("blocked", uuids=("w-1",)))
ROWS = {name: payout for name, payout in {**EVERY, "held back": HELD_BACK}.items() if payout is not None}


def related_with_damage(store: Store, payout: Payout, damage: str, *uuids: str) -> Related:
    """Store a payout, damage its row, and return what the journal knows about withdrawals."""
    store.add(payout)
    store.add(planned("another", amount="99"))
    with writing(store) as connection:
        connection.execute(f"UPDATE payouts SET {damage} WHERE key = 'k'")  # noqa: S608 - the test's own words
    with pytest.raises(errors.JournalError):
        store.get("k")
    return store.related("USDT", uuids)


@pytest.mark.parametrize("name", ["sending", "unknown", "in doubt", "not sent", "given up unsent"])
@pytest.mark.parametrize("damage", ["sent_request = '{'", "intent = '{'", "mac = x'00'", "revision = 'odd'"])
@pytest.mark.parametrize("route", TransactionType)
def test_damaged_payout_claims_the_withdrawals_that_it_may_have_made(
    store: Store, name: str, damage: str, route: TransactionType
) -> None:
    found = related_with_damage(store, ROWS[name], damage)
    own = attrs.evolve(record(), transaction_type=route)
    other = attrs.evolve(own, amount=Decimal(14))
    others = other_claimants(found.payouts, "another", WHEN)
    assert any(may_claim(each, own, None) for each in others)
    assert not any(may_claim(each, other, None) for each in others)
    net = attrs.evolve(own, amount=Decimal(12), fee=Decimal(1))
    assert any(may_claim(each, net, FeeConvention.NET) for each in others)
    assert not any(each.state.is_under_way for each in found.payouts)  # nothing would end a wait for it
    assert list(found.unreadable) == []


@pytest.mark.parametrize("damage", ["amount = 'many'", "amount = 'NaN'", "amount = x'31'", "amount = '14'"])
def test_damaged_payout_of_unknown_amount_may_own_any_withdrawal(store: Store, damage: str) -> None:
    found = related_with_damage(store, ROWS["unknown"], damage)
    assert list(found.unreadable) == ["k"]
    assert list(found.payouts) == []


def test_damaged_payout_stays_the_uncertain_owner_of_its_withdrawal(store: Store) -> None:
    found = related_with_damage(store, ROWS["answered"], "intent = '{'", "w-1", "w-2")
    assert found.owner_of("W-1") == "k"
    (owner,) = found.payouts
    assert owner.evidence is Evidence.MATCH
    assert not may_claim(owner, record("w-2"), None)


def test_damaged_compacted_payout_stays_the_owner_of_its_withdrawal(store: Store) -> None:
    with writing(store) as connection:
        row = ("k", 1, "done", "W-1", "answer", 0, "no digest")
        connection.execute("INSERT INTO compacted VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    assert store.related("USDT", ["w-1"]).owner_of("w-1") == "k"


def test_damaged_match_keeps_its_record(store: Store) -> None:
    found = related_with_damage(store, ROWS["found"], "intent = '{'")
    (matched,) = found.matched
    assert (matched.key, matched.record) == ("k", record())
    assert list(found.unreadable) == []


def test_damaged_match_without_its_record_may_own_any_withdrawal(store: Store) -> None:
    found = related_with_damage(store, ROWS["found"], "record = '{'")
    assert list(found.matched) == []
    assert list(found.unreadable) == ["k"]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("odd", [None, 7, -1.5, "odd", "2026-01-01", [], [[]], {}, {"a": []}, True], ids=repr)
def test_row_with_any_odd_value_is_read_or_refused_by_a_journal_error(name: str, odd: object) -> None:
    """Any other exception would stop the reader of all rows."""
    row: dict[str, Any] = {**row_of(ROWS[name]), "claimed_by": None}
    del row["key"]
    for column, value in row.items():
        for changed in [odd, *_with_odd_member(value, odd)]:
            try:
                payout = payout_of({**row, "key": "k", column: changed}, ())
            except errors.JournalError as error:
                assert error.key == "k"  # noqa: PT017 - most rows are refused, not all
            else:  # all of it can be used
                assert row_of(payout)["state"] == payout.state
                transitions.expired(payout, LATER)
                may_claim(payout, record(), None)
                assert isinstance(f"{payout}{payout.reason}", str)
                assert {payout.uuid, *payout.candidates}
                assert payout.created_at <= LATER.utc
                assert payout.not_after is None


def _with_odd_member(text: object, odd: object) -> list[str]:
    """Return a JSON object's text with an odd value in place of each of its members, at two levels."""
    if not isinstance(text, str) or not text.startswith("{"):
        return []
    value: dict[str, Any] = json.loads(text)
    changed: list[dict[str, Any]] = [{**value, name: odd} for name in value]
    for name, inner in value.items():
        changed += [{**value, name: [odd]}, {**value, name: [[odd, odd]]}]
        if isinstance(inner, dict):
            names: list[str] = list(cast("dict[str, Any]", inner))
            changed += [{**value, name: {**inner, each: odd}} for each in names]
    return [json.dumps(each) for each in changed]
