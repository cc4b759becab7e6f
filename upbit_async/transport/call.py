"""Types that the parts of the transport share: a call, its outcome, and the client's state."""

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
from upbit_async.transport.http_port import Lost
from upbit_async.transport.key_state import KeyUse
from upbit_async.transport.limiter import RateLimiter, Ticket
from upbit_async.transport.penalty_box import PenaltyBox

if TYPE_CHECKING:
    from upbit_async.events import Event

__all__ = ["Call", "ClientState", "EventReporter", "HeldResources", "Outcome"]

_LONGEST_TEXT = 500
"""What is shown at most of a foreign exception's text, in characters."""
_BEYOND = 4096
"""How far beyond what is kept a text is searched for keys and tokens, in characters: longer than any of them."""
_KEY_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class EventReporter(Protocol):
    """Makes an event and tells it, if there is an observer."""

    def __call__(self, event: type[Event], /, **about: Any) -> None:
        """Tell it."""
        ...


@attrs.define(eq=False)
class ClientState:
    """What siblings made by `with_options` have in common.

    Attributes:
        region: The region that is talked to.
        host: The host that is talked to.
        signer: Signs requests; None if there are no keys.
        pool: Hands out connections.
        injected: Whether requests go through a client of the user's.
        limiter: Says when a call may leave.
        penalty_box: Bans of this key at this host.
        cooldowns: Holds back what may be sent once in a while only.
        answer_check: Keeps the answers to requests that must not happen twice apart.
        key_use: Keeps the three of them as long as this lives.
        space_as_plus: How a space is hashed.
        budget: How much repeating is left.
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
        """Return a key for a purpose of our own; see `upbit_async.protocol.endpoint.Transport`."""
        if self.signer is None:
            raise ConfigurationError("there are no keys to derive another from: pass credentials")
        return self.signer.derive_key(purpose)

    def scrub(self, text: str) -> str:
        """Take keys and tokens out of a text that came from outside."""
        return text if self.signer is None else self.signer.scrub(text)

    def cleaned(self, came: Answer | Lost) -> Answer | Lost:
        """Take keys and tokens out of what came, before any frame holds it that an error may show.

        An answer loses echoes of its request's token alone: what it says is for the caller.
        """
        if isinstance(came, Lost):
            return attrs.evolve(came, what=self.scrub(came.what)[:_LONGEST_TEXT])
        if self.signer is None or (body := self.signer.without_token(came.body)) is came.body:
            return came
        return attrs.evolve(came, body=body)

    def raw_of(self, answer: Answer) -> str:
        """Return an answer's text for an error's `raw`: scrubbed first, and then cut."""
        return self.scrub(answer.text()[: RAW_CAP + _BEYOND])[:RAW_CAP]


@attrs.define(eq=False)
class Call:
    """One call on its way: what was asked, and what has happened so far.

    Attributes:
        endpoint: What is asked.
        message: The request.
        intent: The same, for the error if its answer is lost.
        deadline: When the time for it is over, by the running loop's clock.
        guard: Who goes along with it, or None.
        attempt: The number of the attempt under way, from 1.
        nonce_retried: Whether it was repeated for a used nonce.
        answer_was_lost: Whether an earlier attempt may have been carried out.
        retry_cost: What the last repetition took from the retry budget.
        may_count: Whether Upbit may have taken note of the last attempt.
        is_fresh: Whether the last attempt had a connection that is known to carry no other request's answer.
        is_bounded: Whether the kernel drops what the last attempt's connection has not delivered.
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
        """The endpoint, for people."""
        return self.endpoint.label

    @property
    def identity(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """What tells it from other calls; ids compare in any case."""
        return self.asked, frozenset((name, text.casefold()) for name, text in self.intent.members.items())

    @property
    def may_have_executed(self) -> bool:
        """Whether an earlier attempt may have been carried out, and have changed something."""
        return self.answer_was_lost and not self.reads

    @property
    def once(self) -> bool:
        """Whether it must not happen twice."""
        return self.endpoint.safety is Safety.ONCE

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.endpoint.safety is Safety.READ


@attrs.frozen
class Outcome:
    """What one attempt came to.

    Attributes:
        fault: What went wrong; None if the status is good.
        answer: The answer, if a whole one came.
        lost: Why none came.
        hint: How long the server asks to wait, in seconds.
        banned_for: How long it blocks us, in seconds.
    """

    fault: Failure | None
    answer: Answer | None = None
    lost: Lost | None = None
    hint: float | None = None
    banned_for: float = 0.0

    @property
    def turned_away(self) -> bool:
        """Whether Upbit did not even look at what was asked."""
        if self.fault is Failure.REFUSED and self.answer is not None:
            return self.answer.status in _KEY_REFUSED
        return self.fault in {Failure.NOT_SENT, Failure.BANNED}

    @property
    def is_clean(self) -> bool:
        """Whether the connection is known to be in order."""
        return self.answer is not None and self.answer.defect is None


@attrs.define(eq=False)
class HeldResources:
    """What an attempt holds while it lasts, to be handed back exactly once."""

    slot: Slot
    ticket: Ticket
    outcome: Outcome | None = None  # what the attempt came to, as soon as it is known
    started: bool = False  # whether the attempt has begun, and so will hand it back by itself
