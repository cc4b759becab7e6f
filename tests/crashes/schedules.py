"""Schedules drawn from a seed: what is paid, what fails meanwhile, and when the payer is killed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, Literal

import attrs

from upbit_async.sandbox import Fault, Knobs, Transitions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "PAY",
    "SETTLE",
    "SKEW",
    "Abandonment",
    "Invoice",
    "Kill",
    "Moment",
    "Schedule",
    "Stop",
    "Style",
    "draw",
]

PAY = "/v1/withdraws/coin"
SETTLE = 0.5
"""How long after the loss of an answer the payer believes the list to be complete; the list lags less, unless the
schedule breaks that assumption."""
LEASE = 1.5
"""How long a payer's lease is, in seconds: one and a half times the longest call."""
SKEW = 1000
"""By how many seconds a process's time of day is wrong, if it is."""

Moment = Literal[
    "time",
    "before journal",
    "during journal",
    "after journal",
    "arrived",
    "arrived and lost",
    "done",
    "first byte",
]
"""When a payer is killed: at any time; before, during or after its n-th work on the journal (or on its file); when
its n-th request has arrived, which is carried out then, or lost; after that was done and before the answer; or, for
stops only, between the last check of a payout and its first byte."""


@attrs.frozen(kw_only=True)
class Invoice:
    """One payment. Each has an address of its own, which Upbit's answers never show, but its books do."""

    key: str
    currency: str
    net_type: str
    amount: str
    address: str


@attrs.frozen(kw_only=True)
class Kill:
    """The end of one process.

    Attributes:
        moment: What it depends on.
        count: At which piece of work on the journal, or request.
        method: Requests of which method are counted; None is all.
        seconds: For ``time`` since the start, for ``during journal`` since the work began.
        pause: How long until the next process starts, in seconds.
    """

    moment: Moment
    count: int = 1
    method: str | None = None
    seconds: float = 0.0
    pause: float = 0.0


@attrs.frozen(kw_only=True)
class Stop:
    """A pause of one process, by SIGSTOP and SIGCONT; a second payer starts meanwhile.

    Attributes:
        at: The moment at which it begins, described like a kill.
        seconds: How long it lasts.
    """

    at: Kill
    seconds: float


@attrs.frozen(kw_only=True)
class Abandonment:
    """An operator's decision to give a payout up, tried again until the payout allows it, or has ended.

    Attributes:
        key: The payout's key.
        seconds: How long after the payers' start the operator decides it.
        force: Whether a copy that has just left is no obstacle.
        waits: Whether the operator waits until a copy has left.
    """

    key: str
    seconds: float
    force: bool
    waits: bool


@attrs.frozen(kw_only=True)
class Style:
    """How the payer goes about it.

    Attributes:
        wait: Whether ``send`` waits for the end, or ``wait`` does.
        resends: Whether what was not sent is sent again without ``retry``.
        stagger: So many seconds lie between the beginnings of two payments.
        jobs: Whether each payment opens the journal for itself and closes it again, as a queue's job may.
    """

    wait: bool = True
    resends: bool = False
    stagger: float = 0.0
    jobs: bool = False


@attrs.frozen(kw_only=True)
class Schedule:
    """Everything that is decided before it begins.

    Attributes:
        seed: What it was drawn by.
        earlier: What was paid before anything goes wrong: only a journal's very first payouts have none.
        invoices: What is to be paid.
        style: How the payer goes about it.
        kills: For each of the processes that work at once, the ends of those that come one after the other.
        faults: What goes wrong, until the last kill.
        knobs: What the exchange does where its documents are silent.
        plan: How withdrawals progress.
        limits: Whether the exchange counts calls.
        strangers: When, in seconds, somebody withdraws on the website.
        later: Payments after everything else, one in each currency, whose sending reconciles the account.
        abandonments: What an operator gives up meanwhile.
        stop: How one payer is paused.
        skews: By how many seconds the time of day is wrong in each process, in the order of their starts; the list
            is gone through again and again.
    """

    seed: int
    earlier: Invoice | None
    invoices: tuple[Invoice, ...]
    style: Style
    kills: tuple[tuple[Kill, ...], ...]
    faults: tuple[Fault, ...]
    knobs: Knobs
    plan: Transitions
    limits: bool
    strangers: tuple[float, ...]
    later: tuple[Invoice, ...] = ()
    abandonments: tuple[Abandonment, ...] = ()
    stop: Stop | None = None
    skews: tuple[float, ...] = (0.0,)

    @property
    def broken(self) -> str:
        """Which assumptions of ``docs/explanation/payouts.md`` do not hold, by their letters; empty if all do.

        **N** may be false in any other schedule, but holds in these: the promise needs either.
        """
        lags = self.knobs.list_delay >= SETTLE
        # What is stopped for less than a lease goes on before anybody settles.
        pauses = self.stop is not None and self.stop.seconds >= LEASE
        return ", ".join(name for name, is_false in (("L", lags), ("PAUSE", pauses)) if is_false)


def draw(seed: int) -> Schedule:
    """Draw a schedule. What was added later has a source of chance of its own, so that the rest stays as it was."""
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
    if schedule.broken:  # then only the nonce prevents a second payment
        schedule = attrs.evolve(schedule, knobs=attrs.evolve(schedule.knobs, nonce_memory=None))
    return schedule


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
            jobs=Random(f"jobs of {seed}").random() < 0.3,  # drawn apart, so that the rest stays
        ),
        kills=tuple(
            tuple(_kill(chance) for _ in range(chance.randint(1, 2 if two_at_once else 4)))
            for _ in range(1 + two_at_once)
        ),
        faults=tuple(_fault(chance) for _ in range(chance.choice((0, 1, 2, 2, 3, 4, 6)))),
        knobs=_knobs(chance),
        plan=_plan(chance),
        limits=chance.random() < 0.7,
        strangers=(chance.uniform(0, 1.5),) if chance.random() < 0.05 else (),
    )


_EARLIER = Invoice(key="earlier", currency="USDT", net_type="TRX", amount="20", address="TRX-earlier")
_LATER = {  # of amounts that no other payment has, whatever the fee's side
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
    if chance.random() < 0.4:  # the one moment that matters, and that chance alone hardly ever finds
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


def _plan(chance: Random) -> Transitions:
    end = chance.choices(("DONE", "FAILED", "CANCELLED", "REJECTED"), weights=(12, 1, 1, 1))[0]
    if chance.random() < 0.4:
        return Transitions.immediate(end)
    return Transitions.after_seconds(chance.choice((0.05, 0.2, 0.5)), states=("PROCESSING", end))
