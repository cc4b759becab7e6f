"""The library's own `Payouts`, whose journal, transport and clock are calls to the model."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import attrs
from internals import driver_of, name_sender, settler_of

from explorer.replay import call, peek, replaying, summarised, waiting
from upbit_async import UpbitClient
from upbit_async.errors import NotSent
from upbit_async.payouts import AmountLimit, Payouts, PayoutState, baseline, send_attempt, sending
from upbit_async.payouts.departure import UNCONDITIONAL, DepartureConditions
from upbit_async.payouts.journal_time import JournalTime
from upbit_async.payouts.repository import PayoutRepository
from upbit_async.payouts.settling import Settler
from upbit_async.payouts.unowned import UnownedCheck
from upbit_async.policy import RetryPolicy, Timeouts
from upbit_async.protocol.endpoint import PAGE_SIZE
from upbit_async.protocol.rows import ReadableRows
from upbit_async.region import Region
from upbit_async.resources.known_withdrawals import KnownWithdrawals

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Generator, Sequence

    from upbit_async.models import Withdrawal
    from upbit_async.payouts import Payout

__all__ = ["EPOCH", "LEASE", "SETTLING_TIME", "Process", "ServiceOptions", "replaced"]

EPOCH = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
"""The present, UTC: times are relative to it, so it never changes."""
SETTLING_TIME = 8.0
TIMEOUT = 6.0
LEASE = 1.5 * TIMEOUT
CURRENCY, NETWORK = "USDT", "TRX"


@attrs.frozen
class ServiceOptions:
    """Options of `Payouts`, and the process that uses it.

    Attributes:
        name: Name of the process.
        nonce: Nonce of its next first copy.
        per_day: Limit of the amounts per day; None for none.
        skew: Error of the process's time of day, in seconds.
    """

    name: str
    nonce: str = ""
    per_day: str | None = None
    skew: float = 0.0


class ModelJournal:
    """Journal whose methods are calls to the model."""

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def method(*args: Any) -> Any:
            return await call(name, *args)

        return method

    async def bind(self, host: str, region: str) -> None:
        """Do nothing: there is one host."""

    async def compare_and_swap(
        self, old: Payout, new: Payout, conditions: DepartureConditions = UNCONDITIONAL
    ) -> Payout:
        """Call the model with the departure's conditions, also if there are none."""
        swapped: Payout = await call("compare_and_swap", old, new, conditions)
        return swapped

    async def related(self, currency: str, uuids: Collection[str]) -> Any:
        """Call the model with the ids in a fixed order."""
        return await call("related", currency, tuple(sorted(uuids)))

    async def reconcile(
        self, currency: str, unowned: Sequence[Withdrawal], *, old_mark: Any, new_mark: Any, **_: object
    ) -> None:
        """Call the model without the times, which change nothing but reports."""
        await call("reconcile", currency, tuple(unowned), old_mark, new_mark)

    async def unreported(self, *_: object) -> Sequence[Withdrawal]:
        """Report nothing: that changes no payout."""
        return ()


