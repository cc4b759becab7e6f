"""The sandbox: a local Upbit with one account."""

from __future__ import annotations

import string
import uuid
from contextlib import AsyncExitStack, nullcontext
from itertools import count
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Final, Self, Unpack

from upbit_async.credentials import Credentials
from upbit_async.region import Region
from upbit_async.sandbox.clock import RunningClock
from upbit_async.sandbox.controls import AccountControl, DepositControl, WithdrawalControl
from upbit_async.sandbox.dispatcher import Dispatcher
from upbit_async.sandbox.exchange.defaults import default_account, default_wallets
from upbit_async.sandbox.exchange.exchange import Exchange
from upbit_async.sandbox.exchange.history import write_history
from upbit_async.sandbox.exchange.keys import ALL_PERMISSIONS, ApiKey
from upbit_async.sandbox.exchange.state import ExchangeState
from upbit_async.sandbox.exchange.transitions import Transitions
from upbit_async.sandbox.exchange_lock import ExchangeLock
from upbit_async.sandbox.extra import require
from upbit_async.sandbox.guard import Guard
from upbit_async.sandbox.knobs import Knobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from datetime import datetime
    from types import TracebackType

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox.adapters.in_process import ClientOptions, InProcessTransport
    from upbit_async.sandbox.adapters.on_socket import Serving
    from upbit_async.sandbox.exchange.ledger import Ledger

__all__ = ["Sandbox"]

_KEY_ALPHABET: Final = string.ascii_letters + string.digits
_KEY_LENGTH: Final = 40
_numbers: Final = count(1)


