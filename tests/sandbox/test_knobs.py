"""Knobs accept meaningful values only, and each changes what it names."""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
import typing
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest
from answers import error_of
from signed_client import ManualClock, SignedClient, signed_client
from source_tree import parsed

from upbit_async.region import Region
from upbit_async.sandbox import ErrorSpec, Knobs, Sandbox, Transitions
from upbit_async.sandbox import knobs as module

if TYPE_CHECKING:
    import httpx


WITHDRAWALS, DEPOSITS = "/v1/withdraws", "/v1/deposits"
HISTORY = [f"00000000-0000-4000-8000-{number:012}" for number in range(1, 7)]
LISTS = [(WITHDRAWALS, 0), (DEPOSITS, 100)]


def numbers(response: httpx.Response) -> list[int]:
    """Return the numbers of the listed past transfers."""
    return [int(row["uuid"][-4:]) for row in response.json()]


# -- values ----------------------------------------------------------------------------------------

HINTS = typing.get_type_hints(Knobs)
WORDS = [name for name, hint in HINTS.items() if typing.get_origin(hint) is Literal]


def turned(name: str, value: Any) -> Knobs:
    return Knobs(**{name: value})


@pytest.mark.parametrize("name", HINTS)
def test_knob_refuses_values_of_other_types(name: str) -> None:
    wrong: list[object] = [object(), b"x", 1 + 1j, "no such word" if name in WORDS else ()]
    for value in wrong:
        with pytest.raises((TypeError, ValueError), match=f"knob {name} must be .*, got "):
            turned(name, value)
        with pytest.raises((TypeError, ValueError), match=f"knob {name} must be .*, got "):
            setattr(Knobs(), name, value)


@pytest.mark.parametrize("name", WORDS)
def test_knob_accepts_each_of_its_words(name: str) -> None:
    for word in typing.get_args(HINTS[name]):
        assert getattr(turned(name, word), name) == word


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("list_delay", -1.0),
        ("list_delay", math.nan),
        ("list_delay", math.inf),
        ("list_delay", 1e12),
        ("list_delay", True),
        ("list_delay", "20"),
        ("list_created_at_delay", -1.0),
        ("nonce_memory", math.inf),
        ("limit", -1),
        ("limit", 1.5),
        ("limit", True),
        ("fee_on_top", 1),
        ("post_status", 99),
        ("post_status", 1000),
        ("address_status", 0),
        ("time_offset", timedelta(hours=24)),
        ("algorithms", {"HS256"}),
        ("algorithms", frozenset({1})),
        ("list_order", "newest"),
        ("unit_currency", 5),
    ],
)
def test_knob_refuses_meaningless_values(name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=f"knob {name} must be .*, got "):
        setattr(Knobs(), name, value)


@pytest.mark.parametrize("status", [199, 600, "404"])
def test_error_spec_needs_a_status(status: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="status must be"):
        ErrorSpec(status, "not_found")


def test_knob_accepts_whole_numbers_and_none() -> None:
    knobs = Knobs(list_delay=20, nonce_memory=None, deposits_suspended=None, ban_after=None, limit=0)
    assert (knobs.list_delay, knobs.nonce_memory, knobs.limit) == (20, None, 0)
    assert attrs.evolve(knobs, time_offset=timedelta(hours=-23)).time_offset < timedelta(0)


