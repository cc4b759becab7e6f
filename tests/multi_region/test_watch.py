"""`watch`: the changes of many transfers in several regions."""

from __future__ import annotations

import contextlib
import gc
import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import pytest
from region_pollers import begun, begun_everywhere, watched

from upbit_async import (
    Credentials,
    PollSchedule,
    Region,
    RetryPolicy,
    StateChange,
    UpbitRegions,
    WithdrawalPoller,
)
from upbit_async.errors import AuthenticationError, NotFound
from upbit_async.events import PollFailed, StateChanged
from upbit_async.models import Withdrawal
from upbit_async.polling import region_changes
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from upbit_async.events import Event
    from upbit_async.polling import RegionChanges

Changes: TypeAlias = list[tuple[Region, StateChange[Withdrawal]]]

DONE = "00000000-0000-4000-8000-000000000001"
"""A withdrawal that every sandbox starts with."""
TRANSITIONS = {
    Region.SG: Transitions.after_seconds(3),
    Region.ID: Transitions.after_seconds(5, states=("PROCESSING", "FAILED")),
    Region.TH: Transitions.after_seconds(4, states=("CANCELLED",)),
}
STATES = ["WAITING", "PROCESSING", "DONE"]


async def collect(into: Changes, changes: RegionChanges[Withdrawal]) -> None:
    async for pair in changes:
        into.append(pair)


def by_transfer(yielded: Changes) -> dict[str, list[tuple[str | None, str]]]:
    paths: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
    for _, change in yielded:
        previous = None if change.previous is None else change.previous.value
        paths[change.record.uuid].append((previous, change.state.value))
    return paths


# -- what is yielded -------------------------------------------------------------------------------


