"""``upbit-async demo``: a withdrawal on a sandbox, step by step.

It follows https://global-docs.upbit.com/docs/digital-asset-withdrawal, with what every user has and no more.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict

import attrs

from upbit_async.cli.show import Show, clock, digits
from upbit_async.client import UpbitClient
from upbit_async.errors import OutcomeUnknown, WithdrawalNotDone
from upbit_async.models.intent import shortened
from upbit_async.policy import PollSchedule
from upbit_async.region import Region
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from upbit_async.checks import Preflight
    from upbit_async.models import Withdrawal, WithdrawalAddress
    from upbit_async.polling import WithdrawalPoller

__all__ = ["FASTEST", "DemoError", "End", "Wish", "tell"]

FASTEST = 100
"""Beyond this, states would pass between two looks: looks obey the limit of calls, whatever the speed."""

_PLACE = "/v1/withdraws/coin"
_STATE_SECONDS = 2.5
_COUNTRIES = {
    Region.SG: "Singapore",
    Region.ID: "Indonesia",
    Region.TH: "Thailand",
    Region.KR: "Korea",
}


class End(enum.Enum):
    """How the withdrawal ends."""

    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


class DemoError(Exception):
    """The story went otherwise than it was meant to."""


@attrs.frozen(kw_only=True)
class Wish:
    """What the story is to be about.

    Attributes:
        region: Whose exchange the sandbox is.
        end: How the withdrawal ends.
        lose_answer: Whether the answer to the withdrawal gets lost.
        speed: How many times faster than usual.
        amount: How much to withdraw.
        currency: The currency's code.
        net_type: The network's identifier.
    """

    region: Region = Region.SG
    end: End = End.DONE
    lose_answer: bool = False
    speed: float = 1.0
    amount: Decimal = Decimal(13)
    currency: str = "USDT"
    net_type: str = "TRX"

    @property
    def plan(self) -> Transitions:
        """How the sandbox moves the withdrawal along."""
        match self.end:
            case End.CANCELLED:
                return Transitions.manual()  # it waits until it is cancelled
            case End.REJECTED:
                path: tuple[str, ...] = ("REJECTED",)
            case _:
                path = ("PROCESSING", self.end.value)
        return Transitions.after_seconds(_STATE_SECONDS, states=path, speed=self.speed)

    @property
    def poll(self) -> PollSchedule:
        """When the client looks: often enough for every state, as the sandbox is that fast."""
        return PollSchedule(first=0.3 / self.speed, factor=1.2, longest=0.6 / self.speed, jitter=0.1)

    def __str__(self) -> str:
        """Say what is withdrawn, for a person."""
        return f"{digits(self.amount)} {self.currency} on {self.net_type}"


async def tell(wish: Wish, show: Show) -> None:
    """Tell the story.

    Args:
        wish: What it is to be about.
        show: Where it is told.

    Raises:
        DemoError: It went otherwise than it was meant to.
        UpbitError: A call failed that should not.
    """
    sandbox = Sandbox(wish.region, transitions=wish.plan)
    if wish.lose_answer:
        sandbox.faults.add(Fault.lose_answer("POST", _PLACE, how="reset"))
    async with sandbox.serve() as url:
        show.title(f"A withdrawal of {wish}, from a sandbox of Upbit {_COUNTRIES[wish.region]}")
        show.say(f"The sandbox listens on {url}: no account, no keys, no money.")
        async with UpbitClient(
            wish.region, credentials=sandbox.credentials, base_url=url, poll=wish.poll
        ) as client:
            record = await _Story(wish, show, client).withdraw()
    _show_record(record, show)
    show_books(sandbox, record, show)
    if record.state.value != wish.end.value:
        raise DemoError(f"the withdrawal should have ended as {wish.end.value}, not as {record.state.value}")
    show.heading('Next, the same in ten lines of your own: README.md, "The first ten lines".')


class _Destination(TypedDict, total=False):
    """How a destination is named: in one of two ways."""

    address: str
    exchange_name: str


@attrs.frozen
class _Story:
    """The steps between the client and the sandbox."""

    wish: Wish
    show: Show
    client: UpbitClient

    async def withdraw(self) -> Withdrawal:
        wanted = await self._choose_address()
        await self._look_at_wallet()
        await self._check(wanted)
        poller, since = await self._send(wanted)
        return await self._wait(poller, since)

    async def _choose_address(self) -> _Destination:
        """Show where money may go, and return how the destination is named: by exchange if it has one."""
        wish = self.wish
        self.show.step(
            "Where may it go?", f'await client.withdraws.addresses("{wish.currency}", "{wish.net_type}")'
        )
        addresses = await self.client.withdraws.addresses(wish.currency, wish.net_type)
        for address in addresses:
            self.show.row("registered", _destination(address))
        if not addresses:
            self.show.row("registered", "none")
            return {}
        if addresses[0].exchange_name:
            return {"exchange_name": addresses[0].exchange_name}
        return {"address": addresses[0].withdraw_address}

    async def _look_at_wallet(self) -> None:
        wish = self.wish
        self.show.step(
            "Does the wallet work?", f'await client.status.wallet("{wish.currency}", "{wish.net_type}")'
        )
        wallet = await self.client.status.wallet(wish.currency, wish.net_type)
        self.show.row("wallet", wallet.wallet_state.value)
        if wallet.block_state is not None:
            self.show.row("chain", f"{wallet.block_state.value}, at block {wallet.block_height}")

    async def _check(self, wanted: _Destination) -> None:
        wish, show = self.wish, self.show
        how = _spelled(wanted)
        show.step("Does anything stand in the way?", f"await client.withdraws.check(..., {how})")
        checked = await self.client.withdraws.check(
            currency=wish.currency, net_type=wish.net_type, amount=wish.amount, **wanted
        )
        for label, text in _findings(checked):
            show.check(label, text)
        for warning in checked.warnings:
            show.check("note", warning.text, ok=False)

    async def _send(self, wanted: _Destination) -> tuple[WithdrawalPoller, dt.datetime]:
        """Withdraw, and return what waits and when the withdrawal was made."""
        wish, show = self.wish, self.show
        show.step("Withdraw", f"poller = await client.withdraws.send(..., {_spelled(wanted)})")
        if wish.lose_answer:
            show.say("The sandbox will carry it out, then cut the connection instead of answering.")
        try:
            poller = await self.client.withdraws.send(
                currency=wish.currency, net_type=wish.net_type, amount=wish.amount, **wanted
            )
        except OutcomeUnknown as unknown:
            return await self._find_out(unknown), unknown.intent.started_at
        if wish.lose_answer:
            raise DemoError("the answer should have been lost, and was not")
        show.row("accepted", poller.uuid)
        return poller, dt.datetime.now(dt.UTC)

    async def _find_out(self, unknown: OutcomeUnknown) -> WithdrawalPoller:
        show = self.show
        show.check("OutcomeUnknown", "", ok=False)
        show.say(str(unknown))
        show.say("Upbit knows no key against repetition: a second POST might pay twice.")
        show.step("Find out what became of it", "await client.withdraws.reconcile(unknown)")
        found = await self.client.withdraws.reconcile(unknown, timeout=10 / self.wish.speed)
        show.row(found.status, "" if found.withdrawal is None else found.withdrawal.uuid)
        if found.withdrawal is None:
            raise DemoError(f"the withdrawal should have been found, and is {found.status}")
        return self.client.withdraws.poller(found.withdrawal.uuid)

    async def _wait(self, poller: WithdrawalPoller, since: dt.datetime) -> Withdrawal:
        show = self.show
        show.step("Wait until it has ended", "async for change in poller.changes()")
        with show.waiting("…") as looking:
            async for change in poller.changes():
                show.state(change, since)
                if not change.record.state.is_final:
                    looking(f"{change.state.value.lower()} …")
                if self.wish.end is End.CANCELLED and change.record.is_cancelable:
                    await self._cancel(poller.uuid)
        try:
            record = await poller.result()
        except WithdrawalNotDone as ended:
            show.say(f"await poller.result() raises {type(ended).__name__}, which carries the record.")
            return ended.record
        show.say("await poller.result() returns the record.")
        return record

    async def _cancel(self, uuid: str) -> None:
        await asyncio.sleep(_STATE_SECONDS / self.wish.speed)
        self.show.say(">>> await client.withdraws.cancel(poller.uuid)", "dim")
        await self.client.withdraws.cancel(uuid)


def _spelled(wanted: _Destination) -> str:
    if "exchange_name" in wanted:
        return f'exchange_name="{wanted["exchange_name"]}"'
    return f'address="{shortened(wanted.get("address", ""))}"'


def _destination(address: WithdrawalAddress) -> str:
    """Where an address leads, for a person."""
    text = f"{shortened(address.withdraw_address)} on {address.network_name or address.net_type}"
    owner = address.exchange_name or address.wallet_type
    return f"{text}, {owner}" if owner else text


def _findings(checked: Preflight) -> list[tuple[str, str]]:
    """Return the result of each check, in order. All have passed: a failed check raises."""
    address, wallet, chance, fee = checked.address, checked.wallet, checked.chance, checked.fee
    if address is None or wallet is None or chance is None or fee is None:  # pragma: no cover
        raise DemoError("the checks have passed without having seen everything")
    amount, unit, balance = digits(checked.amount), checked.currency, digits(chance.account.balance)
    memo, limit = checked.secondary_address, chance.withdraw_limit
    return [
        ("address", f"registered: {_destination(address)}"),
        ("memo", f"{memo}, sent along" if memo else "this address has none"),
        ("wallet", wallet.wallet_state.value),
        ("account", "neither locked nor suspended"),
        ("minimum", f"{amount} {unit} is at least {digits(limit.minimum or Decimal(0))} {unit}"),
        ("decimals", f"{amount} has no more than {limit.fixed}"),
        ("balance", f"{balance} {unit} covers {amount} {unit} and the fee of {digits(fee)} {unit}"),
    ]


def _show_record(record: Withdrawal, show: Show) -> None:
    show.heading("The final record")
    show.row("uuid", record.uuid)
    show.row("state", record.state.value)
    show.row("amount", f"{digits(record.amount)} {record.currency} on {record.net_type}")
    show.row("fee", "-" if record.fee is None else f"{digits(record.fee)} {record.currency}")
    for label, moment in (("created at", record.created_at), ("done at", record.done_at)):
        show.row(label, "-" if moment is None else clock(moment))
    show.row("txid", record.txid or "-")


def show_books(sandbox: Sandbox, record: Withdrawal, show: Show) -> None:
    """Show what really happened, as the sandbox has counted it."""
    show.heading("The sandbox's own books")
    for entry in sandbox.ledger:
        took = f"{digits(entry.amount)} {entry.currency} and the fee of {digits(entry.fee)}"
        show.row(entry.kind, f"{clock(entry.at)}  {took}, {shortened(entry.address)}")
    posts = len(sandbox.requests.of("POST"))
    made = [entry.uuid for entry in sandbox.ledger.created]
    show.say(f"{_count(posts, 'POST')} on the wire, {_count(len(made), 'withdrawal')} in the ledger.", "bold")
    if posts != 1 or made != [record.uuid]:
        raise DemoError("there should have been one POST, and one withdrawal in the ledger")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
