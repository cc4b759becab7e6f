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
    from upbit_async.events import Event
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

    @property
    def identifies_answers(self) -> bool:
        """Whether a good answer shows by its kind or fields that it belongs to a request for this endpoint."""
        return self.proof is not None or self.returns is not object


def read_by_rows(listing: Endpoint[list[T]]) -> Endpoint[ReadableRows[T]]:
    """Return the same endpoint with its answer decoded row by row, so that an unreadable row does not fail the list."""
    (model,) = get_args(listing.returns)
    evolved = attrs.evolve(cast("Endpoint[Any]", listing), returns=ReadableRows[model])  # type: ignore[valid-type]
    return cast("Endpoint[ReadableRows[T]]", evolved)


class Transport(Protocol):
    """Interface through which resources send calls to Upbit."""

    @property
    def region(self) -> Region:
        """Region of the client."""
        ...

    @property
    def host(self) -> str:
        """Host that requests go to, with its port if it is not the default."""
        ...

    @property
    def timeouts(self) -> Timeouts:
        """Timeouts of the client."""
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
        """First eight digits of `key_digest`, for messages; empty without a key. Two keys may share them."""
        ...

    @property
    def key_digest(self) -> str:
        """SHA-256 digest that identifies the access key without revealing it; empty without a key."""
        ...

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key that is derived from the secret key: HMAC-SHA256 of a purpose.

        Args:
            purpose: Purpose of the key, such as ``b"upbit_async payouts journal"``.

        Raises:
            ConfigurationError: There are no keys.
            ValueError: The purpose is empty, or could be the signed text of a token.
        """
        ...

    @property
    def can_stop_requests(self) -> bool:
        """Whether a request that was sent can be stopped, by closing its connection. An injected client's can't."""
        ...

    @property
    def bounds_connections(self) -> bool:
        """Whether a guarded request leaves only on a bounded connection.

        On a bounded connection the operating system drops undelivered bytes soon after the client has closed it. A
        guarded request that begins while this is True is not sent if its connection can't be bounded. While it is
        False, a request may leave on any connection.
        """
        ...

    async def call(
        self, endpoint: Endpoint[T], params: Params | None = None, *, guard: SendGuard | None = None
    ) -> T:
        """Send one request, repeat it where that is safe, and return the decoded answer.

        Args:
            endpoint: The endpoint.
            params: Parameters of the request.
            guard: Guard of a request that must not happen twice. A guarded request is sent at most once.

        Raises:
            UpbitError: See `upbit_async.errors`.
        """
        ...

    def emit(self, event: Event) -> None:
        """Pass an event to the observer, if there is one. An exception of the observer is logged."""
        ...
