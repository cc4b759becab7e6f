"""Pollers for deposits, by uuid and by transaction."""

from __future__ import annotations

import json
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import anyio.lowlevel
import pytest

from upbit_async import errors
from upbit_async.events import StateChanged
from upbit_async.models import Deposit, DepositState
from upbit_async.polling import DepositPoller, RegionChanges, Watcher, read_token
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.events import Event
    from upbit_async.policy import PollSchedule
    from upbit_async.polling import IdName

HOST = "sg-api.upbit.com"


def deposit(uuid: str, state: str, **members: Any) -> Deposit:
    return Deposit(uuid=uuid, currency="USDT", amount=Decimal("35.7"), state=DepositState(state), **members)


class Arrivals:
    """A fake of Upbit's list of deposits, of which each poll returns the next state."""

    def __init__(self, schedule: PollSchedule, by: IdName, *answers: Deposit | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, ...]] = []
        self.events: list[Event] = []
        self._by: IdName = by
        self._watcher = Watcher[Deposit](
            self._fetch, schedule, kind="deposit", host=HOST, emit=self.events.append, id_of=attrgetter(by)
        )

    async def _fetch(self, ids: Sequence[str]) -> list[Deposit]:
        self.asked.append(tuple(ids))
        await anyio.lowlevel.checkpoint()
        seen = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [] if seen is None else [seen]

    def poller(self, id_: str) -> DepositPoller:
        return DepositPoller(id_, by=self._by, watcher=self._watcher, region=Region.SG, host=HOST)


async def states(poller: DepositPoller) -> list[tuple[str, bool]]:
    return [(change.state.value, change.skipped) async for change in poller.changes()]


async def test_deposit_is_polled_until_it_is_credited(plain: PollSchedule) -> None:
    transfers = Arrivals(plain, "uuid", None, deposit("d", "PROCESSING"), deposit("d", "ACCEPTED"))
    poller = transfers.poller("d")
    assert await states(poller) == [("PROCESSING", False), ("ACCEPTED", False)]
    assert (await poller.result()).state is DepositState.ACCEPTED
    assert transfers.asked == [("d",)] * 3


async def test_refund_passes_through_the_travel_rule_states(plain: PollSchedule) -> None:
    path = ("PROCESSING", "TRAVEL_RULE_SUSPECTED", "REFUNDING", "REFUNDED")
    transfers = Arrivals(plain, "uuid", *(deposit("d", state) for state in path))
    assert await states(transfers.poller("d")) == [(state, False) for state in path]


@pytest.mark.parametrize(
    ("path", "skipped"),
    [
        (("PROCESSING", "REFUNDED"), True),
        (("TRAVEL_RULE_SUSPECTED", "REFUNDED"), True),
        (("TRAVEL_RULE_SUSPECTED", "ACCEPTED"), False),
        (("TRAVEL_RULE_SUSPECTED", "PROCESSING", "ACCEPTED"), False),
        (("PROCESSING", "REJECTED"), False),
        (("PROCESSING", "WARNING", "CANCELLED"), False),
    ],
)
async def test_change_that_skips_states_is_marked(
    plain: PollSchedule, path: tuple[str, ...], *, skipped: bool
) -> None:
    transfers = Arrivals(plain, "uuid", *(deposit("d", state) for state in path))
    changes = await states(transfers.poller("d"))
    assert [state for state, _ in changes] == list(path)
    assert changes[-1][1] is skipped


@pytest.mark.parametrize("end", ["CANCELLED", "REJECTED", "REFUNDED"])
async def test_result_raises_unless_the_deposit_is_credited(plain: PollSchedule, end: str) -> None:
    poller = Arrivals(plain, "uuid", deposit("d", end)).poller("d")
    with pytest.raises(
        errors.DepositNotAccepted, match=f"35.7 USDT ended as {end}; it was not credited"
    ) as error:
        await poller.result()
    assert error.value.record.state == end
    assert error.value.resume_token == poller.resume_token


