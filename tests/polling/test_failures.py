from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
import pytest

from upbit_async import errors
from upbit_async.events import PollFailed
from upbit_async.polling import RegionChanges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.polling.conftest import FakeTransferList
    from upbit_async.models import Withdrawal
    from upbit_async.polling import WithdrawalPoller


ENDS_ALL = [
    errors.AuthenticationError("the key was refused", status=401, name="invalid_access_key"),
    errors.PermissionDenied("the key lacks a permission", status=403, name="out_of_scope"),
    errors.ConfigurationError("there is no key"),
    errors.Banned("blocked", status=418, until=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
]
PASSES = [
    errors.TransportError("no answer"),
    errors.ServerError("maintenance", status=503),
    errors.RateLimited("too many", status=429, name="too_many_requests", retry_after=1),
    errors.DecodeError("not JSON"),
    errors.APIError("a proxy's page", status=404),
    errors.APIError("too slow", status=408, name="request_timeout"),
    errors.AuthenticationError("a proxy's page", status=401),
    errors.PermissionDenied("a proxy's page", status=403),
    errors.ValidationError("a proxy's page", status=400),
    errors.NotFound("a proxy's page", status=404),
    errors.APIError("conflict", status=409, name="conflict"),
    errors.ValidationError("locked", status=423, name="locked"),
    errors.ValidationError("too early", status=425, name="too_early"),
    errors.AuthenticationError("the same token arrived twice", status=401, name="nonce_used"),
]
_REFUSAL = errors.ValidationError("bad", status=400, name="validation_error")


@pytest.mark.parametrize("error", PASSES, ids=str)
async def test_a_failed_look_is_an_event_and_no_end(desk: FakeTransferList, error: errors.UpbitError) -> None:
    faults = [error, error]
    desk.fault = lambda _uuids: faults.pop() if faults else None
    pollers = [desk.open(name, (0, "DONE")) for name in "abc"]

    assert await desk.outcomes(*pollers) == ["DONE"] * 3

    failed = [event for event in desk.events if isinstance(event, PollFailed)]
    assert [event.uuids for event in failed] == [desk.requests[0][1]] * 2
    assert failed[0].error is error
    assert desk.times() == pytest.approx([desk.times()[0] + after for after in (0, 1, 2.5)])


@pytest.mark.parametrize("error", ENDS_ALL, ids=lambda error: type(error).__name__)
async def test_some_errors_end_every_wait(desk: FakeTransferList, error: errors.UpbitError) -> None:
    desk.fault = lambda _uuids: error if len(desk.requests) == 3 else None
    pollers = [desk.open(f"u{number}", (0, "PROCESSING")) for number in range(120)]

    assert set(await desk.outcomes(*pollers)) == {type(error).__name__}
    assert error.resume_token is None
    assert desk.watcher.watched == 0


@pytest.mark.parametrize(
    "error",
    [
        errors.ValidationError("no such format", status=400, name="validation_error"),
        errors.APIError("what is it", status=400, name="invalid_uuid"),
        errors.AuthenticationError("odd query", status=401, name="invalid_query_payload"),
    ],
    ids=["validation", "other", "query"],
)
async def test_one_poisonous_id_does_not_starve_the_others(
    desk: FakeTransferList, error: errors.UpbitError
) -> None:
    desk.fault = lambda uuids: error if "poison" in uuids else None
    names = [*(f"u{number}" for number in range(99)), "poison"]
    pollers = [desk.open(name, (0, "DONE")) for name in names]

    ended = await desk.outcomes(*pollers)

    assert Counter(ended) == {"DONE": 99, type(error).__name__: 1}
    assert ended[-1] == type(error).__name__
    assert len(desk.requests) <= 15
    assert desk.watcher.watched == 0


async def test_one_row_that_does_not_decode_does_not_starve_the_others(desk: FakeTransferList) -> None:
    error = errors.DecodeError("no decimal", path="$[3].amount")
    desk.fault = lambda uuids: error if "odd" in uuids and anyio.current_time() < mended else None
    mended = anyio.current_time() + 50
    pollers = [desk.open(name, (0, "PROCESSING"), (5, "DONE")) for name in ["odd", "a", "b", "c"]]

    assert await desk.outcomes(*pollers) == ["DONE"] * 4
    assert {event.uuids for event in desk.events if isinstance(event, PollFailed)} == {("odd",)}


async def test_who_leaves_while_the_batch_is_halved_is_not_asked_for(desk: FakeTransferList) -> None:
    desk.latency = 1
    desk.fault = lambda uuids: _REFUSAL if len(uuids) > 1 else None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.open("stays", (0, "PROCESSING"), (30, "DONE")).wait)
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(0.5):
            await desk.open("leaves", (0, "PROCESSING")).wait()

    assert all(uuids == ("stays",) for _, uuids in desk.requests[1:])


