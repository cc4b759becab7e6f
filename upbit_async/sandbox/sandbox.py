"""Sandbox: a local Upbit with one account."""

from __future__ import annotations

import string
import uuid
from contextlib import AsyncExitStack, nullcontext
from importlib.util import find_spec
from itertools import count
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Final, Self, Unpack

from upbit_async.credentials import Credentials
from upbit_async.region import Region
from upbit_async.sandbox.clock import RunningClock
from upbit_async.sandbox.controls import AccountControl, DepositControl, WithdrawalControl
from upbit_async.sandbox.dispatcher import Dispatcher
from upbit_async.sandbox.exchange.defaults import add_history, default_account, default_wallets
from upbit_async.sandbox.exchange.exchange import Exchange
from upbit_async.sandbox.exchange.keys import ALL_PERMISSIONS, ApiKeyRecord
from upbit_async.sandbox.exchange.state import ExchangeState
from upbit_async.sandbox.exchange.transitions import Transitions
from upbit_async.sandbox.exchange_lock import ExchangeLock
from upbit_async.sandbox.guard import Guard
from upbit_async.sandbox.knobs import Knobs
from upbit_async.sandbox.routes import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from datetime import datetime
    from types import TracebackType

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox.adapters.in_process import ClientOptions, InProcessTransport
    from upbit_async.sandbox.adapters.on_socket import Serving
    from upbit_async.sandbox.exchange.ledger import Ledger
    from upbit_async.sandbox.messages import SandboxRequest, SandboxResponse

__all__ = ["EXTRA_PACKAGES", "Sandbox", "require_packages"]

EXTRA_PACKAGES: Final = ("starlette", "uvicorn")
"""Packages of the extra ``upbit_async[sandbox]``, which the client does not need."""
_KEY_ALPHABET: Final = string.ascii_letters + string.digits
_KEY_LENGTH: Final = 40
_numbers: Final = count(1)


