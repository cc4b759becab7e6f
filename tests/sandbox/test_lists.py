"""Lists and single reads of transfers, which withdrawals and deposits have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from answers import error_of
from transfer_kinds import DEPOSITS, WITHDRAWALS, TransferKind

if TYPE_CHECKING:
    from signed_client import ManualClock, SignedClient

    from upbit_async.sandbox import Sandbox

both_kinds = pytest.mark.parametrize("kind", [WITHDRAWALS, DEPOSITS], ids=str)
W, D = WITHDRAWALS.past, DEPOSITS.past

# -- single reads ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "currency", "latest"), [(WITHDRAWALS, "XRP", W(6)), (DEPOSITS, "SGD", D(1))], ids=str
)
async def test_read_without_an_id_returns_the_latest(
    client: SignedClient, sandbox: Sandbox, kind: TransferKind, currency: str, latest: str
) -> None:
    uuid = kind.create(sandbox)
    assert (await client.get(kind.get_path)).json()["uuid"] == uuid
    assert (await client.get(kind.get_path, f"uuid=&currency={currency}")).json()["uuid"] == latest


@both_kinds
@pytest.mark.parametrize("query", ["uuid=unknown", "txid=unknown", "currency=ETH"])
async def test_unknown_transfer_is_not_found(
    client: SignedClient, sandbox: Sandbox, kind: TransferKind, query: str
) -> None:
    name = kind.get_path.rpartition("/")[2]
    response = await client.get(kind.get_path, query)
    assert error_of(response) == (404, f"{name}_not_found")
    assert (
        response.json()["error"]["message"]
        == {
            "withdraw": "The withdrawal was not found.",
            "deposit": "The deposit was not found.",
        }[name]
    )
    sandbox.knobs.language = "ko"
    message = (await client.get(kind.get_path, query)).json()["error"]["message"]
    assert (
        message
        == {"withdraw": "출금 정보를 찾지 못했습니다.", "deposit": "입출금 정보를 찾지 못했습니다."}[name]
    )


@both_kinds
async def test_new_transfer_is_visible_after_the_delays(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock, kind: TransferKind
) -> None:
    sandbox.knobs.list_delay, sandbox.knobs.get_delay = 2.0, 1.0
    uuid = kind.create(sandbox)
    filters = (f"uuids[]={uuid}", "currency=USDT&state=" + kind.control(sandbox)[uuid].state)
    assert (await client.get(kind.get_path, f"uuid={uuid}")).status_code == 404
    clock.tick(1)
    assert (await client.get(kind.get_path, f"uuid={uuid}")).status_code == 200
    for query in filters:
        rows = (await client.get(kind.list_path, query)).json()
        assert uuid not in [row["uuid"] for row in rows]
    clock.tick(1)
    for query in filters:
        assert (await client.get(kind.list_path, query)).json()[0]["uuid"] == uuid


async def test_hidden_withdrawal_can_not_be_cancelled(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.get_delay = 1.0
    uuid = (await client.withdraw()).json()["uuid"]
    assert (await client.delete("/v1/withdraws/coin", f"uuid={uuid}")).status_code == 404


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "query", "numbers"),
    [
        (WITHDRAWALS, "", [6, 5, 4, 3, 2, 1]),
        (WITHDRAWALS, "order_by=asc", [1, 2, 3, 4, 5, 6]),
        (WITHDRAWALS, "state=DONE", [1]),
        (WITHDRAWALS, "currency=BTC", []),
        (WITHDRAWALS, "limit=2", [6, 5]),
        (WITHDRAWALS, "limit=2&page=2", [4, 3]),
        (WITHDRAWALS, "limit=2&page=4", []),
        (WITHDRAWALS, f"from={W(2)}", [6, 5, 4, 3]),
        (WITHDRAWALS, f"to={W(3)}", [2, 1]),
        (WITHDRAWALS, f"from={W(2)}&to={W(5)}&order_by=asc", [3, 4]),
        (WITHDRAWALS, f"uuids[]={W(5)}&uuids[]={W(2)}&uuids[]=unknown", [5, 2]),
        (WITHDRAWALS, f"uuids[]={W(5)}&uuids[]={W(2)}&order_by=asc&to={W(3)}", [2]),
        (WITHDRAWALS, "txids[]=unknown", []),
        (DEPOSITS, "", [7, 6, 5, 4, 3, 2, 1]),
        (DEPOSITS, "state=TRAVEL_RULE_SUSPECTED", [2]),
        (DEPOSITS, "currency=SGD", [1]),
        (DEPOSITS, "limit=2&page=2", [5, 4]),
        (DEPOSITS, f"from={D(2)}&to={D(5)}&order_by=asc", [3, 4]),
        (DEPOSITS, f"uuids[]={D(5)}&uuids[]={D(2)}&uuids[]=unknown", [5, 2]),
        (DEPOSITS, "txids[]=BKD-2000-12-29-fakefakefakefakefakefake00&txids[]=unknown", [1]),
    ],
    ids=str,
)
async def test_list_filters_pages_and_orders(
    client: SignedClient, kind: TransferKind, query: str, numbers: list[int]
) -> None:
    rows = (await client.get(kind.list_path, query)).json()
    assert [row["uuid"] for row in rows] == [kind.past(number) for number in numbers]


async def test_list_finds_a_withdrawal_by_its_txid(client: SignedClient) -> None:
    txid = (await client.get("/v1/withdraw", f"uuid={W(1)}")).json()["txid"]
    rows = (await client.get("/v1/withdraws", f"txids[]={txid}")).json()
    assert [row["uuid"] for row in rows] == [W(1)]


async def test_list_finds_all_deposits_with_one_txid(client: SignedClient, sandbox: Sandbox) -> None:
    first, second = (sandbox.deposits.arrive("USDT", "TRX", amount, txid="shared") for amount in (1, 2))
    assert (await client.get("/v1/deposit", "txid=shared")).json()["uuid"] == second.uuid
    rows = (await client.get("/v1/deposits", "txids[]=shared")).json()
    assert [row["uuid"] for row in rows] == [second.uuid, first.uuid]


@both_kinds
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("state=done", "state does not have a valid value"),
        ("limit=101", "limit does not have a valid value"),
        ("limit=0&page=x", "limit does not have a valid value, page does not have a valid value"),
        ("limit=101&page=0", "limit does not have a valid value, page does not have a valid value"),
        ("order_by=newest", "order_by does not have a valid value"),
        ("uuids[]=a&txids[]=b", "txids[] can not be used together with uuids[]"),
        ("&".join(f"uuids[]={n}" for n in range(101)), "uuids[] does not have a valid value"),
        ("&".join(f"txids[]={n}" for n in range(101)), "txids[] does not have a valid value"),
    ],
)
async def test_list_refuses_invalid_parameters(
    client: SignedClient, kind: TransferKind, query: str, message: str
) -> None:
    response = await client.get(kind.list_path, query)
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == message


@pytest.mark.parametrize(("kind", "state"), [(WITHDRAWALS, "ACCEPTED"), (DEPOSITS, "DONE")], ids=str)
async def test_list_refuses_a_state_of_the_other_kind(
    client: SignedClient, kind: TransferKind, state: str
) -> None:
    response = await client.get(kind.list_path, f"state={state}")
    assert response.json()["error"]["message"] == "state does not have a valid value"


@pytest.mark.parametrize(("kind", "cursor"), [(WITHDRAWALS, D(1)), (DEPOSITS, W(1))], ids=str)
async def test_id_of_the_other_kind_is_no_cursor(
    client: SignedClient, kind: TransferKind, cursor: str
) -> None:
    assert error_of(await client.get(kind.list_path, f"to={cursor}")) == (400, "invalid_parameter")


@both_kinds
async def test_cursors_follow_their_knobs(client: SignedClient, sandbox: Sandbox, kind: TransferKind) -> None:
    sandbox.knobs.cursors = "inclusive"
    rows = (await client.get(kind.list_path, f"from={kind.past(2)}&to={kind.past(3)}")).json()
    assert [row["uuid"] for row in rows] == [kind.past(3), kind.past(2)]
    assert error_of(await client.get(kind.list_path, "to=unknown")) == (400, "invalid_parameter")
    sandbox.knobs.unknown_cursor = "ignored"
    assert len((await client.get(kind.list_path, "to=unknown")).json()) == len(kind.control(sandbox))


# -- ids -------------------------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize("uuid", ["abcdef00-0000-4000-8000-00000000000a", "ABCDEF-Mixed-id", "c56e62c9"])
async def test_chosen_id_is_found_in_any_case_or_exactly_by_knob(
    client: SignedClient, sandbox: Sandbox, kind: TransferKind, uuid: str
) -> None:
    assert kind.create(sandbox, uuid=uuid) == uuid
    for asked in (uuid, uuid.upper(), uuid.lower()):
        assert (await client.get(kind.get_path, f"uuid={asked}")).json()["uuid"] == uuid
        rows = (await client.get(kind.list_path, f"uuids[]={asked}")).json()
        assert [row["uuid"] for row in rows] == [uuid]
        assert len((await client.get(kind.list_path, f"to={asked}")).json()) >= 6
    sandbox.knobs.uuids = "exact case"
    for asked in {uuid.upper(), uuid.lower()} - {uuid}:
        assert (await client.get(kind.get_path, f"uuid={asked}")).status_code == 404
        assert (await client.get(kind.list_path, f"uuids[]={asked}")).json() == []
        assert (await client.get(kind.list_path, f"to={asked}")).status_code == 400
    assert (await client.get(kind.get_path, f"uuid={uuid}")).json()["uuid"] == uuid
    assert kind.create(sandbox) != uuid


async def test_cancelling_finds_an_id_in_any_case_or_exactly_by_knob(
    client: SignedClient, sandbox: Sandbox
) -> None:
    uuid = WITHDRAWALS.create(sandbox, uuid="abcdef00-0000-4000-8000-00000000000a").upper()
    sandbox.knobs.uuids = "exact case"
    assert (await client.delete("/v1/withdraws/coin", f"uuid={uuid}")).status_code == 404
    sandbox.knobs.uuids = "any case"
    assert (await client.delete("/v1/withdraws/coin", f"uuid={uuid}")).status_code == 200


@both_kinds
def test_chosen_id_must_be_new(sandbox: Sandbox, kind: TransferKind) -> None:
    used = kind.create(sandbox, uuid="abc")
    entries = len(sandbox.ledger)
    for uuid in (used, used.upper(), "", " ", "a\ud800"):
        with pytest.raises(ValueError, match="uuid must"):
            kind.create(sandbox, uuid=uuid)
    assert len(sandbox.ledger) == entries


def test_withdrawal_and_deposit_may_have_the_same_id(sandbox: Sandbox) -> None:
    assert WITHDRAWALS.create(sandbox, uuid="abc") == DEPOSITS.create(sandbox, uuid="abc")
