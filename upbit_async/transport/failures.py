"""Choice of the error that a failed call raises, with its text and fields.

`error_for` chooses by the outcome of the last attempt. If a request that must not happen twice may have been executed,
it is `OutcomeUnknown`. If there is no answer, it is `NotSent` or `TransportError`. Otherwise it is the `APIError` of
Upbit's answer. Every text from outside is scrubbed of keys, and addresses in it are shortened.
"""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import TYPE_CHECKING

from upbit_async import errors
from upbit_async.models.intent import shortened
from upbit_async.protocol.decode import uuid_in
from upbit_async.protocol.replies import Answer, Failure, api_error
from upbit_async.protocol.retry import STANDSTILL, is_unknown, leaves_doubt

if TYPE_CHECKING:
    from upbit_async.transport.call import Call, ClientState, Outcome
    from upbit_async.transport.http_port import NoAnswer

__all__ = ["banned", "error_for", "too_soon", "unreadable"]

_IDS = ("uuid", "deposit_uuid", "txid")
_LONGEST_SHOWN = 80


def error_for(shared: ClientState, call: Call, outcome: Outcome) -> errors.UpbitError:
    """Return the error of an attempt that failed and is not repeated."""
    failure, answer, no_answer = outcome.failure, outcome.answer, outcome.no_answer
    if failure is Failure.UNREADABLE and answer is not None:
        return unreadable(
            shared, call, answer, "$", f"{call.asked}: the answer can't be read: {answer.defect}"
        )
    if failure is not None and is_unknown(call.endpoint.safety, failure):
        return _unknown(shared, call, answer or no_answer)
    if answer is None:
        return _no_answer(shared, call, no_answer)
    return _refusal(shared, call, outcome, answer)


def banned(
    shared: ClientState, call: Call, seconds: float, name: str = "", message: str = ""
) -> errors.Banned:
    """Return the error of a call while the key or address is banned."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    reason = f" ({message})" if message else ""
    return errors.Banned(
        f"{call.asked}: Upbit has blocked this key or address{reason}; nothing is sent to {shared.host} before "
        f"{until:%Y-%m-%d %H:%M:%S} UTC; let all programs that share the account send less",
        until=until,
        status=418,
        name=name,
        message=message,
        endpoint=call.asked,
        may_have_executed=call.may_have_executed,
    )


def too_soon(call: Call, wait: float) -> errors.RepeatTooSoon:
    """Return the error of a call that is repeated within its cooldown."""
    interval = call.endpoint.interval
    return errors.RepeatTooSoon(
        f"{call.asked}: the same was begun {interval - wait:.0f} s ago, and Upbit takes it once in "
        f"{interval / 60:g} minutes; try again in {wait:.0f} s, and until then {call.endpoint.recovery_hint}",
        retry_after=wait,
    )


def unreadable(shared: ClientState, call: Call, answer: Answer, path: str, text: str) -> errors.UpbitError:
    """Return the error of an answer with a good status whose body is not what Upbit documents."""
    if call.once:
        return _unknown(shared, call, answer, why=text)
    return errors.DecodeError(
        shared.scrub(text),
        path=path,
        raw=shared.raw_of(answer),
        may_have_executed=not call.reads,
    )


def _unknown(
    shared: ClientState, call: Call, came: Answer | NoAnswer | None, *, why: str = ""
) -> errors.OutcomeUnknown:
    status, name, raw, uuid = None, "", "", None
    if isinstance(came, Answer):
        what, raw = f"status {came.status}, {came.defect or 'unusable'}", shared.raw_of(came)
        status, (name, _) = came.status, came.error() or ("", "")
        if _was_accepted(came) and (uuid := uuid_in(came.body)):
            uuid = shared.scrub(uuid)
    else:
        what = came.what if came is not None else "no answer"
    what = f"the answer was lost ({_shortened(call, shared.scrub(what))})"
    if why:
        named = f", and names {_shown(uuid)}" if uuid else ""
        what = f"the answer can't be taken for this request's{named} ({shared.scrub(why)})"
    return errors.OutcomeUnknown(
        f"{call.intent}: {what}, so it may or may not have been carried out; "
        f"do not send it again: {call.endpoint.recovery_hint}",
        intent=call.intent,
        raw=raw,
        status=status,
        name=shared.scrub(name),
        uuid=uuid,
        connection_bounded=call.is_bounded,
    )


def _was_accepted(answer: Answer) -> bool:
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def _no_answer(shared: ClientState, call: Call, no_answer: NoAnswer | None) -> errors.TransportError:
    what = _shortened(call, shared.scrub(no_answer.what)) if no_answer is not None else "no answer"
    if call.answer_was_lost or no_answer is None or no_answer.sent:
        return errors.TransportError(
            f"{call.asked}: no usable answer after {call.attempt} attempt(s) ({what}); try again later",
            may_have_executed=not call.reads,
        )
    return errors.NotSent(f"{call.asked} was not sent ({what}); {no_answer.advice}")


def _refusal(shared: ClientState, call: Call, outcome: Outcome, answer: Answer) -> errors.APIError:
    name, message = (_shortened(call, shared.scrub(text)) for text in answer.error() or ("", ""))
    if outcome.failure is Failure.BANNED:
        return banned(shared, call, outcome.banned_for, name, message)
    return api_error(
        answer,
        asked=call.asked,
        name=name,
        message=message,
        may_have_executed=not call.reads
        and (call.answer_was_lost or outcome.failure is None or leaves_doubt(outcome.failure)),
        retry_after=max(STANDSTILL, outcome.hint or 0.0),
        advice=_interval_advice(call, outcome),
        asked_for=_asked_for(call),
    )


def _asked_for(call: Call) -> str:
    """Return what a request is about: its id, else its currency and network."""
    members = call.intent.members
    for name in _IDS:
        if name in members:
            return f"{name} {_shown(members[name])}"
    market = [_shown(members[name]) for name in ("currency", "net_type") if name in members]
    return " on ".join(market)


def _shown(text: str) -> str:
    text = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return text if text.isprintable() else ascii(text)


def _shortened(call: Call, text: str) -> str:
    """Shorten the address in a text of the server's, which may echo it."""
    address = call.intent.address
    return text if address is None else text.replace(address, shortened(address))


def _interval_advice(call: Call, outcome: Outcome) -> str:
    """Return what a 429 most likely means for a call that Upbit accepts once per interval."""
    if not call.endpoint.interval or outcome.failure is not Failure.THROTTLED:
        return ""
    minutes = f"{call.endpoint.interval / 60:g} minutes"
    return f"the same may have been sent in the last {minutes}, and Upbit takes it only once; try again after them"
