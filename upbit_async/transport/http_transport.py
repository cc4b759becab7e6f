"""Transport of a client: the retry loop of a call, and what is done with its answer.

`call` makes attempts (see `attempt`) until `_end` returns a value or an error. A failure is repeated if the table in
`upbit_async.protocol.retry` permits it and there is time. A good answer is decoded and checked, and becomes an error
if it can't be taken for the request's.
"""

from __future__ import annotations

import datetime as dt
import functools
import random
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import anyio.lowlevel
import attrs

from upbit_async import errors, events
from upbit_async.logs import logger
from upbit_async.models import Intent
from upbit_async.protocol.message import compose
from upbit_async.protocol.replies import Failure
from upbit_async.protocol.retry import Situation, leaves_doubt, wait_before_retry
from upbit_async.transport.attempt import Attempter
from upbit_async.transport.call import Call, ClientState, Outcome
from upbit_async.transport.decoding import DecodedAnswer, Misfit, read_at_once, read_in_steps
from upbit_async.transport.failures import error_for, too_soon, unreadable

if TYPE_CHECKING:
    from upbit_async.policy import RetryPolicy, Timeouts
    from upbit_async.protocol.endpoint import Endpoint, Params
    from upbit_async.protocol.replies import Answer
    from upbit_async.protocol.send_guard import SendGuard
    from upbit_async.protocol.token import Algorithm
    from upbit_async.region import Region

__all__ = ["HttpTransport"]

T = TypeVar("T")

_log = logger("upbit_async.http")


