"""Several regions side by side, each with a client, keys and a host of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Self, TypedDict, TypeVar, Unpack, cast

import anyio
import anyio.lowlevel
import attrs

from upbit_async import settings
from upbit_async.client import UpbitClient
from upbit_async.credentials import Credentials
from upbit_async.errors import ConfigurationError, UpbitError
from upbit_async.polling import StateChange, TransferPoller
from upbit_async.polling.progress import Transfer
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from anyio.abc import TaskGroup

    from upbit_async.events import Observer
    from upbit_async.policy import PollSchedule, RetryPolicy, Timeouts
    from upbit_async.polling.subscription import Subscription

__all__ = ["CommonOptions", "RegionChanges", "RegionOutcomes", "UpbitRegions"]

PATIENCE: Final = 1.0
"""For how many seconds a region's look is left alone although another region has something to tell."""

K = TypeVar("K", bound=str)
R = TypeVar("R", bound=Transfer)
T = TypeVar("T")


class CommonOptions(TypedDict, total=False):
    """The options of `UpbitClient` that are the same for all regions."""

    retry: RetryPolicy
    timeouts: Timeouts
    poll: PollSchedule
    observer: Observer
    algorithm: Literal["HS256", "HS512"]


@attrs.frozen
class RegionOutcomes(Generic[T]):
    """What a call came to: each region is in one of the two, in the order of the regions.

    Attributes:
        ok: What the call returned, where it did.
        errors: Why it failed, where it did.
    """

    ok: Mapping[Region, T]
    errors: Mapping[Region, UpbitError]

    def unwrap(self) -> Mapping[Region, T]:
        """Return `ok`, or raise an `ExceptionGroup` of all `errors` if there are any."""
        if self.errors:
            raise ExceptionGroup(f"the call failed in {', '.join(self.errors)}", list(self.errors.values()))
        return self.ok


class UpbitRegions(Mapping[Region, UpbitClient]):
    """Clients by region: ``regions["sg"]`` is one. Use it as an async context manager, or call `aclose`.

    Args:
        credentials: Each region's keys, such as ``{"sg": Credentials(…), "th": Credentials(…)}``.
        base_urls: Other servers, such as sandboxes, by region. The environment's ``UPBIT_BASE_URL`` is not
            followed, since it would bring all keys to one server; and it is not passed over either, since
            whoever has set it does not mean Upbit's own servers. If it is set, name every region here.
        options: ``retry``, ``timeouts``, ``poll``, ``observer`` and ``algorithm``, as for `UpbitClient`.

    Raises:
        ConfigurationError: A base URL would send keys in the open, or only the environment names one.
        TypeError: Something is of the wrong type.
        ValueError: There is no region, no such region, or the same one twice.
    """

    def __init__(
        self,
        credentials: Mapping[K, Credentials],
        *,
        base_urls: Mapping[K, str] | None = None,
        **options: Unpack[CommonOptions],
    ) -> None:
        keys, urls = _by_region(credentials.items()), _by_region((base_urls or {}).items(), least=0)
        if not urls.keys() <= keys.keys():
            raise ValueError(f"base_urls is for {', '.join(urls)}, but there are keys for {', '.join(keys)}")
        for region, pair in keys.items():
            if not isinstance(pair, Credentials):  # without them the client would read any region's
                raise TypeError(f"the keys for {region} are Credentials, not {type(pair).__name__}")
            urls.setdefault(region, region.base_url if _is_own(region) else "")
        self._clients = {
            region: UpbitClient(region, credentials=pair, base_url=urls[region], **options)
            for region, pair in keys.items()
        }

    @classmethod
    def from_env(
        cls,
        *regions: Region | str,
        base_urls: Mapping[str, str] | None = None,
        **options: Unpack[CommonOptions],
    ) -> Self:
        """Read each region's own names, and no others: one key never goes to several servers.

        Args:
            regions: The regions; for ``sg`` it is ``UPBIT_SG_ACCESS_KEY`` and ``UPBIT_SG_SECRET_KEY``.
            base_urls: As for the class.
            options: As for the class.

        Raises:
            ConfigurationError: Keys are missing; the variables are named. And as for the class.
            ValueError: As for the class.
        """
