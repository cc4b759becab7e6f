"""The registry of endpoints, and what holds for each of them. `tests/docs/test_endpoints.py` calls their methods."""

from __future__ import annotations

import json
import re
import typing
from typing import Any

import attrs
import pytest
from examples import example, example_bytes, example_names, examples_of

from upbit_async import Credentials, Region, Safety
from upbit_async.client import UpbitClient
from upbit_async.models import Deposit, Withdrawal
from upbit_async.protocol import endpoints as module
from upbit_async.protocol.decode import decode
from upbit_async.protocol.endpoint import Endpoint
from upbit_async.protocol.endpoints import ENDPOINTS
from upbit_async.protocol.message import compose
from upbit_async.protocol.rates import BUDGETS
from upbit_async.sandbox.exchange.keys import ALL_PERMISSIONS
from upbit_async.sandbox.knobs import Knobs
from upbit_async.sandbox.routes import ROUTES

CONSTANTS: dict[str, Endpoint[Any]] = {
    name: value for name, value in vars(module).items() if isinstance(value, Endpoint)
}
every_endpoint = pytest.mark.parametrize("endpoint", CONSTANTS.values(), ids=CONSTANTS)
WITHOUT_ENDPOINT = {  # examples of endpoints that the library does not call, and of no endpoint at all
    "deposits_krw_post_kr": Deposit,
    "withdraws_krw_post_kr": Withdrawal,
    "errors": object,
    "response_headers": object,
    "auth_vectors": object,
}
MONEY_OR_VERIFICATION = {
    ("POST", "/v1/withdraws/coin"),
    ("POST", "/v1/travel_rule/deposit/uuid"),
    ("POST", "/v1/travel_rule/deposit/txid"),
}
"""What must never be repeated unless it provably was not executed. An endpoint that moves money is added here."""
SAFE_TO_REPEAT = {("DELETE", "/v1/withdraws/coin"), ("POST", "/v1/deposits/generate_coin_address")}
"""What changes something and is known to have the same effect when it is executed twice."""


def _samples(endpoint: Endpoint[Any]) -> list[str]:
    return examples_of(endpoint.method, endpoint.path)


def test_registry_holds_every_constant_by_method_and_path() -> None:
    assert {(each.method, each.path): each for each in CONSTANTS.values()} == ENDPOINTS
    assert len(ENDPOINTS) == len(CONSTANTS)


@every_endpoint
def test_an_endpoint_has_a_route_in_the_sandbox_with_the_same_facts(endpoint: Endpoint[Any]) -> None:
    route = ROUTES[endpoint.method, endpoint.path]
    assert (route.method, route.path) == (endpoint.method, endpoint.path)
    assert route.permission_by(Knobs()) == endpoint.permission
    assert route.regions == (endpoint.regions or frozenset(Region))
    assert route.public_group is None


@every_endpoint
def test_an_endpoint_has_examples_that_decode(endpoint: Endpoint[Any]) -> None:
    assert _samples(endpoint)
    for sample in _samples(endpoint):
        found = decode(endpoint.returns, example_bytes(sample), asked=endpoint.label)
        assert isinstance(found, typing.get_origin(endpoint.returns) or endpoint.returns)


def test_every_example_is_decoded() -> None:
    sampled = {sample for endpoint in ENDPOINTS.values() for sample in _samples(endpoint)}
    asked = {name for name in example_names() if "_request" in name}
    assert example_names() - asked == sampled | set(WITHOUT_ENDPOINT)
    assert not sampled & set(WITHOUT_ENDPOINT)
    for name, kind in WITHOUT_ENDPOINT.items():
        assert isinstance(decode(kind, example_bytes(name), asked=name), kind)
    for name in asked:
        members = {key: value for key, value in example(name).items() if value is not None}
        assert json.loads(compose("POST", "/v1/x", example(name)).body) == members


@every_endpoint
def test_endpoint_returns_a_model_or_a_list_of_models(endpoint: Endpoint[Any]) -> None:
    (model,) = typing.get_args(endpoint.returns) or (endpoint.returns,)
    assert typing.get_origin(endpoint.returns) in {list, None}
    assert attrs.has(model)


@every_endpoint
def test_an_endpoint_has_its_documentation_label_and_rate_group(endpoint: Endpoint[Any]) -> None:
    assert endpoint.label == f"{endpoint.method} {endpoint.path}"
    assert re.match(
        r"https://(global-docs\.upbit\.com|docs\.upbit\.com/kr)/reference/[a-z-]+\Z", endpoint.docs
    )
    assert endpoint.group in BUDGETS
    assert endpoint.permission is None or endpoint.permission in ALL_PERMISSIONS
    assert endpoint.regions is None or endpoint.regions < set(Region)


@every_endpoint
def test_an_endpoint_is_sent_once_unless_it_reads_or_is_known_to_be_repeatable(
    endpoint: Endpoint[Any],
) -> None:
    key = (endpoint.method, endpoint.path)
    expected = Safety.REPEATABLE if key in SAFE_TO_REPEAT else Safety.ONCE
    assert endpoint.safety is (Safety.READ if endpoint.method == "GET" else expected)


def test_money_leaves_at_most_once() -> None:
    assert {key for key, each in ENDPOINTS.items() if each.safety is Safety.ONCE} == MONEY_OR_VERIFICATION
    assert {key for key, each in ENDPOINTS.items() if each.safety is Safety.REPEATABLE} == SAFE_TO_REPEAT


def test_client_has_the_namespaces_of_the_endpoints() -> None:
    client = UpbitClient("sg", credentials=Credentials("a", "b"), base_url="https://nowhere.invalid")
    assert {"status", "withdraws", "deposits", "accounts", "travel_rule"} <= set(vars(client))
