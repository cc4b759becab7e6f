"""Digests of requested payments, by which a key that is used again is compared with a compacted payout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payout_samples import EVERY, INTENT, PLANNED, planned

from upbit_async.payouts.compacted import compacted, digest_of

if TYPE_CHECKING:
    from upbit_async.models import Intent

ADDRESS = "0x" + "aB" * 20
OTHERS = [
    {"amount": "13.01"},
    {"currency": "XRP"},
    {"net_type": "ETH"},
    {"address": "TANOTHERADDRESS"},
    {"secondary_address": "7"},
    {"transaction_type": "internal"},
]


def with_members(**members: str) -> Intent:
    return attrs.evolve(INTENT, members={**INTENT.members, **members})


@pytest.mark.parametrize("amount", ["13", "13.0", "013.00", "+13", "1.3e1"])
def test_equal_amounts_have_one_digest(amount: str) -> None:
    assert digest_of(with_members(amount=amount)) == digest_of(INTENT)


def test_evm_address_is_compared_without_the_case_of_its_letters() -> None:
    assert digest_of(with_members(address=ADDRESS)) == digest_of(with_members(address=ADDRESS.upper()))
    assert digest_of(with_members(address="TaB")) != digest_of(with_members(address="Tab"))


def test_order_of_the_members_and_time_of_the_request_do_not_count() -> None:
    members = dict(reversed(list(INTENT.members.items())))
    later = attrs.evolve(INTENT, members=members, started_at=INTENT.started_at.replace(year=2027))
    assert digest_of(later) == digest_of(INTENT)


@pytest.mark.parametrize("members", OTHERS)
def test_other_payment_has_another_digest(members: dict[str, str]) -> None:
    assert digest_of(with_members(**members)) != digest_of(INTENT)


texts = st.text(max_size=6)


@given(st.dictionaries(texts, texts, max_size=3), st.dictionaries(texts, texts, max_size=3))
def test_text_does_not_move_from_one_member_to_another(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = (
        with_members(**{f"x{name}": value for name, value in one.items()}),
        {f"x{name}": value for name, value in other.items()},
    )
    is_equal = digest_of(first) == digest_of(with_members(**second))
    assert is_equal == (one == other)


@pytest.mark.parametrize("name", EVERY)
def test_compacted_payout_has_no_members_and_can_be_shown(name: str) -> None:
    payout = EVERY[name]
    assert payout is not None
    found = compacted(payout)
    kept = ("key", "state", "uuid", "evidence", "created_at")
    assert {each: getattr(found, each) for each in kept} == {each: getattr(payout, each) for each in kept}
    assert dict(found.intent.members) == {}
    assert found.digest == digest_of(payout.intent)
    assert (found.record, found.error, found.sent_request, found.history, found.mac) == (
        None,
        None,
        None,
        (),
        "",
    )
    assert "payout 'k'" in str(found)


def test_digest_is_the_same_in_every_version() -> None:
    assert digest_of(planned("k", address="T").intent) == digest_of(planned("j", address="T").intent)
    assert digest_of(PLANNED.intent) == "b92986a58825353679275c6d0cdfefbd7912fa25b0f3623d6523ef66ebef3e33"
