"""Checks of a signed request, with the published vectors and with tokens of an independent client."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlencode

import httpx
import pytest
from answers import error_of
from examples import example
from signed_client import ManualClock, SignedClient, signed_client

from upbit_async.credentials import Credentials
from upbit_async.sandbox import ErrorSpec, Knobs, Sandbox
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.guard.query_hash import check_query_hash
from upbit_async.sandbox.guard.token import Token
from upbit_async.sandbox.messages import SandboxRequest

COIN = "/v1/withdraws/coin"
JSON = {"content-type": "application/json; charset=utf-8"}


def request_of(vector: dict[str, Any]) -> SandboxRequest:
    path, _, query = vector["request_target"].partition("?")
    body = vector["body_json_text"]
    return SandboxRequest(
        method=vector["method"], path=path, query=query, body=body.encode() if body else b"", headers=JSON
    )


# -- documents' vectors ----------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_published_vectors_are_accepted(algorithm: str) -> None:
    document = example("auth_vectors")
    assert len(document["vectors"]) == 9
    for vector in document["vectors"]:
        token = Token.read(vector[algorithm]["token"])
        assert token.access_key == document["access_key"]
        assert token.query_hash == vector["query_hash"]
        token.verify(document["secret_key"], frozenset({algorithm}))
        check_query_hash(request_of(vector), token, Knobs())


def test_published_vector_matches_no_other_request() -> None:
    vectors = example("auth_vectors")["vectors"]
    for vector in vectors:
        for other in vectors:
            if vector is other:
                continue
            with pytest.raises(Refusal, match="invalid_query_payload"):
                check_query_hash(request_of(other), Token.read(vector["HS256"]["token"]), Knobs())


async def test_published_token_is_accepted_once() -> None:
    document = example("auth_vectors")
    sandbox = Sandbox("sg", credentials=Credentials(document["access_key"], document["secret_key"]))
    headers = {"Authorization": f"Bearer {document['vectors'][3]['HS512']['token']}"}
    target = document["vectors"][3]["request_target"].encode()
    async with httpx.AsyncClient(transport=sandbox.transport()) as http:
        url = httpx.URL(sandbox.base_url).copy_with(raw_path=target)
        assert (await http.get(url, headers=headers)).status_code == 200
        assert error_of(await http.get(url, headers=headers)) == (401, "nonce_used")


# -- tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "name"),
    [
        (None, "no_authorization_token"),
        ("Basic abc", "no_authorization_token"),
        ("Bearer", "no_authorization_token"),
        ("Bearer abc", "jwt_verification"),
        ("Bearer a.b.c", "jwt_verification"),
        ("Bearer !.!.!", "jwt_verification"),
        ("Bearer W10.W10.W10", "jwt_verification"),  # lists where objects belong
        ("Bearer e30.e30.e30", "jwt_verification"),  # nothing in it
        ("Bearer _w.e30.e30", "jwt_verification"),  # not even UTF-8
    ],
)
async def test_unreadable_token_is_refused(sandbox: Sandbox, authorization: str | None, name: str) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(transport=sandbox.transport(), base_url=sandbox.base_url) as http:
        assert error_of(await http.get("/v1/accounts", headers=headers)) == (401, name)
    assert sandbox.requests[0].nonce is None


@pytest.mark.parametrize("nonce", [True, "", None, 1.5])
async def test_token_without_a_nonce_is_refused(client: SignedClient, nonce: object) -> None:
    assert error_of(await client.get("/v1/accounts", claims={"nonce": nonce})) == (401, "jwt_verification")


async def test_nonce_may_be_a_number(client: SignedClient, sandbox: Sandbox) -> None:
    assert (await client.get("/v1/accounts", claims={"nonce": 1763640000000})).status_code == 200
    assert sandbox.requests[0].nonce == "1763640000000"


async def test_wrong_signature_is_refused(client: SignedClient, sandbox: Sandbox) -> None:
    client.credentials = Credentials(sandbox.credentials.access_key, "x" * 40)
    assert error_of(await client.get("/v1/accounts")) == (401, "jwt_verification")


async def test_unknown_key_is_refused(client: SignedClient) -> None:
    client.credentials = Credentials("unknown", "x" * 40)
    assert error_of(await client.get("/v1/accounts")) == (401, "invalid_access_key")


async def test_accepted_algorithms_follow_their_knob(client: SignedClient, sandbox: Sandbox) -> None:
    assert (await client.get("/v1/accounts", algorithm="HS512")).status_code == 200
    assert error_of(await client.get("/v1/accounts", algorithm="HS384")) == (401, "jwt_verification")
    sandbox.knobs.algorithms = frozenset({"HS384", "none"})
    assert (await client.get("/v1/accounts", algorithm="HS384")).status_code == 200
    assert error_of(await client.get("/v1/accounts", algorithm="HS512")) == (401, "jwt_verification")
    _, payload, _ = client.token().split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    response = await client.http.get(
        "/v1/accounts", headers={"Authorization": f"Bearer {unsigned}.{payload}."}
    )
    assert error_of(response) == (401, "jwt_verification")


async def test_changed_claims_are_refused(client: SignedClient) -> None:
    header, payload, signature = client.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps(claims | {"nonce": "x"}).encode()).decode().rstrip("=")
    response = await client.http.get(
        "/v1/accounts", headers={"Authorization": f"Bearer {header}.{forged}.{signature}"}
    )
    assert error_of(response) == (401, "jwt_verification")


# -- keys ------------------------------------------------------------------------------------------


async def test_expired_key_is_refused(sandbox: Sandbox, clock: ManualClock) -> None:
    credentials = sandbox.issue_key(expires_at=clock.now + timedelta(seconds=1))
    async with signed_client(sandbox, credentials) as client:
        assert (await client.get("/v1/accounts")).status_code == 200
        clock.tick(1)
        assert error_of(await client.get("/v1/accounts")) == (401, "expired_access_key")


async def test_key_is_refused_from_other_addresses(sandbox: Sandbox) -> None:
    credentials = sandbox.issue_key(ips=["203.0.113.7"])
    async with signed_client(sandbox, credentials) as client:
        assert error_of(await client.get("/v1/accounts")) == (401, "no_authorization_ip")
    async with signed_client(sandbox, credentials, client_ip="203.0.113.7") as client:
        assert (await client.get("/v1/accounts")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "text", "permission"),
    [
        ("GET", "/v1/accounts", "", "view_account"),
        ("GET", "/v1/withdraws", "", "view_withdrawals"),
        ("GET", "/v1/withdraw", "", "view_withdrawals"),
        ("GET", "/v1/withdraws/chance", "currency=BTC&net_type=BTC", "view_withdrawals"),
        ("GET", "/v1/withdraws/coin_addresses", "", "view_withdrawals"),
        ("DELETE", COIN, "uuid=00000000-0000-4000-8000-000000000006", "withdraw"),
        ("GET", "/v1/deposits", "", "view_deposits"),
        ("GET", "/v1/deposit", "", "view_deposits"),
        ("GET", "/v1/deposits/chance/coin", "currency=BTC&net_type=BTC", "view_deposits"),
        ("GET", "/v1/deposits/coin_addresses", "", "view_deposits"),
        ("GET", "/v1/deposits/coin_address", "currency=BTC&net_type=BTC", "view_deposits"),
        ("GET", "/v1/travel_rule/vasps", "", "view_deposits"),
    ],
)
async def test_call_without_its_permission_is_refused(
    sandbox: Sandbox,
    method: str,
    path: str,
    text: str,
    permission: str,
) -> None:
    async with signed_client(sandbox, sandbox.issue_key(permissions=[])) as client:
        assert error_of(await client.query(method, path, text)) == (403, "out_of_scope")
        sandbox.knobs.out_of_scope = ErrorSpec(401, "out_of_scope")
        assert error_of(await client.query(method, path, text)) == (401, "out_of_scope")
        assert (await client.get("/v1/status/wallet")).status_code == 200
    async with signed_client(sandbox, sandbox.issue_key(permissions=[permission])) as client:
        assert (await client.query(method, path, text)).status_code == 200


async def test_withdrawal_needs_permission_and_no_safety_lock(sandbox: Sandbox) -> None:
    credentials = sandbox.issue_key(permissions=["view_withdrawals"])
    key = sandbox.keys.find(credentials.access_key.reveal())
    assert key is not None
    assert key.secret_key not in repr(key)
    async with signed_client(sandbox, credentials) as client:
        assert error_of(await client.withdraw()) == (403, "out_of_scope")
        key.permissions, key.withdraw_locked = frozenset({"withdraw"}), True
        assert error_of(await client.withdraw()) == (403, "open_api_withdraw_locked")
        key.withdraw_locked = False
        assert (await client.withdraw()).status_code == 201
        sandbox.keys.remove(key.access_key)
        assert error_of(await client.withdraw()) == (401, "invalid_access_key")


# -- nonces ----------------------------------------------------------------------------------------


async def test_nonce_is_accepted_once_per_key(client: SignedClient, sandbox: Sandbox) -> None:
    assert (await client.withdraw(nonce="n")).status_code == 201
    assert error_of(await client.withdraw(nonce="n")) == (401, "nonce_used")
    assert len(sandbox.ledger.created) == 1
    async with signed_client(sandbox, sandbox.issue_key()) as other:
        assert (await other.get("/v1/accounts", nonce="n")).status_code == 200


async def test_nonce_is_accepted_again_after_its_memory(
    client: SignedClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.knobs.nonce_memory = 60.0
    await client.get("/v1/accounts", nonce="n")
    clock.tick(60)
    assert error_of(await client.get("/v1/accounts", nonce="n")) == (401, "nonce_used")
    clock.tick(1)
    assert (await client.get("/v1/accounts", nonce="n")).status_code == 200


@pytest.mark.parametrize(("burns", "then"), [(True, (401, "nonce_used")), (False, (400, "validation_error"))])
async def test_refused_request_burns_its_nonce_by_knob(
    client: SignedClient, sandbox: Sandbox, *, burns: bool, then: tuple[int, str]
) -> None:
    sandbox.knobs.rejected_burns_nonce = burns
    assert error_of(await client.get("/v1/withdraws", "limit=0", nonce="n")) == (400, "validation_error")
    assert error_of(await client.get("/v1/withdraws", "limit=0", nonce="n")) == then
    await client.get("/v1/accounts", nonce="m")
    assert error_of(await client.get("/v1/accounts", nonce="m")) == (401, "nonce_used")


# -- query_hash ------------------------------------------------------------------------------------


async def test_hash_of_reordered_parameters_is_refused(client: SignedClient) -> None:
    response = await client.get("/v1/withdraws", "state=DONE&currency=XRP", query="currency=XRP&state=DONE")
    assert error_of(response) == (401, "invalid_query_payload")


async def test_parameters_without_their_hash_are_refused(client: SignedClient) -> None:
    assert error_of(await client.get("/v1/withdraws", query="limit=1")) == (401, "invalid_query_payload")
    assert error_of(await client.get("/v1/withdraws", "limit=1", query="")) == (401, "invalid_query_payload")


async def test_hash_algorithm_may_be_named(client: SignedClient) -> None:
    digest = hashlib.sha256(b"limit=1").hexdigest()
    claims = {"query_hash": digest, "query_hash_alg": "SHA256"}
    assert (await client.get("/v1/withdraws", query="limit=1", claims=claims)).status_code == 200
    claims["query_hash_alg"] = "MD5"
    response = await client.get("/v1/withdraws", query="limit=1", claims=claims)
    assert error_of(response) == (401, "invalid_query_payload")
    del claims["query_hash_alg"]
    response = await client.get("/v1/withdraws", query="limit=1", claims={"query_hash": "é"})
    assert error_of(response) == (401, "invalid_query_payload")


async def test_encoded_brackets_are_accepted_by_knob(client: SignedClient, sandbox: Sandbox) -> None:
    encoded = {"query": "uuids%5B%5D=00000000-0000-4000-8000-000000000001"}
    decoded = unquote(encoded["query"])
    assert len((await client.get("/v1/withdraws", decoded, **encoded)).json()) == 1
    sandbox.knobs.encoded_brackets = False
    assert error_of(await client.get("/v1/withdraws", decoded, **encoded)) == (400, "invalid_parameter")
    assert len((await client.get("/v1/withdraws", decoded)).json()) == 1


@pytest.mark.parametrize(("space", "plus_is_right", "space_is_right"), [
    ("either", True, True), ("plus", True, False), ("space", False, True),
])  # fmt: skip
@pytest.mark.parametrize("wire", ["txid=a%20b", "txid=a+b"])
async def test_space_is_hashed_by_knob(
    client: SignedClient,
    sandbox: Sandbox,
    space: Any,
    wire: str,
    *,
    plus_is_right: bool,
    space_is_right: bool,
) -> None:
    sandbox.knobs.space = space
    body = {"currency": "USDT", "note": "a b"}
    for text, right in (("a+b", plus_is_right), ("a b", space_is_right)):
        refused = error_of(await client.get("/v1/withdraw", f"txid={text}", query=wire))
        assert refused[0] == (404 if right else 401)
        refused = error_of(await client.post(COIN, body, text=f"currency=USDT&note={text}"))
        assert refused[0] == (400 if right else 401)


async def test_reference_recipe_is_accepted(client: SignedClient) -> None:
    parameters = {"txid": "a b+c/d=e&f", "currency": "XRP"}
    query = urlencode(parameters, doseq=True)
    response = await client.get("/v1/withdraw", unquote(query), query=query)
    assert error_of(response) == (404, "withdraw_not_found")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"a": True, "b": False}, "a=true&b=false"),
        ({"a": 1e-05, "b": 7}, "a=1e-05&b=7"),
        ({"a": None, "b": "x"}, "b=x"),
        ({"a": ["x", "y"], "b": 1}, "a[]=x&a[]=y&b=1"),
        ({"a": "가 나"}, "a=가 나"),
    ],
)
async def test_body_values_are_hashed_as_they_are_written(
    client: SignedClient, body: dict[str, object], text: str
) -> None:
    assert error_of(await client.post(COIN, body, text=text)) == (400, "validation_error")
    assert error_of(await client.post(COIN, body, text=text + "x")) == (401, "invalid_query_payload")


async def test_null_is_hashed_by_knob(client: SignedClient, sandbox: Sandbox) -> None:
    body = {"currency": "USDT", "secondary_address": None}
    sandbox.knobs.null_members = "None"
    response = await client.post(COIN, body, text="currency=USDT&secondary_address=None")
    assert error_of(response) == (400, "validation_error")


async def test_empty_object_needs_no_hash(client: SignedClient) -> None:
    assert error_of(await client.post(COIN, {})) == (400, "validation_error")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"currency=USDT", "application/x-www-form-urlencoded"),
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"\xff", "application/json"),
        (b'{"a":{"b":1}}', "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
)
async def test_body_that_is_no_plain_json_object_is_refused(
    client: SignedClient, content: bytes, content_type: str
) -> None:
    headers = {"Authorization": f"Bearer {client.token('a=1')}", "Content-Type": content_type}
    response = await client.http.post(COIN, content=content, headers=headers)
    assert error_of(response) == (400, "invalid_parameter")


async def test_korean_messages_match_the_published_ones(client: SignedClient, sandbox: Sandbox) -> None:
    sandbox.knobs.language = "ko"
    published = {
        entry["body"]["error"]["name"]: entry["body"]["error"]["message"] for entry in example("errors")
    }
    answers = [
        await client.get("/v1/withdraws", query="limit=1"),
        await client.get("/v1/accounts", algorithm="HS384"),
        await client.get("/v1/withdraw", "uuid=unknown"),
        await client.withdraw(net_type="ETH", currency="BTC"),
        await client.withdraw(amount="99999"),
    ]
    for answer in answers:
        error = answer.json()["error"]
        assert error["message"] == published[error["name"]]
