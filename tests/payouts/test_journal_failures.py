"""A failing journal: nothing is sent, and what was sent is not forgotten."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from clients import CREATE
from internals import client_of, repository_of
from journals import InlineJournal
from payout_samples import record

from upbit_async import errors
from upbit_async.payouts import Evidence, Payouts, PayoutState, arguments, queueing, transitions
from upbit_async.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upbit_async.client import UpbitClient
    from upbit_async.sandbox import Sandbox

FULL = errors.JournalError("the disk is full")


def fails_from(number: int, error: Exception = FULL) -> Callable[[str], None]:
    """Return a hook that fails changes from the n-th on."""
    swaps = 0

    def fail_late(work: str) -> None:
        nonlocal swaps
        swaps += work == "compare_and_swap"
        if work == "compare_and_swap" and swaps >= number:
            raise error

    return fail_late


@pytest.mark.parametrize("work", ["bind", "get", "compare_and_swap"])
async def test_payout_that_cannot_be_stored_is_not_sent(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any], work: str
) -> None:
    journal = InlineJournal(path)
    payouts = Payouts(client, journal=journal, check=False)

    def fail(name: str) -> None:
        if name == work:
            raise FULL

    journal.before = fail
    with pytest.raises(errors.JournalError):
        await payouts.send("k", **tron)
    assert sandbox.requests.of(*CREATE) == ()
    journal.before = None
    assert (await payouts.send("k", **tron)).state is PayoutState.DONE
    await payouts.aclose()


@pytest.mark.parametrize("error", [FULL, RuntimeError("can't start new thread")], ids=["full", "odd"])
async def test_answer_that_cannot_be_stored_is_returned_and_stored_later(
    client: UpbitClient,
    sandbox: Sandbox,
    path: Path,
    tron: dict[str, Any],
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = InlineJournal(path)
    async with Payouts(client, journal=journal, check=False) as payouts:
        journal.before = fails_from(2, error)
        payout = await payouts.send("k", **tron, until="accepted")
        (entry,) = sandbox.ledger.created
        assert (payout.state, payout.uuid) == (PayoutState.ACCEPTED, entry.uuid)
        assert isinstance(payout.error, errors.JournalError)
        (line,) = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert entry.uuid in line.getMessage()
        again = await payouts.send("k", **tron, until="accepted")
        assert (again.state, again.uuid) == (PayoutState.ACCEPTED, entry.uuid)
        journal.before = None
        found: list[Any] = []
        async with anyio.create_task_group() as tasks:
            for _ in range(5):

                async def get() -> None:
                    found.append(await payouts.get("k"))

                tasks.start_soon(get)
        assert {each.uuid for each in found} == {entry.uuid}
        assert (await payouts.wait("k")).evidence is Evidence.ANSWER
    assert len(sandbox.ledger.created) == 1


async def test_answer_never_stored_is_found_by_the_same_client(
    client: UpbitClient, sandbox: Sandbox, path: Path, tron: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    journal = InlineJournal(path)
    payouts = Payouts(client, journal=journal, check=False)
    journal.before = fails_from(2)
    await payouts.send("k", **tron, until="accepted")
    await payouts.aclose()
    assert "in no journal" in caplog.text
    await anyio.sleep(100)
    async with Payouts(client, journal=InlineJournal(path), resend="automatic", check=False) as again:
        (payout,) = await again.run_once()
    assert (payout.state, payout.evidence) == (PayoutState.DONE, Evidence.MATCH)
    assert len(sandbox.ledger.created) == 1


async def test_withdrawal_found_while_an_equal_one_is_sent_stops_the_retry(
    payouts: Payouts, elsewhere: Payouts, sandbox: Sandbox, tron: dict[str, Any]
) -> None:
    sandbox.knobs.list_delay = 100
    sandbox.knobs.nonce_memory = 0.0  # so only the list protects
    sandbox.faults.add(Fault.lose_answer(*CREATE))
    assert (await payouts.send("x", **tron)).state is PayoutState.NOT_SENT
    await payouts.retry("x")
    sandbox.faults.add(Fault.slow(8, *CREATE))
    found: dict[str, Any] = {}

    async def send(by: Payouts, key: str) -> None:
        found[key] = await by.send(key, **tron)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: send(elsewhere, "y"))
        await anyio.sleep(1)
        tasks.start_soon(lambda: send(payouts, "x"))
        await anyio.sleep(1)
        sandbox.knobs.list_delay = 0  # x has read the list by then, and waits for y
    assert found["y"].state is PayoutState.DONE
    assert found["x"].state is PayoutState.NEEDS_REVIEW
    assert len(sandbox.ledger.created) == 2


async def test_answer_that_disproves_anothers_match_is_stored(payouts: Payouts, tron: dict[str, Any]) -> None:
    for key in ("x", "y", "z"):
        await repository_of(payouts).add(queueing.planned(key, await _intent(payouts, tron)))
    repository = repository_of(payouts)
    now = await repository.now()
    x = await repository.compare_and_swap(
        await repository.read("x"), _departing(await repository.read("x"), now)
    )
    lost = transitions.lost(x, errors.UpbitError("lost"), lease_holder="me", now=now)
    assert lost is not None
    x = await repository.compare_and_swap(x, lost)
    x = await repository.compare_and_swap(x, transitions.not_found(x, now))
    y = await repository.compare_and_swap(
        await repository.read("y"), _departing(await repository.read("y"), now)
    )
    lost = transitions.lost(y, errors.UpbitError("lost"), lease_holder="me", now=now)
    assert lost is not None
    y = await repository.compare_and_swap(y, lost)
    await repository.compare_and_swap(y, transitions.adopted(y, record("u"), now))
    await repository.compare_and_swap(await repository.read("z"), _departing(await repository.read("z"), now))
    concluded = await repository.conclude(
        x, lambda payout, now: transitions.answered(payout, record("u"), now)
    )
    assert (concluded.state, concluded.uuid) == (PayoutState.ACCEPTED, "u")
    assert (await repository.read("y")).state is PayoutState.NEEDS_REVIEW
    assert (await repository.read("y")).uuid is None


async def test_two_answers_with_one_uuid_need_review(payouts: Payouts, tron: dict[str, Any]) -> None:
    repository = repository_of(payouts)
    now = await repository.now()
    intents = {"a": tron, "b": dict(tron, amount="14")}
    for key, asked in intents.items():
        planned = await repository.add(queueing.planned(key, await _intent(payouts, asked)))
        await repository.compare_and_swap(planned, _departing(planned, now))
    for key, amount in (("a", "13"), ("b", "14")):
        answer = functools.partial(_answered, record("u", amount=amount))
        await repository.conclude(await repository.read(key), answer)
    assert (await repository.read("a")).state is PayoutState.ACCEPTED
    clash = await repository.read("b")
    assert clash.state is PayoutState.NEEDS_REVIEW
    assert "u" in clash.history[-1].note


def _answered(answer: Any, payout: Any, now: Any) -> Any:
    return transitions.answered(payout, answer, now)


async def _intent(payouts: Payouts, tron: dict[str, Any]) -> Any:

    return arguments.intent_for(tron, host=client_of(payouts).host, now=repository_of(payouts).clock())


def _departing(payout: Any, now: Any) -> Any:
    from upbit_async.protocol.send_guard import SigningParams  # noqa: PLC0415

    signature = transitions.SigningRecord(SigningParams(nonce="n", algorithm="HS256"), signed_by="f")
    return transitions.departing(payout, transitions.Lease("me", 90.0), now, signature, baseline=())
