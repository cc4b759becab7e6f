"""Leases of runners on the journal's file: boots, epochs and damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from internals import reading, writing
from payout_samples import PLANNED, WHEN, at, departing, planned

from upbit_async.payouts import JournalTime, PayoutState
from upbit_async.payouts.journal_time import Now

if TYPE_CHECKING:
    from upbit_async.payouts.sqlite.store import Store

LEASE: Final = 60.0
STATES: Final = [PayoutState.PLANNED, PayoutState.SENDING]


def claim(store: Store, runner: str, now: Now, lease: float = LEASE) -> list[str]:
    return [payout.key for payout in store.claim(runner, lease, 10, STATES, (), now)]


def tagged(seconds: float, epoch: str) -> Now:
    return Now(WHEN.utc, JournalTime(seconds, epoch))


def runners(store: Store) -> list[str]:
    with reading(store) as connection:
        return [
            row["name"] for row in connection.execute("SELECT name FROM runners ORDER BY name").fetchall()
        ]


def test_lease_ends_exactly_when_it_is_over(store: Store) -> None:
    store.add(PLANNED)
    assert claim(store, "a", at(0)) == ["k"]
    assert claim(store, "b", at(LEASE - 0.001)) == []
    assert claim(store, "b", at(LEASE)) == ["k"]
    assert runners(store) == ["b"]


def test_lease_ends_at_once_with_the_boot_of_its_machine(store: Store) -> None:
    store.add(PLANNED)
    assert claim(store, "a", tagged(1e6, "boot 1/time")) == ["k"]
    assert claim(store, "b", tagged(5.0, "boot 2/time")) == ["k"]


@pytest.mark.parametrize("epoch", ["boot/another namespace", "/another process", ""])
def test_lease_of_another_epoch_is_over_a_full_lease_after_its_first_sight(store: Store, epoch: str) -> None:
    store.add(PLANNED)
    assert claim(store, "a", tagged(1e9, epoch)) == ["k"]
    assert claim(store, "b", tagged(5.0, "boot/time")) == []
    assert claim(store, "b", tagged(5.0 + LEASE - 0.001, "boot/time")) == []
    assert claim(store, "b", tagged(5.0 + LEASE, "boot/time")) == ["k"]


def test_first_sight_is_forgotten_when_the_runner_calls_again(store: Store) -> None:
    store.add(PLANNED)
    claim(store, "a", tagged(1e9, "boot/other"))
    claim(store, "b", tagged(5.0, "boot/time"))
    claim(store, "a", tagged(1e9 + 1, "boot/other"))
    assert claim(store, "b", tagged(5.0 + LEASE, "boot/time")) == []
    assert claim(store, "b", tagged(5.0 + 2 * LEASE, "boot/time")) == ["k"]


def test_runner_that_dies_without_claims_leaves_no_row(store: Store) -> None:
    for number in range(5):
        claim(store, f"r{number}", at(number))
    claim(store, "last", at(1000))
    assert runners(store) == ["last"]


def test_own_lease_that_is_over_is_renewed_if_no_other_runner_has_called(store: Store) -> None:
    store.add(PLANNED)
    assert claim(store, "a", at(0)) == ["k"]
    assert claim(store, "a", at(10 * LEASE)) == []
    assert claim(store, "b", at(10 * LEASE + 1)) == []


def test_length_of_each_runners_own_lease_counts(store: Store) -> None:
    store.add(PLANNED)
    store.add(planned("long", amount="14"))
    assert claim(store, "a", at(0), lease=10.0) == ["k", "long"]
    assert claim(store, "b", at(9), lease=1000.0) == []
    assert claim(store, "b", at(10), lease=1000.0) == ["k", "long"]


def test_claimed_payout_keeps_its_claim_through_every_open_state(store: Store) -> None:
    store.add(PLANNED)
    assert claim(store, "a", at(0)) == ["k"]
    store.compare_and_swap(PLANNED, departing())
    assert claim(store, "b", at(1)) == []


@pytest.mark.parametrize("damage", ["called_at = '{\"readings\": 7}'", "lease = 'long'"])
def test_runner_whose_row_is_damaged_is_logged_and_its_claims_end(
    store: Store, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """Or else no runner could claim anything. Claims only divide the work."""
    store.add(PLANNED)
    claim(store, "a", at(0))
    with writing(store) as connection:
        connection.execute(f"UPDATE runners SET {damage}")  # noqa: S608 - the test's own words
    assert claim(store, "b", at(1)) == ["k"]
    assert "runner 'a' can't be read from the journal" in caplog.text
    assert claim(store, "a", at(2)) == []
    assert runners(store) == ["a", "b"]