class Sandbox:
    """Local Upbit with one account.

    The account starts as in Upbit's examples: BTC, ETH and XRP, USDT on three networks, addresses for withdrawals and
    deposits, and one past withdrawal and one past deposit in each state. New withdrawals go from WAITING to PROCESSING
    to DONE and new deposits from PROCESSING to ACCEPTED, three seconds each, unless ``transitions`` changes it.

    In process, ``client`` returns a client of this library, and ``transport`` serves any httpx client. ``serve`` opens
    a socket for all other clients. ``ledger`` has all movements of money, ``requests`` all requests, and ``now`` is the
    sandbox's current time. Needs ``upbit_async[sandbox]``.

    Args:
        region: Region of the exchange.
        knobs: Behaviours that Upbit's documentation does not specify; they may be changed at any time.
        transitions: Transitions of new transfers, by default three seconds in each state. Transitions that name states
            apply to withdrawals only. ``withdrawals.transitions`` and ``deposits.transitions`` change them later.
        limits: Whether calls are counted, and answered with 429 and 418 above the limit. Default true.
        credentials: Key to the account; random if absent.
        clock: Function that returns the current time (aware, UTC). By default the clock follows the event loop's, or
            the machine's while the sandbox is served.
        seed: Seed for keys and ids, so that they are the same in every run; random if absent.

    Raises:
        ModuleNotFoundError: ``upbit_async[sandbox]`` is not installed.

    Attributes:
        region: Region of the exchange.
        base_url: Base URL for requests in process; it does not resolve outside of it.
        credentials: Key with all permissions.
        knobs: Behaviours that Upbit's documentation does not specify.
        keys: All keys of the account.
        account: Control of the account: balances, addresses, locks.
        vasps: VASPs (virtual asset service providers): exchanges that take part in the travel rule; live records that
            may be changed.
        wallets: Listed wallets by (currency, net_type); live records that may be changed.
        withdrawals: Withdrawals by uuid; ``withdrawals.create_on_website`` creates one.
        deposits: Deposits by uuid; ``deposits.arrive`` creates one.
        faults: Faults that are to happen.
        requests: Log of all requests received.
        app: ASGI application.

    Example:
        .. code-block:: python

            from upbit_async.sandbox import Sandbox

            async with Sandbox("sg") as sandbox:
                client = sandbox.client()
                poller = await client.withdraws.send(
                    currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
                )
                await poller.result()
                assert [entry.amount for entry in sandbox.ledger.settled] == [13]
    """

    def __init__(
        self,
        region: Region | str,
        *,
        knobs: Knobs | None = None,
        transitions: Transitions | None = None,
        limits: bool = True,
        credentials: Credentials | None = None,
        clock: Callable[[], datetime] | None = None,
        seed: int | None = None,
    ) -> None:
        require_packages("starlette")
        from upbit_async.sandbox.app import App  # noqa: PLC0415 - starlette is an extra

        self._random = SystemRandom() if seed is None else Random(seed)  # noqa: S311 - a seed repeats a run
        self.region = Region(region)
        # each has its own host, so that no limit or ban that a client remembers affects the next sandbox
        self.base_url = f"https://{self.region}.sandbox-{next(_numbers)}.invalid"
        self.knobs = knobs or Knobs(time_format="offset" if self.region is Region.KR else "naive")
        self._state = ExchangeState(
            region=self.region,
            account=default_account(self.region),
            wallets=default_wallets(),
            knobs=self.knobs,
            new_uuid=self._new_uuid,
        )
        exchange = Exchange(self._state, transitions or Transitions.after_seconds())
        self.keys = exchange.keys
        self.credentials = self._issue(credentials or self._random_credentials())
        running_clock = RunningClock()
        self._real_time: Callable[[], AbstractContextManager[None]] = (
            running_clock.real if clock is None else nullcontext
        )
        self._exchange_lock = ExchangeLock(exchange, clock or running_clock)
        self._dispatcher = Dispatcher(self._exchange_lock, Guard(self.keys, self.knobs, limited=limits))
        self._closing = AsyncExitStack()
        self.account = AccountControl(self._exchange_lock)
        self.withdrawals = WithdrawalControl(self._exchange_lock)
        self.deposits = DepositControl(self._exchange_lock)
        self.vasps = exchange.travel_rule.vasps
        self.wallets = exchange.wallets
        self.faults = self._dispatcher.faults
        self.requests = self._dispatcher.requests
        self.app = App(self._dispatcher)
        with self._exchange_lock.held() as now:
            add_history(exchange, now)

    async def __aenter__(self) -> Self:
        """Return the sandbox. Without ``async with``, call ``aclose`` after using ``client``."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the clients that ``client`` returned."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the clients that ``client`` returned."""
        await self._closing.aclose()

    # -- state -------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """All movements of money up to now.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import Transitions

                sandbox.deposits.arrive("USDT", "TRX", "100", transitions=Transitions.immediate())
                assert sandbox.ledger.credited[-1].amount == 100
        """
        with self._exchange_lock.held():
            return self._state.ledger

    @property
    def now(self) -> datetime:
        """Current time of the sandbox (aware, UTC)."""
        with self._exchange_lock.held() as now:
            return now

    def issue_key(
        self,
        *,
        permissions: Iterable[str] = ALL_PERMISSIONS,
        ips: Iterable[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Credentials:
        """Issue another key to the account; ``keys.find`` returns its live record.

        Args:
            permissions: Permissions by machine name, such as ``view_withdrawals``. Default all.
            ips: Addresses from which it may be used; ``None`` for any.
            expires_at: Time of expiry (aware); ``None`` for never.

        Example:
            .. code-block:: python

                reader = sandbox.client(credentials=sandbox.issue_key(permissions=["view_account"]))
                await reader.accounts.list()
        """
        credentials = self._random_credentials()
        return self._issue(
            credentials,
            permissions=frozenset(permissions),
            ips=None if ips is None else frozenset(ips),
            expires_at=expires_at,
        )

    def add_route(
        self,
        method: str,
        path: str,
        handler: Callable[[SandboxRequest], SandboxResponse],
        *,
        permission: str | None = None,
        public_group: str | None = None,
    ) -> None:
        """Add an endpoint, or replace the one with the same method and path.

        Requests to it pass the same checks as others: signature, nonce, permission, rate limit, faults and log.

        Args:
            method: HTTP method, upper case.
            path: Whole path, such as ``/v1/orders``.
            handler: Function that returns the response. It must not block, because the sandbox answers nothing
                meanwhile; while the sandbox is served, it runs in the thread of the server.
            permission: Permission that the key needs; ``None`` if any valid key may call it.
            public_group: Rate-limit group of a public endpoint, which needs no signature and is limited to 10 calls per
                second and address; ``None`` for a signed endpoint.

        Raises:
            ValueError: ``method`` or ``path`` can't be that of a request, or a public endpoint has a permission.

        Example:
            .. code-block:: python

                from upbit_async.sandbox import SandboxRequest, SandboxResponse


                def closed_orders(request: SandboxRequest) -> SandboxResponse:
                    return SandboxResponse.of_json(200, [])


                sandbox.add_route("GET", "/v1/orders/closed", closed_orders, permission="view_orders")
                assert await client.request("GET", "/v1/orders/closed") == []
        """
        if not (method.isascii() and method.isalpha() and method.isupper()):
            raise ValueError(f"method must be an HTTP method in upper case, got {method!r}")
        if not path.startswith("/") or "?" in path:
            raise ValueError(f"path must start with a slash and have no query, got {path!r}")
        if permission is not None and public_group is not None:
            raise ValueError(f"permission must be None for a public route, got {permission!r}")
        self._dispatcher.add_route(
            Route(
                method, path, permission, lambda context: handler(context.request), public_group=public_group
            )
        )

    # -- access ------------------------------------------------------------------------------------

    def transport(self, *, client_ip: str = "127.0.0.1") -> InProcessTransport:
        """Return an httpx transport to the sandbox, for ``httpx.AsyncClient(transport=…, base_url=…)``.

        Args:
            client_ip: Address of the client as the sandbox sees it. Default 127.0.0.1.

        Example:
            .. code-block:: python

                import httpx

                async with httpx.AsyncClient(
                    transport=sandbox.transport(), base_url=sandbox.base_url
                ) as http:
                    assert (await http.get("/v1/market/all")).status_code == 200
        """
        from upbit_async.sandbox.adapters.in_process import InProcessTransport  # noqa: PLC0415 - httpx may be unused

        return InProcessTransport(self.app, client_ip=client_ip)

    def client(self, **options: Unpack[ClientOptions]) -> UpbitClient:
        """Return a client of this library in process, which is closed together with the sandbox.

        Args:
            options: Options of `UpbitClient`, such as ``retry`` or ``timeouts``. By default it uses ``credentials``.

        Example:
            .. code-block:: python

                from upbit_async import Timeouts

                impatient = sandbox.client(timeouts=Timeouts(total=5))
                await impatient.accounts.list()
        """
        # the client may be unused, and importing it takes time
        from upbit_async.client import UpbitClient  # noqa: PLC0415
        from upbit_async.sandbox.adapters.in_process import http_client  # noqa: PLC0415

        http = http_client(self.transport())
        given: ClientOptions = {"credentials": self.credentials, **options}
        client = UpbitClient(self.region, base_url=self.base_url, http=http, **given)
        self._closing.push_async_callback(http.aclose)
        self._closing.push_async_callback(client.aclose)
        return client

    def serve(self, *, host: str = "127.0.0.1", port: int = 0, allow_remote: bool = False) -> Serving:
        """Return a context manager, sync and async, that serves the sandbox on a socket; its value is the base URL.

        Args:
            host: Address to listen on. Default 127.0.0.1.
            port: Port to listen on; 0 for a free one. Default 0.
            allow_remote: Whether other machines may call it. Otherwise it listens on loopback only and answers 421 to
                requests with another ``Host``. Connections are not encrypted.

        Raises:
            ValueError: ``host`` is not a loopback address, and ``allow_remote`` is false.

        Example:
            .. code-block:: python

                from urllib.request import urlopen

                with sandbox.serve() as url, urlopen(f"{url}/v1/market/all") as response:
                    assert response.status == 200
        """
        require_packages("uvicorn")
        from upbit_async.sandbox.adapters.on_socket import Serving  # noqa: PLC0415 - uvicorn is an extra

        return Serving(self.app, self._real_time(), host=host, port=port, allow_remote=allow_remote)

    # -- keys and ids ------------------------------------------------------------------------------

    def _issue(
        self,
        credentials: Credentials,
        *,
        permissions: frozenset[str] = ALL_PERMISSIONS,
        ips: frozenset[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Credentials:
        self.keys.add(
            ApiKeyRecord(
                access_key=credentials.access_key.reveal(),
                secret_key=credentials.secret_key.reveal(),
                permissions=permissions,
                ips=ips,
                expires_at=expires_at,
            )
        )
        return credentials

    def _random_credentials(self) -> Credentials:
        return Credentials(self._new_key(), self._new_key())

    def _new_key(self) -> str:
        return "".join(self._random.choices(_KEY_ALPHABET, k=_KEY_LENGTH))

    def _new_uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def require_packages(*packages: str) -> None:
    """Check that packages of the extra are installed.

    Raises:
        ModuleNotFoundError: Some are missing; the text says how to install them.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        them = "them" if len(missing) > 1 else "it"
        raise ModuleNotFoundError(
            f"The sandbox needs {' and '.join(missing)}, which the library does not. To install {them}:\n"
            '    pip install "upbit_async[sandbox]"',
            name=missing[0],
        )
