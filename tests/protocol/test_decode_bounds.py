"""Bounds of decoding: long answers are decoded in steps or refused, with limited memory."""

from __future__ import annotations

import json
import tracemalloc
import typing
from typing import TYPE_CHECKING, Any

import pytest
from examples import example

from upbit_async.errors import DecodeError
from upbit_async.models import WalletStatus, Withdrawal, WithdrawalChance
from upbit_async.protocol.decode import decode, decode_in_steps, decode_untyped
from upbit_async.protocol.rows import ReadableRows
from upbit_async.transport.http_port import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.thorough

ASKED = "GET /v1/withdraws"
SMALLEST = b'{"uuid":"u","currency":"c","state":"DONE","amount":"1"}'
WHOLE = json.dumps(example("withdraws_get")[0], separators=(",", ":")).encode()
KINDS: list[Any] = [
    list[Withdrawal],
    ReadableRows[Withdrawal],
    Withdrawal,
    WithdrawalChance,
    list[WalletStatus],
    object,
]


def _filled(item: bytes, count: int | None = None, *, around: bytes = b"[]") -> bytes:
    """Repeat an item, up to the largest answer that is read."""
    most = (MAX_BODY - 2) // (len(item) + 1)
    return around[:1] + b",".join([item] * min(most, count or most)) + around[1:]


def _padded(item: bytes, count: int) -> bytes:
    """Repeat an item, and fill the largest answer up with blanks."""
    return (b" " * MAX_BODY + _filled(item, count))[-MAX_BODY:]


def _with(more: bytes) -> bytes:
    return SMALLEST[:-1] + b"," + more + b"}"


ROWS = {
    "smallest": SMALLEST,
    "whole": WHOLE,
    "unknown state": SMALLEST.replace(b"DONE", b"X"),
    "times": _with(b'"created_at":"2025-07-04T15:00:00","done_at":"2025-07-04T15:00:00"'),
    "numbers for text": b'{"uuid":1,"currency":1,"state":"D","amount":1}',
    "all odd": _with(
        b'"fee":{},"txid":{},"net_type":{},"done_at":{},"created_at":{},"transaction_type":{},"is_cancelable":{}'
    ),
    "unreadable": b'{"uuid":"u","amount":"x"}',
    "decimals": _with(b'"fee":0.1,"more":[' + b",".join([b"0.1"] * 50) + b"]"),
    "unknown members": b'{"uuid":1,' + SMALLEST[12:-1] + b',"x":[' + b",".join([b"[]"] * 60) + b"]}",
}
VALUES = {
    "empty objects": b"{}",
    "empty arrays": b"[]",
    "nested arrays": b"[[[[[[[[]]]]]]]]",
    "nested objects": b'{"a":{"a":{"a":{}}}}',
    "whole numbers": b"1",
    "long numbers": b"99999999999999999999",
    "decimals": b"0.1",
    "exponents": b"1e5",
    "texts": b'"a"',
    "nulls": b"null",
}
LONE = {
    "blanks": b" " * (MAX_BODY - 2) + b"[]",
    "escapes": b'["' + b"\\u0041" * ((MAX_BODY - 4) // 6) + b'"]',
    "bad UTF-8": b"\xff" * MAX_BODY,
    "bad UTF-8 in a text": b'["' + b"\xff" * (MAX_BODY - 4) + b'"]',
    "digits": b"[" + b"1" * (MAX_BODY - 2) + b"]",
    "a fraction": b"[1." + b"1" * (MAX_BODY - 4) + b"]",
    "an exponent": b"[1e" + b"1" * (MAX_BODY - 4) + b"]",
    "one deep array": b"[" * MAX_BODY,
    "members": b"{" + b",".join(b'"%d":1' % number for number in range(380_000)) + b"}",
    "an unknown member": SMALLEST[:-1] + b',"x":' + _filled(b"[]")[: MAX_BODY - 100] + b"]}",
    "an odd record with an unknown member": b'{"uuid":1,"x":' + _padded(b"0.1", 9_000)[100:] + b"}",
}


def _bodies() -> Iterator[tuple[str, bytes]]:
    for name, row in ROWS.items():
        for count in (3_000, 5_000, 19_000, 39_000, None):
            yield f"{count or 'all'} rows: {name}", _filled(row, count)
        yield f"a good list and one row: {name}", _filled(WHOLE, 10_000)[:-1] + b"," + row + b"]"
    for name, value in VALUES.items():
        for count in (30_000, 49_000, 119_000, 390_000, None):
            yield f"{count or 'all'} {name}", _filled(value, count)
        yield f"a row of {name}", _filled(_with(b'"x":' + _filled(value, 9_000)), 40)
    yield from LONE.items()


def _pauses(kind: Any, body: bytes) -> int | None:
    """Return how often decoding lets others run; None if the answer is refused."""
    pauses, steps = 0, decode_in_steps(kind, body, asked=ASKED)
    while True:
        try:
            next(steps)
        except StopIteration:
            return pauses
        except DecodeError:
            return None
        pauses += 1


def _is_short(body: bytes) -> bool:
    """Whether a list is decoded without a pause: it is small, or holds little."""
    little = body.count(b"{") + body.count(b"[") <= 3_000 and body.count(b",") <= 50_000
    return len(body) <= 128 * 1024 or little


@pytest.mark.parametrize(("name", "body"), [pytest.param(*each, id=each[0]) for each in _bodies()])
def test_long_list_is_decoded_in_steps_or_refused(name: str, body: bytes) -> None:
    assert len(body) <= MAX_BODY
    for kind in KINDS:
        pauses = _pauses(kind, body)
        if pauses is None or _is_short(body) or typing.get_origin(kind) is None:
            continue
        rows = len(_rows(kind, body))
        assert pauses >= rows * 256 // (64 * 1024) - 1, (kind, rows, pauses)


def _rows(kind: Any, body: bytes) -> list[Any]:
    """Return the rows of a list that can be read, and an entry for each that can't be."""
    found: Any = decode(kind, body, asked=ASKED)
    return [*found.rows, *found.unreadable] if hasattr(found, "unreadable") else found


def test_answers_are_limited_to_four_mebibytes() -> None:
    assert MAX_BODY == 4 * 1024 * 1024


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [b"{}", b"[]", b"0.1", b"1"])
def test_answer_with_too_many_values_is_refused_undecoded(kind: Any, value: bytes) -> None:
    body = _filled(value)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="too many values"):
            decode(kind, body, asked=ASKED)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [3_001, 12_000])
