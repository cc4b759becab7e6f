"""Types that the parts of the transport share.

`Call` is one call of a resource, over all of its attempts. `HeldResources` and `Outcome` belong to one attempt.
`ClientState` is what the calls of a client share with each other, and with those of its siblings.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from upbit_async.concurrency import OwnedTasks
from upbit_async.errors import RAW_CAP, ConfigurationError
from upbit_async.models import Intent
from upbit_async.policy import Safety
from upbit_async.protocol.answer_check import AnswerCheck
from upbit_async.protocol.endpoint import Endpoint
from upbit_async.protocol.message import Message
from upbit_async.protocol.replies import Answer, Failure
from upbit_async.protocol.retry import RetryBudget
from upbit_async.protocol.send_guard import SendGuard
from upbit_async.protocol.token import Algorithm, Signer
from upbit_async.region import Region
from upbit_async.transport.connection_check import Bounds
from upbit_async.transport.connection_pool import ConnectionPool, Slot
from upbit_async.transport.cooldowns import Cooldowns
from upbit_async.transport.http_port import NoAnswer
from upbit_async.transport.key_state import KeyUse
from upbit_async.transport.limiter import RateLimiter, Ticket
from upbit_async.transport.penalty_box import PenaltyBox

if TYPE_CHECKING:
    from upbit_async.events import Event

__all__ = ["Call", "ClientState", "EventReporter", "HeldResources", "Outcome"]

_LONGEST_TEXT = 500
"""Maximum length of a foreign exception's text in a message, in characters."""
_BEYOND = 4096
"""How far beyond its cut a text is searched for keys and tokens, in characters: longer than any of them."""
_KEY_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class EventReporter(Protocol):
    """Function that creates an event and passes it to the observer, if there is one."""

    def __call__(self, event: type[Event], /, **about: Any) -> None:
        """Report an event."""
        ...


