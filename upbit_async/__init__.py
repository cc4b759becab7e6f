"""An asyncio client for the Upbit exchange that never pays twice, never jams and never loses track.

Example:
    .. code-block:: python

        from upbit_async import UpbitClient

        async with UpbitClient("sg") as client:
            poller = await client.withdraws.send(
                currency="USDT", net_type="TRX", amount="13", exchange_name="Binance"
            )
            done = await poller.result(timeout=3600)

Importing the package is cheap: each name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from upbit_async._version import VERSION

if TYPE_CHECKING:
    from upbit_async import errors, events, models
    from upbit_async.checks import Preflight, Reconciliation
    from upbit_async.client import UpbitClient
    from upbit_async.credentials import Credentials
    from upbit_async.events import Observer
    from upbit_async.multi_region import RegionOutcomes, UpbitRegions
    from upbit_async.policy import PollSchedule, RetryPolicy, Safety, Timeouts
    from upbit_async.polling import DepositPoller, StateChange, WithdrawalPoller
    from upbit_async.region import Region
    from upbit_async.transport.limiter import LocalLimiter, NoLimiter, RateLimiter, Ticket

__all__ = [
    "Credentials",
    "DepositPoller",
    "LocalLimiter",
    "NoLimiter",
    "Observer",
    "PollSchedule",
    "Preflight",
    "RateLimiter",
    "Reconciliation",
    "Region",
    "RegionOutcomes",
    "RetryPolicy",
    "Safety",
    "StateChange",
    "Ticket",
    "Timeouts",
    "UpbitClient",
    "UpbitRegions",
    "WithdrawalPoller",
    "__version__",
    "errors",
    "events",
    "models",
]

__version__ = VERSION

_HOMES = {
    "Credentials": "credentials",
    "DepositPoller": "polling",
    "LocalLimiter": "transport.limiter",
    "NoLimiter": "transport.limiter",
    "Observer": "events",
    "PollSchedule": "policy",
    "Preflight": "checks",
    "RateLimiter": "transport.limiter",
    "Reconciliation": "checks",
    "Region": "region",
    "RegionOutcomes": "multi_region",
    "RetryPolicy": "policy",
    "Safety": "policy",
    "StateChange": "polling",
    "Ticket": "transport.limiter",
    "Timeouts": "policy",
    "UpbitClient": "client",
    "UpbitRegions": "multi_region",
    "WithdrawalPoller": "polling",
}
_ROOMS = frozenset({"errors", "events", "models"})


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"upbit_async.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'upbit_async' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"upbit_async.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
