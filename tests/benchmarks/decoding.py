"""The longest time for which decoding one answer blocks the event loop.

Long answers are decoded in steps, between which other tasks run. The answers here are as large as one may be, and
built to be slow: rows that are odd and are repaired, many small values, deep nesting. An answer that is refused
counts as well, up to its refusal. The time is process time, so that other work on the machine does not count.
"""

from __future__ import annotations

import gc
import json
import time
from typing import TYPE_CHECKING, Any

import attrs
from table import show, spread

from upbit_async.errors import DecodeError
from upbit_async.models import Withdrawal
from upbit_async.protocol.decode import decode_in_steps
from upbit_async.protocol.rows import ReadableRows

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 5
GOAL = 200.0
LARGEST = 4 * 1024 * 1024
KINDS: dict[str, Any] = {
    "list": list[Withdrawal],
    "readable rows": ReadableRows[Withdrawal],
    "record": Withdrawal,
    "anything": object,
}
WHOLE: dict[str, Any] = {
    "type": "withdraw",
    "uuid": "9f432943-54e0-40b7-825f-b6fec8b42b79",
    "currency": "USDT",
    "net_type": "TRX",
    "txid": "f" * 64,
    "state": "DONE",
    "created_at": "2025-07-04T15:00:00",
    "done_at": "2025-07-04T15:00:03",
    "amount": "13.25",
    "fee": "1.0",
    "transaction_type": "default",
    "is_cancelable": False,
}
ROWS: dict[str, bytes] = {
    "whole rows": json.dumps(WHOLE).encode(),
    "smallest rows": b'{"uuid":"1","currency":"U","amount":"1","state":"D"}',
    "rows with an odd optional field": json.dumps(WHOLE | {"fee": "abc"}).encode(),
    "rows without what they need": b'{"uuid":1}',
    "rows with unknown members": json.dumps(WHOLE | {"more": [[]] * 60}).encode(),
    "rows with decimals": json.dumps(WHOLE | {"more": [0.1] * 50}).encode(),
    "numbers": b"1",
    "decimals": b"0.1",
    "empty objects": b"{}",
    "nested arrays": b"[[[[[[[[]]]]]]]]",
}


@attrs.frozen
class Result:
    """What decoding one answer took.

    Attributes:
        longest: The longest step, in milliseconds.
        steps: The number of steps.
        is_refused: Whether the answer was refused.
    """

    longest: float
    steps: int
    is_refused: bool


def _filled(row: bytes, most: int) -> bytes:
    return b"[" + b",".join([row] * min(most, (LARGEST - 2) // (len(row) + 1))) + b"]"


def _bodies() -> Iterator[tuple[str, bytes]]:
    for name, row in ROWS.items():
        for most in (3_000, 5_000, 39_000, LARGEST):
            body = _filled(row, most)
            yield f"{body.count(row)} {name}", body
    yield "one long number", b"[" + b"1" * (LARGEST - 2) + b"]"
    yield "one deep array", b"[" * LARGEST
    yield "escapes", b'["' + b"\\u0041" * ((LARGEST - 4) // 6) + b'"]'


def measure(kind: Any, body: bytes) -> Result:
    """Decode an answer, and find its longest step."""
    steps = decode_in_steps(kind, body, asked="GET /v1/withdraws")
    longest, count, is_refused, at_end = 0.0, 0, False, False
    gc.collect()
    while not at_end:
        began = time.process_time()
        try:
            next(steps)
        except StopIteration:
            at_end = True
        except DecodeError:
            at_end = is_refused = True
        longest, count = max(longest, time.process_time() - began), count + 1
    return Result(longest * 1000, count, is_refused)


def main() -> None:
    """Print the answer with the longest step for each kind of endpoint."""
    rows: list[tuple[str, ...]] = []
    for kind_name, kind in KINDS.items():
        bodies = dict(_bodies())
        found = {name: [measure(kind, body) for _ in range(ROUNDS)] for name, body in bodies.items()}
        worst = max(found, key=lambda name: min(result.longest for result in found[name]))
        first = found[worst][0]
        steps = "refused" if first.is_refused else f"{first.steps} steps"
        longest = [result.longest for result in found[worst]]
        rows.append((kind_name, worst, steps, spread(longest, 1, " ms"), f"{max(longest) / GOAL:.2f}"))
    head = ("decoded as", "slowest answer", "", "longest step", f"of {GOAL:.0f} ms")
    show(f"the longest step of an answer of up to {LARGEST // 1024**2} MiB, {ROUNDS} rounds", head, rows)


if __name__ == "__main__":
    main()
