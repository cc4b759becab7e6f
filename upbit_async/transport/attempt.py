"""One attempt: through the gate and the limiter, onto the wire, and everything handed back."""

from __future__ import annotations

import datetime as dt
import functools
import logging
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio

from upbit_async import errors, events
from upbit_async.protocol.rates import ban_seconds
from upbit_async.protocol.replies import Answer, Fault, classify
from upbit_async.protocol.retry import STANDSTILL
from upbit_async.transport.call import Call, Held, Outcome, Shared, Teller
from upbit_async.transport.http_port import Lost, Wire
from upbit_async.transport.once import see_through
from upbit_async.transport.verdict import banned

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.policy import Timeouts

__all__ = ["Attempter"]

_log = logging.getLogger("upbit_async.http")
_NOTABLE_WAIT = 0.001


class Attempter:
    """Makes attempts.

    Args:
        shared: What all siblings share.
        timeouts: How long things may take.
        tell: Tells the observer.
    """

    def __init__(self, shared: Shared, timeouts: Timeouts, tell: Teller) -> None:
        self._shared = shared
        self._timeouts = timeouts
        self._tell = tell

    async def attempt(self, call: Call, late: Callable[[Outcome], None]) -> Outcome:
        """Send a request once, if there is time for it.

        Args:
            call: What to send.
            late: Takes the outcome of a request that must not happen twice if its caller was cancelled.

        Raises:
            Banned: Nothing may be sent now.
        """
        held = await self._enter(call)
        if isinstance(held, Outcome):
            return held
        injected = self._shared.fresh_lane is None
        if not call.once and not injected:
            return await self._carry(call, held, None)
        try:
            return await see_through(
                functools.partial(self._carry, call, held),
                tasks=self._shared.tasks,
                late=late if call.once else None,
                stoppable=not injected,
            )
        except BaseException:
            if not held.started:  # its task was cancelled before its first step
                self._shared.limiter.observe(held.ticket, None)
                await held.lane_pass.hand_back(clean=True)
            raise

    async def _enter(self, call: Call) -> Held | Outcome:
        """Get through the gate and the limiter, or say why not."""
        self._refuse_if_banned(call)
        with anyio.move_on_at(call.deadline):
            lane_pass = await self._shared.gate.enter()
            try:
                before = anyio.current_time()
                ticket = await self._shared.limiter.acquire(call.endpoint.group)
            except BaseException:
                await lane_pass.hand_back(clean=True)
                raise
            if (waited := anyio.current_time() - before) > _NOTABLE_WAIT:
                self._tell(events.LimitWaited, group=call.endpoint.group, seconds=waited)
            try:
                self._refuse_if_banned(call)  # it may have come while we waited
            except errors.Banned:
                self._shared.limiter.observe(ticket, None)
                await lane_pass.hand_back(clean=True)
                raise
            return Held(lane_pass, ticket)
        what = f"no connection and no place within the limits came free in {self._timeouts.total:g} s"
        return Outcome(Fault.NOT_SENT, lost=Lost(sent=False, what=what, cause=None))

    def _refuse_if_banned(self, call: Call) -> None:
        if seconds := self._shared.box.seconds_left():
            raise banned(self._shared, call, seconds)

    async def _carry(self, call: Call, held: Held, wire: Wire | None) -> Outcome:
        """Send the request and read its answer; hand everything back, whatever happens."""
        held.started = True
        outcome: Outcome | None = None
        started = anyio.current_time()
        try:
            self._tell(events.AttemptStarted, endpoint=call.asked, attempt=call.attempt)
            judged = outcome = self._judge(await self._send(call, held, wire))
        except BaseException:
            if call.once and wire is not None and not wire.certainly_here:
                _log.error("%s was stopped on its way: its outcome is unknown", call.intent)
            raise
        finally:
            try:
                self._tell_limiter(held, outcome)
                self._report(call, outcome, anyio.current_time() - started)
            finally:
                used = not (call.once and self._shared.fresh_lane)
                await held.lane_pass.hand_back(clean=not used or (outcome is not None and outcome.is_clean))
        return judged

    async def _send(self, call: Call, held: Held, wire: Wire | None) -> Answer | Lost:
        if wire is not None and wire.abandoned:
            return Lost(sent=False, what="its caller was cancelled", cause=None)
        fresh = self._shared.fresh_lane() if call.once and self._shared.fresh_lane else None
        lane = fresh or held.lane_pass.lane
        token = functools.partial(self._shared.token, str(uuid.uuid4()), call.message.query_hash)
        try:
            with anyio.move_on_at(call.deadline):
                return await lane.send(call.message, token, self._timeouts, wire)
        finally:
            if fresh is not None:
                await fresh.aclose()
        sent = wire is None or not wire.certainly_here
        return Lost(sent=sent, what=f"no whole answer in {self._timeouts.total:g} s", cause=None)

    def _judge(self, came: Answer | Lost) -> Outcome:
        if isinstance(came, Lost):
            return Outcome(Fault.NETWORK if came.sent else Fault.NOT_SENT, lost=came)
        fault = classify(came)
        if fault is None:
            self._shared.box.forgive()
            return Outcome(None, came)
        now = dt.datetime.now(dt.UTC)
        hint = came.retry_after(now)
        if fault is not Fault.BANNED:
            return Outcome(fault, came, hint=hint)
        text = came.text()
        length = self._shared.box.ban(lambda bans: ban_seconds(text, hint, bans_before=bans, now=now))
        return Outcome(fault, came, hint=hint, banned_for=length)

    def _tell_limiter(self, held: Held, outcome: Outcome | None) -> None:
        answer = outcome.answer if outcome is not None else None
        if answer is not None and outcome is not None and answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._shared.limiter.refuse(held.ticket, max(STANDSTILL, outcome.hint or 0.0))
            return
        remaining = answer.remaining if answer is not None else None
        self._shared.limiter.observe(held.ticket, None if remaining is None else remaining.sec)

    def _report(self, call: Call, outcome: Outcome | None, seconds: float) -> None:
        answer = outcome.answer if outcome is not None else None
        remaining = answer.remaining if answer is not None else None
        fault = outcome.fault.value if outcome is not None and outcome.fault is not None else None
        _log.debug(
            "%s attempt %d: %s", call.asked, call.attempt, answer.status if answer else "no whole answer"
        )
        self._tell(
            events.AttemptFinished,
            endpoint=call.asked,
            attempt=call.attempt,
            seconds=seconds,
            status=answer.status if answer is not None else None,
            fault="cancelled" if outcome is None else fault,
            remaining=remaining.sec if remaining is not None else None,
        )