def test_knob_is_documented_at_its_field_and_in_the_reference(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs" / "reference" / "sandbox.md").read_text(encoding="utf-8")
    assert re.findall(r"autoattribute:: upbit_async\.sandbox\.Knobs\.(\w+)", page) == list(HINTS)
    classes = [node for node in parsed(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    statements: list[ast.stmt] = [*classes[-1].body[1:], ast.Pass()]
    fields = [each for each in pairwise(statements) if isinstance(each[0], ast.AnnAssign)]
    assert len(fields) == len(HINTS)
    assert [ast.unparse(field) for field, below in fields if not isinstance(below, ast.Expr)] == []


async def test_ban_escalation_stays_within_the_calendar(clock: ManualClock) -> None:
    knobs = Knobs(limit=0, ban_after=0, ban_seconds=1e9, ban_escalation=1e9)
    async with signed_client(Sandbox("sg", knobs=knobs, clock=clock)) as client:
        for _ in range(40):
            assert error_of(await client.get("/v1/accounts"))[0] == 418
            clock.tick(timedelta(days=400).total_seconds())


# -- nulls -----------------------------------------------------------------------------------------

SIGNED: list[tuple[str, str, str, dict[str, str], bool]] = [
    ("sg", "GET", "/v1/status/wallet", {}, True),
    ("sg", "GET", "/v1/accounts", {}, False),
    ("sg", "GET", WITHDRAWALS, {}, True),
    ("sg", "GET", "/v1/withdraw", {"uuid": HISTORY[5]}, True),
    ("sg", "GET", "/v1/withdraws/chance", {"currency": "XRP", "net_type": "XRP"}, True),
    ("sg", "GET", "/v1/withdraws/coin_addresses", {}, True),
    ("id", "GET", "/v1/withdraws/coin_addresses", {}, True),
    (
        "sg",
        "POST",
        "/v1/withdraws/coin",
        {
            "currency": "USDT",
            "net_type": "TRX",
            "amount": "13",
            "address": "TFakeTronWithdrawAddressFakeFakeFa",
        },
        True,
    ),
    ("sg", "DELETE", "/v1/withdraws/coin", {"uuid": HISTORY[5]}, True),
    ("sg", "GET", DEPOSITS, {}, True),
    ("sg", "GET", "/v1/deposit", {"currency": "SGD"}, True),
    ("sg", "GET", "/v1/deposits/chance/coin", {"currency": "XRP", "net_type": "XRP"}, False),
    ("sg", "POST", "/v1/deposits/generate_coin_address", {"currency": "BTC", "net_type": "BTC"}, True),
    ("sg", "GET", "/v1/deposits/coin_addresses", {}, True),
    ("sg", "GET", "/v1/deposits/coin_address", {"currency": "BTC", "net_type": "BTC"}, True),
    ("sg", "GET", "/v1/travel_rule/vasps", {}, False),
    ("kr", "GET", "/v1/api_keys", {}, True),
    ("kr", "POST", "/v1/withdraws/krw", {"amount": "10000", "two_factor_type": "naver"}, True),
    ("kr", "POST", "/v1/deposits/krw", {"amount": "10000", "two_factor_type": "naver"}, True),
]


def without_nulls(value: Any) -> Any:
    def drop(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: member for name, member in pairs if member is not None}

    return json.loads(json.dumps(value), object_pairs_hook=drop)


@pytest.mark.parametrize(
    ("region", "method", "path", "parameters", "has_nulls"),
    SIGNED,
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_endpoint_drops_its_nulls_by_knob(
    region: str,
    method: str,
    path: str,
    parameters: dict[str, str],
    *,
    has_nulls: bool,
    clock: ManualClock,
) -> None:
    answers: dict[str, Any] = {}
    for nulls in ("present", "dropped"):
        sandbox = Sandbox(region, knobs=Knobs(nulls=nulls), clock=clock, seed=1)
        async with signed_client(sandbox) as client:
            if method == "POST":
                response = await client.post(path, parameters)
            else:
                text = "&".join(f"{name}={value}" for name, value in parameters.items())
                response = await client.query(method, path, text)
        assert response.status_code in {200, 201}
        answers[nulls] = response.json()
    assert answers["dropped"] == without_nulls(answers["present"])
    assert (answers["dropped"] != answers["present"]) is has_nulls


# -- members ---------------------------------------------------------------------------------------


async def test_unit_currency_follows_its_knob(client: SignedClient, sandbox: Sandbox) -> None:
    for knob, unit in ((None, "SGD"), ("USDT", "USDT")):
        sandbox.knobs.unit_currency = knob
        rows = (await client.get("/v1/accounts")).json()
        assert {row["unit_currency"] for row in rows} == {unit}
        chance = (await client.get("/v1/withdraws/chance", "currency=XRP&net_type=XRP")).json()
        assert chance["account"]["unit_currency"] == unit
        assert chance["withdraw_limit"]["fiat_currency"] == "SGD"


@pytest.mark.parametrize("region", Region)
async def test_two_factor_auth_is_present_by_knob(region: Region) -> None:
    sandbox = Sandbox(region)
    async with signed_client(sandbox) as client:
        for knob, is_told in (("in Korea", region is Region.KR), ("everywhere", True), ("nowhere", False)):
            sandbox.knobs.two_factor_auth_verified = knob  # type: ignore[assignment] # a loop's
            level = (await client.get("/v1/withdraws/chance", "currency=XRP&net_type=XRP")).json()[
                "member_level"
            ]
            assert level.get("two_factor_auth_verified", "absent") == (True if is_told else "absent")
        sandbox.knobs.two_factor_auth_verified = "everywhere"
        sandbox.account.member_level.two_factor_auth_verified = None
        level = (await client.get("/v1/withdraws/chance", "currency=XRP&net_type=XRP")).json()["member_level"]
        assert level["two_factor_auth_verified"] is None


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knob", "withdrawals", "deposits"),
    [
        ("combined", [], []),
        ("filters ignored", [2, 1], [102, 101]),
        ("cursors ignored", [4], [104]),
    ],
)
async def test_cursors_with_filters_follow_their_knob(
    client: SignedClient, sandbox: Sandbox, knob: Any, withdrawals: list[int], deposits: list[int]
) -> None:
    sandbox.knobs.cursors_with_filters = knob
    for (path, offset), found in zip(LISTS, (withdrawals, deposits), strict=True):
        cursor = f"to=00000000-0000-4000-8000-{offset + 3:012}"
        assert numbers(await client.get(path, f"{cursor}&state=REJECTED")) == found
        assert numbers(await client.get(path, cursor)) == [offset + 2, offset + 1]
        assert numbers(await client.get(path, "state=REJECTED")) == [offset + 4]
        assert numbers(await client.get(path, f"{cursor}&order_by=asc&limit=1")) == [offset + 1]


@pytest.mark.parametrize("path", [WITHDRAWALS, DEPOSITS])
@pytest.mark.parametrize("filters", ["currency=USDT", "state=REJECTED", "uuids[]=a", "txids[]=a"])
@pytest.mark.parametrize("cursor", ["from", "to"])
async def test_cursors_with_filters_are_refused_by_knob(
    client: SignedClient, sandbox: Sandbox, path: str, filters: str, cursor: str
) -> None:
    number = 3 if path == WITHDRAWALS else 103
    sandbox.knobs.cursors_with_filters = "refused"
    query = f"{cursor}=00000000-0000-4000-8000-{number:012}"
    response = await client.get(path, f"{query}&{filters}")
    assert error_of(response) == (400, "validation_error")
    assert response.json()["error"]["message"] == f"{cursor} can not be used together with filters"
    assert (await client.get(path, query)).status_code == 200


async def test_uuids_with_txids_follow_their_knob(client: SignedClient, sandbox: Sandbox) -> None:
    (found,) = (await client.get(DEPOSITS, "state=REJECTED")).json()
    query = f"uuids[]={found['uuid']}&txids[]={found['txid']}"
    assert error_of(await client.get(DEPOSITS, query)) == (400, "validation_error")
    sandbox.knobs.deposit_uuids_with_txids = "combined"
    assert [row["uuid"] for row in (await client.get(DEPOSITS, query)).json()] == [found["uuid"]]
    assert (await client.get(DEPOSITS, f"uuids[]={found['uuid']}&txids[]=another")).json() == []
    assert error_of(await client.get(WITHDRAWALS, query)) == (400, "validation_error"), "this is documented"


@pytest.mark.parametrize(
    ("knob", "descending", "ascending"),
    [
        ("created_at", [6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6]),
        ("done_at", [4, 2, 1, 6, 5, 3], [1, 2, 4, 3, 5, 6]),  # those without one come last
        ("oldest first", [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]),
    ],
)
async def test_list_order_follows_its_knob(
    client: SignedClient, sandbox: Sandbox, knob: Any, descending: list[int], ascending: list[int]
) -> None:
    sandbox.knobs.list_order = knob
    assert numbers(await client.get(WITHDRAWALS)) == descending
    assert numbers(await client.get(WITHDRAWALS, "order_by=desc")) == descending
    assert numbers(await client.get(WITHDRAWALS, "order_by=asc")) == ascending
    assert numbers(await client.get(WITHDRAWALS, "limit=2&page=2")) == descending[2:4]
    assert len(numbers(await client.get(DEPOSITS))) == 7
    assert numbers(await client.get(WITHDRAWALS, f"to={HISTORY[2]}")) == [
        number for number in descending if number < 3
    ]


async def test_new_withdrawal_is_listed_after_ended_ones_by_knob(
    client: SignedClient, sandbox: Sandbox
) -> None:
    sandbox.knobs.list_order = "done_at"
    uuid = (await client.withdraw()).json()["uuid"]
    assert [row["uuid"] for row in (await client.get(WITHDRAWALS)).json()].index(uuid) == 3
    sandbox.withdrawals.set_state(uuid, "DONE")
    assert [row["uuid"] for row in (await client.get(WITHDRAWALS)).json()].index(uuid) == 0


@pytest.mark.parametrize("nulls", ["present", "dropped"])
async def test_new_withdrawal_has_no_time_in_lists_by_knob(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock, nulls: Any
) -> None:
    sandbox.withdrawals.transitions = Transitions.manual()
    sandbox.knobs.list_created_at_delay, sandbox.knobs.nulls = 20.0, nulls
    created = (await client.withdraw()).json()
    assert created["created_at"] == "2026-11-20T12:00:00"
    *others, last = (await client.get(WITHDRAWALS)).json()
    assert last["uuid"] == created["uuid"]
    assert last.get("created_at", "absent") == (None if nulls == "present" else "absent")
    assert [row["uuid"] for row in others] == HISTORY[::-1]
    assert all(row["created_at"] for row in others)
    assert (await client.get("/v1/withdraw", f"uuid={created['uuid']}")).json() == created
    *_, last = (await client.get(WITHDRAWALS, "order_by=asc")).json()
    assert last["uuid"] == created["uuid"]
    clock.tick(20)
    assert (await client.get(WITHDRAWALS)).json()[0] == created


async def test_lists_have_no_times_by_knob(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.list_created_at_delay = None
    for path, _ in LISTS:
        rows = (await client.get(path)).json()
        assert {row["created_at"] for row in rows} == {None}
    assert numbers(await client.get(WITHDRAWALS)) == [6, 5, 4, 3, 2, 1]
