"""`client.deposits`: addresses, and waiting until one is generated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from examples import example
from withdrawals import answer_with

from upbit_async.errors import DecodeError, NotFound, PollTimeout, ServerError, ValidationError
from upbit_async.events import PollFailed
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from upbit_async.client import UpbitClient
    from upbit_async.events import Event
    from upbit_async.sandbox import Sandbox

GENERATE = "/v1/deposits/generate_coin_address"
ONE = "/v1/deposits/coin_address"
PENDING = example("deposits_generate_coin_address_post_pending")
READY = example("deposits_generate_coin_address_post_ready")


def generates(sandbox: Sandbox, *values: Any) -> None:
    """Let the sandbox answer the next requests for an address with these values, in order."""
    for value in values:
        answer_with(sandbox, "POST", GENERATE, value)


async def test_create_address_polls_until_the_address_exists(client: UpbitClient, sandbox: Sandbox) -> None:
    generates(sandbox, PENDING, PENDING, PENDING, READY)
    began = anyio.current_time()
    address = await client.deposits.create_address("BTC", "BTC")
    assert (address.deposit_address, address.currency) == (READY["deposit_address"], "BTC")
    asked = sandbox.requests.of("POST", GENERATE)
    assert [line.body for line in asked] == ['{"currency":"BTC","net_type":"BTC"}'] * 4
    assert anyio.current_time() - began == pytest.approx(1 + 1.5 + 2.25, abs=0.5)


async def test_existing_address_costs_one_request(client: UpbitClient, sandbox: Sandbox) -> None:
    generates(sandbox, READY)
    await client.deposits.create_address("BTC", "BTC", timeout=None)
    assert len(sandbox.requests) == 1


async def test_create_address_without_waiting_returns_no_address_yet(
    client: UpbitClient, sandbox: Sandbox
) -> None:
    generates(sandbox, PENDING)
    address = await client.deposits.create_address("BTC", "BTC", wait=False)
    assert (address.currency, address.net_type, address.deposit_address) == ("BTC", "BTC", None)
    assert len(sandbox.requests) == 1


async def test_last_request_is_at_the_deadline(client: UpbitClient, sandbox: Sandbox) -> None:
    generates(sandbox, *[PENDING] * 20)
    began = anyio.current_time()
    with pytest.raises(
        PollTimeout, match=r"address for BTC on BTC .* after 7 s.*call create_address again later"
    ):
        await client.deposits.create_address("BTC", "BTC", timeout=7)
    assert anyio.current_time() - began == pytest.approx(7, abs=0.1)
    assert len(sandbox.requests) == 5  # after 0, 1, 2.5, 4.75 and 7 seconds


async def test_timeout_zero_is_one_request(client: UpbitClient, sandbox: Sandbox) -> None:
    generates(sandbox, PENDING, READY)
    with pytest.raises(PollTimeout):
        await client.deposits.create_address("BTC", "BTC", timeout=0)


async def test_temporary_failure_does_not_end_the_wait(client: UpbitClient, sandbox: Sandbox) -> None:
    observed: list[Event] = []
    sandbox.faults.add(Fault.status(503, "POST", GENERATE, times=7))
    generates(sandbox, READY)
    address = await client.with_options(observer=observed.append).deposits.create_address("BTC", "BTC")
    assert address.deposit_address == READY["deposit_address"]
    assert [type(event.error) for event in observed if isinstance(event, PollFailed)] == [ServerError] * 2


async def test_lasting_failure_is_the_cause_of_the_timeout(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.status(503, "POST", GENERATE, times=None))
    with pytest.raises(PollTimeout) as late:
        await client.deposits.create_address("BTC", "BTC", timeout=5)
    assert isinstance(late.value.__cause__, ServerError)
    with pytest.raises(ServerError):
        await client.deposits.create_address("BTC", "BTC", wait=False)


async def test_refusal_ends_the_wait(client: UpbitClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.status(400, "POST", GENERATE, name="invalid_parameter"))
    with pytest.raises(ValidationError):
        await client.deposits.create_address("BTC", "BTC")
    assert len(sandbox.requests) == 1


async def test_empty_address_is_none(client: UpbitClient, sandbox: Sandbox) -> None:
    generates(sandbox, READY | {"deposit_address": "", "secondary_address": ""}, READY)
    answer_with(sandbox, "GET", ONE, READY | {"deposit_address": ""})
    assert (await client.deposits.address("BTC", "BTC")).deposit_address is None
    made = await client.deposits.create_address("BTC", "BTC", timeout=float("inf"))
    assert made.deposit_address == READY["deposit_address"]


@pytest.mark.parametrize(
    "answer", [{}, {"success": None}, {"success": False, "message": "no"}, [], {"currency": 1.5}]
)
async def test_answer_without_an_address_field_is_a_decode_error(
    client: UpbitClient, sandbox: Sandbox, answer: Any
) -> None:
    generates(sandbox, answer)
    with pytest.raises(DecodeError):
        await client.deposits.create_address("BTC", "BTC")


@pytest.mark.parametrize("mismatch", [{"currency": "ETH"}, {"net_type": "ETH"}])
async def test_address_of_another_currency_or_network_is_refused(
    client: UpbitClient, sandbox: Sandbox, mismatch: dict[str, str]
) -> None:
    generates(sandbox, READY | mismatch)
    with pytest.raises(DecodeError, match="asked for"):
        await client.deposits.create_address("BTC", "BTC")
    answer_with(sandbox, "GET", ONE, READY | mismatch)
    with pytest.raises(DecodeError, match="asked for"):
        await client.deposits.address("BTC", "BTC")


async def test_answer_without_a_network_is_accepted(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(sandbox, "GET", ONE, {"currency": "BTC", "deposit_address": "1F", "secondary_address": None})
    address = await client.deposits.address("BTC", "BTC")
    assert (address.net_type, address.deposit_address) == (None, "1F")


async def test_pending_address_is_none(client: UpbitClient, sandbox: Sandbox) -> None:
    answer_with(sandbox, "GET", ONE, example("deposits_coin_address_get_pending"))
    assert (await client.deposits.address("BTC", "BTC")).deposit_address is None


# -- against the sandbox ---------------------------------------------------------------------------


async def test_sandbox_generates_an_address_once(client: UpbitClient) -> None:
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
