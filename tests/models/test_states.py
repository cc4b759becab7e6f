"""Open enums: words that are younger than the library are values like the others."""

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
def test_the_words_are_upbits_own(kind: type[OpenEnum], words: set[str]) -> None:
    assert {member.value for member in kind} == words
    assert all(member.name == member.value.upper() for member in kind)


@pytest.mark.parametrize("member", _all_members(), ids=repr)
def test_a_known_word_in_any_case_is_the_member_itself(member: OpenEnum) -> None:
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
def test_old_words_for_a_withdrawal_mean_todays_states(word: str, state: WithdrawalState) -> None:
    assert WithdrawalState(word) is state


def test_an_accepted_deposit_is_final_though_an_accepted_withdrawal_was_not() -> None:
    assert DepositState("accepted") is DepositState.ACCEPTED
    assert DepositState("accepted").is_final
    assert not WithdrawalState("accepted").is_final
    assert DepositState("Canceled") is DepositState.CANCELLED


@pytest.mark.parametrize("kind", [WithdrawalState, DepositState])
def test_the_final_states_are_those_after_which_nothing_happens(
    kind: type[WithdrawalState | DepositState],
) -> None:
    assert {member.value for member in kind if member.is_final} == FINAL[kind]
    assert not kind("SOMETHING_NEW").is_final
    assert not kind("").is_final


def test_a_wallet_moves_money_only_in_the_states_that_say_so() -> None:
    assert {state.value for state in WalletState if state.can_withdraw} == {"working", "withdraw_only"}
    assert {state.value for state in WalletState if state.can_deposit} == {"working", "deposit_only"}
    assert not WalletState("half_open").can_withdraw
    assert not WalletState("half_open").can_deposit


@given(kind=st.sampled_from(ENUMS), word=st.text(st.characters(codec="utf-8")))
def test_an_unknown_word_is_a_value_that_equals_its_text(kind: type[OpenEnum], word: str) -> None:
    folded = word.casefold()
    assume(folded not in {member.value.casefold() for member in kind} | set(kind.spellings()))
    stranger = kind(word)

    assert isinstance(stranger, kind)
    assert (stranger.known, stranger.value, stranger.name) == (False, word, word)
    assert (str(stranger), f"{stranger}", stranger + "") == (word, word, word)
    assert stranger == word
    assert hash(stranger) == hash(word)
    assert stranger == kind(word)
    assert {stranger: 1}[word] == 1  # type: ignore[index]
    assert all(stranger != member for member in kind)
    assert word in repr(stranger) or repr(word)[1:-1] in repr(stranger)
    for twin in (pickle.loads(pickle.dumps(stranger)), copy.copy(stranger), copy.deepcopy(stranger)):  # noqa: S301
        assert (twin, type(twin), twin.known) == (word, kind, False)


@pytest.mark.parametrize("kind", ENUMS)
def test_a_stranger_leaves_no_trace_in_the_enum(kind: type[OpenEnum]) -> None:
    before = list(kind)
    kind("stranger")
    assert list(kind) == before
    assert "stranger" not in kind.__members__


def test_a_pickle_names_the_word_and_so_survives_an_update() -> None:
    text = pickletools.genops(pickle.dumps(WithdrawalState("ON_HOLD")))
    assert "ON_HOLD" in {argument for _, argument, _ in text}


@pytest.mark.parametrize("value", [None, 1, 1.5, b"DONE", ["DONE"], object()])
def test_what_is_no_text_is_no_state(value: Any) -> None:
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
def test_states_can_be_matched(word: str, found: str) -> None:
    assert _matched(WithdrawalState(word)) == found


def test_only_states_that_have_old_words_say_so() -> None:
    assert OpenEnum.spellings() == {}
    assert WalletState.spellings() == {}