@attrs.define(eq=False)
class ClientState:
    """State that the calls of a client share, and that it shares with its siblings from `with_options`.

    Attributes:
        region: Region of the client.
        host: Host that requests go to.
        signer: Signs requests; None without keys.
        pool: Connection pool.
        injected: Whether requests go through an HTTP client of the user's.
        limiter: Decides when a request may be sent.
        penalty_box: Ban of this key at this host.
        cooldowns: Cooldowns of calls that Upbit accepts once per interval.
        answer_check: Check of the answers to requests that must not happen twice.
        key_use: Keeps the shared limiter, penalty box and cooldowns while this state exists.
        space_as_plus: Whether a space is hashed as ``+``.
        budget: Retry budget.
        tasks: Requests that outlive their callers.
        closed: Whether the client was closed.
        bounds: Whether the connections of requests that must not happen twice can be bounded.
    """

    region: Region
    host: str
    signer: Signer | None
    pool: ConnectionPool
    injected: bool
    limiter: RateLimiter
    penalty_box: PenaltyBox
    cooldowns: Cooldowns
    answer_check: AnswerCheck
    key_use: KeyUse = attrs.field(repr=False)
    space_as_plus: bool = False
    budget: RetryBudget = attrs.field(factory=RetryBudget)
    tasks: OwnedTasks = attrs.field(factory=OwnedTasks)
    closed: bool = False
    bounds: Bounds = attrs.field(factory=Bounds)

    def token(self, nonce: str, query_hash: str | None, algorithm: Algorithm | None = None) -> str:
        """Sign one request."""
        if self.signer is None:
            raise ConfigurationError("there are no keys to sign with")
        return self.signer.token(nonce, query_hash, algorithm)

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key that is derived from the secret key; see `upbit_async.protocol.endpoint.Transport`."""
        if self.signer is None:
            raise ConfigurationError("there are no keys to derive another from: pass credentials")
        return self.signer.derive_key(purpose)

    def scrub(self, text: str) -> str:
        """Return a text from outside without keys and tokens."""
        return text if self.signer is None else self.signer.scrub(text)

    def cleaned(self, came: Answer | NoAnswer) -> Answer | NoAnswer:
        """Return an answer without its request's token, or a failure without keys and tokens.

        This happens before any frame holds it that a traceback may show. The rest of an answer is the caller's.
        """
        if isinstance(came, NoAnswer):
            return attrs.evolve(came, what=self.scrub(came.what)[:_LONGEST_TEXT])
        if self.signer is None or (body := self.signer.without_token(came.body)) is came.body:
            return came
        return attrs.evolve(came, body=body)

    def raw_of(self, answer: Answer) -> str:
        """Return an answer's text for an error's `raw`: scrubbed, then cut."""
        return self.scrub(answer.text()[: RAW_CAP + _BEYOND])[:RAW_CAP]


@attrs.define(eq=False)
class Call:
    """One call: its request, and what has happened so far.

    Attributes:
        endpoint: Endpoint of the call.
        message: The request.
        intent: What the request asks for, for the error if its answer is lost.
        deadline: End of the time for the call, by the running loop's clock.
        guard: Guard of the request, or None.
        attempt: Number of the current attempt, from 1.
        nonce_retried: Whether the call was repeated after a used nonce.
        answer_was_lost: Whether an earlier attempt may have been executed.
        retry_cost: Cost of the last retry, from the retry budget.
        may_count: Whether Upbit may have counted the last attempt.
        is_fresh: Whether the last attempt's connection is known to carry no other request's answer.
        is_bounded: Whether the last attempt's connection was bounded; see `upbit_async.transport.bounding`.
    """

    endpoint: Endpoint[Any]
    message: Message
    intent: Intent
    deadline: float
    guard: SendGuard | None = None
    attempt: int = 0
    nonce_retried: bool = False
    answer_was_lost: bool = False
    retry_cost: int | None = None
    may_count: bool = False
    is_fresh: bool = False
    is_bounded: bool = False

    @property
    def asked(self) -> str:
        """Label of the endpoint, for messages."""
        return self.endpoint.label

    @property
    def identity(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """Identity for cooldowns; ids compare in any case."""
        return self.asked, frozenset((name, text.casefold()) for name, text in self.intent.members.items())

    @property
    def may_have_executed(self) -> bool:
        """Whether an earlier attempt may have been executed, and may have changed something."""
        return self.answer_was_lost and not self.reads

    @property
    def once(self) -> bool:
        """Whether the request must not happen twice."""
        return self.endpoint.safety is Safety.ONCE

    @property
    def reads(self) -> bool:
        """Whether the call changes nothing."""
        return self.endpoint.safety is Safety.READ


@attrs.frozen
class Outcome:
    """Outcome of one attempt.

    Attributes:
        failure: Kind of failure; None if the status is good.
        answer: The answer, if a whole one was read.
        no_answer: Why none was read.
        hint: How long the server asks to wait, in seconds.
        banned_for: Length of the ban, in seconds.
    """

    failure: Failure | None
    answer: Answer | None = None
    no_answer: NoAnswer | None = None
    hint: float | None = None
    banned_for: float = 0.0

    @property
    def turned_away(self) -> bool:
        """Whether Upbit turned the request away before it processed it."""
        if self.failure is Failure.REFUSED and self.answer is not None:
            return self.answer.status in _KEY_REFUSED
        return self.failure in {Failure.NOT_SENT, Failure.BANNED}

    @property
    def is_clean(self) -> bool:
        """Whether the connection can be used again."""
        return self.answer is not None and self.answer.defect is None


@attrs.define(eq=False)
class HeldResources:
    """Slot and ticket of an attempt, released exactly once.

    Attributes:
        slot: Slot of the connection pool.
        ticket: Ticket of the limiter.
        outcome: Outcome of the attempt, as soon as it is known.
        started: Whether the attempt has begun, and so releases them itself.
    """

    slot: Slot
    ticket: Ticket
    outcome: Outcome | None = None
    started: bool = False
