"""Faults that tests inject: answers that are lost, late, wrong or replaced."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import attrs

from upbit_async.sandbox.messages import SandboxRequest, SandboxResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Delivery", "Ending", "Fault", "FaultQueue"]

Ending: TypeAlias = Literal["send", "reset", "close", "cut", "hang"]
"""What becomes of an answer: it is sent; the connection is reset, or closed, without one; it is cut off in
the middle of its body; or nothing ever comes."""

Garbage: TypeAlias = Literal["text", "html", "wrong json", "empty", "huge", "gzip"]

_HTML: Final = b"<!doctype html><html><head><title>Error</title></head><body><h1>Error</h1></body></html>"
_HTML_TYPE: Final = ("Content-Type", "text/html;charset=UTF-8")
_JSON_TYPE: Final = ("Content-Type", "application/json;charset=UTF-8")
_HUGE: Final = 32 * 1024 * 1024
_NAMES: Final = {408: "request_timeout", 409: "conflict", 418: "too_many_requests", 429: "too_many_requests"}


@attrs.frozen
class Delivery:
    """An answer and how it is to be delivered.

    Attributes:
        answer: The answer.
        ending: What becomes of it.
        delay: Seconds until then.
    """

    answer: SandboxResponse
    ending: Ending = "send"
    delay: float = 0.0

    @property
    def status_sent(self) -> int | None:
        """The status that the client sees, or ``None`` when it sees none."""
        return self.answer.status if self.ending in {"send", "cut"} else None


def _as_it_is(answer: SandboxResponse) -> SandboxResponse:
    return answer


@attrs.frozen
class Fault:
    """One thing that goes wrong, for requests that match; best made by one of the class methods.

    Attributes:
        method: Only requests of this method; ``None`` means any.
        path: Only requests to this path; ``None`` means any.
        times: How many requests it strikes; ``None`` means all.
        skip: How many matching requests it lets pass first.
        before: Whether the exchange never gets to see the request.
        delay: Seconds until anything comes back.
        ending: What becomes of the answer.
        rewrite: Makes the answer that is sent from the one that the exchange gave.
        unauthenticated: Whether it also strikes requests without a valid signature. Otherwise these are
            refused as always and do not use it up; requests to public paths need no signature.
    """

    method: str | None = None
    path: str | None = None
    times: int | None = attrs.field(default=1, kw_only=True)
    skip: int = attrs.field(default=0, kw_only=True)
    before: bool = attrs.field(default=False, kw_only=True)
    delay: float = attrs.field(default=0.0, kw_only=True)
    ending: Ending = attrs.field(default="send", kw_only=True)
    rewrite: Callable[[SandboxResponse], SandboxResponse] = attrs.field(
        default=_as_it_is, kw_only=True, repr=False
    )
    unauthenticated: bool = attrs.field(default=False, kw_only=True)

    @classmethod
    def lose_answer(
        cls,
        method: str | None = None,
        path: str | None = None,
        *,
        how: Literal["reset", "close", "cut", "hang"] = "reset",
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """The work is done, but its answer does not arrive.

        Args:
            method: Only requests of this method.
            path: Only requests to this path.
            how: The connection is reset, or closed, without an answer; the answer is cut off in the middle
                of its body; or nothing ever comes.
            times: How many requests it strikes; ``None`` means all.
            skip: How many matching requests it lets pass first.
        """
        return cls(method, path, times=times, skip=skip, ending=how)

    @classmethod
    def reset_before(
        cls, method: str | None = None, path: str | None = None, *, times: int | None = 1, skip: int = 0
    ) -> Fault:
        """The connection is reset before any work is done, which looks just like a lost answer."""
        return cls(method, path, times=times, skip=skip, before=True, ending="reset")

    @classmethod
    def status(  # noqa: PLR0913 - keyword-only, but for those that name the answer and the endpoint
        cls,
        status: int,
        method: str | None = None,
        path: str | None = None,
        *,
        before: bool = True,
        body: Literal["json", "html", "empty"] | bytes = "json",
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Some other status comes back.

        Args:
            status: The HTTP status.
            method: Only requests of this method.
            path: Only requests to this path.
            before: Whether it comes instead of the work, or after the work was done.
            body: A JSON error, an HTML page, nothing, or these bytes.
            name: The ``error.name`` of a JSON error.
            headers: More headers, such as ``Retry-After``.
            times: How many requests it strikes; ``None`` means all.
            skip: How many matching requests it lets pass first.

        Raises:
            ValueError: No answer can have this status, or HTTP can't carry a header.
        """
        answer = _error_answer(status, body, name or _NAMES.get(status, "server_error"))
        answer = answer.with_headers(*(headers or {}).items())
        return cls(method, path, times=times, skip=skip, before=before, rewrite=lambda _: answer)

    @classmethod
    def slow(
        cls,
        seconds: float,
        method: str | None = None,
        path: str | None = None,
        *,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """The work is done at once, but its answer comes this many seconds later."""
        return cls(method, path, times=times, skip=skip, delay=seconds)

    @classmethod
    def garbage(
        cls,
        method: str | None = None,
        path: str | None = None,
        *,
        body: Garbage | bytes = "text",
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """The work is done and the status is right, but the body is not what it should be.

        Args:
            method: Only requests of this method.
            path: Only requests to this path.
            body: Text that is no JSON, an HTML page, JSON of another shape, nothing, 32 MiB of JSON, the
                right JSON but compressed, or these bytes.
            times: How many requests it strikes; ``None`` means all.
            skip: How many matching requests it lets pass first.
        """
        return cls(method, path, times=times, skip=skip, rewrite=lambda answer: _spoilt(answer, body))

    def matches(self, request: SandboxRequest, *, authenticated: bool) -> bool:
        """Whether a request is one of those that it may strike."""
        return (
            (authenticated or self.unauthenticated)
            and self.method in {None, request.method}
            and self.path in {None, request.path}
        )

    def deliver(self, answer: SandboxResponse) -> Delivery:
        """What becomes of the exchange's answer."""
        return Delivery(self.rewrite(answer), self.ending, self.delay)


@attrs.define
class _Armed:
    fault: Fault
    to_skip: int
    left: int | None
    struck: int = 0

    def strikes(self, request: SandboxRequest, *, authenticated: bool) -> bool:
        if self.left == 0 or not self.fault.matches(request, authenticated=authenticated):
            return False
        if self.to_skip:
            self.to_skip -= 1
            return False
        self.left = None if self.left is None else self.left - 1
        self.struck += 1
        return True


class FaultQueue:
    """The faults that are to happen; of those that match a request, the first added strikes alone."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def add(self, *faults: Fault) -> None:
        """Adds faults behind those that are there."""
        self._armed += [_Armed(fault, fault.skip, fault.times) for fault in faults]

    def clear(self) -> None:
        """Takes all faults away."""
        self._armed.clear()

    @property
    def unused(self) -> tuple[Fault, ...]:
        """The faults that still have to strike: those with a count left, and endless ones that never did."""
        return tuple(
            armed.fault for armed in self._armed if armed.left or (armed.left is None and not armed.struck)
        )

    def strike(self, request: SandboxRequest, *, authenticated: bool) -> Fault | None:
        """The fault that strikes a request, if any; it is counted.

        Args:
            request: The request.
            authenticated: Whether its signature is valid, or its path public.
        """
        for armed in self._armed:
            if armed.strikes(request, authenticated=authenticated):
                return armed.fault
        return None


def _error_answer(status: int, body: Literal["json", "html", "empty"] | bytes, name: str) -> SandboxResponse:
    if isinstance(body, bytes):
        return SandboxResponse(status, body)
    if body == "html":
        return SandboxResponse(status, _HTML, (_HTML_TYPE,))
    if body == "empty":
        return SandboxResponse(status)
    return SandboxResponse.of_error(status, name, name.replace("_", " ").capitalize() + ".")


def _spoilt(answer: SandboxResponse, body: Garbage | bytes) -> SandboxResponse:
    if isinstance(body, bytes):
        return attrs.evolve(answer, body=body)
    if body == "gzip":
        packed = attrs.evolve(answer, body=gzip.compress(answer.body))
        return packed.with_headers(("Content-Encoding", "gzip"))
    if body == "html":
        return SandboxResponse(answer.status, _HTML, (_HTML_TYPE,))
    bodies = {"text": b"OK", "empty": b"", "wrong json": b'{"result":"ok"}'}
    return SandboxResponse(answer.status, bodies.get(body) or _filler(body), (_JSON_TYPE,))


def _filler(body: str) -> bytes:
    return b"[" + b"0," * (_HUGE // 2) + b"0]" if body == "huge" else b""
