"""Endpoints as typed data, and the transport interface that resources use."""

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
    """One method and path of Upbit's, with everything that is known of it.

    Attributes:
        method: The HTTP method.
        path: The path, from the root.
        returns: What a good answer decodes to.
        safety: What may happen to it if its answer is lost.
        docs: Upbit's page about it.
        permission: The permission that a key needs, in Upbit's words; None if any key will do.
        group: The rate group it counts against.
        regions: Where it exists; None is everywhere.
        echoed_fields: The members that come back in the answer as they were sent.
        echoed_in: The fields of the answer that repeat a member, where that is not the one of its name.
        interval: For how many seconds Upbit takes the same request only once; 0 is as often as one likes.
        recovery_hint: How to find out what became of it if its answer is lost, for the error.
        proof: What a good answer must also decode to, where `returns` is looser.
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
    recovery_hint: str = "read what it was about to find out"
    proof: type[object] | None = None

    @property
    def label(self) -> str:
        """The endpoint as people write it: ``GET /v1/withdraw``."""
        return f"{self.method} {self.path}"

    @property
    def identifies_answers(self) -> bool:
        """Whether a good answer shows by its kind or fields that it belongs to a request for this endpoint."""
        return self.proof is not None or self.returns is not object


def read_by_rows(listing: Endpoint[list[T]]) -> Endpoint[ReadableRows[T]]:
    """Return the same endpoint with its answer decoded row by row: an unreadable row does not fail the list."""
    (model,) = get_args(listing.returns)
    evolved = attrs.evolve(cast("Endpoint[Any]", listing), returns=ReadableRows[model])  # type: ignore[valid-type]
    return cast("Endpoint[ReadableRows[T]]", evolved)


class Transport(Protocol):
    """What resources need to send calls to Upbit."""

    @property
    def region(self) -> Region:
        """The region that is talked to."""
        ...

    @property
    def host(self) -> str:
        """The host that is talked to, with its port if it is unusual."""
        ...

    @property
    def timeouts(self) -> Timeouts:
        """How long a call may take."""
        ...

    @property
    def retry(self) -> RetryPolicy:
        """How often and how patiently calls are repeated."""
        ...

    @property
    def algorithm(self) -> Algorithm:
        """How tokens are signed."""
        ...

    @property
    def fingerprint(self) -> str:
        """The first eight digits of `key_digest`, for people; empty if there is no key. Two keys may have the same."""
        ...

    @property
    def key_digest(self) -> str:
        """What tells the key from all other keys without giving it away; empty if there is none."""
        ...

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key for a purpose of our own: HMAC-SHA256 of the purpose under the secret key.

        Args:
            purpose: What the key is for, such as ``b"upbit_async payouts journal"``.

        Raises:
            ConfigurationError: There are no keys.
            ValueError: The purpose is empty, or could be what a token signs.
        """
        ...

    @property
    def bounds_connections(self) -> bool:
        """Whether what must not happen twice leaves only on connections that are bounded.

        On a bounded connection the operating system drops what is left of a request when it is given up. True
        holds for every request that is guarded by an escort and begins while it is True: one whose connection
        proves not to be bounded is not sent. False means that the next request may leave on any connection.
        """
        ...

    async def call(
        self, endpoint: Endpoint[T], params: Params | None = None, *, guard: SendGuard | None = None
    ) -> T:
        """Send one request, repeat it where that is safe, and return the decoded answer.

        Args:
            endpoint: What to ask.
            params: What to ask it with.
            guard: Goes along with a request that must not happen twice; with one it is sent once.

        Raises:
            UpbitError: See `upbit_async.errors`.
        """
        ...

    def emit(self, event: Event) -> None:
        """Tell the observer, if there is one; what it raises breaks nothing."""
        ...
