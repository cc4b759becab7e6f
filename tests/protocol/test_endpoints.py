"""The registry of endpoints: each has a method, a route in the sandbox and a sample that decodes."""

from __future__ import annotations

import ast
import inspect
import json
import typing
from pathlib import Path
from typing import Any

import attrs
import pytest
from examples import example, example_bytes, example_names

from upbit_async import Credentials, Region, Safety, resources
from upbit_async.client import UpbitClient
from upbit_async.models import Deposit, Withdrawal
from upbit_async.protocol import endpoints as module
from upbit_async.protocol.decode import decode
from upbit_async.protocol.endpoint import Endpoint
from upbit_async.protocol.endpoints import ENDPOINTS
from upbit_async.protocol.message import compose
from upbit_async.sandbox.routes import ROUTES

CONSTANTS: dict[str, Endpoint[Any]] = {
    name: value for name, value in vars(module).items() if isinstance(value, Endpoint)
}
SAMPLES = {
    "LIST_WALLETS": ["status_wallet_get", "status_wallet_get_null_block"],
    "LIST_WITHDRAWALS": ["withdraws_get", "withdraws_legacy_2018"],
    "GET_WITHDRAWAL": ["withdraw_get", "withdraw_get_tutorial_done"],
    "GET_WITHDRAWAL_CHANCE": ["withdraws_chance_get"],
    "LIST_WITHDRAWAL_ADDRESSES": ["withdraws_coin_addresses_get", "withdraws_coin_addresses_get_id_th"],
    "CREATE_WITHDRAWAL": ["withdraws_coin_post", "withdraws_coin_post_tutorial_waiting"],
    "CANCEL_WITHDRAWAL": ["withdraws_coin_delete", "withdraws_coin_delete_kr_2026"],
    "LIST_ACCOUNTS": ["accounts_get", "accounts_get_kr_observed"],
    "LIST_DEPOSITS": ["deposits_get", "deposits_get_observed_2024"],
    "GET_DEPOSIT": ["deposit_get", "deposit_get_travel_rule_suspected"],
    "GET_DEPOSIT_CHANCE": ["deposits_chance_coin_get"],
    "LIST_DEPOSIT_ADDRESSES": ["deposits_coin_addresses_get"],
    "GET_DEPOSIT_ADDRESS": ["deposits_coin_address_get", "deposits_coin_address_get_pending"],
    "CREATE_DEPOSIT_ADDRESS": [
        "deposits_generate_coin_address_post_ready",
        "deposits_generate_coin_address_post_pending",
    ],
    "LIST_VASPS": ["travel_rule_vasps_get"],
    "VERIFY_DEPOSIT_BY_UUID": ["travel_rule_deposit_uuid_post"],
    "VERIFY_DEPOSIT_BY_TXID": ["travel_rule_deposit_txid_post"],
}
every_constant = pytest.mark.parametrize("name", CONSTANTS)
OTHERS = {  # of calls without a constant, and of no call at all
    "deposits_krw_post_kr": Deposit,
    "withdraws_krw_post_kr": Withdrawal,
    "api_keys_get_kr": object,
    "errors": object,
    "response_headers": object,
    "auth_vectors": object,
}


