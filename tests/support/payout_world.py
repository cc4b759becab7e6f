"""The world of the payout state machine: processes on one journal, operators and an exchange."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import anyio
from crashing_process import CrashingProcess
from journals import open_payouts

from upbit_async import errors
from upbit_async.payouts import Evidence, Payout, PayoutState
from upbit_async.payouts.sqlite.store import Store
from upbit_async.sandbox import Knobs, LedgerEntry, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["AMOUNTS", "STRANGER", "PayoutWorld", "asked"]

AMOUNTS: Final = {"a": "13", "b": "13", "c": "14.0", "d": "12", "e": "500", "w": "1000"}
"""The amount of each key's payout; the key ``w`` is paid before anything breaks."""
STRANGER: Final = "TFakeTronWithdrawAddressFakeFakeFa"
"""Where withdrawals go that no payout makes."""
_MANY: Final = 100_000
_LONG_ENOUGH: Final = 200.0
"""Time in which a process that runs takes over a lease, settles what is unknown and sends what waits, in seconds."""
_UNSENT: Final = {PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.NOT_SENT}
_NOT_SENT_NOTE: Final = "Upbit does not have it"


class PayoutWorld:
    """Two processes with one journal, their exchange, and the true number of withdrawals.

    Args:
        folder: The folder of the journal.
        knobs: How the exchange behaves.
        options: Further arguments of each process's `Payouts`.

    Attributes:
        asked: The keys that `send` or `enqueue` was called with.
        enqueued: The keys for which `enqueue` has returned.
        departures_at_pause: How many copies had departed when `pause` returned; None if `resume` was called since.
        strangers: How many withdrawals were made without payouts.
        blind: Whether Upbit's list may have hidden a withdrawal for longer than the settling time.
        misjudged: How often a decision said of a key that it was not sent, although it was.
        renewed: How often `retry` gave a key a new nonce.
    """

    def __init__(self, folder: Path, knobs: Knobs, options: Sequence[Mapping[str, Any]]) -> None:
        self.sandbox = Sandbox("sg", knobs=knobs, transitions=Transitions.after_seconds(4))
        self.sandbox.account.fund("USDT", 100_000)
        for key in AMOUNTS:
            self.sandbox.account.allow_address("USDT", "TRX", f"T{key}")
        self._path = folder / "payouts.db"
        self._options = options
        self._begun: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self.leap = dt.timedelta(0)
        self.asked: set[str] = set()
        self.enqueued: set[str] = set()
        self.departures_at_pause: int | None = None
        self._resumes = 0
        self.strangers = 0
        self.blind = False
        self.misjudged: Counter[str] = Counter()
        self.renewed: Counter[str] = Counter()
        self.processes = [self.new_process(number) for number in range(len(options))]

    def new_process(self, number: int, **options: Any) -> CrashingProcess:
        """Start a process with the options of that number, and others."""
        return CrashingProcess(
            self.sandbox,
            self._path,
            clock=lambda: self.sandbox.now + self.leap,
            **{**self._options[number], **options},
        )

    def restart(self, number: int) -> None:
        """Let a process end, and start it again."""
        self.processes[number].close()
        self.processes[number] = self.new_process(number)

    def entries(self, key: str) -> list[LedgerEntry]:
        """Return the withdrawals that were made for a key."""
        return [entry for entry in self.sandbox.ledger.created if entry.address == f"T{key}"]

    def departures(self) -> int:
        """Return how many copies have departed, by the journal's file."""
        store = Store(str(self._path), 1.0)
        try:
            changes = store.changes(0, _MANY)
        finally:
            store.close()
        return sum(each.state is PayoutState.SENDING is not each.previous for each in changes)

    def sent_amount(self) -> Decimal:
        """Return the sum of the amounts of the payouts that were carried out."""
        return sum((Decimal(amount) for key, amount in AMOUNTS.items() if self.entries(key)), Decimal())

    def most_withdrawals(self, key: str) -> int:
        """Return how many withdrawals a key may have: one, and one per new nonce that a false decision allowed."""
        return 1 + min(self.misjudged[key], self.renewed[key])

    # -- sending -----------------------------------------------------------------------------------

    async def send(self, process: CrashingProcess, key: str, *, wait: bool) -> None:
        """Send a payout, and check what the caller receives."""
        self.asked.add(key)
        self._begun[key] += 1
        begun, alone = self._begun[key], key not in self._under_way
        self._under_way[key] += 1
        payout: Payout | None = None
        failure: errors.UpbitError | None = None
        try:
            payout = await process.payouts.send(key, **asked(key), until="final" if wait else "accepted")
        except errors.UpbitError as error:
            failure = error
        finally:
            self._under_way -= Counter({key: 1})
        if payout is None or failure is not None:
            assert failure is not None
            assert not failure.may_have_executed
            self._check_block(process, failure)
            known = await process.payouts.get(key)
            if alone and begun == self._begun[key]:  # else another call may have sent it just now
                assert known is None or known.state in _UNSENT, failure
            return
        assert payout.state is not PayoutState.PLANNED
        if wait and payout.error is None:
            assert payout.state.is_final or payout.state in {*_UNSENT, PayoutState.NEEDS_REVIEW}, payout

    def _check_block(self, process: CrashingProcess, failure: errors.UpbitError) -> None:
        """Unowned withdrawals block nothing if the process allows them, and a block names what is blocking."""
        if isinstance(failure, errors.PayoutBlocked):
            assert bool(failure.uuids) != bool(failure.by_key), failure
            assert not (failure.uuids and process.allows_unowned), failure

    async def enqueue(self, process: CrashingProcess, key: str) -> None:
        """Accept a payout, which a process that runs sends."""
        self.asked.add(key)
        self._begun[key] += 1
        self._under_way[key] += 1
        try:
            payout = await process.payouts.enqueue(key, **asked(key))
        finally:
            self._under_way -= Counter({key: 1})
        self.enqueued.add(key)
        assert payout.state is not PayoutState.PLANNED

    async def run(self, process: CrashingProcess) -> None:
        """Let a process run until it is cancelled."""
        await process.payouts.run(shutdown_timeout=5)

    async def pause(self, process: CrashingProcess) -> None:
        """Let nothing depart."""
        resumes = self._resumes
        await process.payouts.pause(note="audit")
        if resumes == self._resumes and self.departures_at_pause is None:
            self.departures_at_pause = self.departures()

    async def resume(self, process: CrashingProcess) -> None:
        """Let payouts depart again."""
        self._resumes += 1
        self.departures_at_pause = None
        await process.payouts.resume()

    async def run_once(self, process: CrashingProcess) -> None:
        """Take up what is open."""
        for payout in await process.payouts.run_once():
            assert payout.key in self.asked | {"w"}

    async def withdraw_on_the_website(self, amount: str) -> None:
        """Withdraw without payouts, and without this library."""
        self.strangers += 1
        self.sandbox.withdrawals.create_on_website("USDT", "TRX", amount, address=STRANGER)

    async def withdraw_beside(self, process: CrashingProcess, amount: str) -> None:
        """Withdraw without payouts, by the same client."""
        self.strangers += 1
        with contextlib.suppress(errors.UpbitError):
            await process.client.withdraws.create(**dict(asked("x"), amount=amount, address=STRANGER))

    # -- manual decisions --------------------------------------------------------------------------

    async def retry(self, process: CrashingProcess, key: str, *, new_nonce: bool = False) -> None:
        """Release a payout to be sent again."""
        try:
            payout = await process.payouts.retry(key, new_nonce=new_nonce)
        except (
            errors.UpbitError,
            ValueError,
        ):  # it is in another state, or has arrived, or takes a finding before
            return
        assert payout.state is PayoutState.QUEUED
        if new_nonce and payout.sent_request is not None:
            self.renewed[key] += 1
            assert _was_found_not_sent(payout), [step.note for step in payout.history]

    async def resolve(self, process: CrashingProcess, key: str) -> None:
        """Record what the website shows of a payout that needs review, or was not sent."""
        payout = await process.payouts.get(key)
        if payout is None or payout.state not in {PayoutState.NEEDS_REVIEW, PayoutState.NOT_SENT}:
            return
        entries = self.entries(key)
        with contextlib.suppress(errors.UpbitError, ValueError):  # another was faster, or the website is down
            if entries:
                await process.payouts.resolve(key, uuid=entries[0].uuid, note="seen on the website")
            elif payout.uuid is None:
                await self.say_not_sent(process, key)

    async def say_not_sent(self, process: CrashingProcess, key: str) -> None:
        """Record that a payout was not sent, whether or not that is true."""
        with contextlib.suppress(errors.UpbitError, ValueError):
            await process.payouts.resolve(key, not_sent=True, note="not on the website")
            self.misjudged[key] += bool(self.entries(key))

    async def renew(self, process: CrashingProcess, key: str) -> None:
        """Give a payout that was not sent a new nonce, after a check of the website."""
        await self.resolve(process, key)
        await self.retry(process, key, new_nonce=True)

    async def abandon(self, process: CrashingProcess, key: str, *, force: bool) -> None:
        """Give a payout up."""
        with contextlib.suppress(errors.UpbitError, ValueError):  # it has left, or the website is down
            payout = await process.payouts.abandon(key, force=force)
            assert payout.state is PayoutState.ABANDONED

    async def acknowledge_strangers(self, process: CrashingProcess) -> None:
        """Say of what was withdrawn without payouts that it is none."""
        for entry in self.sandbox.ledger.created:
            if entry.address == STRANGER:
                await self.acknowledge(process, entry)

    async def acknowledge(self, process: CrashingProcess, entry: LedgerEntry) -> None:
        """Say of a withdrawal that it is no payout, whether or not that is true."""
        with contextlib.suppress(errors.UpbitError):  # it is a payout's, by Upbit's answer or by a match
            await process.payouts.acknowledge(entry.uuid, note="withdrawn without payouts")

    # -- the end -----------------------------------------------------------------------------------

    async def run_until_nothing_is_queued(self, process: CrashingProcess) -> None:
        """Let a process run while nothing is broken, and check that only what is blocked stays queued."""
        with anyio.move_on_after(_LONG_ENOUGH):
            await process.payouts.run()
        for payout in await process.payouts.list(states=[PayoutState.QUEUED], limit=1000):
            assert isinstance(payout.error, errors.PayoutBlocked), (payout, payout.history)

    async def settle_all(self, process: CrashingProcess) -> dict[str, Payout]:
        """Let everybody do what the library advises until nothing is open; return what needed a review."""
        reviewed: dict[str, Payout] = {}
        for _ in range(12):
            await self.acknowledge_strangers(process)
            await process.payouts.run_once()
            open_ones = await open_payouts(process.payouts)
            if not open_ones:
                break
            for payout in open_ones:
                if payout.state is PayoutState.NEEDS_REVIEW:
                    reviewed[payout.key] = payout
                    await self.resolve(process, payout.key)
                else:
                    await self._lift_block(process, payout)
                    await self.retry(process, payout.key)
                    await self.renew(process, payout.key)
                    await self.send(process, payout.key, wait=True)
            await anyio.sleep(20)
        return reviewed

    async def _lift_block(self, process: CrashingProcess, payout: Payout) -> None:
        """Acknowledge the withdrawals that block a payout, unless the website shows that one is this payment."""
        own = [entry for entry in self.entries(payout.key) if entry.uuid in payout.candidates]
        with contextlib.suppress(errors.UpbitError, ValueError):
            if own:
                await process.payouts.resolve(payout.key, uuid=own[0].uuid, note="seen on the website")
                return
            for uuid in payout.candidates:
                await process.payouts.acknowledge(uuid, note="another payment, by the website")

    def judge(self, payout: Payout, *, is_reported: bool) -> None:
        """Check that a payout is what it is said to be, when everything has ended.

        Args:
            payout: The payout.
            is_told: Whether an answer has shown what amounts mean.
        """
        entries, notes = self.entries(payout.key), [step.note for step in payout.history]
        if payout.state is PayoutState.DECLINED:
            assert entries == [] or self.misjudged[payout.key], notes
            return
        if payout.state is PayoutState.ABANDONED:
            assert entries == [] or self.blind or self.misjudged[payout.key], notes
            return
        if payout.state is PayoutState.NEEDS_REVIEW:
            # The website shows a withdrawal that another payout has taken for its own by a match.
            assert self.strangers or not is_reported, notes
            return
        assert payout.state is PayoutState.DONE, (payout, notes)
        settled = {entry.uuid: entry for entry in self.sandbox.ledger.settled}
        assert payout.uuid in settled, (payout, notes)
        if settled[payout.uuid].address != f"T{payout.key}":
            # Nothing that Upbit shows tells the two apart; the documentation says so.
            assert payout.evidence is Evidence.MATCH, (payout, notes)
            assert self.strangers, (payout, notes)
            assert settled[payout.uuid].amount in {Decimal(AMOUNTS[payout.key]) + fee for fee in (0, 1, -1)}


def asked(key: str) -> dict[str, Any]:
    """Return what a key's payout asks for."""
    return {
        "currency": "USDT",
        "net_type": "TRX",
        "amount": AMOUNTS.get(key, "1"),
        "address": f"T{key}",
    }


def _was_found_not_sent(payout: Payout) -> bool:
    """Whether a decision said that no copy was carried out, after the last one had left."""
    for step in reversed(payout.history):
        if step.state is PayoutState.SENDING:
            return False
        if step.state is PayoutState.NOT_SENT and _NOT_SENT_NOTE in step.note:
            return True
    return False
