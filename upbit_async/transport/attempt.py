"""One attempt of a call: acquires a slot and a ticket, sends the request, classifies the answer, releases both.

The methods call each other in this order::

    attempt                          acquires slot and ticket, then
      _send_surviving_cancellation   in a separate task, if the caller's cancellation must not end it
        _send_once                   logs the outcome as unknown if that task is torn down
          _send_and_release          classifies the answer, reports it, and releases slot and ticket
            _sign_and_send           lets a guard record the request, signs it, and calls the HTTP port

A call that may be repeated skips `_send_once`, and on a connection of the client's own also the method before it.
"""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio
import attrs

from upbit_async import errors, events
from upbit_async.concurrency import OnCancel, run_to_completion
from upbit_async.logs import logger
from upbit_async.protocol.rates import ban_seconds
from upbit_async.protocol.replies import Answer, Failure, classify, hint_for
from upbit_async.protocol.retry import STANDSTILL
from upbit_async.protocol.send_guard import SendGuard
from upbit_async.transport import shared_clock
from upbit_async.transport.call import Call, ClientState, EventReporter, HeldResources, Outcome
from upbit_async.transport.connection_check import ConnectionCheck
from upbit_async.transport.failures import banned
from upbit_async.transport.http_port import SATURATED, NoAnswer
from upbit_async.transport.limiter import Ticket
from upbit_async.transport.request_progress import (
    CALLER_CANCELLED,
    REPEAT_IF_WANTED,
    Phase,
    RequestProgress,
    Withheld,
)
from upbit_async.transport.teardown import TeardownReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.models import Intent
    from upbit_async.policy import Timeouts

__all__ = ["Attempter"]

_log = logger("upbit_async.http")
_NOTABLE_WAIT = 0.001
_CANCELLED_UNDER_WAY = "its caller was cancelled while it was under way"


