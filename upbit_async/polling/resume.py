"""Resume token: continues a wait in another process.

It is JSON text with a version, such as
``{"v":1,"kind":"withdrawal","region":"sg","host":"sg-api.upbit.com","uuid":"9f43…"}``.
A deposit that was asked for by its transaction, and not seen yet, has its ``txid`` in place of the ``uuid``.
It holds no secret, so it may lie in a job table. When one is read, nothing in it is trusted but its types.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import attrs

from upbit_async.errors import raise_alone
from upbit_async.escaping import escaped
from upbit_async.polling.ids import check_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from upbit_async.region import Region

__all__ = ["NAMESPACES", "IdName", "ResumePoint", "read_token", "write_token"]

IdName: TypeAlias = Literal["uuid", "txid"]
"""What a transfer is told by."""
NAMESPACES: Final = {"withdrawal": "withdraws", "deposit": "deposits"}
"""Where a client keeps each kind of transfer."""

_VERSION = 1
_LONGEST = 4096


@attrs.frozen(kw_only=True)
class ResumePoint:
    """What a resume token says.

    Attributes:
        kind: ``withdrawal`` or ``deposit``.
        region: The client's region, such as ``sg``.
        host: The host that knows the transfer.
        by: What the transfer is told by.
        id: Its uuid or txid.
    """

    kind: str
    region: str
    host: str
    by: IdName = "uuid"
    id: str


def write_token(*, kind: str, region: Region, host: str, by: IdName = "uuid", id: str) -> str:  # noqa: A002 - an id it is
    """Return the token for a transfer."""
    members = {"v": _VERSION, "kind": kind, "region": region.value, "host": host, by: id}
    return json.dumps(members, separators=(",", ":"))


def read_token(token: str, *, kind: str, region: Region, host: str) -> ResumePoint:
    """Return what a token says, if it was made for such a transfer and such a client.

    Args:
        token: The text from `resume_token`.
        kind: The kind of transfer that is expected.
        region: The region of the client that is asked.
        host: The host of the client that is asked.

    Raises:
        TypeError: The token is not text.
        ValueError: It is no token, or one for something else; the text says what to do.
    """
    point = _parse(token)
    if point.kind != kind:
        home = f": resume it with client.{NAMESPACES[point.kind]}" if point.kind in NAMESPACES else ""
        raise ValueError(f"this resume token is for a {escaped(point.kind)}, not for a {kind}{home}")
    if (point.region, point.host) != (region.value, host):
        raise ValueError(
            f"this resume token is for region {point.region!r} at {escaped(point.host)}, and this client talks "
            f"to region {region.value!r} at {host}: resume with a client for the former"
        )
    return point


def _parse(token: str) -> ResumePoint:
    if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a resume token is text, not {type(token).__name__}")
    if len(token) > _LONGEST:
        raise ValueError(f"this is no resume token: it is longer than {_LONGEST} characters")
    try:
        members = json.loads(token)
    except (ValueError, RecursionError):
        raise_alone(ValueError("this is no resume token: it is not JSON"))
    if not isinstance(members, dict):
        raise ValueError("this is no resume token: it is not a JSON object")  # noqa: TRY004 - its value is wrong
    return _point(cast("dict[str, Any]", members))


def _point(members: dict[str, Any]) -> ResumePoint:
    version = members.get("v")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("this is no resume token: it has no version")
    if version > _VERSION:
        raise ValueError(
            f"this resume token was made by a newer version of upbit_async (format {version}): update"
        )
    by: IdName = "txid" if members.get("kind") == "deposit" and "uuid" not in members else "uuid"
    texts = {name: members.get(name) for name in ("kind", "region", "host", by)}
    for name, text in texts.items():
        if not isinstance(text, str) or not text:
            raise ValueError(f"this is no resume token: its {name} is missing")
    kind, region, host, id_ = cast("Iterable[str]", texts.values())
    try:
        check_id(by, id_)
    except ValueError as error:
        raise_alone(ValueError(f"this is no resume token: {error}"))
    return ResumePoint(kind=kind, region=region, host=host, by=by, id=id_)
