"""Users of a simulated service: each requests one payment from any worker that runs, until it is accepted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from determinism import time_of_day
from rest import waits_for_a_decision
from simulated_loop import Crashed

from upbit_async.errors import UpbitError
from upbit_async.payouts import Payout, PayoutState

if TYPE_CHECKING:
    from scenario import Order
    from workers import Worker
    from world import World

__all__ = ["call_for", "request_payment"]

_PATIENCE: Final = 40.0
"""Time after which a user asks another worker, in seconds."""
_PAUSES: Final = (0.5, 3.0, 10.0)
_LONG_PAUSE: Final = 30.0
"""Time until a user requests a payment again that waits for a decision, in seconds."""


async def request_payment(world: World, order: Order) -> None:
    """Request a payment, and repeat that until a worker has accepted or sent it."""
    await anyio.sleep_until(order.at)
    while not await _request(world, order):
        is_held_up = waits_for_a_decision(world.held_up.get(order.key), world.journal.payouts)
        await anyio.sleep(_LONG_PAUSE if is_held_up else world.chance.choice(_PAUSES))


async def _request(world: World, order: Order) -> bool:
    """Request a payment once; return whether the user may forget about it."""
    if not world.serving:
        await anyio.sleep_until(world.next_start())
        return False
    worker = world.chance.choice(world.serving)
    world.held_up.pop(order.key, None)
    payout: Payout | None = None
    try:
        with anyio.move_on_after(_PATIENCE):
            payout = await worker.process.call(partial(call_for, worker, order))
    except (Crashed, UpbitError) as error:
        if isinstance(error, UpbitError):
            world.held_up[order.key] = error
        world.log.add(f"the user of {order.key} gets {type(error).__name__}: {error}")
        return False
    if payout is None:
        world.log.add(f"the user of {order.key} gets no answer")
        return False
    world.log.add(f"the user of {order.key} gets {payout.state}")
    return payout.state is not PayoutState.PLANNED


async def call_for(worker: Worker, order: Order) -> Payout:
    """Call the method that requests a payment."""
    payment: dict[str, Any] = {
        "currency": order.currency,
        "net_type": order.net_type,
        "amount": order.amount,
        "address": order.address,
    }
    if order.deadline is not None:
        return await worker.payouts.send(order.key, **payment, timeout=order.deadline)
    not_after = None if order.not_after is None else time_of_day(order.not_after)
    return await worker.payouts.enqueue(order.key, **payment, not_after=not_after)
