"""Faults that tests inject: responses that are lost, late, wrong or replaced."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import attrs

from upbit_async.sandbox.messages import SandboxRequest, SandboxResponse
from upbit_async.sandbox.validation import check_choice, check_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Delivery", "Ending", "Fault", "FaultQueue"]

Ending: TypeAlias = Literal["send", "reset", "close", "cut", "hang"]
"""How a response ends: it is sent; the connection is reset or closed without it; it is cut off in the middle of its
body; or nothing is ever sent."""
Garbage: TypeAlias = Literal["text", "html", "wrong json", "empty", "huge", "gzip"]

_HTML: Final = b"<!doctype html><html><head><title>Error</title></head><body><h1>Error</h1></body></html>"
_HTML_TYPE: Final = ("Content-Type", "text/html;charset=UTF-8")
_JSON_TYPE: Final = ("Content-Type", "application/json;charset=UTF-8")
_HUGE: Final = 32 * 1024 * 1024
_NAMES: Final = {408: "request_timeout", 409: "conflict", 418: "too_many_requests", 429: "too_many_requests"}


@attrs.frozen
class Delivery:
    """A response, and how it is delivered.

    Attributes:
        answer: The response.
        ending: How it ends.
        delay: Seconds before it is delivered.
    """

    answer: SandboxResponse
    ending: Ending = "send"
    delay: float = 0.0

    @property
    def status_sent(self) -> int | None:
        """Status that the client receives, or ``None`` if it receives none."""
        return self.answer.status if self.ending in {"send", "cut"} else None


def _unchanged(answer: SandboxResponse) -> SandboxResponse:
    return answer


def _check_ending(_: object, __: object, ending: str) -> None:
    check_choice("ending", ending, get_args(Ending))


@attrs.frozen
class Fault:
    """Fault for the requests that match; usually created by one of the class methods.

    Of several faults that match a request, the first added applies alone.

    Attributes:
        method: Method of matching requests; ``None`` for any.
        path: Path of matching requests; ``None`` for any.
        when: Function that returns whether a request matches; ``None`` for any request.
        times: Number of requests that it affects; ``None`` for all. Default 1.
        skip: Number of matching requests that it spares first. Default 0.
        before: Whether it happens before the exchange processes the request, which then is not processed.
        delay: Seconds before anything is sent.
        ending: How the response ends.
        rewrite: Function that returns the response to send, given the response of the exchange.
        unauthenticated: Whether it also affects requests without a valid signature. Otherwise these are refused as
            usual and do not use it up. Requests to public paths need no signature.

    Raises:
        ValueError: ``delay`` or ``ending`` has a value that is not allowed.

    Example:
        .. code-block:: python

            from upbit_async.sandbox import Fault, SandboxResponse

            sandbox.faults.add(
                Fault("GET", "/v1/accounts", rewrite=lambda _: SandboxResponse.of_json(200, []))
            )
    """

    method: str | None = None
    path: str | None = None
    when: Callable[[SandboxRequest], bool] | None = attrs.field(default=None, kw_only=True, repr=False)
    times: int | None = attrs.field(default=1, kw_only=True)
    skip: int = attrs.field(default=0, kw_only=True)
    before: bool = attrs.field(default=False, kw_only=True)
    delay: float = attrs.field(default=0.0, kw_only=True, validator=check_seconds)
    ending: Ending = attrs.field(default="send", kw_only=True, validator=_check_ending)
    rewrite: Callable[[SandboxResponse], SandboxResponse] = attrs.field(
        default=_unchanged, kw_only=True, repr=False
    )
    unauthenticated: bool = attrs.field(default=False, kw_only=True)

    @classmethod
    def lose_answer(
        cls,
        method: str | None = None,
        path: str | None = None,
        *,
        how: Literal["reset", "close", "cut", "hang"] = "reset",
        when: Callable[[SandboxRequest], bool] | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Return a fault whose request is processed, but whose response does not arrive.

        Args:
            method: Method of matching requests; ``None`` for any.
            path: Path of matching requests; ``None`` for any.
            how: The connection is reset (``reset``) or closed (``close``) without a response, the response is cut off
                in the middle of its body (``cut``), or nothing is ever sent (``hang``). Default ``reset``.
            when: Function that returns whether a request matches; ``None`` for any request.
            times: Number of requests that it affects; ``None`` for all. Default 1.
            skip: Number of matching requests that it spares first. Default 0.

        Raises:
            ValueError: ``how`` has another value.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Fault

                sandbox.faults.add(Fault.lose_answer("POST", "/v1/withdraws/coin"))
        """
        check_choice("how", how, ("reset", "close", "cut", "hang"))
        return cls(method, path, when=when, times=times, skip=skip, ending=how)

    @classmethod
    def reset_before(
        cls,
        method: str | None = None,
        path: str | None = None,
        *,
        when: Callable[[SandboxRequest], bool] | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Return a fault that resets the connection before the request is processed.

        A client can't distinguish it from a lost response.

        Args:
            method: Method of matching requests; ``None`` for any.
            path: Path of matching requests; ``None`` for any.
            when: Function that returns whether a request matches; ``None`` for any request.
            times: Number of requests that it affects; ``None`` for all. Default 1.
            skip: Number of matching requests that it spares first. Default 0.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Fault

                sandbox.faults.add(Fault.reset_before("POST", "/v1/withdraws/coin", times=2))
        """
        return cls(method, path, when=when, times=times, skip=skip, before=True, ending="reset")

    @classmethod
    def status(  # noqa: PLR0913 - all but the status and the endpoint are keyword-only
        cls,
        status: int,
        method: str | None = None,
        path: str | None = None,
        *,
        before: bool = True,
        body: Literal["json", "html", "empty"] | bytes = "json",
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        when: Callable[[SandboxRequest], bool] | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Return a fault that answers with another status.

        Args:
            status: HTTP status.
            method: Method of matching requests; ``None`` for any.
            path: Path of matching requests; ``None`` for any.
            before: Whether the request is not processed. Default true.
            body: A JSON error (``json``), an HTML page (``html``), nothing (``empty``), or these bytes.
            name: ``error.name`` of a JSON error.
            headers: More headers, such as ``Retry-After``.
            when: Function that returns whether a request matches; ``None`` for any request.
            times: Number of requests that it affects; ``None`` for all. Default 1.
            skip: Number of matching requests that it spares first. Default 0.

        Raises:
            ValueError: No answer can have this status, HTTP can't transport a header, or ``body`` is another text.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Fault

                sandbox.faults.add(Fault.status(503, "GET", "/v1/accounts", times=2))
                await client.accounts.list()  # repeated until it succeeds
        """
        answer = _error_answer(status, body, name or _NAMES.get(status, "server_error"))
        answer = answer.with_headers(*(headers or {}).items())
        return cls(method, path, when=when, times=times, skip=skip, before=before, rewrite=lambda _: answer)

    @classmethod
    def slow(
        cls,
        seconds: float,
        method: str | None = None,
        path: str | None = None,
        *,
        when: Callable[[SandboxRequest], bool] | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Return a fault whose request is processed at once, but whose response is late.

        Args:
            seconds: Seconds before the response is sent.
            method: Method of matching requests; ``None`` for any.
            path: Path of matching requests; ``None`` for any.
            when: Function that returns whether a request matches; ``None`` for any request.
            times: Number of requests that it affects; ``None`` for all. Default 1.
            skip: Number of matching requests that it spares first. Default 0.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Fault

                sandbox.faults.add(Fault.slow(5, "GET", "/v1/withdraws", times=None))
        """
        return cls(method, path, when=when, times=times, skip=skip, delay=seconds)

    @classmethod
    def garbage(
        cls,
        method: str | None = None,
        path: str | None = None,
        *,
        body: Garbage | bytes = "text",
        when: Callable[[SandboxRequest], bool] | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Return a fault whose request is processed and answered with the right status, but a wrong body.

        Args:
            method: Method of matching requests; ``None`` for any.
            path: Path of matching requests; ``None`` for any.
            body: Text that is no JSON (``text``), an HTML page (``html``), JSON of another shape (``wrong json``),
                nothing (``empty``), 32 MiB of JSON (``huge``), the right JSON but compressed (``gzip``), or these
                bytes. Default ``text``.
            when: Function that returns whether a request matches; ``None`` for any request.
            times: Number of requests that it affects; ``None`` for all. Default 1.
            skip: Number of matching requests that it spares first. Default 0.

        Raises:
            ValueError: ``body`` is another text.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Fault

                sandbox.faults.add(Fault.garbage("GET", "/v1/withdraws", body="html"))
        """
        if not isinstance(body, bytes):
            check_choice("body", body, get_args(Garbage))
        return cls(
            method, path, when=when, times=times, skip=skip, rewrite=lambda answer: _spoilt(answer, body)
        )

    def matches(self, request: SandboxRequest, *, authenticated: bool) -> bool:
        """Return whether the fault may affect a request.

        Args:
            request: Request.
            authenticated: Whether its signature is valid, or its path public.
        """
        return (
            (authenticated or self.unauthenticated)
            and self.method in {None, request.method}
            and self.path in {None, request.path}
            and (self.when is None or self.when(request))
        )

    def deliver(self, answer: SandboxResponse) -> Delivery:
        """Return how the response of the exchange is delivered."""
        return Delivery(self.rewrite(answer), self.ending, self.delay)


@attrs.define
class _Armed:
    fault: Fault
    to_skip: int
    left: int | None
    used: int = 0

    def applies(self, request: SandboxRequest, *, authenticated: bool) -> bool:
        if self.left == 0 or not self.fault.matches(request, authenticated=authenticated):
            return False
        if self.to_skip:
            self.to_skip -= 1
            return False
        self.left = None if self.left is None else self.left - 1
        self.used += 1
        return True


class FaultQueue:
    """Faults that are to happen. Of those that match a request, the first added applies alone."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def add(self, *faults: Fault) -> None:
        """Add faults after the existing ones.

        Args:
            faults: Faults to add.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Fault

                sandbox.faults.add(Fault.slow(2), Fault.status(429, "GET", headers={"Retry-After": "1"}))
        """
        self._armed += [_Armed(fault, fault.skip, fault.times) for fault in faults]

    def clear(self) -> None:
        """Remove all faults."""
        self._armed.clear()

    @property
    def unused(self) -> tuple[Fault, ...]:
        """Faults with uses left, and endless ones that were never used; a test may require that it is empty."""
        return tuple(
            armed.fault for armed in self._armed if armed.left or (armed.left is None and not armed.used)
        )

    def take(self, request: SandboxRequest, *, authenticated: bool) -> Fault | None:
        """Return the fault that applies to a request, if any, and count its use.

        Args:
            request: Request.
            authenticated: Whether its signature is valid, or its path public.
        """
        for armed in self._armed:
            if armed.applies(request, authenticated=authenticated):
                return armed.fault
        return None


def _error_answer(status: int, body: Literal["json", "html", "empty"] | bytes, name: str) -> SandboxResponse:
    if isinstance(body, bytes):
        return SandboxResponse(status, body)
    check_choice("body", body, ("json", "html", "empty"))
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