class HttpTransport:
    """Transport of one client; see `upbit_async.protocol.endpoint.Transport`.

    Args:
        shared: State that the client shares with its siblings.
        retry: Retry policy for calls that are safe to repeat.
        timeouts: Timeouts of the client.
        observer: Receives the client's events.
    """

    def __init__(
        self, shared: ClientState, *, retry: RetryPolicy, timeouts: Timeouts, observer: events.Observer | None
    ) -> None:
        self.shared = shared
        self.retry = retry
        self.timeouts = timeouts
        self.observer = observer
        self._observer_failed = False
        self._ignored: set[tuple[str, str]] = set()
        self._attempter = Attempter(shared, timeouts, self.report)

    @property
    def region(self) -> Region:
        """Region of the client."""
        return self.shared.region

    @property
    def host(self) -> str:
        """Host that requests go to, with its port if it is not the default."""
        return self.shared.host

    def emit(self, event: events.Event) -> None:
        """Pass an event to the observer, if there is one. An exception of the observer is logged."""
        if self.observer is None:
            return
        try:
            self.observer(event)
        except (KeyboardInterrupt, SystemExit):  # the program is asked to end
            raise
        except BaseException:  # noqa: BLE001 - it may await a cancelled future; the call goes on all the same
            if not self._observer_failed:
                self._observer_failed = True
                _log.exception("the observer raised; this is reported once")

    def report(self, event: type[events.Event], /, **about: Any) -> None:
        """Create an event and pass it to the observer, if there is one."""
        if self.observer is not None:
            self.emit(event(host=self.host, **about))

    def sibling(
        self, *, retry: RetryPolicy | None, timeouts: Timeouts | None, observer: events.Observer | None
    ) -> HttpTransport:
        """Return a transport with other options that shares everything else."""
        return HttpTransport(
            self.shared,
            retry=retry or self.retry,
            timeouts=timeouts or self.timeouts,
            observer=observer or self.observer,
        )

    async def aclose(self) -> None:
        """Close the connections, and refuse calls from now on."""
        self.shared.closed = True
        try:
            await self.shared.tasks.aclose()
        finally:
            await self.shared.pool.aclose()

    @property
    def algorithm(self) -> Algorithm:
        """Signature algorithm of the tokens."""
        return "HS256" if self.shared.signer is None else self.shared.signer.algorithm

    @property
    def fingerprint(self) -> str:
        """First eight digits of `key_digest`, for messages; empty without a key."""
        return "" if self.shared.signer is None else self.shared.signer.fingerprint

    @property
    def key_digest(self) -> str:
        """SHA-256 digest that identifies the access key without revealing it; empty without a key."""
        return "" if self.shared.signer is None else self.shared.signer.key_digest

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key that is derived from the secret key for one purpose."""
        return self.shared.derive_key(purpose)

    @property
    def can_stop_requests(self) -> bool:
        """Whether a request that was sent can be stopped."""
        return not self.shared.injected

    @property
    def bounds_connections(self) -> bool:
        """Whether a guarded request leaves only on a bounded connection."""
        return self.shared.bounds.are_possible

    async def call(
        self, endpoint: Endpoint[T], params: Params | None = None, *, guard: SendGuard | None = None
    ) -> T:
        """Send one request, repeat it where that is safe, and return the decoded answer."""
        call = self._begin(endpoint, params, guard)
        if not endpoint.interval:
            return await self._run(endpoint, call)
        cooldowns = self.shared.cooldowns
        if wait := cooldowns.book(call.identity, endpoint.interval):
            raise too_soon(call, wait)
        try:
            return await self._run(endpoint, call)
        finally:
            cooldowns.settle(call.identity, endpoint.interval, counts=call.may_count)

    async def _run(self, endpoint: Endpoint[T], call: Call) -> T:
        while True:
            call.attempt += 1
            try:
                outcome = await self._attempter.attempt(call, functools.partial(self._report_late, call))
            except errors.UpbitError as refusal:
                # Nothing may be sent now, but an earlier attempt may have been.
                refusal.may_have_executed |= call.may_have_executed
                if isinstance(refusal, errors.APIError):
                    refusal.endpoint = refusal.endpoint or call.asked
                raise
            ended = await self._end(endpoint, call, outcome)
            del outcome  # the answer may echo a secret, and tracebacks show locals
            if isinstance(ended, errors.UpbitError):
                raise ended
            if not isinstance(ended, _Again):
                return ended
            await anyio.sleep(ended.after)

    async def _end(
        self, endpoint: Endpoint[T], call: Call, outcome: Outcome
    ) -> T | errors.UpbitError | _Again:
        """Return the value, the error to raise, or when to try again. Raises nothing."""
        if outcome.failure is None and outcome.answer is not None:
            reading = await self._read(endpoint, call, outcome.answer)
            return self._value(call, outcome.answer, reading)
        wait = self._wait(call, outcome)
        return error_for(self.shared, call, outcome) if wait is None else _Again(wait)

    def _begin(self, endpoint: Endpoint[Any], params: Params | None, guard: SendGuard | None) -> Call:
        region = self.shared.region
        if endpoint.regions is not None and region not in endpoint.regions:
            raise errors.ConfigurationError(
                f"{endpoint.label} exists only in {', '.join(sorted(endpoint.regions))}; this client is for {region}"
            )
        if self.shared.signer is None:
            names = f"UPBIT_{region.upper()}_ACCESS_KEY and UPBIT_{region.upper()}_SECRET_KEY"
            raise errors.ConfigurationError(
                f"{endpoint.label} must be signed, and there are no keys: pass credentials, or set {names}"
            )
        message = compose(endpoint.method, endpoint.path, params, space_as_plus=self.shared.space_as_plus)
        intent = Intent(
            endpoint=endpoint.label,
            host=self.shared.host,
            members=dict(message.members),
            started_at=dt.datetime.now(dt.UTC),
        )
        return Call(endpoint, message, intent, anyio.current_time() + self.timeouts.total, guard)

    def _wait(self, call: Call, outcome: Outcome) -> float | None:
        """Return how long to wait before the next attempt, in seconds; None if there is none."""
        failure = outcome.failure
        if failure is None:
            return None
        if call.guard is not None:
            return None  # the guard's owner repeats the call: `upbit_async.payouts.sending`
        situation = Situation(call.endpoint.safety, failure, call.attempt, call.nonce_retried, outcome.hint)
        wait = wait_before_retry(self.retry, situation, rand=random.random)
        deadline = min(call.deadline, anyio.current_effective_deadline())
        if wait is None or anyio.current_time() + wait >= deadline:
            return None
        call.retry_cost = self.shared.budget.spend(failure)
        if call.retry_cost is None:
            return None
        call.nonce_retried |= failure is Failure.NONCE_USED
        call.answer_was_lost |= leaves_doubt(failure)
        self.report(
            events.RetryPlanned, endpoint=call.asked, attempt=call.attempt, seconds=wait, fault=failure.value
        )
        return wait

    async def _read(self, endpoint: Endpoint[T], call: Call, answer: Answer) -> DecodedAnswer[T] | Misfit:
        """Decode an answer, and let other tasks run in between unless it must not happen twice."""
        if not call.reads:
            return read_at_once(endpoint, call, answer)
        steps = read_in_steps(endpoint, call, answer)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return cast("DecodedAnswer[T] | Misfit", end.value)
            await anyio.lowlevel.checkpoint()

    def _value(self, call: Call, answer: Answer, reading: DecodedAnswer[T] | Misfit) -> T | errors.UpbitError:
        self.shared.budget.succeed(call.retry_cost)
        if isinstance(reading, Misfit):
            error = unreadable(self.shared, call, answer, reading.path, reading.text)
            if call.once:
                _log.error("%s", error)
            return error
        record = reading.record
        if call.once and not call.is_fresh and (doubt := self._doubt_about(call, record)):
            return unreadable(self.shared, call, attrs.evolve(answer, defect=doubt), "$", doubt)
        if self.shared.injected:
            self.shared.answer_check.see(answer.body)
        if call.once:
            is_guarded = call.guard is not None
            self.shared.answer_check.accept(
                call.intent, record, is_guarded=is_guarded, is_fresh=call.is_fresh
            )
        for field in reading.ignored:
            self._report_ignored(call.asked, field)
        for unread in reading.unreadable:
            unread.uuid = unread.uuid and self.shared.scrub(unread.uuid)
        return reading.value

    def _doubt_about(self, call: Call, record: object) -> str:
        """Return why an answer over a connection that is not known to be fresh may be another request's."""
        if call.endpoint.identifies_answers:
            return self.shared.answer_check.doubt_about(call.intent, record)
        return (
            "it came over a connection that may have carried earlier requests, and nothing in it shows that it "
            "belongs to this one"
        )

    def _report_ignored(self, endpoint: str, field: str) -> None:
        if (endpoint, field) in self._ignored:
            return
        self._ignored.add((endpoint, field))
        _log.warning(
            "%s at %s: field %s holds a value that Upbit does not document, and reads as None; reported once",
            endpoint,
            self.host,
            field,
        )
        self.report(events.FieldIgnored, endpoint=endpoint, field=field)

    def _report_late(self, call: Call, outcome: Outcome, why: str) -> None:
        """Report the outcome of a request that must not happen twice and whose caller can't receive it.

        Args:
            call: The call.
            outcome: Its outcome.
            why: Why the caller can't receive it.
        """
        result: object = None
        if outcome.answer is None or outcome.failure is not None:
            result = error_for(self.shared, call, outcome)
        else:
            reading = read_at_once(call.endpoint, call, outcome.answer)
            result = self._value(call, outcome.answer, reading)
        error = result if isinstance(result, errors.UpbitError) else None
        _log.warning(
            "%s: %s; it ended with: %s",
            call.intent,
            why,
            error or f"uuid {getattr(result, 'uuid', None) or getattr(result, 'deposit_uuid', None)}",
        )
        self.report(
            events.AnswerAfterCancellation, intent=call.intent, result=None if error else result, error=error
        )


@attrs.frozen
class _Again:
    """Wait before the next attempt, in seconds."""

    after: float
