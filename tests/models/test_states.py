"""Open enums: values that are newer than the library work like the known ones."""

from __future__ import annotations

import copy
import pickle
import pickletools
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from upbit_async.models import (
    BlockState,
    DepositState,
    OpenEnum,
    TransactionType,
    WalletState,
    WithdrawalState,
)

ENUMS: list[type[OpenEnum]] = [WalletState, BlockState, TransactionType, WithdrawalState, DepositState]
FINAL = {
    WithdrawalState: {"DONE", "FAILED", "CANCELLED", "REJECTED"},
    DepositState: {"ACCEPTED", "CANCELLED", "REJECTED", "REFUNDED"},
}


def _all_members() -> list[OpenEnum]:
    return [member for kind in ENUMS for member in kind]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (WalletState, {"working", "withdraw_only", "deposit_only", "paused", "unsupported"}),
        (BlockState, {"normal", "delayed", "inactive"}),
        (TransactionType, {"default", "internal"}),
        (WithdrawalState, {"WAITING", "PROCESSING", "DONE", "FAILED", "CANCELLED", "REJECTED"}),
        (
            DepositState,
            {
                "PROCESSING",
                "ACCEPTED",
                "CANCELLED",
                "REJECTED",
                "TRAVEL_RULE_SUSPECTED",
                "REFUNDING",
                "REFUNDED",
            },
        ),
    ],
)
def test_state_values_are_those_of_upbit(kind: type[OpenEnum], words: set[str]) -> None:
    assert {member.value for member in kind} == words
    assert all(member.name == member.value.upper() for member in kind)


@pytest.mark.parametrize("member", _all_members(), ids=repr)
def test_known_value_in_any_case_is_the_member_itself(member: OpenEnum) -> None:
    kind = type(member)
    assert member.known
    for word in (member.value, member.value.lower(), member.value.upper(), member.value.title()):
        assert kind(word) is member


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("submitting", WithdrawalState.WAITING),
        ("submitted", WithdrawalState.WAITING),
        ("almost_accepted", WithdrawalState.WAITING),
        ("accepted", WithdrawalState.PROCESSING),
        ("processing", WithdrawalState.PROCESSING),
        ("done", WithdrawalState.DONE),
        ("rejected", WithdrawalState.REJECTED),
        ("canceled", WithdrawalState.CANCELLED),
        ("CANCELED", WithdrawalState.CANCELLED),
        ("cancelled", WithdrawalState.CANCELLED),
    ],
)
def test_former_withdrawal_states_map_to_current_ones(word: str, state: WithdrawalState) -> None:
    assert WithdrawalState(word) is state


def test_accepted_is_final_for_deposits_but_not_for_withdrawals() -> None:
    assert DepositState("accepted") is DepositState.ACCEPTED
    assert DepositState("accepted").is_final
    assert not WithdrawalState("accepted").is_final
    assert DepositState("Canceled") is DepositState.CANCELLED


@pytest.mark.parametrize("kind", [WithdrawalState, DepositState])
def test_final_states_are_exactly_the_terminal_ones(
    kind: type[WithdrawalState | DepositState],
) -> None:
    assert {member.value for member in kind if member.is_final} == FINAL[kind]
    assert not kind("SOMETHING_NEW").is_final
    assert not kind("").is_final


def test_wallet_can_transfer_only_in_the_states_that_say_so() -> None:
    assert {state.value for state in WalletState if state.can_withdraw} == {"working", "withdraw_only"}
    assert {state.value for state in WalletState if state.can_deposit} == {"working", "deposit_only"}
    assert not WalletState("half_open").can_withdraw
    assert not WalletState("half_open").can_deposit


@given(kind=st.sampled_from(ENUMS), word=st.text(st.characters(codec="utf-8")))
def test_unknown_value_behaves_like_its_text(kind: type[OpenEnum], word: str) -> None:
    folded = word.casefold()
    assume(folded not in {member.value.casefold() for member in kind} | set(kind.spellings()))
    unknown = kind(word)

    assert isinstance(unknown, kind)
    assert (unknown.known, unknown.value, unknown.name) == (False, word, word)
    assert (str(unknown), f"{unknown}", unknown + "") == (word, word, word)
    assert unknown == word
    assert hash(unknown) == hash(word)
    assert unknown == kind(word)
    assert {unknown: 1}[word] == 1  # type: ignore[index]
    assert all(unknown != member for member in kind)
    assert word in repr(unknown) or repr(word)[1:-1] in repr(unknown)
    for twin in (pickle.loads(pickle.dumps(unknown)), copy.copy(unknown), copy.deepcopy(unknown)):  # noqa: S301
        assert (twin, type(twin), twin.known) == (word, kind, False)


@pytest.mark.parametrize("kind", ENUMS)
def test_unknown_value_does_not_join_the_enum(kind: type[OpenEnum]) -> None:
    before = list(kind)
    kind("unknown")
    assert list(kind) == before
    assert "unknown" not in kind.__members__


def test_pickle_contains_the_value_and_survives_an_update() -> None:
    text = pickletools.genops(pickle.dumps(WithdrawalState("ON_HOLD")))
    assert "ON_HOLD" in {argument for _, argument, _ in text}


@pytest.mark.parametrize("value", [None, 1, 1.5, b"DONE", ["DONE"], object()])
def test_value_that_is_not_text_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid WithdrawalState"):
        WithdrawalState(value)


def _matched(state: WithdrawalState) -> str:
    match state:
        case WithdrawalState.DONE:
            return "done"
        case WithdrawalState.FAILED | WithdrawalState.REJECTED:
            return "lost"
        case _ if str(state) == "ON_HOLD":
            return "held"
        case _:
            return "other"


@pytest.mark.parametrize(
    ("word", "found"),
    [("DONE", "done"), ("done", "done"), ("REJECTED", "lost"), ("ON_HOLD", "held"), ("WAITING", "other")],
)
def test_states_work_in_match_statements(word: str, found: str) -> None:
    assert _matched(WithdrawalState(word)) == found


def test_spellings_are_empty_without_former_values() -> None:
    assert OpenEnum.spellings() == {}
    assert WalletState.spellings() == {}