class Attempter:
    """Makes attempts for one client.

    Args:
        shared: State that the client shares with its siblings.
        timeouts: Timeouts of the client.
        report: Reports events to the observer.
    """

    def __init__(self, shared: ClientState, timeouts: Timeouts, report: EventReporter) -> None:
        self._shared = shared
        self._timeouts = timeouts
        self._report = report

    async def attempt(self, call: Call, report_late: Callable[[Outcome, str], None]) -> Outcome:
        """Send a request once, if there is time for it.

        Args:
            call: The call.
            report_late: Receives the outcome of a request that must not happen twice, and why its caller can't receive
                it, if that is so.

        Raises:
            Banned: The key is banned.
            ConfigurationError: The client was closed.
        """
        held = await self._acquire(call)
        if isinstance(held, Outcome):
            return held
        progress = RequestProgress([self._check_ban])
        if not call.once and not self._shared.injected:
            return await self._send_and_release(call, held, progress)
        return await self._send_surviving_cancellation(call, held, progress, report_late)

    async def _send_surviving_cancellation(
        self,
        call: Call,
        held: HeldResources,
        progress: RequestProgress,
        report_late: Callable[[Outcome, str], None],
    ) -> Outcome:
        """Send a request in a way that survives the cancellation of its caller."""
        cancellation = _Cancellation(
            progress, once=call.once, can_stop=not self._shared.injected, guard=call.guard
        )
        ended: list[Outcome] = []

        async def work() -> None:
            once = functools.partial(self._send_once, report_late=report_late)
            send = once if call.once else self._send_and_release
            try:
                ended.append(await send(call, held, progress))
            except Exception as error:
                if progress.is_cancelled:  # no caller receives it
                    _log.warning(
                        "%s: %s was raised after its caller was cancelled", call.asked, type(error).__name__
                    )
                raise

        try:
            await run_to_completion(work, on_cancel=cancellation.decide, tasks=self._shared.tasks)
        except BaseException:
            if call.once and ended and progress.may_have_left:
                report_late(ended[0], _CANCELLED_UNDER_WAY)
            raise
        finally:
            if not held.started:  # its task was cancelled before its first step
                await self._release_unused(held)
        return ended[0]

    async def _acquire(self, call: Call) -> HeldResources | Outcome:
        """Acquire a slot of the pool and a ticket of the limiter.

        Returns:
            Both, or the outcome of an attempt that got one of them too late.

        Raises:
            Banned: The key is banned, or was banned during the wait.
            ConfigurationError: The client was closed.
        """
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
                self._refuse_if_forbidden(call)  # a ban may have begun during the wait
            except errors.UpbitError:
                await self._release_unused(held)
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
        except Exception as error:  # noqa: BLE001 - whatever a limiter of the user's raises, nothing was sent
            _log.exception("the limiter raised; the call is not sent")
            what = f"the limiter raised {type(error).__name__}"
            return _not_sent(what, "check the limiter; the log has its error")
        if (waited := anyio.current_time() - before) > _NOTABLE_WAIT:
            self._report(events.LimitWaited, group=call.endpoint.group, seconds=waited)
        return ticket

    def _refuse_if_forbidden(self, call: Call) -> None:
        if self._shared.closed:
            raise errors.ConfigurationError(f"{call.asked}: this client was closed; make a new one")
        if seconds := self._shared.penalty_box.seconds_left():
            raise banned(self._shared, call, seconds)

    async def _release_unused(self, held: HeldResources) -> None:
        """Release slot and ticket of an attempt that did not start."""
        self._report_to_limiter(held, None)
        await held.slot.release(clean=True)

    async def _send_and_release(self, call: Call, held: HeldResources, progress: RequestProgress) -> Outcome:
        """Send the request, read its answer, and release slot and ticket in every case."""
        held.started = True
        outcome: Outcome | None = None
        # By two clocks: the loop's measures the attempt, and the process's compares it with bans in other threads.
        started, started_at = anyio.current_time(), shared_clock.now()
        is_torn_down = False
        try:
            self._report(events.AttemptStarted, endpoint=call.asked, attempt=call.attempt)
            judged = outcome = self._classify(await self._sign_and_send(call, held, progress), started_at)
            held.outcome = outcome
        except GeneratorExit:  # the event loop was closed: nothing can be awaited any more
            is_torn_down = True
            raise
        finally:
            call.is_fresh, call.is_bounded = progress.connection.is_fresh, progress.connection.is_bounded
            call.may_count = progress.may_have_left and not (outcome is not None and outcome.turned_away)
            if not is_torn_down:
                try:
                    if isinstance(held.ticket, Ticket):
                        held.ticket.lost = outcome is None or outcome.answer is None
                    self._report_to_limiter(held, outcome)
                    self._report_end(call, outcome, anyio.current_time() - started)
                finally:
                    await self._release_used(held, progress, clean=outcome is not None and outcome.is_clean)
        return judged

    async def _release_used(self, held: HeldResources, progress: RequestProgress, *, clean: bool) -> None:
        """Release the slot; a connection that is not clean is closed, and the next request opens another."""
        await held.slot.release(clean=clean)
        if not clean and progress.may_have_left and not self._shared.injected:
            self._report(events.ConnectionReplaced)

    async def _send_once(
        self,
        call: Call,
        held: HeldResources,
        progress: RequestProgress,
        *,
        report_late: Callable[[Outcome, str], None],
    ) -> Outcome:
        """Send a request that must not happen twice, and log its outcome if it is torn down."""
        report_unknown = functools.partial(_log_unknown, call.intent, progress)
        teardown = TeardownReport(report_unknown, call.deadline - anyio.current_time())
        try:
            return await self._send_and_release(call, held, progress)
        except BaseException as stop:
            if held.outcome is not None and progress.may_have_left:
                report_late(held.outcome, f"{type(stop).__name__} was raised after its answer had come")
            elif not teardown.was_made:
                report_unknown()
            raise
        finally:
            teardown.cancel()

    async def _sign_and_send(
        self, call: Call, held: HeldResources, progress: RequestProgress
    ) -> Answer | NoAnswer:
        connection, guard = held.slot.connection, call.guard
        with anyio.CancelScope(deadline=call.deadline):
            if call.once:
                # The guard stores `is_bounded` before the connection exists, so the requirement is fixed here.
                needs_bounded = guard is not None and self._shared.bounds.are_possible
                progress.connection = ConnectionCheck(
                    needs_fresh=True, needs_bounded=needs_bounded, drop_after=self._timeouts.read
                )
                await connection.aclose()  # an idle connection may be dead already
            nonce, algorithm = str(uuid.uuid4()), None
            if guard is not None:
                progress.hooks = [*progress.hooks, functools.partial(_check_guard, guard)]
                try:
                    signing = await guard.record_departure()
                except Exception as error:
                    if not progress.is_cancelled:
                        raise
                    # No caller receives it. Nothing was sent, and the guard knows what it has recorded.
                    _log.debug(
                        "%s: its guard raised %s after the cancellation", call.asked, type(error).__name__
                    )
                    return NoAnswer(sent=False, what=CALLER_CANCELLED, advice=REPEAT_IF_WANTED)
                nonce, algorithm = signing.nonce, signing.algorithm
            token = functools.partial(self._shared.token, nonce, call.message.query_hash, algorithm)
            if progress.is_cancelled:
                return NoAnswer(sent=False, what=CALLER_CANCELLED, advice=REPEAT_IF_WANTED)
            return self._shared.cleaned(await connection.send(call.message, token, self._timeouts, progress))
        what = f"no whole answer in {self._timeouts.total:g} s"
        return NoAnswer(sent=progress.may_have_left, what=what)

    async def _check_ban(self) -> None:
        """Withhold a request if the key was banned since it began."""
        if self._shared.penalty_box.seconds_left() > 0:
            raise Withheld(
                "Upbit blocked this key or address just before its first byte",
                "the next call says until when",
            )

    def _classify(self, came: Answer | NoAnswer, started_at: float) -> Outcome:
        if isinstance(came, NoAnswer):
            return Outcome(Failure.NETWORK if came.sent else Failure.NOT_SENT, no_answer=came)
        failure = classify(came)
        if failure is None:
            self._shared.penalty_box.forgive(started_at)
            return Outcome(None, came)
        now = dt.datetime.now(dt.UTC)
        hint = hint_for(came, failure, now)
        if failure is not Failure.BANNED:
            return Outcome(failure, came, hint=hint)
        text = came.text()
        length = self._shared.penalty_box.ban(lambda bans: ban_seconds(text, hint, bans_before=bans))
        return Outcome(failure, came, hint=hint, banned_for=length)

    def _report_to_limiter(self, held: HeldResources, outcome: Outcome | None) -> None:
        """Report the outcome to the limiter; an exception of the limiter must not hide an answer."""
        answer = outcome.answer if outcome is not None else None
        limiter = self._shared.limiter
        take_ban: Callable[[Ticket, float], None] | None = getattr(limiter, "ban", None)
        try:
            if answer is not None and outcome is not None and answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                limiter.refuse(held.ticket, max(STANDSTILL, outcome.hint or 0.0))
            elif outcome is not None and outcome.failure is Failure.BANNED and take_ban is not None:
                take_ban(held.ticket, outcome.banned_for)
            else:
                remaining = answer.remaining if answer is not None else None
                limiter.observe(held.ticket, None if remaining is None else remaining.sec)
        except (KeyboardInterrupt, SystemExit):  # the program is asked to end
            raise
        except BaseException:  # noqa: BLE001 - it may await a cancelled future; the answer counts all the same
            _log.exception("the limiter raised; the call goes on")

    def _report_end(self, call: Call, outcome: Outcome | None, seconds: float) -> None:
        answer = outcome.answer if outcome is not None else None
        remaining = answer.remaining if answer is not None else None
        failure = outcome.failure.value if outcome is not None and outcome.failure is not None else None
        _log.debug(
            "%s attempt %d: %s", call.asked, call.attempt, answer.status if answer else "no whole answer"
        )
        self._report(
            events.AttemptFinished,
            endpoint=call.asked,
            attempt=call.attempt,
            seconds=seconds,
            status=answer.status if answer is not None else None,
            fault="cancelled" if outcome is None else failure,
            remaining=remaining.sec if remaining is not None else None,
        )