async def test_watch_yields_changes_with_their_region_until_all_are_final(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    for region, plan in TRANSITIONS.items():
        sandboxes[region].withdrawals.transitions = plan
    pollers = await begun_everywhere(regions)
    yielded = [(region, change) async for region, change in regions.watch(pollers)]
    for region, poller in zip(regions, pollers, strict=True):
        changes = [change for where, change in yielded if where is region]
        assert [change.state for change in changes] == [
            "WAITING",
            *(s.state for s in TRANSITIONS[region].sequence),
        ]
        assert [change.previous for change in changes] == [None, *(each.state for each in changes[:-1])]
        assert poller.last is changes[-1].record
    assert watched(regions) == 0


async def test_watch_of_nothing_ends_at_once(regions: UpbitRegions) -> None:
    nothing: list[WithdrawalPoller] = []
    assert [change async for change in regions.watch(nothing)] == []


async def test_known_states_are_yielded_at_once_without_requests(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    pollers = await begun_everywhere(regions)
    sandboxes[Region.SG].withdrawals.set_state(pollers[0].uuid, "DONE")
    for poller in pollers:
        await _seen(poller)
    for sandbox in sandboxes.values():
        sandbox.requests.clear()
    changes = regions.watch(iter(pollers))
    began = anyio.current_time()
    yielded = [await anext(changes) for _ in pollers]
    assert [(region, change.state.value) for region, change in yielded] == [
        ("sg", "DONE"),
        ("id", "WAITING"),
        ("th", "WAITING"),
    ]
    assert anyio.current_time() == began
    assert not any(sandbox.requests for sandbox in sandboxes.values())
    assert watched(regions) == 2


async def _seen(poller: WithdrawalPoller) -> None:
    async with contextlib.aclosing(poller.changes()) as changes:
        await anext(changes)


async def test_equal_pollers_yield_each_change_once(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    sandboxes[Region.SG].withdrawals.transitions = Transitions.after_seconds()
    poller = await begun(regions["sg"])
    twin = regions["sg"].withdraws.poller(poller.uuid.upper())
    yielded = [change.state async for _, change in regions.watch([poller, twin])]
    assert yielded == STATES


async def test_several_watchers_of_one_transfer_see_the_same_changes(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    for sandbox in sandboxes.values():
        sandbox.withdrawals.transitions = Transitions.after_seconds(10)
    pollers = await begun_everywhere(regions)
    results: dict[str, Changes] = {}

    async def watch(name: str) -> None:
        results[name] = [pair async for pair in regions.watch(pollers)]

    async with anyio.create_task_group() as group:
        group.start_soon(watch, "one")
        group.start_soon(watch, "two")
        group.start_soon(pollers[0].wait)
    assert by_transfer(results["one"]) == by_transfer(results["two"])
    assert Counter(region for region, _ in results["one"]) == dict.fromkeys(regions, 3)


async def test_one_poll_serves_all_transfers_of_a_region(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    pollers = [await begun(regions["sg"]) for _ in range(20)]
    for poller in pollers:
        sandboxes[Region.SG].withdrawals.set_state(poller.uuid, "DONE")
    sandboxes[Region.SG].requests.clear()
    assert len([change async for change in regions.watch(pollers)]) == 20
    assert len(sandboxes[Region.SG].requests) == 1


# -- once and in order -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
async def test_every_change_is_yielded_once_and_in_order(sandboxes: dict[Region, Sandbox], seed: int) -> None:
    """The iteration yields what the observer reports, although steps are cancelled and pauses made."""
    dice = random.Random(seed)
    seen: dict[str, list[tuple[str | None, str]]] = defaultdict(list)

    def observe(event: Event) -> None:
        if isinstance(event, StateChanged):
            seen[event.uuid].append((event.previous, event.state))

    poll = PollSchedule(first=0.5, longest=dice.choice([0.5, 5.0]))
    clients = [each.client(observer=observe, poll=poll) for each in sandboxes.values()]
    regions = UpbitRegions.of(*clients)
    pollers: list[WithdrawalPoller] = []
    for client in clients:
        for _ in range(dice.randrange(1, 6)):
            path = dice.sample(["PROCESSING", "WAITING", "MOONED", "DANCING"], k=dice.randrange(4))
            ending = dice.choice(["DONE", "FAILED", "CANCELLED", "REJECTED"])
            sandboxes[client.region].withdrawals.transitions = Transitions.after_seconds(
                dice.uniform(0.1, 8), states=(*path, ending)
            )
            pollers.append(await begun(client))
        for _ in range(dice.randrange(4)):
            sandboxes[client.region].faults.add(
                dice.choice(
                    [
                        Fault.slow(dice.uniform(0.1, 3), "GET", skip=dice.randrange(9)),
                        Fault.lose_answer("GET", skip=dice.randrange(9)),
                        Fault.status(503, "GET", skip=dice.randrange(9)),
                    ]
                )
            )
    dice.shuffle(pollers)
    yielded: Changes = []
    ended = False
    changes = regions.watch(pollers)
    while not ended:
        with anyio.move_on_after(dice.choice([0.0, 0.01, 0.3, 2, 60])):
            try:
                yielded.append(await anext(changes))
            except StopAsyncIteration:
                ended = True
        await anyio.sleep(dice.choice([0, 0, 0.3, 3]))
    assert by_transfer(yielded) == seen
    assert {poller.uuid for poller in pollers} == seen.keys()
    assert all(poller.last is not None and poller.last.state.is_final for poller in pollers)
    assert watched(regions) == 0
    homes = {
        poller.uuid: client.region for client in clients for poller in pollers if client.host in repr(poller)
    }
    assert all(homes[change.record.uuid] is region for region, change in yielded)


async def test_changes_between_two_steps_are_yielded_by_the_next(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    sandboxes[Region.SG].withdrawals.transitions = Transitions.after_seconds(4)
    poller = await begun(regions["sg"])
    changes = regions.watch([poller])
    assert (await anext(changes))[1].state == "WAITING"
    await regions["sg"].withdraws.wait(poller.uuid)  # polls, and so updates the other waiters
    sandboxes[Region.SG].requests.clear()
    assert [change.state async for _, change in changes] == ["PROCESSING", "DONE"]
    assert len(sandboxes[Region.SG].requests) == 0


@pytest.mark.parametrize("grace", [region_changes.POLL_GRACE, 0.0])
async def test_slow_region_is_not_starved_by_a_busy_one(
    sandboxes: dict[Region, Sandbox], monkeypatch: pytest.MonkeyPatch, grace: float
) -> None:
    monkeypatch.setattr(region_changes, "POLL_GRACE", grace)
    poll = PollSchedule(first=0.2, longest=0.2, jitter=0)
    regions = UpbitRegions.of(*(each.client(poll=poll) for each in sandboxes.values()))
    slow = await begun(regions["th"])
    sandboxes[Region.TH].withdrawals.set_state(slow.uuid, "DONE")
    sandboxes[Region.TH].faults.add(Fault.slow(0.8, "GET", times=None))
    busy = [await begun(regions["sg"]) for _ in range(30)]

    async def be_busy() -> None:
        for poller in busy:
            await anyio.sleep(0.2)
            sandboxes[Region.SG].withdrawals.set_state(poller.uuid, "DONE")

    yielded: Changes = []
    async with anyio.create_task_group() as group:
        group.start_soon(be_busy)
        await collect(yielded, regions.watch([slow, *busy]))
    place = [region for region, _ in yielded].index(Region.TH)
    assert place < 40 if grace else place == len(yielded) - 1


# -- trouble ---------------------------------------------------------------------------------------


async def test_failing_region_does_not_affect_the_others(sandboxes: dict[Region, Sandbox]) -> None:
    events: list[Event] = []
    retry = RetryPolicy(attempts=1)
    regions = UpbitRegions.of(
        *(each.client(observer=events.append, retry=retry) for each in sandboxes.values())
    )
    for sandbox in sandboxes.values():
        sandbox.withdrawals.transitions = Transitions.after_seconds()
    pollers = await begun_everywhere(regions)
    sandboxes[Region.ID].faults.add(Fault.status(503, times=None))
    began = last = anyio.current_time()
    yielded: Changes = []
    with anyio.move_on_after(3600):
        async for pair in regions.watch(pollers):
            yielded.append(pair)
            last = anyio.current_time()
    assert Counter(region for region, _ in yielded) == {Region.SG: 3, Region.TH: 3}
    assert last - began < 15
    assert anyio.current_time() - began == pytest.approx(3600)
    assert {event.host for event in events if isinstance(event, PollFailed)} == {regions["id"].host}


async def test_permanent_errors_are_raised_at_the_end_with_resume_tokens(
    sandboxes: dict[Region, Sandbox],
) -> None:
    strange = Credentials("strange", "keys")
    regions = UpbitRegions.of(*(each.client() for each in sandboxes.values()))
    for sandbox in sandboxes.values():
        sandbox.withdrawals.transitions = Transitions.after_seconds()
    pollers = await begun_everywhere(regions)
    locked_out = UpbitRegions.of(
        sandboxes[Region.SG].client(), sandboxes[Region.ID].client(credentials=strange), regions["th"]
    )
    nowhere = locked_out["sg"].withdraws.poller("nowhere")
    pollers = [locked_out["id"].withdraws.resume(pollers[1].resume_token), nowhere, pollers[2], pollers[0]]
    yielded: Changes = []
    changes = locked_out.watch(pollers)
    with pytest.raises(ExceptionGroup, match="can be resumed") as caught:
        await collect(yielded, changes)
    tokens: list[str | None] = []
    for error, kind in zip(caught.value.exceptions, (AuthenticationError, NotFound), strict=True):
        assert isinstance(error, kind)
        tokens.append(error.resume_token)
    assert tokens == [pollers[0].resume_token, nowhere.resume_token]
    assert Counter(region for region, _ in yielded) == {Region.SG: 3, Region.TH: 3}
    assert watched(locked_out) == 0
    with pytest.raises(StopAsyncIteration):
        await anext(changes)
    assert tokens[0] is not None
    assert (await regions["id"].withdraws.resume(tokens[0]).result()) is not None


async def test_programming_error_is_raised_unchanged(
    regions: UpbitRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mistake(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    pollers = await begun_everywhere(regions)
    monkeypatch.setattr(regions["id"].transport, "call", mistake)
    with pytest.raises(ZeroDivisionError):
        await collect([], regions.watch(pollers))
    gc.collect()  # the error's frames
    assert watched(regions) == 0


async def test_pollers_of_other_clients_are_refused(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    uuid = "00000000-0000-4000-8000-000000000006"
    async with Sandbox("sg") as other, Sandbox("kr") as korea:
        for poller in (other.client().withdraws.poller(uuid), korea.client().withdraws.poller(uuid)):
            with pytest.raises(ValueError, match="belongs to none of the clients for sg, id, th"):
                regions.watch([regions["th"].withdraws.poller(uuid), poller])
    with pytest.raises(TypeError, match="pollers must be of type TransferPoller"):
        regions.watch([uuid])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sibling = regions["th"].with_options(poll=PollSchedule(first=2))
    assert [region async for region, _ in regions.watch([sibling.withdraws.poller(DONE)])] == ["th"]