class Sandbox:
    """A local Upbit that speaks the documented API and keeps honest books.

    It starts with an account as in Upbit's examples: BTC, ETH, XRP and USDT on three networks, addresses to
    withdraw and to deposit to, and one old withdrawal and one old deposit in each state. New withdrawals go
    from WAITING to PROCESSING to DONE and new deposits from PROCESSING to ACCEPTED, three seconds each, unless
    ``transitions`` says otherwise.

    Within the process, ``client`` gives a client of this library and ``transport`` carries any httpx client;
    ``serve`` opens a socket for everybody else. Both need ``upbit_async[sandbox]``.

    Args:
        region: Which of Upbit's exchanges it is.
        knobs: What the documents leave open; may be changed at any time.
        transitions: How new transfers progress, by default three seconds in each state. Transitions that name states
            are for withdrawals only. ``withdrawals.transitions`` and ``deposits.transitions`` change it later.
        limits: Whether calls are counted, with 429 and 418 for those beyond the budget.
        credentials: The key to the account; made up if absent.
        clock: Tells the time (aware, UTC); by default UTC that goes by the event loop's clock, or by the
            machine's while the sandbox is served.
        seed: Makes keys and ids the same in every run.

    Raises:
        ModuleNotFoundError: ``upbit_async[sandbox]`` is not installed.

    Attributes:
        region: Which exchange it is.
        base_url: The base URL for requests within the process; it leads nowhere outside of it.
        credentials: A key with all permissions.
        knobs: What the documents leave open.
        keys: All keys of the account.
        account: The account: money, addresses, locks.
        vasps: The exchanges that take part in the travel rule; live records that may be changed.
        wallets: What is listed, by (currency, net_type); live records that may be changed.
        withdrawals: The withdrawals, by uuid.
        deposits: The deposits, by uuid; ``deposits.arrive`` makes one.
        faults: What is to go wrong.
        requests: The requests that came in.
        app: The whole as an ASGI application.
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
        require("starlette")
        from upbit_async.sandbox.app import App  # noqa: PLC0415 - starlette is an extra

        self._chance = SystemRandom() if seed is None else Random(seed)  # noqa: S311 - a seed repeats a run
        self.region = Region(region)
        # each has a host of its own, so that no limit or ban that a client remembers reaches the next sandbox
        self.base_url = f"https://{self.region}.sandbox-{next(_numbers)}.invalid"
        self.knobs = knobs or Knobs(time_format="offset" if self.region is Region.KR else "naive")
        self._shared = ExchangeState(
            region=self.region,
            account=default_account(self.region),
            wallets=default_wallets(),
            knobs=self.knobs,
            new_uuid=self._new_uuid,
        )
        exchange = Exchange(self._shared, transitions or Transitions.after_seconds())
        self.keys = exchange.keys
        self.credentials = self._issue(credentials or self._made_up_credentials())
        running_clock = RunningClock()
        self._real_time: Callable[[], AbstractContextManager[None]] = (
            running_clock.real if clock is None else nullcontext
        )
        self._engine = ExchangeLock(exchange, clock or running_clock)
        self._front = Dispatcher(self._engine, Guard(self.keys, self.knobs, limited=limits))
        self._closing = AsyncExitStack()
        self.account = AccountControl(self._engine)
        self.withdrawals = WithdrawalControl(self._engine)
        self.deposits = DepositControl(self._engine)
        self.vasps = exchange.travel_rule.vasps
        self.wallets = exchange.wallets
        self.faults = self._front.faults
        self.requests = self._front.requests
        self.app = App(self._front)
        with self._engine.at_work() as now:
            write_history(exchange, now)

    async def __aenter__(self) -> Self:
        """The sandbox itself; without ``async with`` call ``aclose`` when clients were made."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the clients that ``client`` made."""
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the clients that ``client`` made."""
        await self._closing.aclose()

    # -- what it is doing --------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """What really moved, up to this moment."""
        with self._engine.at_work():
            return self._shared.ledger

    @property
    def now(self) -> datetime:
        """The sandbox's time (aware, UTC)."""
        with self._engine.at_work() as now:
            return now

    def issue_key(
        self,
        *,
        permissions: Iterable[str] = ALL_PERMISSIONS,
        ips: Iterable[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Credentials:
        """Issues one more key to the account; ``keys.find`` gives its live record.

        Args:
            permissions: What it may do, by machine name such as ``view_withdrawals``.
            ips: The addresses it may be used from; ``None`` means from everywhere.
            expires_at: When it expires (aware).
        """
        credentials = self._made_up_credentials()
        return self._issue(
            credentials,
            permissions=frozenset(permissions),
            ips=None if ips is None else frozenset(ips),
            expires_at=expires_at,
        )

    # -- ways in -----------------------------------------------------------------------------------

    def transport(self, *, client_ip: str = "127.0.0.1") -> InProcessTransport:
        """An httpx transport into the sandbox, for ``httpx.AsyncClient(transport=…, base_url=…)``.

        Args:
            client_ip: Where the requests seem to come from.
        """
        from upbit_async.sandbox.adapters.in_process import InProcessTransport  # noqa: PLC0415 - httpx may be unused

        return InProcessTransport(self.app, client_ip=client_ip)

    def client(self, **options: Unpack[ClientOptions]) -> UpbitClient:
        """A client of this library within the process, closed together with the sandbox.

        Args:
            options: Options of `UpbitClient`, such as ``retry`` or ``timeouts``; by default it has the key
                ``credentials``.
        """
        # the client may be unused, and is built from rooms that know nothing of this one
        from upbit_async.client import UpbitClient  # noqa: PLC0415
        from upbit_async.sandbox.adapters.in_process import http_client  # noqa: PLC0415

        http = http_client(self.transport())
        said: ClientOptions = {"credentials": self.credentials, **options}
        client = UpbitClient(self.region, base_url=self.base_url, http=http, **said)
        self._closing.push_async_callback(http.aclose)
        self._closing.push_async_callback(client.aclose)
        return client

    def serve(self, *, host: str = "127.0.0.1", port: int = 0, allow_remote: bool = False) -> Serving:
        """Opens a socket while a ``with`` or ``async with`` block runs, which gets the base URL.

        Args:
            host: The address to listen on.
            port: The port to listen on; 0 chooses a free one.
            allow_remote: Whether other machines may call it. Otherwise it listens on loopback only and
                answers 421 to requests whose ``Host`` is anything else. The connection is not encrypted.

        Raises:
            ValueError: The address is not a loopback address, and other machines may not call it.
        """
        require("uvicorn")
        from upbit_async.sandbox.adapters.on_socket import Serving  # noqa: PLC0415 - uvicorn is an extra

        return Serving(self.app, self._real_time(), host=host, port=port, allow_remote=allow_remote)

    # -- making things up --------------------------------------------------------------------------

    def _issue(
        self,
        credentials: Credentials,
        *,
        permissions: frozenset[str] = ALL_PERMISSIONS,
        ips: frozenset[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Credentials:
        self.keys.add(
            ApiKey(
                access_key=credentials.access_key.reveal(),
                secret_key=credentials.secret_key.reveal(),
                permissions=permissions,
                ips=ips,
                expires_at=expires_at,
            )
        )
        return credentials

    def _made_up_credentials(self) -> Credentials:
        return Credentials(self._new_key(), self._new_key())

    def _new_key(self) -> str:
        return "".join(self._chance.choices(_KEY_ALPHABET, k=_KEY_LENGTH))

    def _new_uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
