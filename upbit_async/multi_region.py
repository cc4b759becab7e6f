"""Several regions side by side, each with its own client, keys and host."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeAlias, TypedDict, TypeVar, Unpack, cast

import anyio
import attrs

from upbit_async import settings
from upbit_async.client import UpbitClient
from upbit_async.credentials import Credentials, hide_arguments
from upbit_async.errors import ConfigurationError, PollTimeout, UpbitError
from upbit_async.region import Region
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from upbit_async.events import Observer
    from upbit_async.policy import PollSchedule, RetryPolicy, Timeouts
    from upbit_async.polling import RegionChanges, TransferPoller
    from upbit_async.polling.progress import TransferSnapshot

__all__ = ["CommonOptions", "RegionErrors", "RegionOutcomes", "UpbitRegions"]

R = TypeVar("R", bound="TransferSnapshot")
T = TypeVar("T")
_ByRegion: TypeAlias = Mapping[str, T] | Mapping[Region, T]


class CommonOptions(TypedDict, total=False):
    """The options of `UpbitClient` that are the same for all regions."""

    retry: RetryPolicy
    timeouts: Timeouts
    poll: PollSchedule
    observer: Observer
    algorithm: Literal["HS256", "HS512"]


class UpbitRegions(Mapping[Region, UpbitClient]):
    """Mapping of regions to clients. Use it as an async context manager, or call `aclose`.

    Args:
        credentials: The keys of each region.
        base_urls: Base URLs by region, such as those of sandboxes. Default: ``UPBIT_<REGION>_BASE_URL``, else the
            URL of Upbit. ``UPBIT_BASE_URL`` is not used, because it would send all keys to one server. If it is set,
            every region needs a URL here or in its own variable, so that no call reaches the real exchange by mistake.
        options: ``retry``, ``timeouts``, ``poll``, ``observer`` and ``algorithm``, as for `UpbitClient`.

    Raises:
        ConfigurationError: A base URL is invalid, or ``UPBIT_BASE_URL`` is set and a region has no URL.
        TypeError: An argument is of the wrong type.
        ValueError: There is no region, an unknown region, or one region twice.

    Example:
        .. code-block:: python

            keys = {"sg": Credentials("access", "secret"), "th": Credentials("access", "secret")}
            async with UpbitRegions(keys) as both:
                client = both["sg"]
    """

    @hide_arguments
    def __init__(
        self,
        credentials: _ByRegion[Credentials],
        *,
        base_urls: _ByRegion[str] | None = None,
        **options: Unpack[CommonOptions],
    ) -> None:
        # Every region needs keys here: a client without keys would use those of the environment.
        if not isinstance(credentials, Mapping):
            raise TypeError(f"credentials must map regions to Credentials, got {type(credentials).__name__}")
        keys = _by_region(credentials.items(), Credentials)
        urls = _by_region(base_urls.items(), str) if base_urls else {}
        if not urls.keys() <= keys.keys():
            raise ValueError(
                f"base_urls must only have regions with keys ({', '.join(keys)}), got {', '.join(urls)}"
            )
        self._clients = {
            region: UpbitClient(region, credentials=pair, base_url=_base_url(region, urls), **options)
            for region, pair in keys.items()
        }

    @classmethod
    @hide_arguments
    def from_env(
        cls, *regions: Region | str, base_urls: _ByRegion[str] | None = None, **options: Unpack[CommonOptions]
    ) -> Self:
        """Create clients with the keys of the environment, such as ``UPBIT_SG_ACCESS_KEY`` and ``UPBIT_SG_SECRET_KEY``.

        Variables without a region are not used, so that one key is never sent to several servers.

        Args:
            regions: The regions.
            base_urls: Base URLs by region, as for `UpbitRegions`.
            options: The options of `UpbitRegions`.

        Raises:
            ConfigurationError: Keys are missing (the text names all variables to set), or a variable is invalid.
            ValueError: There is no region, an unknown region, or one region twice.

        Example:
            .. code-block:: python

                async with UpbitRegions.from_env("sg", "id", "th") as regions:
                    wallet = await regions["th"].status.wallet("USDT", "TRX")
        """
        keys = {region: settings.own_credentials_for(region) for region in map(settings.region_of, regions)}
        missing = [f"UPBIT_{region.upper()}" for region, pair in keys.items() if pair is None]
        if missing:
            names = (f"{prefix}_ACCESS_KEY and {prefix}_SECRET_KEY" for prefix in missing)
            raise ConfigurationError(f"keys are missing: set {', '.join(names)}")
        served = _by_region(base_urls.items(), str) if base_urls else {}
        for region in keys:
            if region not in served:
                settings.refuse_shared_server(region)
        return cls(cast("dict[Region, Credentials]", keys), base_urls=base_urls, **options)

    @classmethod
    @hide_arguments
    def of(cls, *clients: UpbitClient) -> Self:
        """Combine existing clients, one for each region; `aclose` closes them too.

        Args:
            clients: The clients.

        Raises:
            TypeError: An argument is not a client.
            ValueError: There is no client, or two of one region.

        Example:
            .. code-block:: python

                regions = UpbitRegions.of(sandboxes["sg"].client(), sandboxes["th"].client())
                assert list(regions) == ["sg", "th"]
        """
        for client in clients:
            if not hasattr(client, "region"):
                raise TypeError(f"clients must be of type UpbitClient, got {type(client).__name__}")
        regions = object.__new__(cls)
        regions._clients = _by_region(((client.region, client) for client in clients), UpbitClient)
        return regions

    @hide_arguments
    def __getitem__(self, region: Region | str) -> UpbitClient:
        try:
            return self._clients[settings.region_of(region)]
        except ValueError as problem:
            raise KeyError(str(problem)) from None

    def __iter__(self) -> Iterator[Region]:
        return iter(self._clients)

    def __len__(self) -> int:
        return len(self._clients)

    def __repr__(self) -> str:
        if not hasattr(self, "_clients"):  # as in `UpbitClient`
            return "<UpbitRegions (not initialized)>"
        return f"<UpbitRegions {', '.join(self)}>"

    async def map(
        self,
        call: Callable[[UpbitClient], Awaitable[T]],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a limit for each region, which must not end the others
    ) -> RegionOutcomes[T]:
        """Make one call in all regions concurrently.

        Every region is in `ok` or in `errors` of the result. `errors` has, by region:

        - an `UpbitError` that the call raised;
        - `RegionErrors`, if the call raised an `ExceptionGroup` of such errors;
        - a `PollTimeout`, if the call did not finish within `timeout`, whether or not it polls;
        - an `UpbitError`, if the call was cancelled, but not by a cancellation of `map`.

        Any other exception is raised and cancels the other calls.

        Args:
            call: A function of a client that makes the call.
            timeout: Time limit for each region, in seconds; None for no limit. A withdrawal that is in flight by then
                is finished first, and logged.

        Raises:
            TypeError: The timeout is not a number.
            ValueError: The timeout is negative or NaN.

        Example:
            .. code-block:: python

                outcomes = await regions.map(lambda client: client.accounts.list(), timeout=10)
                for region, balances in outcomes.ok.items():
                    print(region, len(balances))
        """
        # Only here, because it imports asyncio.
        from upbit_async.concurrency import open_task_group  # noqa: PLC0415

        seconds = inputs.timeout("timeout", timeout)
        ok: dict[Region, T] = {}
        errors: dict[Region, UpbitError] = {}

        async def ask(region: Region, client: UpbitClient) -> None:
            try:
                with anyio.move_on_after(seconds):
                    ok[region] = await call(client)
                    return
                errors[region] = _late(region, seconds)
            except UpbitError as error:
                errors[region] = error
            except ExceptionGroup as group:
                if group.split(UpbitError)[1] is not None:
                    raise
                errors[region] = _several(region, cast("ExceptionGroup[UpbitError]", group))
            except anyio.get_cancelled_exc_class() as cancellation:
                if anyio.current_effective_deadline() == -math.inf:
                    raise  # `map` itself is cancelled
                errors[region] = _cancelled(region, cancellation)

        async with open_task_group() as group:
            for region, client in self.items():
                group.start_soon(ask, region, client)
        failed = {region: errors[region] for region in self if region in errors}
        return RegionOutcomes({region: ok[region] for region in self if region in ok}, failed)

    def watch(self, pollers: Iterable[TransferPoller[R]]) -> RegionChanges[R]:
        """Iterate over the changes of many transfers, each with its region, until all transfers have ended.

        Each change is yielded once, and those of one transfer in order. A wait that fails does not affect the others:
        after the last change, the iterator raises an `ExceptionGroup` of all errors, each with its ``resume_token``.
        Delivery of a change may lag by a second, also in one region, and by more while polls take longer than that.

        Args:
            pollers: Pollers of these clients; equal pollers are watched once.

        Raises:
            TypeError: An argument is not a poller.
            ValueError: A poller belongs to another region or host.

        Example:
            .. code-block:: python

                pollers = [
                    await regions[region].withdraws.send(
                        currency="USDT",
                        net_type="TRX",
                        amount="13",
                        address="TFakeTronWithdrawAddressFakeFakeFa",
                    )
                    for region in ("sg", "th")
                ]
                async for region, change in regions.watch(pollers):
                    print(region, change.record.uuid, change.state)
        """
        # Imported here, because polling is half of the library.
        from upbit_async.polling import RegionChanges, TransferPoller  # noqa: PLC0415

        chosen = tuple(dict.fromkeys(pollers))
        for poller in chosen:
            if not isinstance(poller, TransferPoller):
                raise TypeError(f"pollers must be of type TransferPoller, got {type(poller).__name__}")
            if poller.region not in self or self[poller.region].host != poller.host:
                raise ValueError(f"{poller!r} belongs to none of the clients for {', '.join(self)}")
        return RegionChanges(chosen)

    async def aclose(self) -> None:
        """Close all clients, even if one can't be closed."""
        async with AsyncExitStack() as closing:
            for client in self.values():
                closing.push_async_callback(client.aclose)

    async def __aenter__(self) -> Self:
        """Return the clients; nothing is sent."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all clients."""
        await self.aclose()


