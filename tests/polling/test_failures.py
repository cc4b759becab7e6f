"""Polls that fail: which errors end a wait, and what counts as absence."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
import pytest
from transfer_list import FakeTransferList, withdrawal

from upbit_async import errors
from upbit_async.events import PollFailed
from upbit_async.polling import RegionChanges

if TYPE_CHECKING:
    from collections.abc import Sequence

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
async def test_failed_poll_is_an_event_and_polling_continues(
    transfers: FakeTransferList, error: errors.UpbitError
) -> None:
    faults = [error, error]
    transfers.fault = lambda _uuids: faults.pop() if faults else None
    pollers = [transfers.open(name, (0, "DONE")) for name in "abc"]

    assert await transfers.outcomes(*pollers) == ["DONE"] * 3

    failed = [event for event in transfers.events if isinstance(event, PollFailed)]
    assert [event.uuids for event in failed] == [transfers.requests[0][1]] * 2
    assert failed[0].error is error
    assert transfers.times() == pytest.approx([transfers.times()[0] + after for after in (0, 1, 2.5)])


@pytest.mark.parametrize("error", ENDS_ALL, ids=lambda error: type(error).__name__)
async def test_permanent_errors_end_every_wait(transfers: FakeTransferList, error: errors.UpbitError) -> None:
    transfers.fault = lambda _uuids: error if len(transfers.requests) == 3 else None
    pollers = [transfers.open(f"u{number}", (0, "PROCESSING")) for number in range(120)]

    assert set(await transfers.outcomes(*pollers)) == {type(error).__name__}
    assert error.resume_token is None
    assert transfers.watcher.watched == 0


@pytest.mark.parametrize(
    "error",
    [
        errors.ValidationError("no such format", status=400, name="validation_error"),
        errors.APIError("what is it", status=400, name="invalid_uuid"),
        errors.AuthenticationError("odd query", status=401, name="invalid_query_payload"),
    ],
    ids=["validation", "other", "query"],
)
async def test_id_that_fails_its_batch_ends_only_its_own_wait(
    transfers: FakeTransferList, error: errors.UpbitError
) -> None:
    transfers.fault = lambda uuids: error if "refused" in uuids else None
    names = [*(f"u{number}" for number in range(99)), "refused"]
    pollers = [transfers.open(name, (0, "DONE")) for name in names]

    ended = await transfers.outcomes(*pollers)

    assert Counter(ended) == {"DONE": 99, type(error).__name__: 1}
    assert ended[-1] == type(error).__name__
    assert len(transfers.requests) <= 15
    assert transfers.watcher.watched == 0


async def test_undecodable_row_does_not_delay_the_others(transfers: FakeTransferList) -> None:
    error = errors.DecodeError("no decimal", path="$[3].amount")
    transfers.fault = lambda uuids: error if "odd" in uuids and anyio.current_time() < mended else None
    mended = anyio.current_time() + 50
    pollers = [transfers.open(name, (0, "PROCESSING"), (5, "DONE")) for name in ["odd", "a", "b", "c"]]

    assert await transfers.outcomes(*pollers) == ["DONE"] * 4
    assert {event.uuids for event in transfers.events if isinstance(event, PollFailed)} == {("odd",)}


async def test_waiter_that_leaves_during_splitting_is_not_polled(transfers: FakeTransferList) -> None:
    transfers.latency = 1
    transfers.fault = lambda uuids: _REFUSAL if len(uuids) > 1 else None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(transfers.open("stays", (0, "PROCESSING"), (30, "DONE")).wait)
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(0.5):
            await transfers.open("leaves", (0, "PROCESSING")).wait()

    assert all(uuids == ("stays",) for _, uuids in transfers.requests[1:])


async def test_waiter_that_leaves_during_a_poll_is_dropped(transfers: FakeTransferList) -> None:
    transfers.latency = 1
    transfers.fault = lambda uuids: _REFUSAL if "bad" in uuids else None

    async def lead() -> None:
        with pytest.raises(errors.PollTimeout):
            await transfers.open("leads", (0, "PROCESSING")).wait(timeout=5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        with transfers.watcher.subscribe("bad", resume_token=""):
            await anyio.sleep(1.5)  # it is polled alone from 1 s to 2 s
    assert transfers.requests[1][1] == ("bad",)

    assert transfers.watcher.watched == 0


async def test_programming_error_is_raised_in_one_wait_only(transfers: FakeTransferList) -> None:
    slips = [LookupError("a slip")]
    transfers.fault = lambda _uuids: slips.pop() if slips else None
    ended: Counter[str] = Counter()

    async def wait(poller: WithdrawalPoller) -> None:
        try:
            ended[(await poller.wait()).state] += 1
        except LookupError:
            ended["slip"] += 1

    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(wait, transfers.open(name, (0, "DONE")))

    assert ended == {"slip": 1, "DONE": 2}


# --- ids that can not be sent ---


@pytest.mark.parametrize(
    ("uuid", "says"), [("x\ud800", "Unicode text"), ("x" * 257, "at most 256 characters")]
)
async def test_unsendable_id_is_refused_at_once(transfers: FakeTransferList, uuid: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        transfers.poller(uuid)


async def test_id_refused_by_the_request_ends_only_its_own_waits(
    transfers: FakeTransferList,
) -> None:
    odd = UnicodeEncodeError("utf-8", "odd", 0, 1, "it can not be written")
    transfers.fault = lambda uuids: odd if "odd" in uuids else None
    pollers = {name: transfers.open(name, (0, "PROCESSING"), (5, "DONE")) for name in ("a", "odd", "b", "c")}
    ended: Counter[str] = Counter()

    async def wait(poller: WithdrawalPoller) -> None:
        try:
            ended[(await poller.wait()).state] += 1
        except ValueError as error:
            ended[f"{poller.uuid}: {error}"] += 1

    async with anyio.create_task_group() as tasks:
        for poller in (*pollers.values(), transfers.poller("odd")):
            tasks.start_soon(wait, poller)

    assert ended == {"DONE": 3, f"odd: {odd}": 2}
    assert transfers.watcher.watched == 0


async def test_id_refused_by_the_request_ends_only_its_wait_when_merged(transfers: FakeTransferList) -> None:
    odd = ValueError("it can not be written")
    transfers.fault = lambda uuids: odd if "odd" in uuids else None
    changes = RegionChanges(
        [transfers.open(name, (0, "PROCESSING"), (5, "DONE")) for name in ("odd", "a", "b")]
    )

    assert Counter([(await anext(changes))[1].state.value for _ in range(4)]) == {"PROCESSING": 2, "DONE": 2}
    with pytest.raises(ExceptionGroup) as caught:
        await anext(changes)
    assert [str(error) for error in caught.value.exceptions] == [str(odd)]


async def test_long_ids_are_split_over_several_queries(
    transfers: FakeTransferList,
) -> None:
    def fault(uuids: Sequence[str]) -> Exception | None:
        query = "&".join(f"uuids[]={quote(uuid, safe='')}" for uuid in uuids)
        return AssertionError("too long") if len(query) > 16 * 1024 else None

    transfers.fault = fault
    names = [f"{number:03}{'가' * 253}" for number in range(100)]

    assert Counter(await transfers.outcomes(*[transfers.open(name, (0, "DONE")) for name in names])) == {
        "DONE": 100
    }
    asked = [uuid for _, uuids in transfers.requests for uuid in uuids]
    assert sorted(asked) == sorted(names)
    assert len(transfers.requests) <= 50


# --- absence ---


async def test_list_that_lags_within_the_grace_is_waited_for(transfers: FakeTransferList) -> None:
    known = transfers.poller("known", withdrawal("known"))
    transfers.open("known", (20, "PROCESSING"), (25, "DONE"))
    fresh = transfers.open("fresh", (20, "PROCESSING"), (25, "DONE"))

    assert await transfers.outcomes(known, fresh) == ["DONE", "DONE"]


async def test_withdrawal_that_never_appears_is_not_found(transfers: FakeTransferList) -> None:
    absent = transfers.open("absent")
    began = anyio.current_time()

    with pytest.raises(errors.NotFound, match="withdrawal absent was not found") as caught:
        await absent.wait()

    assert caught.value.resume_token == absent.resume_token
    assert caught.value.asked_for == "absent"
    assert 30 <= anyio.current_time() - began <= 45
    assert not transfers.events


async def test_refusal_404_of_the_only_id_counts_as_absence(transfers: FakeTransferList) -> None:
    transfers.fault = lambda _uuids: errors.NotFound("none", status=404, name="withdraw_not_found")

    assert await transfers.outcomes(transfers.open("absent")) == ["NotFound"]
    assert len(transfers.requests) > 5


async def test_withdrawal_that_disappears_is_a_failed_poll(transfers: FakeTransferList) -> None:
    poller = transfers.open("u", (0, "PROCESSING"), (10, "ABSENT"), (200, "DONE"))

    assert (await poller.wait()).state == "DONE"
    failed = [event for event in transfers.events if isinstance(event, PollFailed)]
    assert failed
    assert all(isinstance(event.error, errors.NotFound) for event in failed)