async def test_timeout_on_a_suspected_deposit_names_the_travel_rule(plain: PollSchedule) -> None:
    poller = Arrivals(plain, "uuid", deposit("d", "TRAVEL_RULE_SUSPECTED")).poller("d")
    with pytest.raises(errors.PollTimeout, match=r"is TRAVEL_RULE_SUSPECTED.*client\.travel_rule"):
        await poller.wait(timeout=100)


# -- by transaction --------------------------------------------------------------------------------


async def test_transaction_is_polled_until_its_deposit_appears(plain: PollSchedule) -> None:
    seen = deposit("d", "ACCEPTED", txid="tx")
    transfers = Arrivals(plain, "txid", None, None, seen)
    poller = transfers.poller("TX")
    known = [poller.uuid]
    assert await poller.wait() == seen
    assert [*known, poller.uuid] == [None, "d"]
    assert transfers.asked == [("TX",)] * 3
    assert [event.uuid for event in transfers.events if isinstance(event, StateChanged)] == ["d"]


async def test_resume_token_holds_the_transaction_until_the_uuid_is_known(plain: PollSchedule) -> None:
    transfers = Arrivals(plain, "txid", None, deposit("d", "PROCESSING", txid="tx"))
    poller = transfers.poller("tx")
    assert json.loads(poller.resume_token)["txid"] == "tx"
    point = read_token(poller.resume_token, kind="deposit", region=Region.SG, host=HOST)
    assert (point.by, point.id) == ("txid", "tx")

    with pytest.raises(errors.PollTimeout) as late:
        await poller.wait(timeout=5)
    assert late.value.resume_token == poller.resume_token
    point = read_token(poller.resume_token, kind="deposit", region=Region.SG, host=HOST)
    assert (point.by, point.id) == ("uuid", "d")


def test_withdrawal_token_with_a_transaction_is_refused() -> None:
    token = '{"v":1,"kind":"withdrawal","region":"sg","host":"sg-api.upbit.com","txid":"tx"}'
    with pytest.raises(ValueError, match="its uuid is missing"):
        read_token(token, kind="withdrawal", region=Region.SG, host=HOST)


async def test_transaction_that_never_appears_is_not_found_after_the_grace(plain: PollSchedule) -> None:
    poller = Arrivals(plain, "txid", None).poller("tx")
    with pytest.raises(errors.NotFound, match=r"deposit tx was not found within 3\d s") as error:
        await poller.wait()
    assert error.value.resume_token == poller.resume_token


async def test_deposits_of_several_regions_are_merged(plain: PollSchedule) -> None:
    sides: list[tuple[IdName, str]] = [("uuid", "a"), ("txid", "b")]
    lists = [
        Arrivals(plain, by, deposit(name, "PROCESSING", txid=name), deposit(name, "ACCEPTED", txid=name))
        for by, name in sides
    ]
    changes = RegionChanges([transfers.poller(name) for transfers, name in zip(lists, "ab", strict=True)])
    seen = sorted([(change.record.uuid, change.state.value) async for _, change in changes])
    assert seen == [("a", "ACCEPTED"), ("a", "PROCESSING"), ("b", "ACCEPTED"), ("b", "PROCESSING")]


@pytest.mark.parametrize(("id_", "error"), [("", ValueError), (7, TypeError), ("x" * 257, ValueError)])
def test_unusable_transaction_id_is_refused(plain: PollSchedule, id_: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="txid"):
        Arrivals(plain, "txid", None).poller(id_)


def test_pollers_of_one_deposit_are_equal(plain: PollSchedule) -> None:
    transfers, other = Arrivals(plain, "uuid", None), Arrivals(plain, "txid", None)
    assert transfers.poller("d") == transfers.poller("D")
    assert transfers.poller("d") != other.poller("d")
    assert repr(other.poller("tx")) == f"<DepositPoller tx at {HOST}: not seen yet>"
