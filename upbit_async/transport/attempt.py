"""One attempt of a call: connection, rate limit, request, answer, and release of what it held."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio

from upbit_async import errors, events
from upbit_async.logs import logger
from upbit_async.protocol.rates import ban_seconds
from upbit_async.protocol.replies import Answer, Failure, classify, hint_for
from upbit_async.protocol.retry import STANDSTILL
from upbit_async.transport import shared_clock
from upbit_async.transport.call import Call, ClientState, EventReporter, HeldResources, Outcome
from upbit_async.transport.completion import run_to_completion
from upbit_async.transport.failures import banned
from upbit_async.transport.http_port import SATURATED, Lost, RequestProgress
from upbit_async.transport.limiter import Ticket
from upbit_async.transport.teardown import TeardownReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.models import Intent
    from upbit_async.policy import Timeouts

__all__ = ["Attempter"]

_log = logger("upbit_async.http")
_NOTABLE_WAIT = 0.001
_CALLER_CANCELLED = "its caller was cancelled while it was under way"


class Attempter:
    """Makes attempts.

    Args:
        shared: What all siblings share.
        timeouts: How long things may take.
        tell: Tells the observer.
    """

    def __init__(self, shared: ClientState, timeouts: Timeouts, tell: EventReporter) -> None:
        self._shared = shared
        self._timeouts = timeouts
        self._tell = tell

    async def attempt(self, call: Call, late: Callable[[Outcome, str], None]) -> Outcome:
        """Send a request once, if there is time for it.

        Args:
            call: What to send.
            late: Takes the outcome of a request that must not happen twice if its caller can't be given it, and
                what stands in the way.

        Raises:
            Banned: Nothing may be sent now.
        """
        held = await self._enter(call)
        if isinstance(held, Outcome):
            return held
        if not call.once and not self._shared.injected:
            return await self._carry(call, held, RequestProgress())
        try:
            return await run_to_completion(
                functools.partial(self._carry_once, call, held, late)
                if call.once
                else functools.partial(self._carry, call, held),
                tasks=self._shared.tasks,
                late=(lambda outcome: late(outcome, _CALLER_CANCELLED)) if call.once else None,
                stoppable=not self._shared.injected,
            )
        except BaseException:
            if not held.started:  # its task was cancelled before its first step
                await self._hand_back(held)
            raise

    async def _enter(self, call: Call) -> HeldResources | Outcome:
        """Acquire a slot and a ticket of the limiter, or return why that failed."""
        self._refuse_if_forbidden(call)
        busy = f"all {self._shared.pool.size} connections of this client were busy"
        began = anyio.current_time()
        with (
            anyio.CancelScope(deadline=call.deadline) as scope,
            self._shared.penalty_box.cutting_short(scope),
        ):
            slot = await self._shared.pool.acquire()
            busy = f"the rate limiter let no further call of group {call.endpoint.group!r} leave"
            began = anyio.current_time()
            try:
                ticket = await self._ticket(call)
            except BaseException:
                await slot.release(clean=True)
                raise
            if isinstance(ticket, Outcome):
                await slot.release(clean=True)
                return ticket
            held = HeldResources(slot, ticket)
            try:
                self._refuse_if_forbidden(call)  # it may have come while we waited
            except errors.UpbitError:
                await self._hand_back(held)
                raise
            return held
        self._refuse_if_forbidden(call)  # a ban cuts the wait short
        return _not_sent(f"{busy} for {anyio.current_time() - began:.1f} s", SATURATED)

    async def _ticket(self, call: Call) -> Ticket | Outcome:
        before = anyio.current_time()
        try:
            ticket = await self._shared.limiter.acquire(call.endpoint.group)
        except errors.UpbitError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a limiter of the user's raises, nothing has left
            _log.exception("the limiter raised; the call is not sent")
            what = f"the limiter raised {type(error).__name__}"
            return _not_sent(what, "check the limiter; the log has its error")
        if (waited := anyio.current_time() - before) > _NOTABLE_WAIT:
            self._tell(events.LimitWaited, group=call.endpoint.group, seconds=waited)
        return ticket

    def _refuse_if_forbidden(self, call: Call) -> None:
        if self._shared.closed:
            raise errors.ConfigurationError(f"{call.asked}: this client was closed; make a new one")
        if seconds := self._shared.penalty_box.seconds_left():
            raise banned(self._shared, call, seconds)

    async def _hand_back(self, held: HeldResources) -> None:
        """Give back what was not used."""
        self._tell_limiter(held, None)
        await held.slot.release(clean=True)

    async def _carry(self, call: Call, held: HeldResources, progress: RequestProgress) -> Outcome:
        """Send the request and read its answer; hand everything back, whatever happens."""
        held.started = True
        outcome: Outcome | None = None
        started, left_at = anyio.current_time(), shared_clock.now()
        is_torn_down = False
        try:
            self._tell(events.AttemptStarted, endpoint=call.asked, attempt=call.attempt)
            judged = outcome = self._judge(await self._send(call, held, progress), left_at)
            held.outcome = outcome
        except GeneratorExit:  # the event loop was closed: there is nobody to tell, and nothing to wait with
            is_torn_down = True
            raise
        finally:
            call.is_fresh, call.is_bounded = progress.fresh, progress.bounded
            call.may_count = not (progress.certainly_here or (outcome is not None and outcome.turned_away))
            if not is_torn_down:
                try:
                    if isinstance(held.ticket, Ticket):
                        held.ticket.lost = outcome is None or outcome.answer is None
                    self._tell_limiter(held, outcome)
                    self._report(call, outcome, anyio.current_time() - started)
                finally:
                    await self._hand_back_used(held, progress, clean=outcome is not None and outcome.is_clean)
        return judged

    async def _hand_back_used(self, held: HeldResources, progress: RequestProgress, *, clean: bool) -> None:
        """Give back the connection; one that is not clean is closed, and the next request opens another."""
        await held.slot.release(clean=clean)
        if not clean and not progress.certainly_here and not self._shared.injected:
            self._tell(events.ConnectionReplaced)

    async def _carry_once(
        self, call: Call, held: HeldResources, late: Callable[[Outcome, str], None], progress: RequestProgress
    ) -> Outcome:
        """Carry a request that must not happen twice: whatever stops it, the log has its outcome."""
        report_unknown = functools.partial(_log_unknown, call.intent, progress)
        teardown = TeardownReport(report_unknown, call.deadline - anyio.current_time())
        try:
            return await self._carry(call, held, progress)
        except BaseException as stop:
            if held.outcome is not None and not progress.certainly_here:
                late(held.outcome, f"{type(stop).__name__} was raised after its answer had come")
            elif not teardown.was_made:
                report_unknown()
            raise
        finally:
            teardown.cancel()

    async def _send(self, call: Call, held: HeldResources, progress: RequestProgress) -> Answer | Lost:
        progress.must_stop = lambda: self._shared.penalty_box.seconds_left() > 0
        connection = held.slot.connection
        with anyio.CancelScope(deadline=call.deadline):
            if call.once:
                progress.once, progress.drop_after = True, self._timeouts.read
                # An escort notes down whether its connection will be bounded, before there is one.
                progress.must_be_bounded = call.guard is not None and self._shared.bounds.possible
                await connection.aclose()  # it travels on a fresh connection: an idle one may be dead already
            nonce, algorithm = str(uuid.uuid4()), None
            if call.guard is not None:
                progress.permit = call.guard.may_send
                seal = await call.guard.signing_params()
                nonce, algorithm = seal.nonce, seal.algorithm
            token = functools.partial(self._shared.token, nonce, call.message.query_hash, algorithm)
            if progress.unwanted:
                return Lost(sent=False, what="its caller was cancelled")
            return self._shared.cleaned(await connection.send(call.message, token, self._timeouts, progress))
        what = f"no whole answer in {self._timeouts.total:g} s"
        return Lost(sent=not progress.certainly_here, what=what)

    def _judge(self, came: Answer | Lost, left_at: float) -> Outcome:
        if isinstance(came, Lost):
            return Outcome(Failure.NETWORK if came.sent else Failure.NOT_SENT, lost=came)
        fault = classify(came)
        if fault is None:
            self._shared.penalty_box.forgive(left_at)
            return Outcome(None, came)
        now = dt.datetime.now(dt.UTC)
        hint = hint_for(came, fault, now)
        if fault is not Failure.BANNED:
            return Outcome(fault, came, hint=hint)
        text = came.text()
        length = self._shared.penalty_box.ban(lambda bans: ban_seconds(text, hint, bans_before=bans))
        return Outcome(fault, came, hint=hint, banned_for=length)

    def _tell_limiter(self, held: HeldResources, outcome: Outcome | None) -> None:
        """Tell the limiter how it went; what it raises must not cover an answer."""
        answer = outcome.answer if outcome is not None else None
        limiter = self._shared.limiter
        take_ban: Callable[[Ticket, float], None] | None = getattr(limiter, "ban", None)
        try:
            if answer is not None and outcome is not None and answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                limiter.refuse(held.ticket, max(STANDSTILL, outcome.hint or 0.0))
            elif outcome is not None and outcome.fault is Failure.BANNED and take_ban is not None:
                take_ban(held.ticket, outcome.banned_for)
            else:
                remaining = answer.remaining if answer is not None else None
                limiter.observe(held.ticket, None if remaining is None else remaining.sec)
        except (KeyboardInterrupt, SystemExit):  # the program is asked to end
            raise
        except BaseException:  # noqa: BLE001 - a cancelled future of its own, say: the answer counts all the same
            _log.exception("the limiter raised; the call goes on")

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


def _log_unknown(intent: Intent, progress: RequestProgress) -> None:
    """Log a request that must not happen twice and has lost the code that would take its answer."""
    if not progress.certainly_here:
        _log.error("%s was stopped on its way: its outcome is unknown", intent)


def _not_sent(what: str, advice: str) -> Outcome:
    return Outcome(Failure.NOT_SENT, lost=Lost(sent=False, what=what, advice=advice))
