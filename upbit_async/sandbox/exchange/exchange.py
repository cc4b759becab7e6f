"""The exchange: takes withdrawals in, moves them along, and keeps the books."""

from __future__ import annotations

import hashlib
import heapq
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import attrs

from upbit_async.sandbox.exchange.errors import ADDRESS_NOT_REGISTERED, WITHDRAW_NOT_FOUND, Refusal
from upbit_async.sandbox.exchange.ledger import Entry, Ledger
from upbit_async.sandbox.exchange.plan import Journey, Plan
from upbit_async.sandbox.exchange.withdrawals import GIVEN_BACK, Search, Withdrawal, Withdrawals

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from upbit_async.region import Region
    from upbit_async.sandbox.exchange.accounts import Account
    from upbit_async.sandbox.exchange.assets import Wallet, Wallets
    from upbit_async.sandbox.knobs import Knobs

__all__ = ["Exchange", "Order"]


@attrs.frozen(kw_only=True)
class Order:
    """A request to withdraw, well formed but not yet judged.

    Attributes:
        currency: The currency's code.
        net_type: The network's identifier.
        amount: How much.
        amount_text: The same as it was written.
        address: Where to.
        secondary_address: The memo, if any.
        transaction_type: ``default`` or ``internal``.
    """

    currency: str
    net_type: str
    amount: Decimal
    amount_text: str
    address: str
    secondary_address: str | None = None
    transaction_type: str = "default"


