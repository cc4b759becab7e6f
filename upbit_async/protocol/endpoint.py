"""Endpoints as typed data, and the `Transport` protocol that resources use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast, get_args

import attrs

from upbit_async.policy import Safety
from upbit_async.protocol.rows import ReadableRows
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from upbit_async.events import Event
    from upbit_async.models import Intent
    from upbit_async.policy import RetryPolicy, Timeouts
    from upbit_async.protocol.send_guard import SendGuard
    from upbit_async.protocol.token import Algorithm

__all__ = ["PAGE_SIZE", "Endpoint", "Param", "Params", "Transport", "read_by_rows"]

T = TypeVar("T")

PAGE_SIZE: Final = 100
"""Rows of a list and ids in a request, at most. See https://global-docs.upbit.com/reference/list-withdrawals."""

Param = str | int | bool | Decimal | Sequence[str] | None
Params = Mapping[str, Param]


@attrs.frozen(kw_only=True)
class Endpoint(Generic[T]):
    """One method and path of Upbit's API, with its properties.

    Attributes:
        method: HTTP method.
        path: Path, from the root.
        returns: Type to which a successful answer is decoded.
        safety: Safety class: what the client may do if the answer is lost.
        docs: URL of Upbit's documentation.
        permission: Permission that a key needs, by Upbit's machine name; None if any key will do.
        group: Rate group.
        regions: Regions that have the endpoint; None means all.
        echoed_fields: Members that the answer repeats as they were sent.
        echoed_in: Fields of the answer that repeat a member, where they have another name than the member.
        interval: Time in which Upbit accepts the same request only once, in seconds; 0 means no limit.
        recovery_hint: Way to determine the outcome if the answer is lost; shown in `OutcomeUnknown`.
        proof: Model to which a successful answer must also decode, where `returns` accepts anything.
    """

    method: str
    path: str
    returns: type[T]
    safety: Safety
    docs: str
    permission: str | None = None
    group: str = "default"
    regions: frozenset[Region] | None = None
    echoed_fields: tuple[str, ...] = ()
    echoed_in: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict[str, tuple[str, ...]], hash=False)
    interval: float = 0.0
    recovery_hint: str = "read the record that it was about"
    proof: type[object] | None = None

    @property
    def label(self) -> str:
        """Method and path: ``GET /v1/withdraw``."""
        return f"{self.method} {self.path}"


def read_by_rows(listing: Endpoint[list[T]]) -> Endpoint[ReadableRows[T]]:
    """Return the same endpoint with its answer decoded row by row, so that an unreadable row does not fail the list."""
    (model,) = get_args(listing.returns)
    evolved = attrs.evolve(cast("Endpoint[Any]", listing), returns=ReadableRows[model])  # type: ignore[valid-type]
    return cast("Endpoint[ReadableRows[T]]", evolved)


class Transport(Protocol):
    """Sender of signed calls, as resources and payouts see it."""

    @property
    def region(self) -> Region:
        """Region of the client."""
        ...

    @property
    def host(self) -> str:
        """Host that is called, with its port if the base URL has one."""
        ...

    @property
    def timeouts(self) -> Timeouts:
        """Timeouts of a call."""
        ...

    @property
    def retry(self) -> RetryPolicy:
        """Retry policy for calls that are safe to repeat."""
        ...

    @property
    def algorithm(self) -> Algorithm:
        """Signature algorithm of the tokens."""
        ...

    @property
    def fingerprint(self) -> str:
        """First eight digits of `key_digest`, for display; empty without a key. Two keys may share it."""
        ...

    @property
    def key_digest(self) -> str:
        """Digest that identifies the key without revealing it; empty without a key."""
        ...

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key for another purpose: HMAC-SHA256 of the purpose under the secret key.

        Args:
            purpose: Purpose of the key, such as ``b"upbit_async payouts journal"``.

        Raises:
            ConfigurationError: There are no keys.
            ValueError: The purpose is empty, or could be the text that a token signs.
        """
        ...

    @property
    def answered(self) -> AbstractSet[str]:
        """The ids that answers have told of what was made without an escort, in lower case."""
        ...

    @property
    def unproven(self) -> AbstractSet[str]:
        """The ids of withdrawals whose answer came over a connection not known to be fresh, in lower case.

        Such an answer may have been meant for an earlier request. The client has compared it with what was asked
        and with its own earlier answers; a caller that knows of more withdrawals compares it with those.
        """
        ...

    @property
    def bounds_connections(self) -> bool:
        """Whether requests that must not be repeated are sent on bounded connections only.

        On a bounded connection the operating system drops the unsent rest of a request when the request is aborted.
        While this is True, a guarded request whose connection proves not to be bounded is not sent. False means that
        the next request may be sent on any connection.
        """
        ...

    def claim(self, uuid: str, intent: Intent) -> None:
        """Remember that an id is this intent's and no other's."""
        ...

    def claimed_by_others(self, intent: Intent) -> set[str]:
        """Return the ids that are known to be other intents': answered, or claimed."""
        ...

    async def call(
        self, endpoint: Endpoint[T], params: Params | None = None, *, guard: SendGuard | None = None
    ) -> T:
        """Send one request, repeat it where that is safe, and return the decoded answer.

        Args:
            endpoint: Endpoint to call.
            params: Members of the query or body.
            guard: Guard of a request that must not be repeated; with a guard the request is sent once.

        Raises:
            UpbitError: See `upbit_async.errors`.
        """
        ...

    def emit(self, event: Event) -> None:
        """Pass an event to the observer, if there is one. An exception of the observer's has no effect."""
        ...
