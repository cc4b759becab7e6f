"""The list of markets is public, and limited for each address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from upbit_async.sandbox import Sandbox, WalletRecord

if TYPE_CHECKING:
    from signed_client import ManualClock, SignedClient

MARKETS = "/v1/market/all"


async def markets(sandbox: Sandbox, query: str = "", *, client_ip: str = "127.0.0.1") -> httpx.Response:
    transport = sandbox.transport(client_ip=client_ip)
    async with httpx.AsyncClient(transport=transport, base_url=sandbox.base_url) as http:
        return await http.get(f"{MARKETS}?{query}")


async def test_every_listed_currency_has_a_market(sandbox: Sandbox) -> None:
    response = await markets(sandbox)
    assert response.status_code == 200
    assert response.json() == [
        {"market": "SGD-BTC", "english_name": "Bitcoin"},
        {"market": "SGD-ETH", "english_name": "Ethereum"},
        {"market": "SGD-XRP", "english_name": "XRP"},
        {"market": "SGD-USDT", "english_name": "Tether"},
        {"market": "SGD-XYZ", "english_name": "XYZ"},
    ]


async def test_newly_listed_currency_has_a_market(sandbox: Sandbox, a_wallet: WalletRecord) -> None:
    sandbox.wallets.add(a_wallet)
    assert (await markets(sandbox)).json()[-1] == {"market": "SGD-NEW", "english_name": "NEW"}


@pytest.fixture
def a_wallet(sandbox: Sandbox) -> WalletRecord:
    known = sandbox.wallets["USDT", "TRX"]
    return WalletRecord(
        currency="NEW",
        net_type="NEW",
        network_name="New",
        withdraw_fee=known.withdraw_fee,
        minimum=known.minimum,
    )


async def test_details_add_warnings(sandbox: Sandbox) -> None:
    rows = (await markets(sandbox, "is_details=true")).json()
    assert rows[0] == {"market": "SGD-BTC", "english_name": "Bitcoin", "market_warning": "NONE"}
    assert (await markets(sandbox, "is_details=false")).json() == (await markets(sandbox)).json()


async def test_korean_markets_have_other_names_and_warnings() -> None:
    sandbox = Sandbox("kr")
    names: dict[str, Any] = {"market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin"}
    assert (await markets(sandbox)).json()[0] == names
    event = (await markets(sandbox, "is_details=true")).json()[0]["market_event"]
    assert event["warning"] is False
    assert list(event["caution"].values()) == [False] * 5


async def test_name_of_a_quotation_error_is_its_status(sandbox: Sandbox) -> None:
    response = await markets(sandbox, "is_details=perhaps")
    assert response.status_code == 400
    assert response.json() == {
        "error": {"name": 400, "message": "Type mismatch error. Check the parameters type!"}
    }


async def test_markets_ignore_signatures(sandbox: Sandbox, client: SignedClient) -> None:
    assert (await client.get(MARKETS)).status_code == 200
    sandbox.keys.find(client.credentials.access_key.reveal()).secret_key = "another"  # type: ignore[union-attr]
    assert (await client.get(MARKETS)).status_code == 200
    assert (await client.get("/v1/accounts")).status_code == 401
    assert [line.access_key for line in sandbox.requests] == [client.credentials.access_key.reveal()] * 3


async def test_markets_are_limited_to_ten_a_second_per_address(
    sandbox: Sandbox, client: SignedClient, clock: ManualClock
) -> None:
    answers = [await markets(sandbox) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[0].headers["Limit-By-Ip"] == "Yes"
    assert [answers[number].headers["Remaining-Req"] for number in (0, 9, 10)] == [
        "group=market; min=600; sec=9",
        "group=market; min=600; sec=0",
        "group=market; min=600; sec=0",
    ]
    assert (await markets(sandbox, client_ip="10.0.0.1")).status_code == 200
    header = (await client.get("/v1/accounts")).headers["Remaining-Req"]
    assert header == "group=default; min=1800; sec=29"
    clock.tick(1)
    assert (await markets(sandbox)).status_code == 200


async def test_markets_without_limits_count_nothing() -> None:
    sandbox = Sandbox("sg", limits=False)
    answers = [await markets(sandbox) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert "Remaining-Req" not in answers[0].headers
