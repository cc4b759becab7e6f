"""Whatever happens to deposits, each is credited at most once, and only because it was accepted."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from upbit_async.region import Region
from upbit_async.sandbox import Knobs, Transition, Transitions
from upbit_async.sandbox.exchange.defaults import default_account, default_wallets
from upbit_async.sandbox.exchange.deposits import Arrival, DepositRecord
from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.exchange.exchange import Exchange
from upbit_async.sandbox.exchange.state import ExchangeState

AMOUNTS = st.decimals(Decimal("0.1"), Decimal(4000), places=6)
STATES = st.sampled_from(
    ["PROCESSING", "ACCEPTED", "CANCELLED", "REJECTED", "TRAVEL_RULE_SUSPECTED", "REFUNDED", "ELSEWHERE"]
)
STEPS = st.builds(
    Transition,
    STATES,
    seconds=st.none() | st.floats(0, 5),
    reads=st.none() | st.integers(1, 3),
)
PLANS = st.one_of(
    st.none(),
    st.builds(Transitions.immediate),
    st.builds(Transitions.after_reads, st.integers(1, 3)),
    st.builds(Transitions.suspected, st.floats(0, 5), each=st.floats(0, 5)),
    st.builds(Transitions, steps=st.lists(STEPS, max_size=5).map(tuple), first=STATES),
)
ACTIONS = st.one_of(
    st.tuples(st.just("arrive"), AMOUNTS, PLANS),
    st.tuples(st.just("look"), st.integers(0, 9)),
    st.tuples(st.just("verify"), st.integers(0, 9), st.sampled_from(["901", "902"])),
    st.tuples(st.just("advance"), st.integers(0, 9), STATES),
    st.tuples(st.just("wait"), st.floats(0, 5)),
)


class LedgerModel:
    """An exchange, and what has to be true of it after everything that happens."""

    def __init__(self) -> None:
        numbers = count()
        self.now = datetime(2026, 11, 20, tzinfo=UTC)
        shared = ExchangeState(
            region=Region.SG,
            account=default_account(Region.SG),
            wallets=default_wallets(),
            knobs=Knobs(verification_interval=0.0),
            new_uuid=lambda: f"{next(numbers)}",
        )
        self.exchange = Exchange(shared, Transitions.after_seconds())
        self.accepted: set[str] = set()
        self._enter = self.exchange.deposits._enter  # noqa: SLF001 - every entry passes here
        self.exchange.deposits._enter = self._watch  # type: ignore[method-assign]  # noqa: SLF001

    def _watch(self, record: DepositRecord, state: str, at: datetime) -> None:
        if state == "ACCEPTED":
            self.accepted.add(record.uuid)
        self._enter(record, state, at)

    def do(self, action: tuple[object, ...]) -> None:
        desk = self.exchange.deposits
        records = list(desk.records.values())
        match action:
            case ("arrive", Decimal() as amount, (Transitions() | None) as plan):
                arrival = Arrival(
                    currency="USDT",
                    net_type="TRX",
                    amount=amount,
                    amount_text=str(amount),
                    txid="shared",
                    vasp_name="Example Exchange A",
                    transitions=plan,
                )
                desk.arrive(arrival, self.now)
            case ("wait", float() as seconds):
                self.now += timedelta(seconds=seconds)
            case ("look", int() as index) if index < len(records):
                desk.read(records[index], self.now)
            case ("verify", int() as index, str() as number):
                vasp_uuid = f"00000000-0000-4000-8000-000000000{number}"
                travel_rule = self.exchange.travel_rule
                with suppress(Refusal):
                    if index < len(records):
                        travel_rule.verify_by_uuid(records[index].uuid, vasp_uuid, self.now)
                    else:
                        travel_rule.verify_by_txid("shared", "USDT", "TRX", vasp_uuid, self.now)
            case ("advance", int() as index, str() as state) if index < len(records):
                desk.set_state(records[index].uuid, state, self.now)
            case _:
                pass
        self.exchange.catch_up(self.now)

    def check(self) -> None:
        balance = self.exchange.account.balance("USDT")
        records = self.exchange.deposits.records
        entries = self.exchange.ledger.credited
        credited = [entry.uuid for entry in entries]
        assert len(credited) == len(set(credited)) == len(self.exchange.ledger)
        assert set(credited) == self.accepted
        assert set(credited) == {record.uuid for record in records.values() if record.credited}
        assert [entry.amount for entry in entries] == [records[uuid].amount for uuid in credited]
        assert balance.available == 10_000 + sum(entry.amount for entry in entries)
        assert balance.locked == 0


@given(actions=st.lists(ACTIONS, max_size=30))
def test_what_is_accepted_is_credited_and_nothing_else_ever(actions: list[tuple[object, ...]]) -> None:
    books = LedgerModel()
    for action in actions:
        books.do(action)
        books.check()
