"""Deposits arrive, are looked up, progress, and are credited once."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from answers import assert_like, error_of
from examples import example
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.region import Region
from upbit_async.sandbox import Knobs, Sandbox, Transitions

if TYPE_CHECKING:
    from upbit_async.sandbox import DepositRecord

HISTORY = [f"00000000-0000-4000-8000-{number:012}" for number in range(101, 108)]
TIMES = {"created_at", "done_at"}


def tether(sandbox: Sandbox, amount: str = "35.5", **options: Any) -> DepositRecord:
    return sandbox.deposits.arrive("USDT", "TRX", amount, **options)


async def state_of(client: SignedClient, uuid: str) -> str:
    state: str = (await client.get("/v1/deposit", f"uuid={uuid}")).json()["state"]
    return state


def without_times(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in TIMES}


# -- looking up ------------------------------------------------------------------------------------


async def test_there_is_an_old_deposit_in_every_state(client: SignedClient) -> None:
    rows = (await client.get("/v1/deposits", "order_by=asc")).json()
    assert [row["uuid"] for row in rows] == HISTORY
    assert [row["state"] for row in rows] == [
        "ACCEPTED",
        "TRAVEL_RULE_SUSPECTED",
        "CANCELLED",
        "REJECTED",
        "REFUNDING",
        "REFUNDED",
        "PROCESSING",
    ]
    for row in rows:
        assert_like(row, example("deposits_get")[0])
        assert (row["done_at"] is None) is (row["state"] in {"PROCESSING", "REFUNDING"})
    assert without_times(rows[0]) == without_times(example("deposits_get")[0])
    assert without_times(rows[1]) == without_times(example("deposit_get_travel_rule_suspected"))


async def test_old_deposits_leave_the_books_alone(sandbox: Sandbox, clock: ManualClock) -> None:
    clock.tick(10_000)
    assert sandbox.account.balance("SGD").available == 1_000_000
    assert len(sandbox.ledger) == 0
    assert sandbox.deposits[HISTORY[-1]].state == "PROCESSING"


# -- arriving --------------------------------------------------------------------------------------


async def test_a_deposit_is_credited_after_three_seconds(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    record = tether(sandbox)
    told = (await client.get("/v1/deposit", f"uuid={record.uuid}")).json()
    assert_like(told, example("deposit_get"))
    assert (told["state"], told["amount"], told["fee"], told["done_at"]) == (
        "PROCESSING",
        "35.5",
        "0.0",
        None,
    )
    assert (told["txid"], told["created_at"]) == (record.txid, "2026-11-20T12:00:00")
    assert sandbox.account.balance("USDT").available == 10_000
    clock.tick(3)
    told = (await client.get("/v1/deposit", f"txid={record.txid}")).json()
    assert (told["state"], told["done_at"]) == ("ACCEPTED", "2026-11-20T12:00:03")
    assert sandbox.deposits[record.uuid].credited
    assert sandbox.account.balance("USDT").available == Decimal("10035.5")
    (entry,) = sandbox.ledger
    assert (entry.kind, entry.uuid, entry.at) == ("credited", record.uuid, clock.now)
    assert (entry.amount, entry.fee, entry.total) == (Decimal("35.5"), Decimal(0), Decimal("35.5"))
    assert sandbox.ledger.credited == (entry,)
    assert sandbox.ledger.moved("USDT") == 0


async def test_fiat_comes_from_a_bank(client: SignedClient, sandbox: Sandbox, clock: ManualClock) -> None:
    record = sandbox.deposits.arrive("SGD", None, 250)
    told = (await client.get("/v1/deposit", "currency=SGD")).json()
    assert (told["uuid"], told["net_type"], told["amount"]) == (record.uuid, None, "250.0")
    assert told["txid"].startswith("BKD-2026-11-20-")
    assert len(told["txid"]) == len("BKD-2000-12-29-fakefakefakefakefakefake00")
    clock.tick(3)
    assert sandbox.account.balance("SGD").available == 1_000_250
    assert sandbox.ledger.credited[0].net_type is None


async def test_amounts_as_they_were_sent_by_knob(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.amounts = "as sent"
    tether(sandbox, "100")
    assert (await client.get("/v1/deposit")).json()["amount"] == "100"


async def test_an_amount_is_told_without_an_exponent(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.amounts = "as sent"
    sandbox.deposits.arrive("BTC", "BTC", Decimal("1E-8"), transaction_type="internal")
    told = (await client.get("/v1/deposit")).json()
    assert (told["amount"], told["transaction_type"]) == ("0.00000001", "internal")


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_what_arrives_is_more_than_nothing(sandbox: Sandbox, amount: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        tether(sandbox, amount)
    assert list(sandbox.deposits) == HISTORY


def test_nothing_arrives_on_a_network_that_is_not_listed(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="USDT on TRC20"):
        sandbox.deposits.arrive("USDT", "TRC20", 1)


async def test_too_little_is_never_credited(sandbox: Sandbox, clock: ManualClock) -> None:
    sandbox.wallets["USDT", "TRX"].minimum_deposit = Decimal(5)
    little, enough = tether(sandbox, "4.99", transitions=Transitions.immediate()), tether(sandbox, "5")
    clock.tick(10_000)
    assert (sandbox.deposits[little.uuid].state, sandbox.deposits[enough.uuid].state) == (
        "PROCESSING",
        "ACCEPTED",
    )
    assert sandbox.account.balance("USDT").available == 10_005


# -- progress --------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
async def test_an_end_time_while_suspected_by_knob(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock, *, told: bool
) -> None:
    sandbox.knobs.suspected_done_at = told
    uuid = tether(sandbox, transitions=Transitions.suspected(after=60)).uuid
    assert await state_of(client, uuid) == "PROCESSING"
    clock.tick(60)
    row = (await client.get("/v1/deposit", f"uuid={uuid}")).json()
    assert row["state"] == "TRAVEL_RULE_SUSPECTED"
    assert row["done_at"] == ("2026-11-20T12:01:00" if told else None)
    clock.tick(10_000)
    assert await state_of(client, uuid) == "TRAVEL_RULE_SUSPECTED"
    assert sandbox.deposits.set_state(uuid, "REFUNDING").done_at is None
    assert len(sandbox.ledger) == 0


# -- what a deposit needs --------------------------------------------------------------------------


async def test_the_chance_looks_like_the_example(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.wallets["BTC", "BTC"].wallet_state = "paused"
    answer = (await client.get("/v1/deposits/chance/coin", "currency=BTC&net_type=BTC")).json()
    assert answer == {**example("deposits_chance_coin_get"), "minimum_deposit_amount": "0.0"}


@pytest.mark.parametrize(
    ("state", "possible"),
    [("working", True), ("deposit_only", True), ("withdraw_only", False), ("some_new_state", False)],
)
async def test_the_chance_tells_whether_the_wallet_takes_deposits(
    client: SignedClient, sandbox: Sandbox, state: str, *, possible: bool
) -> None:
    wallet = sandbox.wallets["USDT", "TRX"]
    wallet.wallet_state, wallet.minimum_deposit, wallet.confirmations = state, Decimal("2.5"), 19
    answer = (await client.get("/v1/deposits/chance/coin", "currency=USDT&net_type=TRX")).json()
    assert answer["is_deposit_possible"] is possible
    assert bool(answer["deposit_impossible_reason"]) is not possible
    assert answer["minimum_deposit_amount"] == "2.5"
    assert (answer["minimum_deposit_confirmations"], answer["decimal_precision"]) == (19, 6)


async def test_the_chance_needs_both_names_of_a_wallet(client: SignedClient) -> None:
    response = await client.get("/v1/deposits/chance/coin", "currency=")
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == "currency is missing, net_type is missing"
    response = await client.get("/v1/deposits/chance/coin", "currency=BTC&net_type=ETH")
    assert error_of(response) == (400, "invalid_parameter")


@pytest.mark.parametrize("region", Region)
async def test_every_region_has_deposits_of_its_fiat(region: Region) -> None:
    sandbox = Sandbox(region, knobs=Knobs(nulls="dropped"))
    async with signed_client(sandbox) as client:
        told = (await client.get("/v1/deposit", f"currency={region.fiat}")).json()
    assert told["uuid"] == HISTORY[0]
    assert "net_type" not in told


async def test_finer_decimals_than_the_wallet_has_are_cut_off(sandbox: Sandbox) -> None:
    before = sandbox.account.balance("USDT").available
    made = tether(sandbox, "1.123456789", transitions=Transitions.immediate())
    assert sandbox.deposits[made.uuid].state == "ACCEPTED"
    assert sandbox.account.balance("USDT").available - before == Decimal("1.123456")
    assert sandbox.ledger.credited[-1].total == Decimal("1.123456")


async def test_what_is_too_little_is_not_credited_even_if_its_sender_is_verified(
    sandbox: Sandbox, client: SignedClient, clock: ManualClock
) -> None:
    sandbox.wallets["USDT", "TRX"].minimum_deposit = Decimal(5)
    before = sandbox.account.balance("USDT").available
    made = tether(sandbox, "4", vasp_name="Example Exchange A")
    sandbox.deposits.set_state(made.uuid, "TRAVEL_RULE_SUSPECTED")
    vasp = next(vasp for vasp in sandbox.vasps if vasp.vasp_name == "Example Exchange A")
    members = {"deposit_uuid": made.uuid, "vasp_uuid": vasp.vasp_uuid}
    await client.post("/v1/travel_rule/deposit/uuid", members)
    clock.tick(60)
    assert sandbox.account.balance("USDT").available == before


@pytest.mark.parametrize(
    ("currency", "net_type", "amount"),
    [("USDT", "TRX", "abc"), ("USDT", "TRX", "NaN"), ("USDT", "TRX", 0), ("BTC", None, 1), ("USD", None, 1)],
)
def test_what_can_not_arrive_is_refused(
    sandbox: Sandbox, currency: str, net_type: str | None, amount: str | int
) -> None:
    with pytest.raises(ValueError, match=r"amount|listed"):
        sandbox.deposits.arrive(currency, net_type, amount)
