"""Preflight and reconciliation of withdrawals, as Upbit's withdrawal tutorial describes them.

See https://global-docs.upbit.com/docs/digital-asset-withdrawal.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio

from upbit_async.checks import (
    Preflight,
    PreflightRequest,
    Reconciliation,
    conclude,
    judge,
    matches,
)
from upbit_async.concurrency import backoff
from upbit_async.errors import APIError, NotFound, PreflightFailed, UpbitError, ValidationError
from upbit_async.models.intent import shortened
from upbit_async.polling import ends_waits
from upbit_async.protocol.endpoints import (
    GET_WITHDRAWAL_CHANCE,
    LIST_WALLETS,
    LIST_WITHDRAWAL_ADDRESSES,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection

    from upbit_async.models import Intent, Withdrawal, WithdrawalChance
    from upbit_async.protocol.endpoint import Endpoint, Params
    from upbit_async.region import Region

__all__ = ["Reader", "preflight", "reconcile"]

T = TypeVar("T")

CLOCK_SLACK = dt.timedelta(minutes=10)
"""Largest difference between Upbit's clock and this machine's that the search allows for."""
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 10.0


class Reader(Protocol):
    """What a preflight needs of a `Transport`."""

    @property
    def region(self) -> Region:
        """Region of the client."""
        ...

    async def call(self, endpoint: Endpoint[T], params: Params | None = None) -> T:
        """Send one request, and return the decoded answer."""
        ...


async def preflight(reader: Reader, request: PreflightRequest) -> Preflight:
    """Read the addresses, the wallets and the limits, and check a withdrawal against them.

    Raises:
        PreflightFailed: At least one check failed; the error has all reasons.
        UpbitError: A request failed.
    """
    addresses = await reader.call(LIST_WITHDRAWAL_ADDRESSES)
    wallets = await reader.call(LIST_WALLETS)
    chance, refusal = await _chance(reader, request)
    result = judge(
        request,
        region=reader.region,
        addresses=addresses,
        wallets=wallets,
        chance=chance,
        chance_refusal=refusal,
    )
    if not result.ok:
        where = f" to {shortened(request.address)}" if request.address else ""
        raise PreflightFailed(
            f"withdrawal of {result.amount:f} {request.currency} on {request.net_type}{where} was not tried",
            reasons=result.reasons,
        )
    return result


async def _chance(reader: Reader, request: PreflightRequest) -> tuple[WithdrawalChance | None, str]:
    """Return the limits; or None and Upbit's reason, if it knows no such currency or network."""
    try:
        asked = {"currency": request.currency, "net_type": request.net_type}
        return await reader.call(GET_WITHDRAWAL_CHANCE, asked), ""
    except (NotFound, ValidationError) as refusal:
        return None, _reason(refusal)


def _reason(refusal: APIError) -> str:
    return f"{refusal.name or refusal.status} {refusal.message}".strip()


async def reconcile(
    intent: Intent,
    newest: Callable[[str], AsyncGenerator[Withdrawal, None]],
    *,
    others: Callable[[], Collection[str]],
    timeout: float,  # noqa: ASYNC109 - it ends with one last poll
) -> Reconciliation:
    """Poll the withdrawals until one or several have exactly the intended amount, or the time is over.

    Args:
        intent: Intent of the lost request.
        newest: Function that iterates over the withdrawals of a currency, newest first.
        others: Function that returns the ids of withdrawals known to be others; called at every poll.
        timeout: Timeout in seconds. Only then the result is ``not_found``, or ``ambiguous`` for a withdrawal whose
            amount differs by exactly its fee.

    Raises:
        UpbitError: The last poll failed, or polling again can't help.
    """
    deadline = anyio.current_time() + timeout
    waits = backoff(_FIRST_WAIT, _LONGEST_WAIT)
    while True:
        last = anyio.current_time() >= deadline
        try:
            rows = await _rows_since(intent, newest)
        except UpbitError as error:
            if last or ends_waits(error):
                raise
        else:
            result = conclude(intent, matches(intent, rows, known_uuids=others(), slack=CLOCK_SLACK))
            # A match that differs by its fee is returned only if no exact one appears in time.
            if last or any(row.amount == intent.amount for row in result.candidates):
                return result
        await anyio.sleep(max(0.0, min(next(waits), deadline - anyio.current_time())))


async def _rows_since(
    intent: Intent, newest: Callable[[str], AsyncGenerator[Withdrawal, None]]
) -> list[Withdrawal]:
    """Return the withdrawals of the intent's currency since its time."""
    rows: list[Withdrawal] = []
    async with contextlib.aclosing(newest(intent.currency or "")) as walk:
        async for row in walk:
            if row.created_at is not None and row.created_at < intent.started_at - CLOCK_SLACK:
                break
            rows.append(row)
    return rows
