"""Draws scenarios from seeds."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, Literal

from scenario import (
    LIST_LAG,
    LONGEST_DELAY,
    QUIET_AT,
    SETTLING_TIME,
    Decision,
    Interruption,
    Moment,
    Network,
    Order,
    Outage,
    Rotation,
    Scenario,
    Stranger,
    Window,
)

from upbit_async.sandbox import Knobs, Transitions

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["draw_scenario"]

_KINDS: Final = (frozenset[str](), *(frozenset({each}) for each in ("L", "NET", "O", "PAUSE", "TRUTH")))
_KIND_WEIGHTS: Final = (15, 1, 1, 1, 1, 1)
_DAY: Final = 86_400.0
_WALLETS: Final = {
    # On Tron, 12, 13 and 14 differ by exactly the fee; on Ethereum, 13 and 17.
    ("USDT", "TRX"): ("13", "13", "13", "14", "12", "13.0", "12.5"),
    ("USDT", "ETH"): ("13", "17", "13.5"),
    ("BTC", "BTC"): ("0.01", "0.0108", "0.01000"),
}


def draw_scenario(seed: int) -> Scenario:
    """Draw a scenario."""
    chance = Random(seed)
    broken = chance.choices(_KINDS, _KIND_WEIGHTS)[0]
    windows = _windows(chance)
    orders = _orders(chance, windows)
    workers = chance.choice((1, 2, 2, 2, 3))
    has_false_nonces = not broken and chance.random() < 0.3
    is_paused = chance.random() < 0.25
    return Scenario(
        seed=seed,
        broken=broken,
        orders=orders,
        windows=windows,
        workers=workers,
        interruptions=tuple(
            tuple(
                _interruption(chance, broken, has_long_stops=not has_false_nonces)
                for _ in range(chance.choice((0, 1, 2, 3)))
            )
            for _ in range(workers)
        ),
        decisions=_decisions(chance, windows, is_paused=is_paused),
        strangers=_strangers(chance, windows) if chance.random() < 0.15 else (),
        outages=_outages(chance, windows) if chance.random() < 0.25 else (),
        rotation=_rotation(chance, windows) if not broken and chance.random() < 0.12 else None,
        network=Network(
            payments=chance.choice((0.1, 0.3, 0.6)),
            reads=chance.choice((0.0, 0.05, 0.2)),
            late=chance.choice((0.0, 0.2, 0.5)),
            longest_delay=chance.choice((30.0, 90.0)) if "NET" in broken else LONGEST_DELAY,
            refused=chance.choice((0.0, 0.05)),
        ),
        knobs=_knobs(chance, broken, has_false_nonces=has_false_nonces),
        transitions=_transitions(chance),
        slow_writes=chance.choice((0.0, 0.1, 0.5)),
        skews=tuple(chance.choice((-_DAY, 0.0, _DAY)) if chance.random() < 0.3 else 0.0 for _ in range(3)),
        check=chance.random() < 0.15,
        resends=chance.random() < 0.3,
        per_day=chance.choice(("27", "40", "55")) if chance.random() < 0.15 else None,
        follows=chance.random() < 0.15,
    )


def _windows(chance: Random) -> tuple[Window, ...]:
    starts = sorted(chance.uniform(0, QUIET_AT - 200) for _ in range(chance.choice((2, 3, 3, 4))))
    windows: list[Window] = []
    for start in starts:
        if windows and start < windows[-1].end + 1:
            continue
        length = chance.choice((10.0, 20.0, 30.0, 45.0))
        windows.append(Window(start=start, length=length, is_gentle=chance.random() < 0.5))
    return tuple(windows)


def _orders(chance: Random, windows: Sequence[Window]) -> tuple[Order, ...]:
    wallets = list(_WALLETS)
    alike = chance.random() < 0.5
    orders: list[Order] = []
    for number in range(chance.randint(3, 6)):
        currency, net_type = wallets[0] if alike else chance.choices(wallets, (8, 2, 1))[0]
        window = chance.choice(windows)
        at = window.start + chance.choice((0.0, chance.uniform(0, window.length)))
        orders.append(
            Order(
                key=f"order-{number}",
                currency=currency,
                net_type=net_type,
                amount=chance.choice(_WALLETS[currency, net_type]),
                address=f"{net_type}-order-{number}",
                at=at,
                deadline=chance.choice((1.0, 3.0, 10.0, 30.0)) if chance.random() < 0.35 else None,
                not_after=at + chance.choice((5.0, 60.0)) if chance.random() < 0.05 else None,
            )
        )
    return tuple(orders)


def _interruption(chance: Random, broken: frozenset[str], *, has_long_stops: bool) -> Interruption:
    moment: Moment = chance.choices(
        ("time", "write", "departure", "check", "arrival", "answer"), weights=(2, 3, 3, 2, 2, 2)
    )[0]
    length = None
    if chance.random() < 0.3 or ("PAUSE" in broken and chance.random() < 0.7):
        length = chance.choice((0.5, 3.0, 8.0))
        if "PAUSE" in broken:
            moment, length = "check", chance.choice((20.0, 30.0, 60.0))
        elif has_long_stops and moment != "check" and chance.random() < 0.5:
            length = chance.choice((20.0, 40.0))
    return Interruption(
        moment=moment,
        count=chance.randint(1, 20) if moment == "write" else chance.randint(1, 3),
        steps=0 if moment == "check" else chance.choice((0, 0, 1, 2, 3, 5, 8)),
        seconds=chance.uniform(0, 40),
        length=length,
        restart=chance.choice((0.1, 1.0, 10.0)),
    )


def _in_windows(chance: Random, windows: Sequence[Window]) -> float:
    window = chance.choice(windows)
    return window.start + chance.uniform(0, window.length + 20)


def _decisions(chance: Random, windows: Sequence[Window], *, is_paused: bool) -> tuple[Decision, ...]:
    kinds: tuple[Literal["resolve", "retry", "renew", "abandon", "force", "acknowledge"], ...] = (
        "resolve",
        "retry",
        "renew",
        "abandon",
        "force",
        "acknowledge",
    )
    decisions = [
        Decision(at=_in_windows(chance, windows), kind=chance.choices(kinds, (3, 4, 2, 1, 1, 1))[0])
        for _ in range(chance.choice((0, 1, 3, 6)))
    ]
    if is_paused:
        at = _in_windows(chance, windows)
        decisions.append(Decision(at=at, kind="pause"))
        decisions.append(Decision(at=at + chance.choice((1.0, 10.0, 40.0)), kind="resume"))
    return tuple(sorted(decisions, key=lambda each: each.at))


def _strangers(chance: Random, windows: Sequence[Window]) -> tuple[Stranger, ...]:
    wallets = list(_WALLETS)
    strangers: list[Stranger] = []
    for _ in range(chance.randint(1, 2)):
        currency, net_type = chance.choice(wallets)
        amount = chance.choice((*_WALLETS[currency, net_type], "0.5" if currency == "BTC" else "99"))
        at = _in_windows(chance, windows)
        strangers.append(Stranger(at=at, currency=currency, net_type=net_type, amount=amount))
    return tuple(strangers)


def _outages(chance: Random, windows: Sequence[Window]) -> tuple[Outage, ...]:
    return tuple(
        Outage(
            start=_in_windows(chance, windows),
            length=chance.choice((0.2, 2.0, 20.0)),
            commits=chance.random() < 0.5,
        )
        for _ in range(chance.randint(1, 3))
    )


def _rotation(chance: Random, windows: Sequence[Window]) -> Rotation:
    at = _in_windows(chance, windows)
    return Rotation(at=at, overlap=chance.choice((0.0, 30.0, 600.0)), keeps=chance.random() < 0.6)


def _knobs(chance: Random, broken: frozenset[str], *, has_false_nonces: bool) -> Knobs:
    lag = chance.choice((0.0, 0.0, 1.0, LIST_LAG))
    return Knobs(
        amounts=chance.choice(("normalised", "as sent", "net of fee")),
        fee_on_top=chance.random() < 0.7,
        list_net_type=chance.random() < 0.8,
        single_get_net_type=chance.random() < 0.9,
        nulls=chance.choice(("present", "dropped")),
        time_format=chance.choice(("naive", "Z", "offset")),
        list_delay=chance.choice((1.5, 3.0, 30.0)) * SETTLING_TIME if "L" in broken else lag,
        get_delay=chance.choice((0.0, 0.0, 2.0)),
        list_order=chance.choice(("done_at", "oldest first")) if "O" in broken else "created_at",
        list_created_at_delay=chance.choice((0.0, 20.0, None)) if "O" in broken else 0.0,
        nonce_memory=chance.choice((5.0, 0.0)) if has_false_nonces else None,
        rejected_burns_nonce=chance.random() < 0.7,
        cursors=chance.choice(("exclusive", "inclusive")),
        remaining_on_429=chance.random() < 0.7,
        window=chance.choice(("fixed", "sliding")),
    )


def _transitions(chance: Random) -> Transitions:
    end = chance.choices(("DONE", "FAILED", "CANCELLED", "REJECTED"), weights=(12, 1, 1, 1))[0]
    if chance.random() < 0.4:
        return Transitions.immediate(end)
    return Transitions.after_seconds(chance.choice((0.5, 2.0, 8.0)), states=("PROCESSING", end))
