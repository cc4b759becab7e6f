"""Cooldowns of calls that Upbit accepts once in ten minutes: what starts them, for whom, and for how long."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import httpx
import pytest
from clients import canaries
from examples import example_bytes

from upbit_async import NoLimiter, RetryPolicy, Timeouts, UpbitClient
from upbit_async.errors import (
    APIError,
    AuthenticationError,
    Banned,
    ConfigurationError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    RepeatTooSoon,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

DEPOSIT = "00000000-0000-4000-8000-000000000102"
VASP = "00000000-0000-4000-8000-000000000201"
TEN_MINUTES = 600.0
VERIFIED = example_bytes("travel_rule_deposit_uuid_post")


@attrs.define
class Upbit:
    """Upbit that gives the prepared answers in order, and then the documented one."""

    answers: list[Callable[[httpx.Request], httpx.Response]] = attrs.field(factory=list[Any])
    takes: float = 0.0
    requests: list[bytes] = attrs.field(factory=list[bytes])

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.content)
        await anyio.sleep(self.takes)
        return self.answers.pop(0)(request) if self.answers else httpx.Response(201, content=VERIFIED)

    def client(self, region: str = "sg", **options: Any) -> UpbitClient:
        usual: dict[str, Any] = {
            "credentials": canaries(),
            "base_url": "https://upbit.invalid",
            "limiter": NoLimiter(),
            "retry": RetryPolicy(attempts=1),
            "http": httpx.AsyncClient(transport=httpx.MockTransport(self)),
        }
        return UpbitClient(region, **(usual | options))


@pytest.fixture
def upbit() -> Upbit:
    return Upbit()


@pytest.fixture
async def client(upbit: Upbit) -> AsyncGenerator[UpbitClient]:
    async with upbit.client() as made:
        yield made


def says(status: int, name: str = "", *, body: bytes = b"") -> Callable[[httpx.Request], httpx.Response]:
    body = json.dumps({"error": {"name": name, "message": "m"}}).encode() if name else body
    return lambda _request: httpx.Response(status, content=body)


def breaks(kind: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise kind("broken", request=request)

    return answer


async def verify(client: UpbitClient, deposit: str = DEPOSIT, vasp: str = VASP) -> None:
    assert (await client.travel_rule.verify_by_uuid(deposit, vasp)).verified


async def test_repeated_verification_is_refused_for_ten_minutes(upbit: Upbit, client: UpbitClient) -> None:
    await verify(client)
    await anyio.sleep(200)
    with pytest.raises(
        RepeatTooSoon, match=r"was begun 200 s ago.* 10 minutes.* 400 s.*deposits\.get"
    ) as refusal:
        await verify(client)
    assert refusal.value.retry_after == pytest.approx(400, abs=0.1)
    assert not refusal.value.may_have_executed
    assert len(upbit.requests) == 1

    await anyio.sleep(refusal.value.retry_after)
    await verify(client)
    assert len(upbit.requests) == 2


async def test_cooldown_starts_with_the_answer(upbit: Upbit, client: UpbitClient) -> None:
    upbit.takes = 8
    await verify(client)
    await anyio.sleep(TEN_MINUTES - 1)
    with pytest.raises(RepeatTooSoon):
        await verify(client)


async def test_cooldown_applies_per_deposit_and_vasp(upbit: Upbit, client: UpbitClient) -> None:
    upbit.answers.append(says(201, body=VERIFIED.replace(b"102", b"103")))
    await verify(client, deposit=DEPOSIT.replace("102", "103"))
    await verify(client)
    await verify(client, vasp=VASP.replace("201", "202"))
    assert len(upbit.requests) == 3


async def test_cooldown_ignores_the_case_of_ids(client: UpbitClient) -> None:
    await verify(client, vasp="abcd")
    with pytest.raises(RepeatTooSoon):
        await verify(client, vasp="ABCD")


async def test_cooldown_by_transaction_uses_all_its_members(upbit: Upbit, client: UpbitClient) -> None:
    verify_by_txid = client.travel_rule.verify_by_txid
    await verify_by_txid("t", VASP, "USDT", "TRX")
    await verify_by_txid("t", VASP, "USDT", "ETH")
    with pytest.raises(RepeatTooSoon):
        await verify_by_txid("T", VASP, "USDT", "TRX")
    assert len(upbit.requests) == 2


async def test_cooldown_is_shared_by_clients_of_one_key(upbit: Upbit) -> None:
    keys = canaries()
    async with upbit.client(credentials=keys) as one, upbit.client() as other:
        await verify(one)
        await verify(other)
        with pytest.raises(RepeatTooSoon):
            await verify(one.with_options(timeouts=Timeouts(total=5)))
    async with upbit.client(credentials=keys) as later:  # closing one forgets nothing
        with pytest.raises(RepeatTooSoon):
            await verify(later)
    assert len(upbit.requests) == 2


async def test_cooldown_applies_to_plain_requests(upbit: Upbit, client: UpbitClient) -> None:
    await verify(client)
    members = {"deposit_uuid": DEPOSIT, "vasp_uuid": VASP}
    with pytest.raises(RepeatTooSoon):
        await client.request("POST", "/v1/travel_rule/deposit/uuid", json=members)
    assert len(upbit.requests) == 1


async def test_concurrent_verifications_send_one_request(upbit: Upbit, client: UpbitClient) -> None:
    upbit.takes = 1
    refused: list[RepeatTooSoon] = []

    async def try_it() -> None:
        try:
            await verify(client)
        except RepeatTooSoon as refusal:
            refused.append(refusal)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(try_it)
    assert (len(upbit.requests), len(refused)) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "error", "may_have_been_processed"),
    [
        (breaks(httpx.ReadError), OutcomeUnknown, True),
        (says(502), OutcomeUnknown, True),
        (says(201), OutcomeUnknown, True),
        (says(429), OutcomeUnknown, True),
        (says(401, "nonce_used"), OutcomeUnknown, True),
        (says(403), OutcomeUnknown, True),
        (says(429, "too_many_requests"), RateLimited, True),
        (says(201, body=VERIFIED.replace(b"102", b"109")), OutcomeUnknown, True),
        (says(404, "deposit_not_found"), NotFound, True),
        (says(400, "already_have_deposit_transaction"), APIError, True),
        (breaks(httpx.PoolTimeout), NotSent, False),
        (says(401, "invalid_access_key"), AuthenticationError, False),
        (says(403, "out_of_scope"), APIError, False),
    ],
)
async def test_cooldown_starts_unless_the_request_was_not_processed(
    upbit: Upbit,
    client: UpbitClient,
    answer: Callable[[httpx.Request], httpx.Response],
    error: type[Exception],
    may_have_been_processed: bool,
) -> None:
    upbit.answers.append(answer)
    with pytest.raises(error):
        await verify(client)
    if may_have_been_processed:
        with pytest.raises(RepeatTooSoon):
            await verify(client)
        assert len(upbit.requests) == 1
    else:
        await verify(client)


async def test_error_429_names_the_likely_cooldown(upbit: Upbit, client: UpbitClient) -> None:
    upbit.answers.append(says(429, "too_many_requests"))
    with pytest.raises(RateLimited, match="may have been sent in the last 10 minutes"):
        await verify(client)


async def test_ban_starts_no_cooldown(upbit: Upbit, client: UpbitClient) -> None:
    upbit.answers.append(says(418, "too_many_requests"))
    with pytest.raises(Banned):
        await verify(client)
    await anyio.sleep(120)
    await verify(client)


async def test_retries_within_one_call_are_not_refused(upbit: Upbit) -> None:
    upbit.answers += [breaks(httpx.PoolTimeout), says(429, "too_many_requests")]
    async with upbit.client(retry=RetryPolicy(attempts=3)) as client:
        await verify(client)
        assert len(upbit.requests) == 3
        with pytest.raises(RepeatTooSoon):
            await verify(client)


async def test_call_cancelled_after_sending_starts_the_cooldown(upbit: Upbit, client: UpbitClient) -> None:
    upbit.takes = 3
    with anyio.move_on_after(1) as scope:
        await verify(client)
    assert scope.cancelled_caught
    with pytest.raises(RepeatTooSoon):
        await verify(client)


async def test_call_cancelled_before_sending_starts_no_cooldown(upbit: Upbit) -> None:
    class Closed(NoLimiter):
        async def acquire(self, group: str) -> Any:
            await anyio.sleep(2)
            return await super().acquire(group)

    async with upbit.client(limiter=Closed()) as client:
        with anyio.move_on_after(1):
            await verify(client)
        assert upbit.requests == []
        await verify(client)
    assert len(upbit.requests) == 1


@pytest.mark.parametrize("region", ["id", "th"])
async def test_regions_without_a_travel_rule_refuse_before_sending(upbit: Upbit, region: str) -> None:
    async with upbit.client(region) as client:
        with pytest.raises(ConfigurationError, match="exists only in kr, sg"):
            await client.travel_rule.vasps()
        with pytest.raises(ConfigurationError, match=f"this client is for {region}"):
            await verify(client)
        with pytest.raises(ConfigurationError, match="POST /v1/travel_rule/deposit/txid"):
            await client.travel_rule.verify_by_txid("t", VASP, "USDT", "TRX")
    assert upbit.requests == []


async def test_travel_rule_exists_in_korea(upbit: Upbit) -> None:
    async with upbit.client("kr") as client:
        await verify(client)