@attrs.frozen
class RegionOutcomes(Generic[T]):
    """Outcomes of one call in several regions: each region is in `ok` or in `errors`, in the order of the regions.

    Attributes:
        ok: The results by region.
        errors: The errors by region.

    Example:
        .. code-block:: python

            outcomes = await regions.map(lambda client: client.status.wallet("USDT", "TRX"))
            for region, error in outcomes.errors.items():
                print(region, error)
            wallets = outcomes.unwrap()
    """

    ok: Mapping[Region, T]
    errors: Mapping[Region, UpbitError]

    def unwrap(self) -> Mapping[Region, T]:
        """Return `ok`, or raise an `ExceptionGroup` of all `errors` if there are any."""
        if self.errors:
            raise ExceptionGroup(f"the call failed in {', '.join(self.errors)}", [*self.errors.values()])
        return self.ok


class RegionErrors(UpbitError, ExceptionGroup[UpbitError]):
    """Several errors of one region: its call raised a group, as a task group does. Handle each of its `exceptions`.

    Attributes:
        exceptions: The errors as the call raised them.
        may_have_executed: Whether one of the errors has it set.
    """

    def __new__(cls, text: str, exceptions: Sequence[UpbitError | ExceptionGroup[UpbitError]]) -> Self:
        """Create the group, which can't be empty."""
        return ExceptionGroup.__new__(cls, text, exceptions)

    def __init__(self, text: str, exceptions: Sequence[UpbitError | ExceptionGroup[UpbitError]]) -> None:
        super().__init__(text, may_have_executed=any(each.may_have_executed for each in _leaves(exceptions)))

    def __copy__(self) -> Self:
        return self._twin(self.exceptions)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._twin(copy.deepcopy(self.exceptions, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.exceptions), dict(self.__dict__)

    def _twin(self, exceptions: Sequence[UpbitError | ExceptionGroup[UpbitError]]) -> Self:
        twin = type(self)(self.message, exceptions)
        twin.__dict__.update(self.__dict__)
        return twin


def _by_region(pairs: Iterable[tuple[Region | str, T]], kind: type[T]) -> dict[Region, T]:
    found: dict[Region, T] = {}
    for name, value in pairs:
        region = settings.region_of(name)
        if region in found:
            raise ValueError(f"regions must be unique, got {region} twice")
        if not isinstance(value, kind):
            raise TypeError(
                f"the value for {region} must be of type {kind.__name__}, got {type(value).__name__}"
            )
        found[region] = value
    if not found:
        raise ValueError("at least one region is needed")
    return found


def _base_url(region: Region, given: Mapping[Region, str]) -> str:
    if region in given:
        return given[region]
    if (variable := settings.shared_server_variable(region)) is not None:
        raise ConfigurationError(
            f"{variable} is set, but one server can't serve several regions: unset it, set "
            f"UPBIT_{region.upper()}_BASE_URL, or pass base_urls with one for {region} too"
        )
    return settings.base_url_for(region, None)


def _leaves(errors: Iterable[UpbitError | ExceptionGroup[UpbitError]]) -> Iterator[UpbitError]:
    for error in errors:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error.exceptions)
        else:
            yield error


def _late(region: Region, seconds: float) -> PollTimeout:
    error = PollTimeout(
        f"the call in {region} did not finish within {seconds:g} s; Upbit may have executed its requests: check "
        "their effects before you repeat a request that must not happen twice"
    )
    error.may_have_executed = True
    return error


def _several(region: Region, group: ExceptionGroup[UpbitError]) -> RegionErrors:
    count = sum(1 for _ in _leaves(group.exceptions))
    return RegionErrors(f"the call in {region} raised a group of errors: {count}", group.exceptions)


def _cancelled(region: Region, cancellation: BaseException) -> UpbitError:
    return UpbitError(
        f"the call in {region} ended in {type(cancellation).__name__}, but was not cancelled itself: a future or "
        "task that it waited for was; Upbit may have executed its requests: check their effects before you repeat "
        "a request that must not happen twice",
        may_have_executed=True,
    )
