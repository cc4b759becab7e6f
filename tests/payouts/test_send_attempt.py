"""The check right before the first byte: which changes of the journal's row stop a payout's request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import attrs
import httpx
import pytest
from clients import CREATE
from journals import InlineJournal

from upbit_async import NoLimiter, RetryPolicy, UpbitClient, errors, events
from upbit_async.payouts import Payouts, PayoutState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upbit_async.payouts import Payout
    from upbit_async.payouts.journal_time import JournalTime
    from upbit_async.sandbox import Sandbox


class Paused(InlineJournal):
    """A journal of a process that pauses between recording a copy and reading its row again."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.recorded, self.go_on = anyio.Event(), anyio.Event()

    async def get(self, key: str) -> Payout | None:
        known = await super().get(key)
        if known is None or known.state is not PayoutState.SENDING or self.recorded.is_set():
            return known
        self.recorded.set()
        await self.go_on.wait()
        return await super().get(key)


class OtherEpoch(InlineJournal):
    """A journal whose clock can't be compared with that of other processes, as on macOS and Windows."""

    async def now(self) -> JournalTime:
        return attrs.evolve(await super().now(), epoch="/reader")


async def test_process_that_only_reads_a_payout_does_not_stop_it(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    journal = Paused(path)
    sender = Payouts(sandbox.client(retry=RetryPolicy(attempts=1)), journal=journal, check=False)
    async with sender, Payouts(sandbox.client(), journal=OtherEpoch(path), check=False) as reader:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: sender.send("k", **tron))
            await journal.recorded.wait()
            before = await reader.get("k")
            assert before is not None
            assert (await reader.wait("k", timeout=0)).state is PayoutState.SENDING
            after = await reader.get("k")
            assert after is not None
            assert after.revision > before.revision  # the reader has added its reading of the clock
            journal.go_on.set()
        payout = await sender.get("k")
    assert payout is not None
    assert [step.state.value for step in payout.history] == ["planned", "sending", "accepted", "done"]
    assert len(sandbox.requests.of(*CREATE)) == 1


def request(payout: Payout, **changes: Any) -> Payout:
    """Return a payout whose recorded copy is another one."""
    return attrs.evolve(payout, sent_request=attrs.evolve(payout.required_request, **changes))


def members(payout: Payout, **changes: str) -> Payout:
    """Return a payout that asks for something else; unchanged members come last."""
    reordered = changes | dict(reversed(list(payout.intent.members.items())))
    return attrs.evolve(payout, intent=attrs.evolve(payout.intent, members=reordered))


CHANGES: dict[str, Callable[[Payout], Payout]] = {
    "state": lambda it: attrs.evolve(it, state=PayoutState.NEEDS_REVIEW),
    "no request": lambda it: attrs.evolve(it, sent_request=None),
    "owner": lambda it: request(it, owner="another"),
    "copies": lambda it: request(it, copies=2),
    "arrived": lambda it: request(it, arrived=True),
    "nonce": lambda it: request(it, signing=attrs.evolve(it.required_request.signing, nonce="another")),
    "order": members,
    "members": lambda it: members(it, beneficiary_name="Ann"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_changed_row_stops_the_request(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], name: str
) -> None:
    class Changed(InlineJournal):
        """Shows another row to the check before the first byte, and the true one before and after it."""

        reads = 0

        async def get(self, key: str) -> Payout | None:
            known = await super().get(key)
            if known is None or known.state is not PayoutState.SENDING or self.reads:
                return known
            self.reads += 1
            return CHANGES[name](known)

    journal = Changed(path)
    async with Payouts(
        sandbox.client(retry=RetryPolicy(attempts=1)), journal=journal, check=False
    ) as payouts:
        with pytest.raises(errors.NotSent):
            await payouts.send("k", **tron)
        assert journal.reads == 1
        assert sandbox.requests.of(*CREATE) == ()
        payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.PLANNED


# -- cancellation ----------------------------------------------------------------------------------


class SentAgain(httpx.AsyncBaseTransport):
    """HTTP transport that loses the answer to a withdrawal and sends the request again, as some do by themselves."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._transport = sandbox.transport()
        self.sends_again = anyio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        if request.method != "POST":
            return response
        await response.aclose()
        self.sends_again.set()
        await anyio.sleep(1)
        await request.extensions["trace"]("http11.send_request_headers.started", {"in_process": True})
        raise httpx.ReadError("the second connection broke too")


class SlowAtTheSecondCheck(InlineJournal):
    """A journal that takes a second for each read from some moment on."""

    is_slow = False

    async def get(self, key: str) -> Payout | None:
        if self.is_slow:
            await anyio.sleep(1)
        return await super().get(key)


@pytest.mark.parametrize("cancelled_after", [0.5, 1.5], ids=["before the second check", "during it"])
async def test_copy_that_was_sent_is_not_reverted_by_a_cancellation(
    sandbox: Sandbox, path: Path, tron: dict[str, Any], cancelled_after: float
) -> None:
    journal, transport = SlowAtTheSecondCheck(path), SentAgain(sandbox)
    async with httpx.AsyncClient(transport=transport) as http:
        client = UpbitClient(
            "sg",
            credentials=sandbox.credentials,
            base_url="http://127.0.0.1:1",
            http=http,
            limiter=NoLimiter(),
        )
        async with client, Payouts(client, journal=journal, check=False) as payouts:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: payouts.send("k", **tron))
                await transport.sends_again.wait()
                journal.is_slow = True
                await anyio.sleep(cancelled_after)
                tasks.cancel_scope.cancel()
            payout = await payouts.get("k")
    assert payout is not None
    assert payout.state is PayoutState.UNKNOWN
    assert len(sandbox.ledger.created) == 1


async def test_caller_cancelled_before_the_departure_is_recorded_leaves_nothing(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    class SlowClock(InlineJournal):
        is_departing = False

        async def now(self) -> JournalTime:
            if self.is_departing:
                await anyio.sleep(2)
            return await super().now()

        def watch(self, event: events.Event) -> None:
            self.is_departing |= isinstance(event, events.AttemptStarted) and event.endpoint == " ".join(
                CREATE
            )

    journal = SlowClock(path)
    async with Payouts(sandbox.client(observer=journal.watch), journal=journal, check=False) as payouts:
        with anyio.move_on_after(1):
            await payouts.send("k", **tron)
        journal.is_departing = False
        assert await payouts.get("k") is None
    assert not sandbox.ledger.created
