"""Whatever happens to transfers, the ledger and the balances agree, and no money appears or vanishes."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from upbit_async.region import Region
from upbit_async.sandbox import Knobs, Sandbox, Transition, Transitions
from upbit_async.sandbox.exchange.defaults import default_account, default_wallets
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.exchange import Exchange
from upbit_async.sandbox.exchange.state import ExchangeState
from upbit_async.sandbox.exchange.transfers import Arrival, DepositRecord, WithdrawalOrder

if TYPE_CHECKING:
    from signed_client import SignedClient

AMOUNTS = st.decimals(Decimal("0.1"), Decimal(4000), places=6)
STATES = st.sampled_from(
    [
        *("WAITING", "PROCESSING", "DONE", "FAILED", "CANCELLED", "REJECTED", "ELSEWHERE"),
        *("ACCEPTED", "TRAVEL_RULE_SUSPECTED", "REFUNDED"),
    ]
)
SEQUENCES = st.lists(
    st.builds(Transition, STATES, seconds=st.none() | st.floats(0, 5), reads=st.none() | st.integers(1, 3)),
    max_size=5,
).map(tuple)
TRANSITIONS = st.one_of(
    st.builds(Transitions, sequence=SEQUENCES, first=STATES),
    st.builds(Transitions.immediate),
    st.builds(Transitions.after_reads, st.integers(1, 3)),
)
DEPOSIT_TRANSITIONS = st.one_of(
    st.none(),
    TRANSITIONS,
    st.builds(Transitions.suspected, st.floats(0, 5), each=st.floats(0, 5)),
)
KINDS = st.sampled_from(["withdrawals", "deposits"])
INDEXES = st.integers(0, 9)
ACTIONS = st.one_of(
    st.tuples(st.just("withdraw"), AMOUNTS, TRANSITIONS),
    st.tuples(st.just("arrive"), AMOUNTS, DEPOSIT_TRANSITIONS),
    st.tuples(st.just("cancel"), INDEXES),
    st.tuples(st.just("verify"), INDEXES, st.sampled_from(["901", "902"])),
    st.tuples(st.just("read"), KINDS, INDEXES),
    st.tuples(st.just("set_state"), KINDS, INDEXES, STATES),
    st.tuples(st.just("wait"), st.floats(0, 5)),
)


class LedgerModel:
    """An exchange, and what must be true of it after every action."""

    def __init__(self, *, fee_on_top: bool) -> None:
        numbers = count()
        self.now = datetime(2026, 11, 20, tzinfo=UTC)
        state = ExchangeState(
            region=Region.SG,
            account=default_account(Region.SG),
            wallets=default_wallets(),
            knobs=Knobs(fee_on_top=fee_on_top, verification_interval=0.0),
            new_uuid=lambda: f"{next(numbers)}",
        )
        self.exchange = Exchange(state, Transitions.after_seconds())
        self.accepted: set[str] = set()
        self._enter = self.exchange.deposits._enter  # noqa: SLF001 - every entry passes here
        self.exchange.deposits._enter = self._record_state  # type: ignore[method-assign]  # noqa: SLF001

    def _record_state(self, record: DepositRecord, state: str, at: datetime) -> None:
        if state == "ACCEPTED":
            self.accepted.add(record.uuid)
        self._enter(record, state, at)

    def do(self, action: tuple[object, ...]) -> None:
        """Do what an action says, if it is possible; a refused one changes nothing."""
        before = list(self.exchange.ledger)
        try:
            self._do(action)
        except Refusal:
            assert list(self.exchange.ledger) == before
        self.exchange.catch_up(self.now)

    def _do(self, action: tuple[object, ...]) -> None:
        exchange = self.exchange
        match action:
            case ("withdraw", Decimal() as amount, Transitions() as transitions):
                exchange.withdrawals.transitions = transitions
                exchange.withdrawals.withdraw(
                    WithdrawalOrder(
                        currency="USDT",
                        net_type="TRX",
                        amount=amount,
                        amount_text=str(amount),
                        address="TFakeTronWithdrawAddressFakeFakeFa",
                    ),
                    self.now,
                )
            case ("arrive", Decimal() as amount, (Transitions() | None) as own_transitions):
                self._arrive(amount, own_transitions)
            case ("wait", float() as seconds):
                self.now += timedelta(seconds=seconds)
            case ("cancel", int() as index):
                self._cancel(index)
            case ("verify", int() as index, str() as number):
                self._verify(index, f"00000000-0000-4000-8000-000000000{number}")
            case ("read", str() as kind, int() as index):
                self._read(kind, index)
            case ("set_state", str() as kind, int() as index, str() as state):
                self._set_state(kind, index, state)
            case _:
                raise AssertionError(action)

    def _arrive(self, amount: Decimal, transitions: Transitions | None) -> None:
        arrival = Arrival(
            currency="USDT",
            net_type="TRX",
            amount=amount,
            amount_text=str(amount),
            txid="shared",
            vasp_name="Example Exchange A",
            transitions=transitions,
        )
        self.exchange.deposits.arrive(arrival, self.now)

    def _cancel(self, index: int) -> None:
        for uuid in list(self.exchange.withdrawals.records)[index : index + 1]:
            self.exchange.withdrawals.cancel(uuid, self.now)

    def _set_state(self, kind: str, index: int, state: str) -> None:
        service = self.exchange.withdrawals if kind == "withdrawals" else self.exchange.deposits
        for uuid in list(service.records)[index : index + 1]:
            service.set_state(uuid, state, self.now)

    def _read(self, kind: str, index: int) -> None:
        withdrawals, deposits = self.exchange.withdrawals, self.exchange.deposits
        if kind == "withdrawals":
            for withdrawal in list(withdrawals.records.values())[index : index + 1]:
                withdrawals.read(withdrawal, self.now)
        else:
            for deposit in list(deposits.records.values())[index : index + 1]:
                deposits.read(deposit, self.now)

    def _verify(self, index: int, vasp_uuid: str) -> None:
        travel_rule, uuids = self.exchange.travel_rule, list(self.exchange.deposits.records)
        with suppress(Refusal):
            if index < len(uuids):
                travel_rule.verify_by_uuid(uuids[index], vasp_uuid, self.now)
            else:
                travel_rule.verify_by_txid("shared", "USDT", "TRX", vasp_uuid, self.now)

    def check(self) -> None:
        """Compare balances, records and ledger."""
        ledger, balance = self.exchange.ledger, self.exchange.account.balance("USDT")
        withdrawals = self.exchange.withdrawals.records
        deposits = self.exchange.deposits.records

        arrived = sum(entry.amount for entry in ledger.credited)
        assert balance.available + balance.locked + ledger.moved("USDT") == 10_000 + arrived
        assert balance.locked == sum(each.total for each in withdrawals.values() if each.money == "held")

        assert {entry.uuid for entry in ledger.created} == set(withdrawals)
        settled = [entry.uuid for entry in ledger.settled]
        assert len(settled) == len(set(settled))
        assert set(settled) == {each.uuid for each in withdrawals.values() if each.money == "settled"}

        credited = [entry.uuid for entry in ledger.credited]
        assert len(credited) == len(set(credited))
        assert set(credited) == self.accepted == {each.uuid for each in deposits.values() if each.credited}
        assert [entry.amount for entry in ledger.credited] == [deposits[uuid].amount for uuid in credited]
        entries = len(ledger.created) + len(settled) + len(ledger.released) + len(credited)
        assert len(ledger) == entries


@given(actions=st.lists(ACTIONS, max_size=30), fee_on_top=st.booleans())
def test_ledger_and_balances_agree_after_any_actions(
    actions: list[tuple[object, ...]], *, fee_on_top: bool
) -> None:
    model = LedgerModel(fee_on_top=fee_on_top)
    for action in actions:
        model.do(action)
        model.check()


async def test_ledger_is_a_sequence(client: SignedClient, sandbox: Sandbox) -> None:
    uuid = (await client.withdraw()).json()["uuid"]
    sandbox.withdrawals.set_state(uuid, "REJECTED")
    assert len(sandbox.ledger) == 2
    assert sandbox.ledger[0] == next(iter(sandbox.ledger)) == sandbox.ledger.created[0]
    assert [entry.kind for entry in sandbox.ledger[:2]] == ["created", "released"]
    assert sandbox.ledger.released[0].uuid == uuid