class Exchange:
    """One region's exchange with one account.

    Args:
        region: Which exchange.
        account: The account.
        wallets: What is listed.
        knobs: The undocumented choices.
        plan: How new withdrawals progress.
        new_uuid: Makes ids.
    """

    def __init__(
        self,
        region: Region,
        *,
        account: Account,
        wallets: Wallets,
        knobs: Knobs,
        plan: Plan,
        new_uuid: Callable[[], str],
    ) -> None:
        self.region = region
        self.account = account
        self.wallets = wallets
        self.knobs = knobs
        self.plan = plan
        self.withdrawals = Withdrawals()
        self.ledger = Ledger()
        self._new_uuid = new_uuid
        self._timetable: list[tuple[datetime, int, Withdrawal]] = []
        self._entries_made = 0

    # -- looking things up -------------------------------------------------------------------------

    def wallet(self, currency: str, net_type: str) -> Wallet:
        """The wallet of a currency on a network.

        Raises:
            Refusal: It is not listed.
        """
        try:
            return self.wallets[currency, net_type]
        except KeyError:
            raise Refusal(self.knobs.unknown_wallet) from None

    def find(self, uuid: str, now: datetime) -> Withdrawal:
        """The withdrawal with an id.

        Raises:
            Refusal: There is none, or it does not show yet.
        """
        found = self.withdrawals.search(Search(uuids=frozenset({uuid})), now, hidden_for=self.knobs.get_delay)
        if not found:
            raise Refusal(WITHDRAW_NOT_FOUND)
        return found[0]

    # -- withdrawing -------------------------------------------------------------------------------

    def withdraw(self, order: Order, now: datetime) -> Withdrawal:
        """Takes a withdrawal in: judges it, holds its money and starts it on the plan.

        Raises:
            Refusal: It is not accepted, and nothing was changed.
        """
        wallet = self.wallet(order.currency, order.net_type)
        self._judge(order, wallet)
        record = self._record(order, wallet, now)
        self.account.hold(record.currency, record.total)
        self.withdrawals.add(record)
        self._write("created", record, now)
        self._enter(record, self.plan.first, now)  # a plan may begin at the end
        self._schedule(record)
        return record

    def cancel(self, uuid: str, now: datetime) -> Withdrawal:
        """Cancels a withdrawal.

        Raises:
            Refusal: There is none, or it can no longer be cancelled.
        """
        record = self.find(uuid, now)
        if not record.is_cancelable:
            raise Refusal(self.knobs.not_cancelable)
        self.advance(uuid, "CANCELLED", now)
        return record

    def _judge(self, order: Order, wallet: Wallet) -> None:
        level = self.account.member_level
        destination = (order.currency, order.net_type, order.address, order.secondary_address)
        if level.locked or level.wallet_locked:
            raise Refusal(self.knobs.account_locked)
        if "withdraw" not in wallet.support:
            raise Refusal(self.knobs.wallet_suspended)
        if not self.account.has_registered(destination):
            raise Refusal(ADDRESS_NOT_REGISTERED)
        if _decimals(order.amount) > wallet.decimals:
            raise Refusal(self.knobs.too_many_decimals)
        if order.amount < wallet.minimum:
            raise Refusal(self.knobs.below_minimum)
        if self._total(order, wallet) > self.account.balance(order.currency).available:
            raise Refusal(self.knobs.insufficient_balance)

    def _record(self, order: Order, wallet: Wallet, now: datetime) -> Withdrawal:
        return Withdrawal(
            uuid=self._new_uuid(),
            currency=order.currency,
            net_type=order.net_type,
            amount=order.amount,
            amount_text=order.amount_text,
            fee=_fee(order, wallet),
            total=self._total(order, wallet),
            address=order.address,
            secondary_address=order.secondary_address,
            transaction_type=order.transaction_type,
            state=self.plan.first,
            created_at=now,
            journey=Journey(self.plan, now),
        )

    def _total(self, order: Order, wallet: Wallet) -> Decimal:
        return order.amount + _fee(order, wallet) if self.knobs.fee_on_top else order.amount

    # -- moving along ------------------------------------------------------------------------------

    def catch_up(self, now: datetime) -> None:
        """Takes every step that has become due, in the order in which they were due."""
        while self._timetable and self._timetable[0][0] <= now:
            due_at, _, record = heapq.heappop(self._timetable)
            if record.journey.due_at == due_at:  # else it went another way since it was put down
                self._step(record, due_at)

    def look_at(self, record: Withdrawal, now: datetime) -> None:
        """Notes that a record was shown to the client, which may move it on."""
        if record.journey.look():
            self._step(record, now)

    def advance(self, uuid: str, state: str, now: datetime) -> Withdrawal:
        """Puts a withdrawal into a state by hand, off its plan; ``KeyError`` when there is none."""
        record = self.withdrawals[uuid]
        record.journey.abandon()
        self._enter(record, state, now)
        return record

    def _step(self, record: Withdrawal, at: datetime) -> None:
        self._enter(record, record.journey.take_step(at).state, at)
        self._schedule(record)

    def _schedule(self, record: Withdrawal) -> None:
        due_at = record.journey.due_at
        if due_at is not None:
            self._entries_made += 1  # keeps equal times in order, and records out of the comparison
            heapq.heappush(self._timetable, (due_at, self._entries_made, record))

    def _enter(self, record: Withdrawal, state: str, at: datetime) -> None:
        record.state = state
        if state in record.journey.plan.txid_at and record.txid is None:
            record.txid = hashlib.sha256(record.uuid.encode()).hexdigest()
        if state in {"DONE", "FAILED", "REJECTED"}:  # a cancelled one is published without an end time
            record.done_at = at
        if state == "DONE":
            self._settle(record, at)
        elif state in GIVEN_BACK:
            self._give_back(record, at)

    # -- the books ---------------------------------------------------------------------------------

    def _settle(self, record: Withdrawal, at: datetime) -> None:
        if record.money == "settled":
            return
        if record.money == "released":  # a cancellation that lost the race: the money is needed again
            self.account.hold(record.currency, record.total)
        self.account.spend(record.currency, record.total)
        record.money = "settled"
        self._write("settled", record, at)

    def _give_back(self, record: Withdrawal, at: datetime) -> None:
        if record.money == "held":  # what has left the exchange does not come back
            self.account.release(record.currency, record.total)
            record.money = "released"
            self._write("released", record, at)

    def _write(
        self, kind: Literal["created", "settled", "released"], record: Withdrawal, at: datetime
    ) -> None:
        self.ledger.append(
            Entry(
                kind=kind,
                uuid=record.uuid,
                currency=record.currency,
                net_type=record.net_type,
                amount=record.amount,
                fee=record.fee,
                total=record.total,
                address=record.address,
                secondary_address=record.secondary_address,
                at=at,
            )
        )


def _fee(order: Order, wallet: Wallet) -> Decimal:
    return Decimal(0) if order.transaction_type == "internal" else wallet.withdraw_fee


def _decimals(amount: Decimal) -> int:
    """How many decimals an amount needs; zeros at its end are idle."""
    _, _, fraction = format(amount, "f").partition(".")
    return len(fraction.rstrip("0"))