def _users_of_constants() -> dict[str, set[str]]:
    """Say which public methods of the resources mention each constant, themselves or through a helper."""
    mentions: dict[str, set[str]] = {}
    aliases: dict[str, set[str]] = {}  # what a namespace hands its base class, by the attribute that keeps it
    for path in Path(inspect.getfile(resources)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
                names |= {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
                mentions.setdefault(node.name, set()).update(names)
            if (
                isinstance(node, ast.keyword)
                and isinstance(node.value, ast.Name)
                and node.value.id in CONSTANTS
            ):
                aliases.setdefault(f"_{node.arg}", set()).add(node.value.id)
    for names in mentions.values():
        names.update(*(constants for attribute, constants in aliases.items() if attribute in names))
    users: dict[str, set[str]] = {name: set() for name in CONSTANTS}
    for method in mentions:
        seen, ahead = set[str](), {method}
        while ahead:
            current = ahead.pop()
            seen.add(current)
            ahead |= (mentions.get(current, set()) & mentions.keys()) - seen
        for name in CONSTANTS:
            if not method.startswith("_") and any(name in mentions.get(each, set()) for each in seen):
                users[name].add(method)
    return users


def test_registry_holds_every_constant_by_method_and_path() -> None:
    assert {(each.method, each.path): each for each in CONSTANTS.values()} == ENDPOINTS
    assert set(module.__all__) == {*CONSTANTS, "ENDPOINTS"}


@every_constant
def test_endpoint_has_a_public_method(name: str) -> None:
    assert _users_of_constants()[name]


@every_constant
def test_endpoint_has_a_route_in_the_sandbox(name: str) -> None:
    endpoint = CONSTANTS[name]
    route = ROUTES[endpoint.method, endpoint.path]
    assert (route.method, route.path) == (endpoint.method, endpoint.path)


@every_constant
def test_endpoint_has_samples_that_decode(name: str) -> None:
    endpoint = CONSTANTS[name]
    assert SAMPLES[name]
    for sample in SAMPLES[name]:
        found = decode(endpoint.returns, example_bytes(sample), asked=endpoint.label)
        assert isinstance(found, typing.get_origin(endpoint.returns) or endpoint.returns)


def test_every_example_is_decoded() -> None:
    sampled = {sample for samples in SAMPLES.values() for sample in samples}
    asked = {name for name in example_names() if "_request" in name}
    assert example_names() - asked == sampled | set(OTHERS)
    for name, kind in OTHERS.items():
        assert isinstance(decode(kind, example_bytes(name), asked=name), kind)
    for name in asked:
        members = {key: value for key, value in example(name).items() if value is not None}
        assert json.loads(compose("POST", "/v1/x", example(name)).body) == members


@every_constant
def test_endpoint_returns_a_model_or_a_list_of_models(name: str) -> None:
    kind = CONSTANTS[name].returns
    model = typing.get_args(kind)[0] if typing.get_origin(kind) is list else kind
    assert attrs.has(model)


@every_constant
def test_only_get_endpoints_are_reads(name: str) -> None:
    endpoint = CONSTANTS[name]
    assert (endpoint.safety is Safety.READ) == (endpoint.method == "GET")
    assert endpoint.label == f"{endpoint.method} {endpoint.path}"


@every_constant
def test_endpoint_names_its_documentation_and_permission(name: str) -> None:
    endpoint = CONSTANTS[name]
    assert endpoint.docs.startswith("https://global-docs.upbit.com/reference/")
    assert endpoint.group == "default"
    permissions = {None, "view_account", "view_withdrawals", "withdraw", "view_deposits", "deposit"}
    assert endpoint.permission in permissions
    assert endpoint.regions is None or endpoint.regions <= set(Region)


def test_withdrawals_are_sent_at_most_once() -> None:
    assert ENDPOINTS["POST", "/v1/withdraws/coin"].safety is Safety.ONCE
    assert ENDPOINTS["DELETE", "/v1/withdraws/coin"].safety is Safety.REPEATABLE
    assert {key for key, each in ENDPOINTS.items() if each.safety is Safety.ONCE} <= {
        ("POST", "/v1/withdraws/coin"),
        ("POST", "/v1/travel_rule/deposit/uuid"),
        ("POST", "/v1/travel_rule/deposit/txid"),
    }


def test_client_has_the_namespaces_of_the_endpoints() -> None:
    client = UpbitClient("sg", credentials=Credentials("a", "b"), base_url="https://nowhere.invalid")
    assert {"status", "withdraws", "deposits", "accounts", "travel_rule"} <= set(vars(client))