def test_long_valid_list_is_read_in_steps(size: int) -> None:
    body = _filled(WHOLE, size)
    steps, pauses = decode_in_steps(list[Withdrawal], body, asked=ASKED), 0
    while True:
        try:
            next(steps)
            pauses += 1
        except StopIteration as end:
            rows: list[Withdrawal] = end.value
            break
    assert pauses >= len(body) // 300_000
    assert len(rows) == size
    assert rows[-1] == decode(Withdrawal, WHOLE, asked=ASKED)


def test_list_of_usual_length_is_read_in_one_step() -> None:
    body = _filled(WHOLE, 2_900)
    with pytest.raises(StopIteration):
        next(decode_in_steps(list[Withdrawal], body, asked=ASKED))


def test_few_invalid_rows_are_repaired_and_too_many_refused() -> None:
    odd = WHOLE.replace(b'"txid":"', b'"txid":5,"was":"')
    good = _filled(WHOLE, 3_500)[1:-1]
    assert len(decode(list[Withdrawal], b"[" + good + b"," + odd + b"]", asked=ASKED)) == 3_501
    assert decode(list[Withdrawal], _filled(odd, 5_000), asked=ASKED)[-1].txid == "5"
    with pytest.raises(DecodeError, match="more than 5000 rows"):
        decode(list[Withdrawal], _filled(odd, 5_001), asked=ASKED)


def test_answers_of_other_endpoints_fit_within_the_caps() -> None:
    unit = {"ask_price": 101.5, "bid_price": 101.25, "ask_size": 0.125, "bid_size": 0.5}
    books = [
        {"market": f"SGD-{number}", "timestamp": 1, "orderbook_units": [unit] * 30} for number in range(800)
    ]
    found: Any = decode_untyped(json.dumps(books).encode(), asked=ASKED)
    assert len(found) == 800
