"""Preflight and reconciliation, as the withdrawal tutorial describes them.

What is read before money moves, and what is read after an answer was lost. See https://global-docs.upbit.com/docs/digital-asset-withdrawal.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

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
from upbit_async.polling import is_permanent
from upbit_async.protocol.endpoints import (
    GET_WITHDRAWAL_CHANCE,
    LIST_WALLETS,
    LIST_WITHDRAWAL_ADDRESSES,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection

    from upbit_async.models import Intent, Withdrawal, WithdrawalChance
    from upbit_async.protocol.endpoint import Transport

__all__ = ["preflight", "reconcile"]

CLOCK_SLACK = dt.timedelta(minutes=10)
"""By how much Upbit's clock may be behind ours."""
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 10.0


async def preflight(transport: Transport, request: PreflightRequest) -> Preflight:
    """Read the address, the wallet and the limits, and judge them.

    Raises:
        PreflightFailed: Something stands in the way; all of it is told.
        UpbitError: Something could not be read.
    """
    addresses = await transport.call(LIST_WITHDRAWAL_ADDRESSES)
    wallets = await transport.call(LIST_WALLETS)
    chance, refusal = await _chance(transport, request)
    result = judge(
        request,
        region=transport.region,
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


async def _chance(transport: Transport, request: PreflightRequest) -> tuple[WithdrawalChance | None, str]:
    """Return the limits; or None, and why Upbit does not tell them, if it does not know such a thing."""
    try:
        asked = {"currency": request.currency, "net_type": request.net_type}
        return await transport.call(GET_WITHDRAWAL_CHANCE, asked), ""
    except (NotFound, ValidationError) as refusal:
        return None, _reason(refusal)


def _reason(refusal: APIError) -> str:
    return f"{refusal.name or refusal.status} {refusal.message}".strip()


async def reconcile(
    intent: Intent,
    newest: Callable[[str], AsyncGenerator[Withdrawal, None]],
    *,
    others: Callable[[], Collection[str]],
    timeout: float,  # noqa: ASYNC109 - it ends with one last look
) -> Reconciliation:
    """Look for the withdrawal until one, or several, with exactly this amount are found, or the time is over.

    Args:
        intent: What the lost request meant to do.
        newest: Walks through the withdrawals of a currency, newest first.
        others: Tells the withdrawals that are known to be others; there may be more at every look.
        timeout: How long to look before saying ``not_found``, or ``ambiguous`` of what differs by exactly its
            fee, in seconds.

    Raises:
        UpbitError: The last look failed, or looking is hopeless, so nothing can be said.
    """
    deadline = anyio.current_time() + timeout
    waits = backoff(_FIRST_WAIT, _LONGEST_WAIT)
    while True:
        last = anyio.current_time() >= deadline
        try:
            rows = await _rows_since(intent, newest)
        except UpbitError as error:
            if last or is_permanent(error):
                raise
        else:
            result = conclude(intent, matches(intent, rows, known_uuids=others(), slack=CLOCK_SLACK))
            # What fits but for the fee is told only if no better one turns up in time.
            if last or any(row.amount == intent.amount for row in result.candidates):
                return result
        await anyio.sleep(max(0.0, min(next(waits), deadline - anyio.current_time())))


async def _rows_since(
    intent: Intent, newest: Callable[[str], AsyncGenerator[Withdrawal, None]]
) -> list[Withdrawal]:
    """Return the withdrawals of the intent's currency back to its time."""
    rows: list[Withdrawal] = []
    async with contextlib.aclosing(newest(intent.currency or "")) as walk:
        async for row in walk:
            if row.created_at is not None and row.created_at < intent.started_at - CLOCK_SLACK:
                break
            rows.append(row)
    return rows
