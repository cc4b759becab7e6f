"""The modelled exchange and network: requests on their way, nonces, and the list of withdrawals. Immutable."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from explorer.ages import OLDEST, created_at
from upbit_async.models import TransactionType, Withdrawal, WithdrawalState

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DECLINED",
    "DROPPED",
    "FOREIGN",
    "NONCE_USED",
    "TAMPERED",
    "THROTTLED",
    "Exchange",
    "Made",
    "Request",
]

FOREIGN: Final = ""
"""Key of a withdrawal that was made outside the library."""
NONCE_USED: Final = "nonce used"
_FEE: Final = Decimal(1)
DECLINED: Final = "declined"
THROTTLED: Final = "throttled"
DROPPED: Final = "dropped"
TAMPERED: Final = "99"
"""Amount that nobody has asked for."""


@attrs.frozen
class Request:
    """One copy on its way, or its answer on the way back.

    Attributes:
        key: The payout's key.
        nonce: The copy's nonce.
        amount: The requested amount.
        sender: Process that waits for the answer; empty if none does any more.
        age: Steps since its departure was recorded.
        is_closed: Whether the sender has recorded the loss, after closing the connection.
        reply: The answer, or `DROPPED`; empty while the request is on its way.
    """

    key: str
    nonce: str
    amount: str
    sender: str
    age: int = 0
    is_closed: bool = False
    reply: str = ""


@attrs.frozen
class Made:
    """One withdrawal.

    Attributes:
        uuid: Its id.
        key: The payout that has made it, or `FOREIGN`.
        amount: Its amount.
        age: Steps since it was made.
        is_listed: Whether the list shows it.
        is_displaced: Whether the list shows it behind older ones, with a plausible time.
        state: Its state.
    """

    uuid: str
    key: str
    amount: str
    age: int = 0
    is_listed: bool = False
    is_displaced: bool = False
    state: WithdrawalState = WithdrawalState.PROCESSING

    def row(self, *, shows_net: bool) -> Withdrawal:
        """Return the withdrawal as Upbit shows it."""
        return Withdrawal(
            uuid=self.uuid,
            currency="USDT",
            net_type="TRX",
            state=self.state,
            amount=Decimal(self.amount) - (_FEE if shows_net else 0),
            created_at=created_at(OLDEST + 1 if self.is_displaced else self.age),
            fee=_FEE,
            transaction_type=TransactionType.DEFAULT,
        )


@attrs.frozen
class Exchange:
    """The exchange and the network.

    Attributes:
        shows_net: Whether it shows amounts without the fee.
        withdrawals: All withdrawals, oldest first.
        nonces: The nonces that were used.
        requests: The requests on their way.
    """

    shows_net: bool = False
    withdrawals: tuple[Made, ...] = ()
    nonces: frozenset[str] = frozenset()
    requests: tuple[Request, ...] = ()

    @classmethod
    def with_older(cls, count: int, amount: str, *, shows_net: bool) -> Exchange:
        """Return an exchange that lists withdrawals which were made long before."""
        exchange = cls(shows_net)
        for _ in range(count):
            exchange = exchange.made(FOREIGN, amount)
        older = tuple(attrs.evolve(each, age=OLDEST, is_listed=True) for each in exchange.withdrawals)
        return attrs.evolve(exchange, withdrawals=older)

    def of(self, key: str) -> list[Made]:
        """Return the withdrawals of a payout."""
        return [each for each in self.withdrawals if each.key == key]

    def listed(self, after: str | None = None) -> Iterator[Withdrawal]:
        """Yield what the list shows, newest first.

        Args:
            after: Id of a withdrawal; only what the list shows behind it.
        """
        shown = [each for each in reversed(self.withdrawals) if each.is_listed]
        ordered = sorted(shown, key=lambda each: each.is_displaced)
        ids = [each.uuid for each in ordered]
        first = 0 if after is None else ids.index(after) + 1
        return (each.row(shows_net=self.shows_net) for each in ordered[first:])

    def shown(self, uuid: str) -> Withdrawal | None:
        """Return a single withdrawal; None if there is none of that id."""
        found = (each.row(shows_net=self.shows_net) for each in self.withdrawals if each.uuid == uuid)
        return next(found, None)

    def has_ended(self, uuid: str) -> bool:
        """Return whether a withdrawal has ended."""
        return any(each.uuid == uuid and each.state.is_final for each in self.withdrawals)

    def request_of(self, sender: str) -> Request | None:
        """Return the request whose answer a process waits for."""
        return next((each for each in self.requests if each.sender == sender), None)

    # -- changes -----------------------------------------------------------------------------------

    def with_requests(self, *changes: tuple[Request, Request | None]) -> Exchange:
        """Return the exchange with requests replaced, or removed if the replacement is None."""
        requests = list(self.requests)
        for old, new in changes:
            requests.remove(old)
            if new is not None:
                requests.append(new)
        return attrs.evolve(self, requests=tuple(sorted(requests, key=attrs.astuple)))

    def sent(self, request: Request) -> Exchange:
        """Return the exchange after the first byte of a request."""
        requests = (*self.requests, request)
        return attrs.evolve(self, requests=tuple(sorted(requests, key=attrs.astuple)))

    def without_senders(self, *names: str) -> Exchange:
        """Return the exchange after processes have ended, or all of them: nobody waits for their answers."""
        ended = [each for each in self.requests if each.sender and (not names or each.sender in names)]
        changes = ((each, None if each.reply else attrs.evolve(each, sender="")) for each in ended)
        return self.with_requests(*changes)

    def made(self, key: str, amount: str) -> Exchange:
        """Return the exchange with one more withdrawal."""
        new = Made(f"w{len(self.withdrawals) + 1}", key, amount)
        return attrs.evolve(self, withdrawals=(*self.withdrawals, new))

    def executed(self, request: Request, reply: str = "") -> Exchange:
        """Return the exchange after a request was executed, and answered with its withdrawal or another reply."""
        made = self.made(request.key, request.amount)
        return made.refused(request, reply or made.withdrawals[-1].uuid)

    def refused(self, request: Request, reply: str) -> Exchange:
        """Return the exchange after a request was answered. Its nonce is used."""
        answered = attrs.evolve(request, reply=reply) if request.sender else None
        used = attrs.evolve(self, nonces=self.nonces | {request.nonce})
        return used.with_requests((request, answered))

    def listing(self, uuid: str, *, is_displaced: bool = False) -> Exchange:
        """Return the exchange whose list shows one more withdrawal."""
        return attrs.evolve(
            self,
            withdrawals=tuple(
                attrs.evolve(each, is_listed=True, is_displaced=is_displaced) if each.uuid == uuid else each
                for each in self.withdrawals
            ),
        )

    def ended(self, uuid: str, state: WithdrawalState) -> Exchange:
        """Return the exchange after a withdrawal has ended."""
        withdrawals = (
            attrs.evolve(each, state=state) if each.uuid == uuid else each for each in self.withdrawals
        )
        return attrs.evolve(self, withdrawals=tuple(withdrawals))

    def without_connections(self) -> Exchange:
        """Return the exchange after the machine was restarted: it sends no more for any request."""
        rest = self.without_senders()
        return attrs.evolve(
            rest, requests=tuple(attrs.evolve(each, is_closed=True) for each in rest.requests)
        )

    def later(self, *, lists_all: bool, drops_late: bool) -> Exchange:
        """Return the exchange one step later.

        Args:
            lists_all: Whether the list shows everything that was made before (**L**).
            drops_late: Whether requests that are still on their way after the settling time never arrive (**NET**).
        """
        withdrawals = tuple(
            attrs.evolve(each, age=min(each.age + 1, OLDEST), is_listed=each.is_listed or lists_all)
            for each in self.withdrawals
        )
        requests = [attrs.evolve(each, age=min(each.age + 1, OLDEST)) for each in self.requests]
        if drops_late:
            late = [each for each in requests if not each.reply and (each.is_closed or each.age > 1)]
            requests = [each for each in requests if each not in late]
            requests += [attrs.evolve(each, reply=DROPPED) for each in late if each.sender]
        ordered = tuple(sorted(requests, key=attrs.astuple))
        return attrs.evolve(self, withdrawals=withdrawals, requests=ordered)