class ModelTransport:
    """Transport that lists withdrawals and sends requests by calls to the model."""

    region = Region.SG
    host = "model"
    timeouts = Timeouts(total=TIMEOUT)
    retry = RetryPolicy(attempts=1)
    algorithm = "HS256"
    fingerprint = key_digest = "access key"
    can_stop_requests = bounds_connections = True

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key that all processes share."""
        return purpose

    def emit(self, _event: object) -> None:
        """Observe nothing."""

    async def call(self, _endpoint: object, params: Any = None, *, guard: Any = None) -> Any:
        """List withdrawals, or send a guarded request: record, check, first byte, answer."""
        if guard is None:
            rows = await call("list", params["currency"], params["to"])
            return ReadableRows(list(rows))
        signing = await guard.record_departure()
        if not await guard.may_send():
            raise NotSent("the guard has stopped the request")
        await call("first_byte", signing.nonce, tuple(params.items()))
        return await call("answer")


class ModelClient(UpbitClient):
    """Client over a `ModelTransport`."""

    def __init__(self) -> None:
        async def get(uuid: str) -> Any:
            return await call("withdrawal", uuid)

        self._transport = cast("Any", ModelTransport())
        self._known = KnownWithdrawals()

        def offer(_records: object, *, began: float) -> None:
            """Ignore records: nothing is polled."""

        def poller(uuid: str, **_: object) -> SimpleNamespace:
            async def wait(**_: object) -> Any:
                return await get(uuid)

            return SimpleNamespace(wait=wait)

        watcher = SimpleNamespace(offer=offer)
        self.withdraws = cast("Any", SimpleNamespace(get=get, watcher=watcher, poller=poller))


class Process:
    """Coroutines of one process: what `Payouts.run` does with a payout, and the methods that people call.

    Args:
        options: Options of the process.
    """

    def __init__(self, options: ServiceOptions) -> None:
        self._options = options
        limits = [] if options.per_day is None else [AmountLimit(CURRENCY, per_day=options.per_day)]
        self.payouts = Payouts(
            ModelClient(),
            cast("Any", ModelJournal()),
            settling_time=SETTLING_TIME,
            check=False,
            amount_limits=limits,
            clock=self._clock,
        )
        self._driver, self._settler = driver_of(self.payouts), settler_of(self.payouts)

    def _clock(self) -> dt.datetime:
        """Return the time of day that belongs to the next reading of the journal's clock."""
        reading = peek()
        seconds = reading.seconds if isinstance(reading, JournalTime) else 0.0
        return EPOCH + dt.timedelta(seconds=seconds + self._options.skew)

    def start(self, name: str, *arguments: Any) -> Coroutine[Any, Any, Any]:
        """Start an operation: a method of this class or of `Payouts`, by its name."""
        name_sender(self.payouts, self._options.name)
        _nonce.value = self._options.nonce
        method = getattr(self, name, None) or getattr(self.payouts, name)
        coroutine: Coroutine[Any, Any, Any] = method(*arguments)
        return coroutine

    async def drive(self, key: str) -> Payout:
        """Send a queued payout, as `run` does."""
        return await self._driver.drive(key, waits=False)

    async def settle(self, key: str) -> Payout:
        """Settle a payout whose answer is lost, and before it those that it waits for, as `run` does."""
        return await self._settler.settle(key)

    async def compare(self, key: str) -> Payout:
        """Compare a payout that was not sent, was abandoned or needs review with Upbit's list once more."""
        payout = await self._settler.expire(key)
        if payout.state is PayoutState.NEEDS_REVIEW:
            return await self._settler.reconsider(payout)
        return await self._settler.read_again(payout, -math.inf)

    async def follow(self, key: str) -> Payout:
        """Record that the withdrawal of an accepted payout has ended."""
        return await self._driver.finish(await self._settler.expire(key))

    async def enqueue(self, key: str, amount: str) -> Payout:
        """Ask for a payout."""
        return await self.payouts.enqueue(
            key,
            currency=CURRENCY,
            net_type=NETWORK,
            amount=amount,
            address="TFakeTronWithdrawAddressFakeFakeFa",
        )

    async def resolve_as(self, key: str, uuid: str) -> Payout:
        """Record which withdrawal a payout is."""
        return await self.payouts.resolve(key, uuid=uuid)

    async def resolve_as_not_sent(self, key: str) -> Payout:
        """Record that Upbit does not have a payout."""
        return await self.payouts.resolve(key, not_sent=True)

    async def retry_with_new_nonce(self, key: str) -> Payout:
        """Release a payout to be sent with a new nonce."""
        return await self.payouts.retry(key, new_nonce=True)

    async def abandon(self, key: str) -> Payout:
        """Abandon a payout, also right after a copy was sent."""
        return await self.payouts.abandon(key, force=True)


_nonce = SimpleNamespace(value="")
_SUMMARISED = (
    (UnownedCheck, "check_and_take_baseline"),
    (Settler, "expire"),
    (Settler, "read_again"),
    (Settler, "wait_until_all_settled"),
    (PayoutRepository, "conclude"),
    (PayoutRepository, "fee_convention"),
)


@contextlib.contextmanager
def replaced(*, page_size: int = PAGE_SIZE) -> Generator[None]:
    """Replace what the library needs an event loop, randomness or a log for, and shorten the records.

    Args:
        page_size: Number of withdrawals on a page of the list.
    """
    disabled = logging.root.manager.disable
    with replaying(), contextlib.ExitStack() as stack:
        uuids = SimpleNamespace(uuid4=lambda: _nonce.value)
        stack.enter_context(mock.patch.object(send_attempt, "uuid", uuids))
        stack.enter_context(mock.patch.object(sending, "os", SimpleNamespace(getpid=lambda: 1)))
        stack.enter_context(mock.patch.object(baseline, "PAGE_SIZE", page_size))
        wait = waiting(Settler.wait_until_settled)
        stack.enter_context(mock.patch.object(Settler, "wait_until_settled", wait))
        for owner, name in _SUMMARISED:
            stack.enter_context(mock.patch.object(owner, name, summarised(getattr(owner, name))))
        logging.disable()
        try:
            yield
        finally:
            logging.disable(disabled)
