"""Resume token: continues a wait in another process.

It is JSON text with a version, such as
``{"v":1,"kind":"withdrawal","region":"sg","host":"sg-api.upbit.com","uuid":"9f43…"}``.
For a deposit that is waited for by its transaction and was not seen yet, it has the ``txid`` instead of the ``uuid``.
It holds no secret, so it can be stored in a job table. A token that is read is not trusted: every member is validated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import attrs

from upbit_async.errors import raise_alone
from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from upbit_async.region import Region

__all__ = ["NAMESPACES", "IdName", "ResumePoint", "check_id", "read_token", "write_token"]

IdName: TypeAlias = Literal["uuid", "txid"]
"""Kind of id by which a transfer is known."""
NAMESPACES: Final = {"withdrawal": "withdraws", "deposit": "deposits"}
"""Namespace of a client for each kind of transfer."""

_VERSION = 1
_LONGEST_TOKEN = 4096
_LONGEST_ID: Final = 256
"""Our own limit, in characters. Upbit's ids have 36, and transaction ids up to about 90."""


@attrs.frozen(kw_only=True)
class ResumePoint:
    """Content of a resume token.

    Attributes:
        kind: ``withdrawal`` or ``deposit``.
        region: The client's region, such as ``sg``.
        host: The host that holds the transfer.
        by: Kind of the id.
        id: The transfer's uuid or txid.
    """

    kind: str
    region: str
    host: str
    by: IdName = "uuid"
    id: str


def write_token(*, kind: str, region: Region, host: str, by: IdName = "uuid", id: str) -> str:  # noqa: A002 - it is an id
    """Return the resume token for a transfer."""
    members = {"v": _VERSION, "kind": kind, "region": region.value, "host": host, by: id}
    return json.dumps(members, separators=(",", ":"))


def read_token(token: str, *, kind: str, region: Region, host: str) -> ResumePoint:
    """Return the content of a resume token, if it is for this kind of transfer and this client.

    Args:
        token: The text of a poller's or error's `resume_token`.
        kind: The expected kind of transfer.
        region: The client's region.
        host: The client's host.

    Raises:
        TypeError: The token is not text.
        ValueError: It is not a token, or is for something else; the text says what to do.
    """
    point = _parse(token)
    if point.kind != kind:
        hint = f": resume it with client.{NAMESPACES[point.kind]}" if point.kind in NAMESPACES else ""
        raise ValueError(f"this resume token is for a {escaped(point.kind)}, not for a {kind}{hint}")
    if (point.region, point.host) != (region.value, host):
        raise ValueError(
            f"this resume token is for region {point.region!r} at {escaped(point.host)}, but this client is for "
            f"region {region.value!r} at {host}: resume it with a client for the former"
        )
    return point


def check_id(name: str, value: str) -> None:
    """Refuse an id that no request can carry, before it shares a request with other ids.

    Args:
        name: What the id is, ``uuid`` or ``txid``.
        value: The id.

    Raises:
        ValueError: The id is not Unicode text, or is too long.
    """
    if len(value) > _LONGEST_ID:
        raise ValueError(f"{name} must have at most {_LONGEST_ID} characters, got {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise_alone(ValueError(f"{name} must be Unicode text, got {value!r} with half a character"))


def _parse(token: str) -> ResumePoint:
    if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"resume token must be text, got {type(token).__name__}")
    if len(token) > _LONGEST_TOKEN:
        raise ValueError(f"invalid resume token: it is longer than {_LONGEST_TOKEN} characters")
    try:
        members = json.loads(token)
    except (ValueError, RecursionError):
        raise_alone(ValueError("invalid resume token: it is not JSON"))
    if not isinstance(members, dict):
        raise ValueError("invalid resume token: it is not a JSON object")  # noqa: TRY004 - its value is wrong
    return _point(cast("dict[str, Any]", members))


def _point(members: dict[str, Any]) -> ResumePoint:
    version = members.get("v")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("invalid resume token: it has no version")
    if version > _VERSION:
        raise ValueError(
            f"this resume token was written by a newer version of upbit_async (format {version}): update"
        )
    by: IdName = "txid" if members.get("kind") == "deposit" and "uuid" not in members else "uuid"
    texts = {name: members.get(name) for name in ("kind", "region", "host", by)}
    for name, text in texts.items():
        if not isinstance(text, str) or not text:
            raise ValueError(f"invalid resume token: its {name} is missing")
    kind, region, host, id_ = cast("Iterable[str]", texts.values())
    try:
        check_id(by, id_)
    except ValueError as error:
        raise_alone(ValueError(f"invalid resume token: {error}"))
    return ResumePoint(kind=kind, region=region, host=host, by=by, id=id_)
