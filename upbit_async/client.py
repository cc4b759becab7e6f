"""`UpbitClient`: the namespaces of one region over one connection pool."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs

from upbit_async import settings
from upbit_async.credentials import Credentials, hide_arguments
from upbit_async.policy import PollSchedule, RetryPolicy, Safety, Timeouts
from upbit_async.protocol.endpoint import Endpoint, Param
from upbit_async.protocol.endpoints import ENDPOINTS
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import httpx
    import httpx2

    from upbit_async.events import Observer
    from upbit_async.protocol.endpoint import Transport
    from upbit_async.region import Region
    from upbit_async.resources.known_withdrawals import KnownWithdrawals
    from upbit_async.transport.http_transport import HttpTransport
    from upbit_async.transport.limiter import RateLimiter

__all__ = ["UpbitClient"]

CONNECTIONS = 10
"""Connections at once. At 30 calls a second more would only cost."""
_BODILESS = frozenset({"GET", "DELETE"})
_METHODS = frozenset({*_BODILESS, "POST", "PUT", "PATCH"})
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")


class UpbitClient:
    """One account in one region of Upbit.

    Make one and keep it: it holds connections and limits. It can be made outside an event loop and used in
    one after another; nothing runs in the background but requests that were begun. Use it as an async context
    manager, or call `aclose`.

    Args:
        region: ``sg``, ``id``, ``th`` or ``kr``; there is no default, because keys and addresses differ.
        credentials: The keys. Without them ``UPBIT_<REGION>_ACCESS_KEY`` and ``_SECRET_KEY`` are read from
            the environment, then ``UPBIT_ACCESS_KEY`` and ``UPBIT_SECRET_KEY``, then
            ``UPBIT_OPEN_API_ACCESS_KEY`` and ``UPBIT_OPEN_API_SECRET_KEY``. A client without keys can be
            made, and says so at the first call.
        base_url: Another server, such as a sandbox: https, or http on this machine. Without it
            ``UPBIT_<REGION>_BASE_URL``, ``UPBIT_BASE_URL``, then ``UPBIT_OPEN_API_SERVER_URL``, then the region's
            own. Keys from ``UPBIT_<REGION>_…`` never go to a server that the last two name, unless it is the
            region's own.
        retry: How often and how patiently calls are repeated.
        timeouts: How long calls may take, in seconds.
        poll: When transfers are looked at.
        limiter: Keeps calls inside Upbit's limits. Without it all clients of this process that use the same
            key share one; give clients with two keys of one account the same one by hand.
        http: An `httpx.AsyncClient` or `httpx2.AsyncClient` to send with (through a proxy, say). It stays
            yours to close; its headers, authentication and redirects are not used.
        observer: Is told what happens; see `upbit_async.events`.
        algorithm: How tokens are signed: ``HS256``, as Upbit's own SDK does, or ``HS512``.
        hash_space_as_plus: Hash a space as ``+``, as the recipe in Upbit's documents does. Only values with a
            space are concerned, such as names of beneficiaries; Upbit's documents disagree about them.

    Raises:
        ConfigurationError: The base URL would send keys in the open, a key can't be one, a variable is set but
            empty, or the environment's keys and server do not belong together.
        TypeError: An option is of the wrong type.
        ValueError: There is no such region or algorithm.
    """

    @hide_arguments
    def __init__(  # noqa: PLR0913 - all but one are keyword-only
        self,
        region: Region | str,
        *,
        credentials: Credentials | None = None,
        base_url: str | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        poll: PollSchedule | None = None,
        limiter: RateLimiter | None = None,
        http: httpx.AsyncClient | httpx2.AsyncClient | None = None,
        observer: Observer | None = None,
        algorithm: Literal["HS256", "HS512"] = "HS256",
        hash_space_as_plus: bool = False,
    ) -> None:
        # Only here, because they bring httpx and jwt along.
        from upbit_async.resources.known_withdrawals import KnownWithdrawals  # noqa: PLC0415
        from upbit_async.transport.assembly import assemble  # noqa: PLC0415
        from upbit_async.transport.http_transport import HttpTransport  # noqa: PLC0415

        _check(credentials=(credentials, Credentials), poll=(poll, PollSchedule))
        _check(retry=(retry, RetryPolicy), timeouts=(timeouts, Timeouts))
        _check_observer(observer)
        place = settings.region_of(region)
        keys, url = settings.keys_and_base_url(place, credentials=credentials, base_url=base_url)
        known = KnownWithdrawals()
        shared = assemble(
            region=place,
            base_url=url,
            credentials=keys,
            connections=CONNECTIONS,
            limiter=limiter,
            http=http,
            algorithm=algorithm,
            space_as_plus=hash_space_as_plus,
            answer_check=known,
        )
        transport = HttpTransport(
            shared, retry=retry or RetryPolicy(), timeouts=timeouts or Timeouts(), observer=observer
        )
        self._set_up(transport, poll or PollSchedule(), known, owner=True)

    def _set_up(
        self, transport: HttpTransport, poll: PollSchedule, known: KnownWithdrawals, *, owner: bool
    ) -> None:
        # Only here, because they bring half of the library along.
        from upbit_async.resources.accounts import Accounts  # noqa: PLC0415
        from upbit_async.resources.deposits import Deposits  # noqa: PLC0415
        from upbit_async.resources.status import Status  # noqa: PLC0415
        from upbit_async.resources.travel_rule import TravelRule  # noqa: PLC0415
        from upbit_async.resources.withdraws import Withdraws  # noqa: PLC0415

        self._transport = transport
        self._poll = poll
        self._owner = owner
        self._known = known
        self.status = Status(transport)
        self.withdraws = Withdraws(transport, poll, known)
        self.deposits = Deposits(transport, poll)
        self.accounts = Accounts(transport)
        self.travel_rule = TravelRule(transport)

    @property
    def region(self) -> Region:
        """The region that is talked to."""
        return self._transport.region

    @property
    def host(self) -> str:
        """The host that is talked to, with its port if it has one."""
        return self._transport.host

    @property
    def limiter(self) -> RateLimiter:
        """Rate limiter of this client; without one of your own, the one that all clients with this key share."""
        return self._transport.shared.limiter

    @property
    def transport(self) -> Transport:
        """Transport of this client's calls, for code that builds on the client."""
        return self._transport

    @property
    def known_withdrawals(self) -> KnownWithdrawals:
        """Withdrawals that this client knows from Upbit's answers, for code that builds on the client."""
        return self._known

    @hide_arguments
    def with_options(
        self,
        *,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        poll: PollSchedule | None = None,
        observer: Observer | None = None,
    ) -> UpbitClient:
        """Return a sibling that shares connections and limits; what is not given stays as it is.

        Closing a sibling closes nothing; closing the original closes all.
        """
        _check(retry=(retry, RetryPolicy), timeouts=(timeouts, Timeouts), poll=(poll, PollSchedule))
        _check_observer(observer)
        sibling = object.__new__(type(self))
        transport = self._transport.sibling(retry=retry, timeouts=timeouts, observer=observer)
        sibling._set_up(transport, poll or self._poll, self._known, owner=False)
        return sibling

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Param] | None = None,
        json: Mapping[str, Param] | None = None,
        safety: Safety | None = None,
    ) -> Any:
        """Sign and send anything, such as an endpoint that is younger than this library.

        Args:
            method: The HTTP method.
            path: The path, such as ``/v1/market/all``.
            params: The query of a GET or DELETE. A sequence becomes ``name[]=…`` for each of its values; an
                empty one is refused, because without it Upbit may answer with everything.
            json: The members of another method's body; they are sent as text.
            safety: What may happen if the answer is lost: by default GET may be repeated and nothing else
                may. An endpoint that this library knows keeps its own class, whatever is said here.

        Returns:
            The decoded JSON; numbers with a fraction are `Decimal`. None if the answer has no content.

        Raises:
            OutcomeUnknown: The answer to something that must not happen twice was lost.
            TypeError: Something is of a type that can't be sent.
            ValueError: The method or path can't be one, or parameters are not where they belong.
            UpbitError: See `upbit_async.errors`.
        """
        verb = method.upper() if isinstance(method, str) else ""
        if verb not in _METHODS:
            raise ValueError(f"method must be one of {', '.join(sorted(_METHODS))}, not {method!r}")
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise ValueError(
                f"path must look like /v1/accounts and hold no query, not {path!r}: parameters go into params"
            )
        if (json if verb in _BODILESS else params) is not None:
            raise ValueError(f"{verb} takes {'params' if verb in _BODILESS else 'json'}")
        if safety is not None and not isinstance(safety, Safety):
            raise TypeError(f"safety is a Safety, not {type(safety).__name__}")
        given = params if verb in _BODILESS else json
        sent = None if given is None else inputs.members("params" if verb in _BODILESS else "json", given)
        return await self._transport.call(_endpoint(verb, path, safety), sent)

    async def aclose(self) -> None:
        """Close the connections. Calls are refused from now on; what is on the wire is finished."""
        if self._owner:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        """Give the client itself; nothing is sent."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.aclose()

    def __repr__(self) -> str:
        """Show region and host, and no key."""
        if not hasattr(self, "_transport"):  # its arguments were refused; a traceback may show it
            return "<UpbitClient that was not made>"
        return f"<UpbitClient {self.region} at {self.host}>"


def _check(**options: tuple[object, type]) -> None:
    for name, (value, kind) in options.items():
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} is a {kind.__name__}, not {type(value).__name__}")


def _check_observer(observer: object) -> None:
    if observer is not None and not callable(observer):
        raise TypeError(f"observer is something that takes an event, not {type(observer).__name__}")


@functools.lru_cache(maxsize=256)
def _endpoint(method: str, path: str, safety: Safety | None) -> Endpoint[Any]:
    known = ENDPOINTS.get((method, path.rstrip("/").lower()))
    if known is not None:  # by whatever spelling, it is never less than it is
        once = known.safety is Safety.ONCE
        proof, echoes = (known.returns, known.echoed_fields) if once else (None, ())
        return attrs.evolve(known, returns=object, regions=None, proof=proof, echoed_fields=echoes)
    safety = safety or (Safety.READ if method == "GET" else Safety.ONCE)
    return Endpoint(method=method, path=path, returns=object, safety=safety, docs="")