async def test_who_leaves_while_a_look_is_on_its_way_is_forgotten(desk: FakeTransferList) -> None:
    desk.latency = 1
    desk.fault = lambda uuids: _REFUSAL if "bad" in uuids else None

    async def lead() -> None:
        with pytest.raises(errors.PollTimeout):
            await desk.open("leads", (0, "PROCESSING")).wait(timeout=5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        with desk.watcher.subscribe("bad", resume_token=""):
            await anyio.sleep(1.5)  # it is looked at alone from 1 s to 2 s
    assert desk.requests[1][1] == ("bad",)

    assert desk.watcher.watched == 0


async def test_a_slip_in_our_own_code_is_raised_and_the_others_go_on(desk: FakeTransferList) -> None:
    slips = [LookupError("a slip")]
    desk.fault = lambda _uuids: slips.pop() if slips else None
    ended: Counter[str] = Counter()

    async def wait(poller: WithdrawalPoller) -> None:
        try:
            ended[(await poller.wait()).state] += 1
        except LookupError:
            ended["slip"] += 1

    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(wait, desk.open(name, (0, "DONE")))

    assert ended == {"slip": 1, "DONE": 2}


# --- ids that can not be sent ---


@pytest.mark.parametrize(
    ("uuid", "says"), [("x\ud800", "Unicode text"), ("x" * 257, "at most 256 characters")]
)
async def test_an_id_that_can_not_be_sent_is_refused_at_once(
    desk: FakeTransferList, uuid: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        desk.poller(uuid)


async def test_an_id_that_the_request_can_not_carry_ends_its_own_wait_only(desk: FakeTransferList) -> None:
    odd = UnicodeEncodeError("utf-8", "odd", 0, 1, "it can not be written")
    desk.fault = lambda uuids: odd if "odd" in uuids else None
    pollers = {name: desk.open(name, (0, "PROCESSING"), (5, "DONE")) for name in ("a", "odd", "b", "c")}
    ended: Counter[str] = Counter()

    async def wait(poller: WithdrawalPoller) -> None:
        try:
            ended[(await poller.wait()).state] += 1
        except ValueError as error:
            ended[f"{poller.uuid}: {error}"] += 1

    async with anyio.create_task_group() as tasks:
        for poller in (*pollers.values(), desk.poller("odd")):
            tasks.start_soon(wait, poller)

    assert ended == {"DONE": 3, f"odd: {odd}": 2}
    assert desk.watcher.watched == 0


async def test_among_the_waits_of_regions_too(desk: FakeTransferList) -> None:
    odd = ValueError("it can not be written")
    desk.fault = lambda uuids: odd if "odd" in uuids else None
    changes = RegionChanges([desk.open(name, (0, "PROCESSING"), (5, "DONE")) for name in ("odd", "a", "b")])

    assert Counter([(await anext(changes))[1].state.value for _ in range(4)]) == {"PROCESSING": 2, "DONE": 2}
    with pytest.raises(ExceptionGroup) as caught:
        await anext(changes)
    assert [str(error) for error in caught.value.exceptions] == [str(odd)]


async def test_many_long_ids_are_asked_for_in_parts_that_fit_into_a_query(desk: FakeTransferList) -> None:
    def fault(uuids: Sequence[str]) -> Exception | None:
        query = "&".join(f"uuids[]={quote(uuid, safe='')}" for uuid in uuids)
        return AssertionError("too long") if len(query) > 16 * 1024 else None

    desk.fault = fault
    names = [f"{number:03}{'가' * 253}" for number in range(100)]

    assert Counter(await desk.outcomes(*[desk.open(name, (0, "DONE")) for name in names])) == {"DONE": 100}
    asked = [uuid for _, uuids in desk.requests for uuid in uuids]
    assert sorted(asked) == sorted(names)
    assert len(desk.requests) <= 50


# --- absence ---


async def test_a_list_that_lags_behind_is_patience(
    desk: FakeTransferList, make: Callable[..., Withdrawal]
) -> None:
    known = desk.poller("known", make("known"))
    desk.open("known", (20, "PROCESSING"), (25, "DONE"))
    fresh = desk.open("fresh", (20, "PROCESSING"), (25, "DONE"))

    assert await desk.outcomes(known, fresh) == ["DONE", "DONE"]


async def test_what_never_appears_is_not_found(desk: FakeTransferList) -> None:
    ghost = desk.open("ghost")
    began = anyio.current_time()

    with pytest.raises(errors.NotFound, match="withdrawal ghost was not found") as caught:
        await ghost.wait()

    assert caught.value.resume_token == ghost.resume_token
    assert caught.value.asked_for == "ghost"
    assert 30 <= anyio.current_time() - began <= 45
    assert not desk.events


async def test_a_refusal_to_know_the_only_id_is_absence_too(desk: FakeTransferList) -> None:
    desk.fault = lambda _uuids: errors.NotFound("none", status=404, name="withdraw_not_found")

    assert await desk.outcomes(desk.open("ghost")) == ["NotFound"]
    assert len(desk.requests) > 5


async def test_what_was_seen_and_is_missing_now_is_a_failed_look(desk: FakeTransferList) -> None:
    poller = desk.open("u", (0, "PROCESSING"), (10, "GONE"), (200, "DONE"))

    assert (await poller.wait()).state == "DONE"
    failed = [event for event in desk.events if isinstance(event, PollFailed)]
    assert failed
    assert all(isinstance(event.error, errors.NotFound) for event in failed)
