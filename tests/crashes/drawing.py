"""Draws schedules from a seed: the payments, the faults meanwhile, the kills of the payers, and operators."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import attrs
from schedules import (
    PAY,
    SKEW,
    Abandonment,
    Invoice,
    Kill,
    Moment,
    Pause,
    Retry,
    Schedule,
    Stop,
    Style,
)

from upbit_async.sandbox import Fault, Knobs, Transitions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["draw"]

_SERVICES: Final = 0.65
"""Share of the schedules in which services pay."""


def draw(seed: int) -> Schedule:
    """Draw a schedule. Later additions have separate random generators, so that the other draws stay the same."""
    schedule = _draw_plain(seed)
    late = Random(f"list lag of {seed}")
    if late.random() < 0.15:
        lost = Fault.lose_answer("POST", PAY, how=late.choice(_ENDINGS), skip=late.randint(0, 3), times=2)
        schedule = attrs.evolve(
            schedule,
            knobs=attrs.evolve(schedule.knobs, list_delay=late.choice((1.0, 2.5, 3.5, 5.0))),
            faults=(*schedule.faults, lost),
        )
    schedule = attrs.evolve(
        schedule,
        later=tuple(
            _LATER[each] for each in sorted({"USDT", *(each.currency for each in schedule.invoices)})
        ),
        abandonments=_abandonments(Random(f"abandonments of {seed}"), schedule.invoices),
        stop=_stop(Random(f"stop of {seed}")),
        skews=_skews(Random(f"skews of {seed}")),
    )
    schedule = _operated(_served(schedule, Random(f"service of {seed}")), Random(f"operation of {seed}"))
    if schedule.broken:  # then only the nonce prevents a second payment
        schedule = attrs.evolve(schedule, knobs=attrs.evolve(schedule.knobs, nonce_memory=None))
    return schedule


def _served(schedule: Schedule, chance: Random) -> Schedule:
    """Let two services pay in most schedules, instead of callers of ``send``."""
    if chance.random() >= _SERVICES:
        return schedule
    kills = schedule.kills
    if len(kills) == 1:
        kills = (*kills, tuple(_kill(chance) for _ in range(chance.randint(0, 2))))
    style = attrs.evolve(schedule.style, runs=True, life=chance.choice((None, None, 1.0, 2.0)))
    return attrs.evolve(schedule, style=style, kills=kills)


def _operated(schedule: Schedule, chance: Random) -> Schedule:
    """Add an operator who pauses and retries, a limit, and a process that follows the changes."""
    retries = [
        Retry(key=invoice.key, seconds=chance.uniform(0, 4))
        for invoice in schedule.invoices
        if chance.random() < 0.3
    ]
    pauses = [
        Pause(seconds=chance.uniform(0, 1.5), length=chance.choice((0.05, 0.3, 1.0)))
        for _ in range(chance.choice((0, 0, 1, 1, 2)))
    ]
    kills = [chance.uniform(0.1, 2.0) for _ in range(chance.randint(0, 3))]
    return attrs.evolve(
        schedule,
        retries=tuple(retries) if chance.random() < 0.3 else (),
        pauses=tuple(pauses),
        per_day=chance.choice(("27", "40", "55")) if chance.random() < 0.15 else None,
        follower_kills=tuple(kills) if chance.random() < 0.3 else None,
    )


def _draw_plain(seed: int) -> Schedule:
    chance = Random(seed)
    two_at_once = chance.random() < 0.2
    return Schedule(
        seed=seed,
        earlier=_EARLIER if chance.random() < 0.8 else None,
        invoices=_invoices(chance, seed),
        style=Style(
            wait=chance.random() < 0.7,
            resends=chance.random() < 0.3,
            stagger=chance.choice((0.0, 0.0, 0.02, 0.1)),
            jobs=Random(f"jobs of {seed}").random()
            < 0.3,  # drawn separately, so that the rest stays the same
        ),
        kills=tuple(
            tuple(_kill(chance) for _ in range(chance.randint(1, 2 if two_at_once else 4)))
            for _ in range(1 + two_at_once)
        ),
        faults=tuple(_fault(chance) for _ in range(chance.choice((0, 1, 2, 2, 3, 4, 6)))),
        knobs=_knobs(chance),
        transitions=_transitions(chance),
        limits=chance.random() < 0.7,
        strangers=(chance.uniform(0, 1.5),) if chance.random() < 0.05 else (),
    )


_EARLIER = Invoice(key="earlier", currency="USDT", net_type="TRX", amount="20", address="TRX-earlier")
_LATER = {  # amounts that no other payment has under any fee convention
    "USDT": Invoice(key="later-usdt", currency="USDT", net_type="TRX", amount="37", address="TRX-later"),
    "BTC": Invoice(key="later-btc", currency="BTC", net_type="BTC", amount="0.37", address="BTC-later"),
}
_WALLETS = {
    # On Tron, 12, 13 and 14 differ by exactly the fee; on Ethereum, 13 and 17.
    ("USDT", "TRX"): ("13", "13", "13", "14", "12", "13.0", "12.5"),
    ("USDT", "ETH"): ("13", "17", "13.5"),
    ("USDT", "APT"): ("13", "13.1"),
    ("BTC", "BTC"): ("0.01", "0.0108", "0.01000"),
}


def _invoices(chance: Random, seed: int) -> tuple[Invoice, ...]:
    wallets = chance.choices(list(_WALLETS), weights=(8, 2, 1, 1), k=6)
    alike = chance.random() < 0.5
    invoices: list[Invoice] = []
    for number in range(chance.randint(3, 6)):
        currency, net_type = wallets[0 if alike else number]
        amount = chance.choice(_WALLETS[currency, net_type])
        key = f"invoice-{number}"
        address = f"{net_type}-{seed}-{key}"
        invoices.append(
            Invoice(key=key, currency=currency, net_type=net_type, amount=amount, address=address)
        )
    return tuple(invoices)


def _kill(chance: Random) -> Kill:
    moment: Moment = chance.choices(
        ("time", "before journal", "during journal", "after journal", "arrived", "arrived and lost", "done"),
        weights=(3, 2, 2, 2, 2, 1, 2),
    )[0]
    pause = chance.choice((0.0, 0.0, 0.1, 0.5))
    if moment == "time":
        longest = chance.choice((0.15, 0.3, 0.6, 3.0))
        return Kill(moment=moment, seconds=chance.uniform(0.01, longest), pause=pause)
    if moment.endswith("journal"):
        count = chance.randint(1, chance.choice((10, 25, 50)))
        return Kill(moment=moment, count=count, seconds=chance.uniform(0, 0.003), pause=pause)
    method = "POST" if chance.random() < 0.75 else None
    count = chance.randint(1, 4) if method else chance.randint(1, 20)
    return Kill(moment=moment, count=count, method=method, pause=pause)


def _stop(chance: Random) -> Stop | None:
    if chance.random() >= 0.25:
        return None
    at = _kill(chance)
    if chance.random() < 0.4:  # the moment that matters most, and that random times hardly ever hit
        at = Kill(moment="first byte", count=chance.randint(1, 4))
    return Stop(at=at, seconds=chance.choice((0.3, 1.0, 2.0, 4.5, 6.0)))


def _abandonments(chance: Random, invoices: Sequence[Invoice]) -> tuple[Abandonment, ...]:
    if chance.random() >= 0.35:
        return ()
    drawn = [
        Abandonment(
            key=invoice.key,
            seconds=chance.uniform(0, 3),
            force=chance.random() < 0.7,
            waits=chance.random() < 0.7,
        )
        for invoice in invoices
    ]
    return tuple(each for each in drawn if chance.random() < 0.5)


def _skews(chance: Random) -> tuple[float, ...]:
    if chance.random() >= 0.3:
        return (0.0,)
    return tuple(float(chance.choice((-SKEW, 0, SKEW))) for _ in range(7))


def _fault(chance: Random) -> Fault:
    if chance.random() < 0.75:
        make = chance.choices(_PAY_FAULTS, weights=[weight for weight, _ in _WEIGHED])[0]
        return attrs.evolve(
            make(chance), method="POST", path=PAY, skip=chance.randint(0, 5), times=chance.choice((1, 1, 2))
        )
    read = chance.choice(_READ_FAULTS)(chance)
    return attrs.evolve(read, method="GET", skip=chance.randint(0, 15), times=chance.choice((1, 2, 4)))


_ENDINGS: Final = ("reset", "close", "cut", "hang")


def _lost(chance: Random) -> Fault:
    return Fault.lose_answer(how=chance.choice(_ENDINGS))


def _lost_before(chance: Random) -> Fault:
    return Fault(before=True, ending=chance.choice(_ENDINGS))


def _server_error(chance: Random, *, before: bool) -> Fault:
    status = chance.choice((500, 502, 503, 504, 408, 409))
    return Fault.status(status, before=before, body=chance.choice(("json", "html", "empty")))


def _garbage(chance: Random) -> Fault:
    return Fault.garbage(body=chance.choice(("text", "html", "wrong json", "empty", "gzip")))


def _banned(_: Random) -> Fault:
    body = b'{"error":{"name":"too_many_requests","message":"You are blocked for 1 seconds."}}'
    return Fault.status(418, body=body, headers={"Retry-After": "1"})


_WEIGHED: tuple[tuple[float, Callable[[Random], Fault]], ...] = (
    (6, _lost),
    (3, _lost_before),
    (2, lambda chance: _server_error(chance, before=True)),
    (3, lambda chance: _server_error(chance, before=False)),
    (2, _garbage),
    (1, lambda _: Fault.status(429, body="empty")),
    (1, lambda _: Fault.status(429, before=False, body="empty")),
    (1, lambda _: Fault.status(429)),
    (0.3, _banned),
    (1, lambda chance: Fault.slow(chance.choice((0.05, 0.2, 0.6)))),
    (0.3, lambda _: Fault.status(400, name="withdraw_maintain")),
)
_PAY_FAULTS = [make for _, make in _WEIGHED]
_READ_FAULTS: tuple[Callable[[Random], Fault], ...] = (
    _lost,
    _lost_before,
    _garbage,
    lambda chance: _server_error(chance, before=True),
    lambda _: Fault.status(429),
    lambda chance: Fault.slow(chance.choice((0.1, 0.6))),
)


def _knobs(chance: Random) -> Knobs:
    return Knobs(
        amounts=chance.choice(("normalised", "as sent", "net of fee")),
        fee_on_top=chance.random() < 0.7,
        list_net_type=chance.random() < 0.8,
        single_get_net_type=chance.random() < 0.8,
        nulls=chance.choice(("present", "dropped")),
        time_format=chance.choice(("naive", "Z", "offset")),
        list_delay=chance.choice((0.0, 0.0, 0.1, 0.25)),
        get_delay=chance.choice((0.0, 0.0, 0.2)),
        nonce_memory=chance.choice((None, None, 5.0, 0.0)),
        rejected_burns_nonce=chance.random() < 0.7,
        cursors=chance.choice(("exclusive", "inclusive")),
        remaining_on_429=chance.random() < 0.7,
        window=chance.choice(("fixed", "sliding")),
    )


def _transitions(chance: Random) -> Transitions:
    end = chance.choices(("DONE", "FAILED", "CANCELLED", "REJECTED"), weights=(12, 1, 1, 1))[0]
    if chance.random() < 0.4:
        return Transitions.immediate(end)
    return Transitions.after_seconds(chance.choice((0.05, 0.2, 0.5)), states=("PROCESSING", end))
