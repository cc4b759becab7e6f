"""The bytes of a request: no library quotes, sorts or drops anything on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from clients import client_for
from fault_server import Connection, http, serve

if TYPE_CHECKING:
    from collections.abc import Callable

PARAMS: dict[str, Any] = {"uuids": ["a b", "c+d", "[é]"], "state": "%20", "odd": "~!*'();:@&=+$,/?#[]"}
QUERY = (
    "uuids[]=a%20b&uuids[]=c%2Bd&uuids[]=%5B%C3%A9%5D&state=%2520"
    "&odd=~%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2C%2F%3F%23%5B%5D"
)
HTTP: dict[str, Callable[[], Any]] = {
    "our own": lambda: None,
    "httpx": httpx.AsyncClient,
    "httpx2": httpx2.AsyncClient,
}


async def _answer(connection: Connection, request: bytes) -> None:
    await connection.send(http(200))


@pytest.mark.parametrize("path", ["", "/behind/a/proxy"])
@pytest.mark.parametrize("make_http", HTTP.values(), ids=HTTP)
async def test_path_and_query_are_sent_unchanged(path: str, make_http: Callable[[], Any]) -> None:
    async with serve(_answer) as server:
        library = make_http()
        async with client_for(server.url + path, http=library) as client:
            await client.request("GET", "/v1/withdraws", params=PARAMS)
            await client.request("DELETE", "/v1/withdraws/coin", params={"uuid": "a b"})
            await client.request("GET", "/v1/accounts")
        if library is not None:
            await library.aclose()
    assert [request.split(b"\r\n")[0].decode() for request in server.requests] == [
        f"GET {path}/v1/withdraws?{QUERY} HTTP/1.1",
        f"DELETE {path}/v1/withdraws/coin?uuid=a%20b HTTP/1.1",
        f"GET {path}/v1/accounts HTTP/1.1",
    ]


@pytest.mark.parametrize("make_http", HTTP.values(), ids=HTTP)
async def test_body_is_sent_with_its_length_and_type(
    make_http: Callable[[], Any],
) -> None:
    async with serve(_answer) as server:
        library = make_http()
        async with client_for(server.url, http=library) as client:
            await client.request("POST", "/v1/something", json={"name": "é b", "ids": ["1", "2"]})
            await client.request("POST", "/v1/something")
            await client.request("GET", "/v1/accounts")
        if library is not None:
            await library.aclose()
    full, empty, none = (request.partition(b"\r\n\r\n") for request in server.requests)
    assert full[2] == '{"name":"é b","ids":["1","2"]}'.encode()
    assert _headers(full[0]) == {
        "content-length": str(len(full[2])),
        "content-type": "application/json; charset=utf-8",
    }
    assert (_headers(empty[0]), empty[2]) == ({"content-length": "0"}, b"")
    assert (_headers(none[0]), none[2]) == ({}, b"")


def _headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(": ") for line in head.decode().lower().split("\r\n")[1:])
    return {name: value for name, _, value in pairs if name.startswith(("content-", "transfer-"))}
