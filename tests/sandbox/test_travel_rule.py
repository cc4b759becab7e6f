"""Deposits that the travel rule holds up are verified by naming the exchange that they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from answers import assert_like, error_of

from upbit_async.sandbox import ErrorSpec, Sandbox, Transition, Transitions, VaspRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    import httpx

    from tests.sandbox.conftest import ManualClock, SignedClient
    from upbit_async.sandbox import DepositRecord

BY_UUID, BY_TXID = "/v1/travel_rule/deposit/uuid", "/v1/travel_rule/deposit/txid"
FIRST, SECOND = (f"00000000-0000-4000-8000-{number:012}" for number in (901, 902))
CALLS = [("GET", "/v1/travel_rule/vasps"), ("POST", BY_UUID), ("POST", BY_TXID)]


def suspected(sandbox: Sandbox, **options: Any) -> DepositRecord:
    usual: dict[str, Any] = {"vasp_name": "Example Exchange A", "transitions": Transitions.suspected()}
    return sandbox.deposits.arrive("USDT", "TRX", "50", **(usual | options))


async def by_uuid(hand: SignedClient, uuid: str, vasp_uuid: str = FIRST) -> httpx.Response:
    return await hand.post(BY_UUID, {"deposit_uuid": uuid, "vasp_uuid": vasp_uuid})


async def by_txid(
    hand: SignedClient, txid: str | None, vasp_uuid: str = FIRST, **changes: str
) -> httpx.Response:
    body = {"vasp_uuid": vasp_uuid, "txid": txid, "currency": "USDT", "net_type": "TRX", **changes}
    return await hand.post(BY_TXID, body)


async def test_the_exchanges_look_like_the_example(
    hand: SignedClient, sandbox: Sandbox, example: Callable[[str], Any]
) -> None:
    assert (await hand.get("/v1/travel_rule/vasps")).json() == example("travel_rule_vasps_get")
    sandbox.vasps.append(VaspRecord(vasp_name="Third", vasp_uuid="3", depositable=False))
    third = (await hand.get("/v1/travel_rule/vasps")).json()[2]
    assert third == {"vasp_name": "Third", "vasp_uuid": "3", "depositable": False, "withdrawable": True}


async def test_the_old_deposit_is_verified_as_in_the_examples(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock, example: Callable[[str], Any]
) -> None:
    request = example("travel_rule_deposit_uuid_post_request")
    response = await hand.post(BY_UUID, request)
    assert response.status_code == 201
    assert response.json() == example("travel_rule_deposit_uuid_post")
    watch.tick(3)
    assert sandbox.deposits[request["deposit_uuid"]].state == "ACCEPTED"
    assert len(sandbox.ledger.credited) == 1


async def test_the_old_deposit_is_verified_by_txid_as_in_the_examples(
    hand: SignedClient, example: Callable[[str], Any]
) -> None:
    response = await hand.post(BY_TXID, example("travel_rule_deposit_txid_post_request"))
    assert response.status_code == 201
    assert response.json() == example("travel_rule_deposit_txid_post")


async def test_a_verified_deposit_goes_on_and_is_credited(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock
) -> None:
    record = suspected(sandbox, transitions=Transitions.suspected(each=5))
    assert sandbox.deposits[record.uuid].state == "TRAVEL_RULE_SUSPECTED"
    assert (await by_uuid(hand, record.uuid)).json()["verification_result"] == "verified"
    assert (record.state, record.done_at) == ("PROCESSING", None)
    watch.tick(4)
    assert sandbox.account.balance("USDT").available == 10_000
    watch.tick(1)
    assert sandbox.account.balance("USDT").available == 10_050


@pytest.mark.parametrize(
    "plan",
    [
        Transitions.manual(first="TRAVEL_RULE_SUSPECTED"),
        Transitions(first="TRAVEL_RULE_SUSPECTED", sequence=(Transition("REFUNDED", seconds=60),)),
        Transitions(first="TRAVEL_RULE_SUSPECTED", sequence=(Transition("REFUNDED", reads=9),)),
    ],
)
async def test_a_plan_without_a_step_for_it_is_left(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock, plan: Transitions
) -> None:
    record = suspected(sandbox, transitions=plan)
    assert (await by_uuid(hand, record.uuid)).json()["deposit_state"] == "PROCESSING"
    watch.tick(3)
    assert sandbox.deposits[record.uuid].state == "ACCEPTED"
    watch.tick(1000)
    assert sandbox.deposits[record.uuid].state == "ACCEPTED"


async def test_a_plan_may_say_what_a_verification_leads_to(hand: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(
        sandbox, transitions=Transitions(first="TRAVEL_RULE_SUSPECTED", sequence=(Transition("ACCEPTED"),))
    )
    assert (await by_uuid(hand, record.uuid)).json()["deposit_state"] == "ACCEPTED"
    assert len(sandbox.ledger.credited) == 1


async def test_the_wrong_exchange_changes_nothing(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock, example: Callable[[str], Any]
) -> None:
    record = suspected(sandbox)
    response = await by_uuid(hand, record.uuid, SECOND)
    assert response.status_code == 201
    assert_like(response.json(), example("travel_rule_deposit_uuid_post"))
    assert response.json()["verification_result"] == "not_verified"
    assert response.json()["deposit_state"] == "TRAVEL_RULE_SUSPECTED"
    sandbox.knobs.verification_failed = "denied"
    assert (await by_txid(hand, record.txid, SECOND)).json()["verification_result"] == "denied"
    watch.tick(10_000)
    assert len(sandbox.ledger) == 0
    assert (await by_uuid(hand, record.uuid)).json()["verification_result"] == "verified"


async def test_nobody_answers_for_an_unknown_sender(hand: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(sandbox, vasp_name=None)
    assert (await by_uuid(hand, record.uuid)).json()["verification_result"] == "not_verified"


async def test_an_exchange_may_not_be_verifiable(hand: SignedClient, sandbox: Sandbox) -> None:
    sandbox.vasps[0].depositable = False
    assert (await by_uuid(hand, suspected(sandbox).uuid)).json()["verification_result"] == "not_verified"


async def test_an_exchange_is_known_by_its_present_id(hand: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(sandbox)
    sandbox.vasps[0].vasp_uuid = "new"
    assert error_of(await by_uuid(hand, record.uuid)) == (400, "invalid_parameter")
    sandbox.knobs.unknown_vasp = ErrorSpec(404, "vasp_not_found")
    assert error_of(await by_uuid(hand, record.uuid)) == (404, "vasp_not_found")
    assert (await by_uuid(hand, record.uuid, "new")).json()["verification_result"] == "verified"


async def test_an_unknown_deposit_is_not_found(hand: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(sandbox)
    assert error_of(await by_uuid(hand, "unknown")) == (404, "deposit_not_found")
    assert error_of(await by_txid(hand, "unknown")) == (404, "deposit_not_found")
    assert error_of(await by_txid(hand, record.txid, net_type="ETH")) == (404, "deposit_not_found")
    assert error_of(await by_txid(hand, record.txid, currency="BTC")) == (404, "deposit_not_found")


@pytest.mark.parametrize("state", ["ACCEPTED", "CANCELLED", "REJECTED", "REFUNDING", "REFUNDED"])
async def test_a_txid_that_is_past_verifying_is_recorded_already(
    hand: SignedClient, sandbox: Sandbox, state: str
) -> None:
    record = suspected(sandbox)
    sandbox.deposits.set_state(record.uuid, state)
    response = await by_txid(hand, record.txid)
    assert error_of(response) == (400, "already_have_deposit_transaction")
    sandbox.knobs.language = "ko"
    response = await by_txid(hand, record.txid)
    assert response.json()["error"]["message"] == "이미 입금 이력이 존재합니다."
    sandbox.knobs.already_recorded = frozenset()
    answer = (await by_txid(hand, record.txid)).json()
    assert (answer["verification_result"], answer["deposit_state"]) == ("verified", state)


async def test_what_is_not_held_up_is_verified_where_it_is(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock
) -> None:
    record = suspected(sandbox, transitions=Transitions.after_seconds(5))
    watch.tick(4)
    assert (await by_txid(hand, record.txid)).json()["deposit_state"] == "PROCESSING"
    watch.tick(1)
    assert (await by_uuid(hand, record.uuid)).json()["deposit_state"] == "ACCEPTED"
    assert len(sandbox.ledger.credited) == 1


async def test_of_several_with_one_txid_the_oldest_that_is_held_up_is_meant(
    hand: SignedClient, sandbox: Sandbox
) -> None:
    suspected(sandbox, txid="shared", transitions=Transitions.immediate())
    held, other = suspected(sandbox, txid="shared"), suspected(sandbox, txid="shared")
    assert (await by_txid(hand, "shared")).json()["deposit_uuid"] == held.uuid
    assert sandbox.deposits[other.uuid].state == "TRAVEL_RULE_SUSPECTED"


async def test_the_same_verification_is_not_repeated_within_ten_minutes(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock
) -> None:
    first, second = suspected(sandbox, vasp_name=None), suspected(sandbox, vasp_name=None)
    for verify, name in ((by_uuid, first.uuid), (by_txid, str(first.txid))):
        assert (await verify(hand, name)).status_code == 201
        assert error_of(await verify(hand, name)) == (429, "too_many_requests")
        assert (await verify(hand, name, SECOND)).status_code == 201
    assert (await by_uuid(hand, second.uuid)).status_code == 201
    watch.tick(599.9)
    assert (await by_uuid(hand, first.uuid)).status_code == 429
    watch.tick(0.1)
    assert (await by_uuid(hand, first.uuid)).status_code == 201


async def test_a_repeated_verification_by_knob(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock
) -> None:
    sandbox.knobs.verification_interval = 60.0
    sandbox.knobs.verification_too_soon = ErrorSpec(400, "verification_in_progress")
    record = suspected(sandbox, vasp_name=None)
    await by_uuid(hand, record.uuid)
    assert error_of(await by_uuid(hand, record.uuid)) == (400, "verification_in_progress")
    watch.tick(60)
    assert (await by_uuid(hand, record.uuid)).status_code == 201


async def test_a_refused_verification_does_not_count(hand: SignedClient, sandbox: Sandbox) -> None:
    record = suspected(sandbox)
    sandbox.vasps[0].vasp_uuid = "new"
    assert (await by_uuid(hand, record.uuid)).status_code == 400
    sandbox.vasps[0].vasp_uuid = FIRST
    assert (await by_uuid(hand, record.uuid)).status_code == 201


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
    hand: SignedClient, path: str, body: dict[str, str], message: str
) -> None:
    response = await hand.post(path, body)
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == message


async def test_verifying_needs_its_permission(
    sandbox: Sandbox, hand_at: Callable[..., AbstractAsyncContextManager[SignedClient]]
) -> None:
    record = suspected(sandbox)
    async with hand_at(sandbox, sandbox.issue_key(permissions=["view_deposits"])) as hand:
        assert error_of(await by_uuid(hand, record.uuid)) == (403, "out_of_scope")
        assert error_of(await by_txid(hand, record.txid)) == (403, "out_of_scope")
    async with hand_at(sandbox, sandbox.issue_key(permissions=["deposit"])) as hand:
        assert (await by_uuid(hand, record.uuid)).status_code == 201


@pytest.mark.parametrize("region", ["id", "th"])
@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_it_is_unknown_outside_of_singapore_and_korea(
    region: str, method: str, path: str, hand_at: Callable[..., AbstractAsyncContextManager[SignedClient]]
) -> None:
    sandbox = Sandbox(region)
    async with hand_at(sandbox) as hand:
        assert error_of(await hand.query(method, path)) == (404, "not_found")
        sandbox.knobs.not_in_region = ErrorSpec(403, "not_supported")
        assert error_of(await hand.query(method, path)) == (403, "not_supported")


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_korea_has_it_too(
    method: str, path: str, hand_at: Callable[..., AbstractAsyncContextManager[SignedClient]]
) -> None:
    async with hand_at(Sandbox("kr")) as hand:
        assert (await hand.query(method, path)).status_code != 404


async def test_ids_are_taken_in_any_case_of_letters_by_knob(
    hand: SignedClient, sandbox: Sandbox, watch: ManualClock
) -> None:
    sandbox.knobs.uuids = "exact case"
    sandbox.vasps[0].vasp_uuid = "abcdef00-0000-4000-8000-000000000901"
    deposit = suspected(sandbox, uuid="abcdef00-0000-4000-8000-000000000001")
    vasp_uuid = sandbox.vasps[0].vasp_uuid
    assert error_of(await by_uuid(hand, deposit.uuid.upper(), vasp_uuid)) == (404, "deposit_not_found")
    assert error_of(await by_uuid(hand, deposit.uuid, vasp_uuid.upper())) == (400, "invalid_parameter")
    assert error_of(await by_txid(hand, deposit.txid, vasp_uuid.upper())) == (400, "invalid_parameter")
    sandbox.knobs.uuids = "any case"
    answer = await by_uuid(hand, deposit.uuid.upper(), vasp_uuid.upper())
    assert answer.status_code == 201
    assert (answer.json()["deposit_uuid"], answer.json()["verification_result"]) == (deposit.uuid, "verified")
    # the same in other letters is the same within ten minutes
    assert error_of(await by_uuid(hand, deposit.uuid, vasp_uuid)) == (429, "too_many_requests")
    assert (await by_txid(hand, deposit.txid, vasp_uuid.upper())).status_code == 201
    assert error_of(await by_txid(hand, deposit.txid, vasp_uuid)) == (429, "too_many_requests")
    watch.tick(600)
    assert (await by_uuid(hand, deposit.uuid, vasp_uuid)).status_code == 201
