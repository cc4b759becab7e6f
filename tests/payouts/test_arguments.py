"""Arguments of payouts: validation, and what counts as another payment under one key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clients import WITHDRAWAL
from journals import InlineJournal, open_payouts
from payout_samples import WHEN

from upbit_async import errors
from upbit_async.models import Intent
from upbit_async.payouts import Payouts, PayoutState

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox


from typing import TYPE_CHECKING

from upbit_async.payouts import arguments, queueing

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.sandbox import Sandbox


EVM = "0x52908400098527886E0F7030069857D2E4169EE7"


@pytest.mark.parametrize("other", [EVM.lower(), EVM.upper(), "0x" + EVM[2:].lower()])
async def test_evm_address_in_another_case_is_no_conflict(
    sandbox: Sandbox, payouts: Payouts, tron: dict[str, Any], other: str
) -> None:
    sandbox.account.allow_address("USDT", "ETH", EVM)
    asked = dict(tron, net_type="ETH", address=EVM, amount="30")
    first = await payouts.send("k", **asked)
    assert first.state is PayoutState.DONE
    assert await payouts.send("k", **dict(asked, address=other)) == first
    assert len(sandbox.ledger.created) == 1


def intent(**changes: str) -> Intent:
    """Return the intent of a payout."""
    members = {**WITHDRAWAL, "transaction_type": "default", **changes}
    return Intent(endpoint="POST /v1/withdraws/coin", host="sg.example", members=members, started_at=WHEN.utc)


def test_other_addresses_are_conflicts() -> None:
    tron = intent()
    for known, other in (
        (intent(net_type="ETH", address=EVM), intent(net_type="ETH", address=f"{EVM[:-1]}8")),
        (tron, intent(address=tron.members["address"].lower())),
    ):
        with pytest.raises(errors.PayoutConflict, match="differs in address"):
            arguments.raise_if_other(queueing.planned("k", known), other)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"amount": "13.1"}, "amount"),
        ({"address": "TAnother"}, "address"),
        ({"currency": "BTC"}, "currency"),
        ({"net_type": "ETH"}, "net_type"),
        ({"secondary_address": "1"}, "secondary_address"),
        ({"transaction_type": "internal"}, "transaction_type"),
        ({"extra": {"note": "x"}}, "note"),
    ],
)
async def test_key_with_other_parameters_is_a_conflict(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], changes: dict[str, Any], name: str
) -> None:
    await payouts.send("k", **tron)
    with pytest.raises(errors.PayoutConflict, match=f"differs in {name}"):
        await payouts.send("k", **tron | changes)
    assert len(sandbox.ledger.created) == 1


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"key": ""}, ValueError),
        ({"key": "k" * 257}, ValueError),
        ({"key": "\ud800"}, ValueError),
        ({"key": "a\0b"}, ValueError),
        ({"key": 7}, TypeError),
        ({"amount": 13.5}, TypeError),
        ({"amount": "0"}, ValueError),
        ({"address": ""}, ValueError),
        ({"wait": "yes"}, TypeError),
        ({"extra": {"amount": "2"}}, ValueError),
        ({"extra": {"names": ["a", "b"]}}, TypeError),
        ({"extra": {"ratio": 0.5}}, TypeError),
    ],
)
async def test_bad_arguments_are_refused_before_anything_is_stored(
    payouts: Payouts, sandbox: Sandbox, tron: dict[str, Any], arguments: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await payouts.send(**dict(tron, key="k") | arguments)
    assert await open_payouts(payouts) == []
    assert len(sandbox.requests) == 0


async def test_constructor_refuses_bad_arguments(client: UpbitClient, path: Path) -> None:
    journal = InlineJournal(path)
    for wrong, kind in (
        ({"client": "client"}, TypeError),
        ({"journal": str(path)}, TypeError),
        ({"settling_time": -1}, ValueError),
        ({"settling_time": float("inf")}, ValueError),
        ({"settling_time": "30"}, TypeError),
        ({"check": 1}, TypeError),
        ({"resend": "always"}, ValueError),
        ({"on_unowned": "ask"}, ValueError),
        ({"journal_keys": [b"short"]}, ValueError),
    ):
        with pytest.raises(kind):
            Payouts(**{"client": client, "journal": journal, **wrong})  # type: ignore[arg-type]
