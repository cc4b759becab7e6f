"""`client.deposits`: addresses, and waiting until one is generated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from examples import example

from upbit_async.errors import DecodeError, NotFound, PollTimeout, ServerError, ValidationError
from upbit_async.events import PollFailed
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.client import UpbitClient
    from upbit_async.events import Event
    from upbit_async.sandbox import Sandbox

GENERATE = "/v1/deposits/generate_coin_address"
ONE = "/v1/deposits/coin_address"
PENDING = example("deposits_generate_coin_address_post_pending")
READY = example("deposits_generate_coin_address_post_ready")


@pytest.fixture
def generates(says: Callable[..., None]) -> Callable[..., None]:
    """Return what lets Upbit answer the requests for an address one after the other."""

    def answer(*values: Any) -> None:
        for value in values:
            says("POST", GENERATE, value)

    return answer


async def test_an_address_is_asked_for_until_it_is_there(
    client: UpbitClient, sandbox: Sandbox, generates: Callable[..., None]
) -> None:
    generates(PENDING, PENDING, PENDING, READY)
    began = anyio.current_time()
    address = await client.deposits.create_address("BTC", "BTC")
    assert (address.deposit_address, address.currency) == (READY["deposit_address"], "BTC")
    asked = sandbox.requests.of("POST", GENERATE)
    assert [line.body for line in asked] == ['{"currency":"BTC","net_type":"BTC"}'] * 4
    assert anyio.current_time() - began == pytest.approx(1 + 1.5 + 2.25, abs=0.5)


async def test_an_address_that_is_there_costs_one_request(
    client: UpbitClient, sandbox: Sandbox, generates: Callable[..., None]
) -> None:
    generates(READY)
    await client.deposits.create_address("BTC", "BTC", timeout=None)
    assert len(sandbox.requests) == 1


async def test_who_does_not_wait_gets_an_address_without_one(
    client: UpbitClient, sandbox: Sandbox, generates: Callable[..., None]
) -> None:
    generates(PENDING)
    address = await client.deposits.create_address("BTC", "BTC", wait=False)
    assert (address.currency, address.net_type, address.deposit_address) == ("BTC", "BTC", None)
    assert len(sandbox.requests) == 1


async def test_the_wait_ends_with_a_last_request_at_its_deadline(
    client: UpbitClient, sandbox: Sandbox, generates: Callable[..., None]
) -> None:
    generates(*[PENDING] * 20)
    began = anyio.current_time()
    with pytest.raises(
        PollTimeout, match=r"address for BTC on BTC .* after 7 s.*call create_address again later"
    ):
        await client.deposits.create_address("BTC", "BTC", timeout=7)
    assert anyio.current_time() - began == pytest.approx(7, abs=0.1)
    assert len(sandbox.requests) == 5  # after 0, 1, 2.5, 4.75 and 7 seconds


async def test_no_time_is_one_request(client: UpbitClient, generates: Callable[..., None]) -> None:
    generates(PENDING, READY)
    with pytest.raises(PollTimeout):
        await client.deposits.create_address("BTC", "BTC", timeout=0)


async def test_what_may_pass_does_not_end_the_wait(
    client: UpbitClient, sandbox: Sandbox, generates: Callable[..., None]
) -> None:
    told: list[Event] = []
    sandbox.faults.add(Fault.status(503, "POST", GENERATE, times=7))
    generates(READY)
    address = await client.with_options(observer=told.append).deposits.create_address("BTC", "BTC")
    assert address.deposit_address == READY["deposit_address"]
    assert [type(event.error) for event in told if isinstance(event, PollFailed)] == [ServerError] * 2


async def test_what_may_pass_is_the_cause_at_the_deadline_and_an_error_for_who_does_not_wait(
    client: UpbitClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault.status(503, "POST", GENERATE, times=None))
    with pytest.raises(PollTimeout) as late:
        await client.deposits.create_address("BTC", "BTC", timeout=5)
    assert isinstance(late.value.__cause__, ServerError)
    with pytest.raises(ServerError):
        await client.deposits.create_address("BTC", "BTC", wait=False)


async def test_a_refusal_ends_the_wait(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.status(400, "POST", GENERATE, name="invalid_parameter"))
    with pytest.raises(ValidationError):
        await client.deposits.create_address("BTC", "BTC")
    assert len(sandbox.requests) == 1


async def test_an_empty_address_is_none(
    client: UpbitClient, says: Callable[..., None], generates: Callable[..., None]
) -> None:
    generates(READY | {"deposit_address": "", "secondary_address": ""}, READY)
    says("GET", ONE, READY | {"deposit_address": ""})
    assert (await client.deposits.address("BTC", "BTC")).deposit_address is None
    made = await client.deposits.create_address("BTC", "BTC", timeout=float("inf"))
    assert made.deposit_address == READY["deposit_address"]


@pytest.mark.parametrize(
    "answer", [{}, {"success": None}, {"success": False, "message": "no"}, [], {"currency": 1.5}]
)
async def test_an_answer_that_is_neither_is_no_answer(
    client: UpbitClient, generates: Callable[..., None], answer: Any
) -> None:
    generates(answer)
    with pytest.raises(DecodeError):
        await client.deposits.create_address("BTC", "BTC")


@pytest.mark.parametrize("stray", [{"currency": "ETH"}, {"net_type": "ETH"}])
async def test_the_address_of_something_else_is_refused(
    client: UpbitClient, generates: Callable[..., None], says: Callable[..., None], stray: dict[str, str]
) -> None:
    generates(READY | stray)
    with pytest.raises(DecodeError, match="asked for"):
        await client.deposits.create_address("BTC", "BTC")
    says("GET", ONE, READY | stray)
    with pytest.raises(DecodeError, match="asked for"):
        await client.deposits.address("BTC", "BTC")


async def test_old_answers_lack_the_network(client: UpbitClient, says: Callable[..., None]) -> None:
    says("GET", ONE, {"currency": "BTC", "deposit_address": "1F", "secondary_address": None})
    address = await client.deposits.address("BTC", "BTC")
    assert (address.net_type, address.deposit_address) == (None, "1F")


async def test_a_pending_address_has_none_yet(client: UpbitClient, says: Callable[..., None]) -> None:
    says("GET", ONE, example("deposits_coin_address_get_pending"))
    assert (await client.deposits.address("BTC", "BTC")).deposit_address is None


# -- against the sandbox ---------------------------------------------------------------------------


async def test_the_sandbox_generates_an_address_which_stays_the_same(client: UpbitClient) -> None:
    known = {(each.currency, each.net_type) for each in await client.deposits.addresses()}
    currency, net_type = next(
        (wallet.currency, wallet.net_type)
        for wallet in await client.status.wallets()
        if wallet.wallet_state.can_deposit
        and wallet.net_type is not None
        and (wallet.currency, wallet.net_type) not in known
    )
    with pytest.raises(NotFound):
        await client.deposits.address(currency, net_type)
    made = await client.deposits.create_address(currency, net_type)
    assert made.deposit_address
    assert await client.deposits.address(currency, net_type) == made
    assert await client.deposits.create_address(currency, net_type) == made
    assert made in await client.deposits.addresses()
