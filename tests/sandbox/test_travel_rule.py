"""Deposits held by the travel rule are verified by naming the exchange that sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from answers import assert_like, error_of
from examples import example
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.sandbox import ErrorSpec, Sandbox, Transition, Transitions, VaspRecord

if TYPE_CHECKING:
    import httpx

    from upbit_async.sandbox import DepositRecord

BY_UUID, BY_TXID = "/v1/travel_rule/deposit/uuid", "/v1/travel_rule/deposit/txid"
FIRST, SECOND = (f"00000000-0000-4000-8000-{number:012}" for number in (901, 902))
CALLS = [("GET", "/v1/travel_rule/vasps"), ("POST", BY_UUID), ("POST", BY_TXID)]


def suspected(sandbox: Sandbox, **options: Any) -> DepositRecord:
    usual: dict[str, Any] = {"vasp_name": "Example Exchange A", "transitions": Transitions.suspected()}
    return sandbox.deposits.arrive("USDT", "TRX", "50", **(usual | options))


async def by_uuid(client: SignedClient, uuid: str, vasp_uuid: str = FIRST) -> httpx.Response:
    return await client.post(BY_UUID, {"deposit_uuid": uuid, "vasp_uuid": vasp_uuid})


async def by_txid(
    client: SignedClient, txid: str | None, vasp_uuid: str = FIRST, **changes: str
) -> httpx.Response:
    body = {"vasp_uuid": vasp_uuid, "txid": txid, "currency": "USDT", "net_type": "TRX", **changes}
    return await client.post(BY_TXID, body)


async def test_vasps_match_the_example(client: SignedClient, sandbox: Sandbox) -> None:
    assert (await client.get("/v1/travel_rule/vasps")).json() == example("travel_rule_vasps_get")
    sandbox.vasps.append(VaspRecord(vasp_name="Third", vasp_uuid="3", depositable=False))
    third = (await client.get("/v1/travel_rule/vasps")).json()[2]
    assert third == {"vasp_name": "Third", "vasp_uuid": "3", "depositable": False, "withdrawable": True}


async def test_past_deposit_is_verified_by_uuid_as_in_the_example(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    request = example("travel_rule_deposit_uuid_post_request")
    response = await client.post(BY_UUID, request)
    assert response.status_code == 201
    assert response.json() == example("travel_rule_deposit_uuid_post")
    clock.tick(3)
    assert sandbox.deposits[request["deposit_uuid"]].state == "ACCEPTED"
    assert len(sandbox.ledger.credited) == 1


async def test_past_deposit_is_verified_by_txid_as_in_the_example(client: SignedClient) -> None:
    response = await client.post(BY_TXID, example("travel_rule_deposit_txid_post_request"))
    assert response.status_code == 201
    assert response.json() == example("travel_rule_deposit_txid_post")


async def test_verified_deposit_is_credited(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    record = suspected(sandbox, transitions=Transitions.suspected(each=5))
    assert sandbox.deposits[record.uuid].state == "TRAVEL_RULE_SUSPECTED"
    assert (await by_uuid(client, record.uuid)).json()["verification_result"] == "verified"
    assert (record.state, record.done_at) == ("PROCESSING", None)
    clock.tick(4)
    assert sandbox.account.balance("USDT").available == 10_000
    clock.tick(1)
    assert sandbox.account.balance("USDT").available == 10_050


@pytest.mark.parametrize(
    "transitions",
    [
        Transitions.manual(first="TRAVEL_RULE_SUSPECTED"),
        Transitions(first="TRAVEL_RULE_SUSPECTED", sequence=(Transition("REFUNDED", seconds=60),)),
        Transitions(first="TRAVEL_RULE_SUSPECTED", sequence=(Transition("REFUNDED", reads=9),)),
    ],
)
async def test_verification_replaces_transitions_that_are_not_manual(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock, transitions: Transitions
) -> None:
    record = suspected(sandbox, transitions=transitions)
    assert (await by_uuid(client, record.uuid)).json()["deposit_state"] == "PROCESSING"
    clock.tick(3)
    assert sandbox.deposits[record.uuid].state == "ACCEPTED"
    clock.tick(1000)
    assert sandbox.deposits[record.uuid].state == "ACCEPTED"


async def test_verification_applies_the_next_manual_transition(
    client: SignedClient, sandbox: Sandbox
) -> None:
    record = suspected(
        sandbox, transitions=Transitions(first="TRAVEL_RULE_SUSPECTED", sequence=(Transition("ACCEPTED"),))
    )
    assert (await by_uuid(client, record.uuid)).json()["deposit_state"] == "ACCEPTED"
    assert len(sandbox.ledger.credited) == 1


async def test_verification_of_the_wrong_exchange_fails(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    record = suspected(sandbox)
    response = await by_uuid(client, record.uuid, SECOND)
    assert response.status_code == 201
    assert_like(response.json(), example("travel_rule_deposit_uuid_post"))
    assert response.json()["verification_result"] == "not_verified"
    assert response.json()["deposit_state"] == "TRAVEL_RULE_SUSPECTED"
    sandbox.knobs.verification_failed = "denied"
    assert (await by_txid(client, record.txid, SECOND)).json()["verification_result"] == "denied"
    clock.tick(10_000)
    assert len(sandbox.ledger) == 0
    assert (await by_uuid(client, record.uuid)).json()["verification_result"] == "verified"


async def test_verification_without_a_sender_fails(client: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(sandbox, vasp_name=None)
    assert (await by_uuid(client, record.uuid)).json()["verification_result"] == "not_verified"


async def test_verification_of_an_excluded_exchange_fails(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.vasps[0].depositable = False
    assert (await by_uuid(client, suspected(sandbox).uuid)).json()["verification_result"] == "not_verified"


async def test_former_id_of_an_exchange_is_refused(client: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(sandbox)
    sandbox.vasps[0].vasp_uuid = "new"
    assert error_of(await by_uuid(client, record.uuid)) == (400, "invalid_parameter")
    sandbox.knobs.unknown_vasp = ErrorSpec(404, "vasp_not_found")
    assert error_of(await by_uuid(client, record.uuid)) == (404, "vasp_not_found")
    assert (await by_uuid(client, record.uuid, "new")).json()["verification_result"] == "verified"


async def test_verification_of_an_unknown_deposit_is_refused(client: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(sandbox)
    assert error_of(await by_uuid(client, "unknown")) == (404, "deposit_not_found")
    assert error_of(await by_txid(client, "unknown")) == (404, "deposit_not_found")
    assert error_of(await by_txid(client, record.txid, net_type="ETH")) == (404, "deposit_not_found")
    assert error_of(await by_txid(client, record.txid, currency="BTC")) == (404, "deposit_not_found")


@pytest.mark.parametrize("state", ["ACCEPTED", "CANCELLED", "REJECTED", "REFUNDING", "REFUNDED"])
async def test_verification_by_txid_is_refused_in_final_states(
    client: SignedClient, sandbox: Sandbox, state: str
) -> None:
    record = suspected(sandbox)
    sandbox.deposits.set_state(record.uuid, state)
    response = await by_txid(client, record.txid)
    assert error_of(response) == (400, "already_have_deposit_transaction")
    sandbox.knobs.language = "ko"
    response = await by_txid(client, record.txid)
    assert response.json()["error"]["message"] == "이미 입금 이력이 존재합니다."
    sandbox.knobs.already_recorded = frozenset()
    answer = (await by_txid(client, record.txid)).json()
    assert (answer["verification_result"], answer["deposit_state"]) == ("verified", state)


async def test_deposit_that_is_not_held_keeps_its_state(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    record = suspected(sandbox, transitions=Transitions.after_seconds(5))
    clock.tick(4)
    assert (await by_txid(client, record.txid)).json()["deposit_state"] == "PROCESSING"
    clock.tick(1)
    assert (await by_uuid(client, record.uuid)).json()["deposit_state"] == "ACCEPTED"
    assert len(sandbox.ledger.credited) == 1


async def test_oldest_held_deposit_with_a_txid_is_verified(client: SignedClient, sandbox: Sandbox) -> None:
    suspected(sandbox, txid="shared", transitions=Transitions.immediate())
    held, other = suspected(sandbox, txid="shared"), suspected(sandbox, txid="shared")
    assert (await by_txid(client, "shared")).json()["deposit_uuid"] == held.uuid
    assert sandbox.deposits[other.uuid].state == "TRAVEL_RULE_SUSPECTED"


async def test_repeated_verification_is_refused_for_ten_minutes(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    first, second = suspected(sandbox, vasp_name=None), suspected(sandbox, vasp_name=None)
    for verify, name in ((by_uuid, first.uuid), (by_txid, str(first.txid))):
        assert (await verify(client, name)).status_code == 201
        assert error_of(await verify(client, name)) == (429, "too_many_requests")
        assert (await verify(client, name, SECOND)).status_code == 201
    assert (await by_uuid(client, second.uuid)).status_code == 201
    clock.tick(599.9)
    assert (await by_uuid(client, first.uuid)).status_code == 429
    clock.tick(0.1)
    assert (await by_uuid(client, first.uuid)).status_code == 201


async def test_repeated_verification_follows_its_knobs(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.knobs.verification_interval = 60.0
    sandbox.knobs.verification_too_soon = ErrorSpec(400, "verification_in_progress")
    record = suspected(sandbox, vasp_name=None)
    await by_uuid(client, record.uuid)
    assert error_of(await by_uuid(client, record.uuid)) == (400, "verification_in_progress")
    clock.tick(60)
    assert (await by_uuid(client, record.uuid)).status_code == 201


async def test_refused_verification_may_be_repeated(client: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(sandbox)
    sandbox.vasps[0].vasp_uuid = "new"
    assert (await by_uuid(client, record.uuid)).status_code == 400
    sandbox.vasps[0].vasp_uuid = FIRST
    assert (await by_uuid(client, record.uuid)).status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (BY_UUID, {"deposit_uuid": "", "vasp_uuid": "1"}, "deposit_uuid is empty"),
        (BY_UUID, {}, "deposit_uuid is missing, vasp_uuid is missing"),
        (BY_TXID, {"vasp_uuid": "1", "txid": ""}, "txid is empty, currency is missing, net_type is missing"),
        (BY_TXID, {"currency": "USDT", "net_type": "TRX"}, "vasp_uuid is missing, txid is missing"),
    ],
)
async def test_malformed_members_are_named(
    client: SignedClient, path: str, body: dict[str, str], message: str
) -> None:
    response = await client.post(path, body)
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == message


async def test_verification_needs_its_permission(sandbox: Sandbox) -> None:
    record = suspected(sandbox)
    async with signed_client(sandbox, sandbox.issue_key(permissions=["view_deposits"])) as client:
        assert error_of(await by_uuid(client, record.uuid)) == (403, "out_of_scope")
        assert error_of(await by_txid(client, record.txid)) == (403, "out_of_scope")
    async with signed_client(sandbox, sandbox.issue_key(permissions=["deposit"])) as client:
        assert (await by_uuid(client, record.uuid)).status_code == 201


@pytest.mark.parametrize("region", ["id", "th"])
@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_travel_rule_is_unknown_in_other_regions(region: str, method: str, path: str) -> None:
    sandbox = Sandbox(region)
    async with signed_client(sandbox) as client:
        assert error_of(await client.query(method, path)) == (404, "not_found")
        sandbox.knobs.not_in_region = ErrorSpec(403, "not_supported")
        assert error_of(await client.query(method, path)) == (403, "not_supported")


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_travel_rule_is_known_in_korea(method: str, path: str) -> None:
    async with signed_client(Sandbox("kr")) as client:
        assert (await client.query(method, path)).status_code != 404


async def test_ids_match_in_any_case_by_knob(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.knobs.uuids = "exact case"
    sandbox.vasps[0].vasp_uuid = "abcdef00-0000-4000-8000-000000000901"
    deposit = suspected(sandbox, uuid="abcdef00-0000-4000-8000-000000000001")
    vasp_uuid = sandbox.vasps[0].vasp_uuid
    assert error_of(await by_uuid(client, deposit.uuid.upper(), vasp_uuid)) == (404, "deposit_not_found")
    assert error_of(await by_uuid(client, deposit.uuid, vasp_uuid.upper())) == (400, "invalid_parameter")
    assert error_of(await by_txid(client, deposit.txid, vasp_uuid.upper())) == (400, "invalid_parameter")
    sandbox.knobs.uuids = "any case"
    answer = await by_uuid(client, deposit.uuid.upper(), vasp_uuid.upper())
    assert answer.status_code == 201
    assert (answer.json()["deposit_uuid"], answer.json()["verification_result"]) == (deposit.uuid, "verified")
    # the same verification with another case counts as repeated
    assert error_of(await by_uuid(client, deposit.uuid, vasp_uuid)) == (429, "too_many_requests")
    assert (await by_txid(client, deposit.txid, vasp_uuid.upper())).status_code == 201
    assert error_of(await by_txid(client, deposit.txid, vasp_uuid)) == (429, "too_many_requests")
    clock.tick(600)
    assert (await by_uuid(client, deposit.uuid, vasp_uuid)).status_code == 201