@attrs.define(eq=False)
class _Cancellation:
    """Decision about a request when its caller is cancelled.

    Before its first byte it is stopped; after that, a request that must not happen twice is finished.

    Attributes:
        progress: The request.
        once: Whether it must not happen twice.
        can_stop: Whether the HTTP library may be cancelled. An injected client may lose a connection of its pool
            by that, so its requests end by themselves: https://github.com/encode/httpcore/issues/658.
        guard: Guard of the request, which may stop it even then.
    """

    progress: RequestProgress
    once: bool
    can_stop: bool
    guard: SendGuard | None = None

    def decide(self) -> OnCancel:
        self.progress.cancel()
        if self.progress.phase is Phase.PREPARED:
            return OnCancel.WAIT  # a guard may be writing to its journal; nothing is sent after that
        if not self.progress.may_have_left:
            return OnCancel.STOP if self.can_stop else OnCancel.LEAVE
        if self.guard is not None and self.guard.must_stop and self.can_stop:
            return OnCancel.STOP
        return OnCancel.WAIT if self.once else OnCancel.LEAVE


async def _check_guard(guard: SendGuard) -> None:
    """Withhold a request unless its guard permits it."""
    try:
        permitted = await guard.may_send()
    except Exception:  # noqa: BLE001 - whatever it is, in doubt nothing is sent
        _log.exception("the guard of a request raised; the request is not sent")
        permitted = False
    if not permitted:
        raise Withheld(
            "its guard stopped it before its first byte",
            "the record that the guard keeps has changed, or could not be checked: read it, then call again",
        )


def _log_unknown(intent: Intent, progress: RequestProgress) -> None:
    """Log a request that must not happen twice and whose task was torn down."""
    if progress.may_have_left:
        _log.error("%s was stopped on its way: its outcome is unknown", intent)


def _not_sent(what: str, advice: str) -> Outcome:
    return Outcome(Failure.NOT_SENT, no_answer=NoAnswer(sent=False, what=what, advice=advice))
