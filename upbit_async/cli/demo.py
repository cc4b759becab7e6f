"""The command ``upbit-async demo``: a withdrawal from a local sandbox, step by step.

The steps are those of https://global-docs.upbit.com/docs/digital-asset-withdrawal, with public names of the library
only.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, TypedDict

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from upbit_async.cli.show import Show, clock, digits
from upbit_async.client import UpbitClient
from upbit_async.errors import OutcomeUnknown, WithdrawalNotDone
from upbit_async.models.intent import shortened
from upbit_async.policy import PollSchedule
from upbit_async.region import Region
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token

    from upbit_async.checks import Preflight
    from upbit_async.models import Withdrawal, WithdrawalAddress
    from upbit_async.polling import WithdrawalPoller

__all__ = ["DemoError", "DemoOptions", "End", "run", "show_ledger"]

FASTEST = 100
"""The highest speed at which polling, which obeys the limit of calls, still sees every state."""

_CREATE_PATH = "/v1/withdraws/coin"
_STATE_SECONDS = 2.5
"""How long a state lasts at the usual speed."""
_COUNTRIES = {
    Region.SG: "Singapore",
    Region.ID: "Indonesia",
    Region.TH: "Thailand",
    Region.KR: "Korea",
}


class End(enum.Enum):
    """The final state of the withdrawal."""

    DONE = "DONE"
    """The sandbox pays it."""
    FAILED = "FAILED"
    """The transfer fails while it is processed."""
    CANCELLED = "CANCELLED"
    """The demo cancels it while it waits."""
    REJECTED = "REJECTED"
    """The sandbox rejects it while it waits."""


class DemoError(Exception):
    """The demo did not end as its options say. This is a defect of the library: please report it."""


def _read_amount(_kind: object, tokens: Sequence[Token]) -> Decimal:
    try:
        amount = Decimal(tokens[0].value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f'Must be a number greater than zero, got "{tokens[0].value}".')
    return amount


@attrs.frozen(kw_only=True)
class DemoOptions:
    """Options of the demo, on its command line as well.

    Attributes:
        region: The exchange that the sandbox simulates.
        end: The final state of the withdrawal.
        lose_answer: Lose the answer to the withdrawal request, then look the withdrawal up.
        speed: The speed of the demo; 2 is twice as fast as usual.
        amount: The amount to withdraw.
        currency: The currency's code.
        net_type: The network's identifier.
    """

    region: Region = Region.SG
    end: End = End.DONE
    lose_answer: Annotated[bool, Parameter(negative="")] = False
    speed: Annotated[float, Parameter(validator=Number(gt=0, lte=FASTEST))] = 1.0
    amount: Annotated[Decimal, Parameter(converter=_read_amount)] = Decimal(13)
    currency: str = "USDT"
    net_type: str = "TRX"

    @property
    def transitions(self) -> Transitions:
        """The transitions of the withdrawal in the sandbox."""
        match self.end:
            case End.CANCELLED:
                return Transitions.manual()  # it stays WAITING until the demo cancels it
            case End.REJECTED:
                path: tuple[str, ...] = ("REJECTED",)
            case _:
                path = ("PROCESSING", self.end.value)
        return Transitions.after_seconds(_STATE_SECONDS, states=path, speed=self.speed)

    @property
    def poll(self) -> PollSchedule:
        """The poll schedule of the client: frequent enough to see every state at this speed."""
        return PollSchedule(first=0.3 / self.speed, factor=1.2, longest=0.6 / self.speed, jitter=0.1)

    def __str__(self) -> str:
        """Return the amount and the network."""
        return f"{digits(self.amount)} {self.currency} on {self.net_type}"


async def run(options: DemoOptions, show: Show) -> None:
    """Run the demo.

    Args:
        options: What to withdraw, and how the withdrawal ends.
        show: The output.

    Raises:
        DemoError: The withdrawal did not end as the options say.
        UpbitError: A call failed.
    """
    sandbox = Sandbox(options.region, transitions=options.transitions)
    if options.lose_answer:
        sandbox.faults.add(Fault.lose_answer("POST", _CREATE_PATH, how="reset"))
    async with sandbox.serve() as url:
        show.title(f"A withdrawal of {options}, from a sandbox of Upbit {_COUNTRIES[options.region]}")
        show.paragraph(f"The sandbox listens on {url}: no account, no keys, no money.")
        async with UpbitClient(
            options.region, credentials=sandbox.credentials, base_url=url, poll=options.poll
        ) as client:
            record = await _Walkthrough(options, show, client).withdraw()
    _show_record(record, show)
    show_ledger(sandbox, record, show)
    if record.state.value != options.end.value:
        raise DemoError(
            f"the withdrawal should have ended as {options.end.value}, not as {record.state.value}"
        )
    show.heading('Next, the same in your code: README.md, "Withdraw".')


class _Destination(TypedDict, total=False):
    """The argument that names the destination: either `address` or `exchange_name`."""

    address: str
    exchange_name: str


@attrs.frozen
class _Walkthrough:
    """The steps of the withdrawal, each with its output."""

    options: DemoOptions
    show: Show
    client: UpbitClient

    async def withdraw(self) -> Withdrawal:
        wanted = await self._choose_address()
        await self._show_wallet()
        await self._check(wanted)
        poller, since = await self._send(wanted)
        return await self._wait(poller, since)

    async def _choose_address(self) -> _Destination:
        """Show the registered addresses, and return the first: by its exchange if it has one."""
        options = self.options
        self.show.step(
            "List the registered addresses",
            f'await client.withdraws.addresses("{options.currency}", "{options.net_type}")',
        )
        addresses = await self.client.withdraws.addresses(options.currency, options.net_type)
        for address in addresses:
            self.show.row("registered", _destination(address))
        if not addresses:
            self.show.row("registered", "none")
            return {}
        if addresses[0].exchange_name:
            return {"exchange_name": addresses[0].exchange_name}
        return {"address": addresses[0].withdraw_address}

    async def _show_wallet(self) -> None:
        options = self.options
        self.show.step(
            "Read the state of the wallet",
            f'await client.status.wallet("{options.currency}", "{options.net_type}")',
        )
        wallet = await self.client.status.wallet(options.currency, options.net_type)
        self.show.row("wallet", wallet.wallet_state.value)
        if wallet.block_state is not None:
            self.show.row("chain", f"{wallet.block_state.value}, at block {wallet.block_height}")

    async def _check(self, wanted: _Destination) -> None:
        options, show = self.options, self.show
        how = _spelled(wanted)
        show.step("Check everything that Upbit would refuse", f"await client.withdraws.check(..., {how})")
        checked = await self.client.withdraws.check(
            currency=options.currency, net_type=options.net_type, amount=options.amount, **wanted
        )
        for label, text in _findings(checked):
            show.check(label, text)
        for warning in checked.warnings:
            show.check("note", warning.text, ok=False)

    async def _send(self, wanted: _Destination) -> tuple[WithdrawalPoller, dt.datetime]:
        """Withdraw, and return the poller and when the request was sent."""
        options, show = self.options, self.show
        show.step("Withdraw", f"poller = await client.withdraws.send(..., {_spelled(wanted)})")
        if options.lose_answer:
            show.paragraph("The sandbox will execute it, then cut the connection instead of answering.")
        try:
            poller = await self.client.withdraws.send(
                currency=options.currency, net_type=options.net_type, amount=options.amount, **wanted
            )
        except OutcomeUnknown as unknown:
            return await self._reconcile(unknown), unknown.intent.started_at
        if options.lose_answer:
            raise DemoError("the answer should have been lost, but arrived")
        show.row("accepted", poller.uuid)
        return poller, dt.datetime.now(dt.UTC)

    async def _reconcile(self, unknown: OutcomeUnknown) -> WithdrawalPoller:
        show = self.show
        show.check("OutcomeUnknown", "", ok=False)
        show.paragraph(str(unknown))
        show.paragraph("Upbit has no idempotency keys: a second POST might pay twice.")
        show.step("Look the withdrawal up", "await client.withdraws.reconcile(unknown)")
        found = await self.client.withdraws.reconcile(unknown, timeout=10 / self.options.speed)
        show.row(found.status, "" if found.withdrawal is None else found.withdrawal.uuid)
        if found.withdrawal is None:
            raise DemoError(f"the withdrawal should have been found, but reconcile returned {found.status}")
        return self.client.withdraws.poller(found.withdrawal.uuid)

    async def _wait(self, poller: WithdrawalPoller, since: dt.datetime) -> Withdrawal:
        show = self.show
        show.step("Wait until it ends", "async for change in poller.changes()")
        with show.waiting("…") as update:
            async for change in poller.changes():
                show.state(change, since)
                if not change.record.state.is_final:
                    update(f"{change.state.value.lower()} …")
                if self.options.end is End.CANCELLED and change.record.is_cancelable:
                    await self._cancel(poller.uuid)
        try:
            record = await poller.result()
        except WithdrawalNotDone as ended:
            show.paragraph(f"await poller.result() raises {type(ended).__name__}, with the record.")
            return ended.record
        show.paragraph("await poller.result() returns the record.")
        return record

    async def _cancel(self, uuid: str) -> None:
        await asyncio.sleep(_STATE_SECONDS / self.options.speed)
        self.show.paragraph(">>> await client.withdraws.cancel(poller.uuid)", "dim")
        await self.client.withdraws.cancel(uuid)


def _spelled(wanted: _Destination) -> str:
    if "exchange_name" in wanted:
        return f'exchange_name="{wanted["exchange_name"]}"'
    return f'address="{shortened(wanted.get("address", ""))}"'


def _destination(address: WithdrawalAddress) -> str:
    """Return the shortened address, its network and its owner."""
    text = f"{shortened(address.withdraw_address)} on {address.network_name or address.net_type}"
    owner = address.exchange_name or address.wallet_type
    return f"{text}, {owner}" if owner else text


def _findings(checked: Preflight) -> list[tuple[str, str]]:
    """Return the result of each check, in order. All have passed: a failed check raises."""
    address, wallet, chance, fee = checked.address, checked.wallet, checked.chance, checked.fee
    if address is None or wallet is None or chance is None or fee is None:  # pragma: no cover
        raise DemoError("the checks passed without all of their data")
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


def show_ledger(sandbox: Sandbox, record: Withdrawal, show: Show) -> None:
    """Show the sandbox's ledger, and that it holds one withdrawal for one request."""
    show.heading("The sandbox's ledger")
    for entry in sandbox.ledger:
        moved = f"{digits(entry.amount)} {entry.currency} and the fee of {digits(entry.fee)}"
        show.row(entry.kind, f"{clock(entry.at)}  {moved}, {shortened(entry.address)}")
    posts = len(sandbox.requests.of("POST"))
    created = [entry.uuid for entry in sandbox.ledger.created]
    show.paragraph(
        f"{_count(posts, 'POST')} on the wire, {_count(len(created), 'withdrawal')} in the ledger.", "bold"
    )
    if posts != 1 or created != [record.uuid]:
        raise DemoError("there should be one POST on the wire and one withdrawal in the ledger")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
