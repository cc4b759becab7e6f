"""Decoding of an answer with a good status, and comparison with its request."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import attrs

from upbit_async.errors import DecodeError
from upbit_async.protocol.decode import decode_in_steps
from upbit_async.protocol.echoed_fields import mismatch
from upbit_async.protocol.rows import ReadableRows

if TYPE_CHECKING:
    from collections.abc import Generator

    from upbit_async.protocol.endpoint import Endpoint
    from upbit_async.protocol.replies import Answer
    from upbit_async.transport.call import Call

__all__ = ["DecodedAnswer", "Misfit", "read_at_once", "read_in_steps"]

T = TypeVar("T")


@attrs.frozen
class DecodedAnswer(Generic[T]):
    """Content of a good answer.

    Attributes:
        value: The value that the endpoint returns.
        record: The record in it. It is the value, unless the endpoint returns a looser type.
        ignored: Paths of optional fields that hold undocumented values.
    """

    value: T
    record: object
    ignored: tuple[str, ...] = ()

    @property
    def unreadable(self) -> tuple[DecodeError, ...]:
        """Errors of the rows that can't be decoded, where the endpoint returns the other rows."""
        value: object = self.value
        return cast("ReadableRows[object]", value).unreadable if isinstance(value, ReadableRows) else ()


@attrs.frozen
class Misfit:
    """Where and why an answer is not what its endpoint documents.

    The decoder's own error is not passed on, since it holds the answer's text, which may echo a secret.
    """

    path: str
    text: str


def read_in_steps(
    endpoint: Endpoint[T], call: Call, answer: Answer
) -> Generator[None, None, DecodedAnswer[T] | Misfit]:
    """Decode an answer and compare it with its request; yield where other tasks may run."""
    if endpoint.returns is object and endpoint.proof is None and answer.status == HTTPStatus.NO_CONTENT:
        return DecodedAnswer(cast("T", None), None)
    ignored: list[str] = []
    try:
        value = yield from decode_in_steps(
            endpoint.returns, answer.body, asked=endpoint.label, ignored=ignored.append
        )
        record: object = value
        if endpoint.proof is not None:
            record = yield from decode_in_steps(endpoint.proof, answer.body, asked=endpoint.label)
    except DecodeError as misfit:
        return Misfit(misfit.path, str(misfit))
    # The owner of a guarded call compares the answer itself, and records its id if it is about something else.
    echoed = endpoint.echoed_fields if call.guard is None else ()
    sent = call.intent.members
    if name := mismatch(echoed, sent, record, fields=endpoint.echoed_in):
        wanted = f"{call.asked}: asked for {name} {sent[name]}"
        return Misfit(f"$.{name}", f"{wanted}, and Upbit answered with another")
    return DecodedAnswer(value, record, tuple(dict.fromkeys(ignored)))


def read_at_once(endpoint: Endpoint[T], call: Call, answer: Answer) -> DecodedAnswer[T] | Misfit:
    """Decode an answer as `read_in_steps` does, without a pause."""
    steps = read_in_steps(endpoint, call, answer)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("DecodedAnswer[T] | Misfit", end.value)
