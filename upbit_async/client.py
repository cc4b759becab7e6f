"""`UpbitClient`: client for one account in one region."""

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
"""Maximum number of concurrent connections. At 30 calls per second more bring nothing."""
_BODILESS = frozenset({"GET", "DELETE"})
_METHODS = frozenset({*_BODILESS, "POST", "PUT", "PATCH"})
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")


class UpbitClient:
    """Client for one account in one region.

    Create one client and keep it: it holds the connections and the rate limiter. It can be created outside an event
    loop and used in several loops, one after the other. No task runs in the background, except to finish a request that
    was sent. Use it as an async context manager, or call `aclose`.

    Args:
        region: ``sg``, ``id``, ``th`` or ``kr``. There is no default, because keys and addresses differ.
        credentials: API keys. The default is ``UPBIT_<REGION>_ACCESS_KEY`` and ``_SECRET_KEY`` from the environment,
            then ``UPBIT_ACCESS_KEY`` and ``UPBIT_SECRET_KEY``, then ``UPBIT_OPEN_API_ACCESS_KEY`` and
            ``UPBIT_OPEN_API_SECRET_KEY``. Without keys the first signed call raises `ConfigurationError`.
        base_url: URL of another server, such as a sandbox: https, or http on this machine. The default is
            ``UPBIT_<REGION>_BASE_URL``, ``UPBIT_BASE_URL``, then ``UPBIT_OPEN_API_SERVER_URL``, then the region's own.
            Keys from ``UPBIT_<REGION>_…`` are never sent to a server that the last two variables name, unless it is
            the region's own.
        retry: Retry policy for calls that are safe to repeat.
        timeouts: Timeouts of a call, in seconds.
        poll: How often transfers are polled.
        limiter: Rate limiter. By default all clients of this process that use the same key share one. Pass the same
            limiter to clients that use two keys of one account.
        http: `httpx.AsyncClient` or `httpx2.AsyncClient` to send with, such as one with a proxy. The caller closes it.
            Its headers, authentication and redirects are not used.
        observer: Function that receives events; see `upbit_async.events`.
        algorithm: Signature algorithm of the tokens: ``HS256``, as in Upbit's own SDK, or ``HS512``.
        hash_space_as_plus: Whether to hash a space as ``+``. This affects values with a space only, such as names of
            beneficiaries. Upbit's documentation contradicts itself about them.

    Raises:
        ConfigurationError: The base URL would send keys unencrypted, a key is malformed, a variable is set but empty,
            or the keys and the server from the environment do not belong together.
        TypeError: An option has the wrong type.
        ValueError: The region or the algorithm does not exist.

    Example:
        .. code-block:: python

            async with UpbitClient("sg") as client:
                wallet = await client.status.wallet("USDT", "TRX")
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
        # Imported late, because they import httpx and jwt.
        from upbit_async.resources.known_withdrawals import KnownWithdrawals  # noqa: PLC0415
        from upbit_async.transport.assembly import assemble  # noqa: PLC0415
        from upbit_async.transport.http_transport import HttpTransport  # noqa: PLC0415

        _check(credentials=(credentials, Credentials), poll=(poll, PollSchedule))
        _check(retry=(retry, RetryPolicy), timeouts=(timeouts, Timeouts))
        _check_observer(observer)
        chosen = settings.region_of(region)
        keys, url = settings.keys_and_base_url(chosen, credentials=credentials, base_url=base_url)
        known = KnownWithdrawals()
        shared = assemble(
            region=chosen,
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
        # Imported late, because they import half of the library.
        from upbit_async.resources.accounts import Accounts  # noqa: PLC0415
        from upbit_async.resources.deposits import Deposits  # noqa: PLC0415
        from upbit_async.resources.status import Status  # noqa: PLC0415
        from upbit_async.resources.travel_rule import TravelRule  # noqa: PLC0415
        from upbit_async.resources.withdraws import Withdraws  # noqa: PLC0415

        self._transport = transport
        self._poll_schedule = poll
        self._owner = owner
        self._known = known
        self.status = Status(transport)
        self.withdraws = Withdraws(transport, poll, known)
        self.deposits = Deposits(transport, poll)
        self.accounts = Accounts(transport)
        self.travel_rule = TravelRule(transport)

    @property
    def region(self) -> Region:
        """Region of the client."""
        return self._transport.region

    @property
    def host(self) -> str:
        """Host that the client calls, with its port if the base URL has one."""
        return self._transport.host

    @property
    def limiter(self) -> RateLimiter:
        """Rate limiter of the client. By default all clients with the same key share it."""
        return self._transport.shared.limiter

    @property
    def transport(self) -> Transport:
        """Transport that sends this client's calls, for extensions."""
        return self._transport

    @property
    def known_withdrawals(self) -> KnownWithdrawals:
        """Withdrawals that this client knows from Upbit's answers, for extensions."""
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
        """Return a client with other options that shares connections and limiter; None keeps an option.

        Closing the returned client closes nothing. Closing the original one closes the connections of both.

        Args:
            retry: Retry policy for calls that are safe to repeat.
            timeouts: Timeouts of a call, in seconds.
            poll: How often transfers are polled.
            observer: Function that receives events.

        Example:
            .. code-block:: python

                patient = client.with_options(timeouts=Timeouts(total=300), retry=RetryPolicy(attempts=10))
                wallets = await patient.status.wallets()
        """
        _check(retry=(retry, RetryPolicy), timeouts=(timeouts, Timeouts), poll=(poll, PollSchedule))
        _check_observer(observer)
        sibling = object.__new__(type(self))
        transport = self._transport.sibling(retry=retry, timeouts=timeouts, observer=observer)
        sibling._set_up(transport, poll or self._poll_schedule, self._known, owner=False)
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
        """Sign and send a request to any endpoint, such as one that this library does not know yet.

        Args:
            method: HTTP method.
            path: Path, such as ``/v1/market/all``.
            params: Query of a GET or DELETE. A sequence is sent as ``name[]=…`` for each value. An empty sequence is
                refused, because without it Upbit may answer with everything.
            json: Members of the body of another method; they are sent as text.
            safety: Safety class. The default is `Safety.READ` for GET and `Safety.ONCE` for everything else. An
                endpoint that this library knows keeps its own class.

        Returns:
            The decoded JSON, in which numbers with a fraction are `Decimal`; None if the answer has no content.

        Raises:
            OutcomeUnknown: The answer to a request that must not be repeated was lost.
            TypeError: A value has a type that can't be sent.
            ValueError: The method or path is malformed, or parameters were passed in the wrong argument.
            UpbitError: See `upbit_async.errors`.

        Example:
            .. code-block:: python

                markets = await client.request("GET", "/v1/market/all", params={"is_details": False})
        """
        verb = method.upper() if isinstance(method, str) else ""
        if verb not in _METHODS:
            raise ValueError(f"method must be one of {', '.join(sorted(_METHODS))}, got {method!r}")
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise ValueError(
                f"path must look like /v1/accounts, without a query, got {path!r}; pass parameters in params"
            )
        if (json if verb in _BODILESS else params) is not None:
            raise ValueError(f"{verb} takes {'params' if verb in _BODILESS else 'json'}")
        if safety is not None and not isinstance(safety, Safety):
            raise TypeError(f"safety must be a Safety, got {type(safety).__name__}")
        given = params if verb in _BODILESS else json
        sent = None if given is None else inputs.members("params" if verb in _BODILESS else "json", given)
        return await self._transport.call(_endpoint(verb, path, safety), sent)

    async def aclose(self) -> None:
        """Close the connections. New calls are refused; a request that was sent is finished."""
        if self._owner:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        """Return the client. This sends nothing."""
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
        """Return region and host, without keys."""
        if not hasattr(self, "_transport"):  # its arguments were invalid; a traceback may show it
            return "<UpbitClient (not initialized)>"
        return f"<UpbitClient {self.region} at {self.host}>"


def _check(**options: tuple[object, type]) -> None:
    for name, (value, kind) in options.items():
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} must be {kind.__name__}, got {type(value).__name__}")


def _check_observer(observer: object) -> None:
    if observer is not None and not callable(observer):
        raise TypeError(f"observer must be callable, got {type(observer).__name__}")


@functools.lru_cache(maxsize=256)
def _endpoint(method: str, path: str, safety: Safety | None) -> Endpoint[Any]:
    known = ENDPOINTS.get((method, path.rstrip("/").lower()))
    if known is not None:  # in any spelling of the path, the endpoint keeps its safety class
        once = known.safety is Safety.ONCE
        proof, echoes = (known.returns, known.echoed_fields) if once else (None, ())
        return attrs.evolve(known, returns=object, regions=None, proof=proof, echoed_fields=echoes)
    safety = safety or (Safety.READ if method == "GET" else Safety.ONCE)
    return Endpoint(method=method, path=path, returns=object, safety=safety, docs="")
