"""The list of markets is public: it needs no key, and has a budget of its own for each address."""

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


async def test_every_listed_currency_is_traded_for_the_regions_fiat(sandbox: Sandbox) -> None:
    response = await markets(sandbox)
    assert response.status_code == 200
    assert response.json() == [
        {"market": "SGD-BTC", "english_name": "Bitcoin"},
        {"market": "SGD-ETH", "english_name": "Ethereum"},
        {"market": "SGD-XRP", "english_name": "XRP"},
        {"market": "SGD-USDT", "english_name": "Tether"},
        {"market": "SGD-XYZ", "english_name": "XYZ"},
    ]


async def test_a_newly_listed_currency_is_traded_too(sandbox: Sandbox, a_wallet: WalletRecord) -> None:
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


async def test_details_are_warnings(sandbox: Sandbox) -> None:
    rows = (await markets(sandbox, "is_details=true")).json()
    assert rows[0] == {"market": "SGD-BTC", "english_name": "Bitcoin", "market_warning": "NONE"}
    assert (await markets(sandbox, "is_details=false")).json() == (await markets(sandbox)).json()


async def test_korea_has_names_and_warnings_of_its_own() -> None:
    sandbox = Sandbox("kr")
    names: dict[str, Any] = {"market": "KRW-BTC", "korean_name": "비트코인", "english_name": "Bitcoin"}
    assert (await markets(sandbox)).json()[0] == names
    event = (await markets(sandbox, "is_details=true")).json()[0]["market_event"]
    assert event["warning"] is False
    assert list(event["caution"].values()) == [False] * 5


async def test_a_quotation_error_has_its_status_for_a_name(sandbox: Sandbox) -> None:
    response = await markets(sandbox, "is_details=perhaps")
    assert response.status_code == 400
    assert response.json() == {
        "error": {"name": 400, "message": "Type mismatch error. Check the parameters type!"}
    }


async def test_neither_a_key_nor_a_wrong_one_matters(sandbox: Sandbox, client: SignedClient) -> None:
    assert (await client.get(MARKETS)).status_code == 200
    sandbox.keys.find(client.credentials.access_key.reveal()).secret_key = "another"  # type: ignore[union-attr]
    assert (await client.get(MARKETS)).status_code == 200
    assert (await client.get("/v1/accounts")).status_code == 401
    assert [line.access_key for line in sandbox.requests] == [client.credentials.access_key.reveal()] * 3


async def test_ten_a_second_for_each_address_beside_the_accounts_budget(
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
    told = (await client.get("/v1/accounts")).headers["Remaining-Req"]
    assert told == "group=default; min=1800; sec=29"
    clock.tick(1)
    assert (await markets(sandbox)).status_code == 200


async def test_without_limits_nothing_is_counted() -> None:
    sandbox = Sandbox("sg", limits=False)
    answers = [await markets(sandbox) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert "Remaining-Req" not in answers[0].headers
