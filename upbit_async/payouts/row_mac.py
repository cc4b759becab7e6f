"""Message authentication codes (MACs) of journal rows. Pure.

A journal is a file or a database that others may be able to change, so each row has a MAC, and a row whose MAC does
not verify is never sent. The MAC proves that a holder of a journal key authorised *what* is paid. It does not prove
that the row was not paid before: a row that is reset to an earlier state still verifies. There the nonce, and the
search for withdrawals that no payout owns, are the protection.

A row has up to two MACs. That of the *payment* covers the key and the body, and is written with the payout. That of the
*departure* covers the nonce, the algorithm and the access key too, and is written with the record of the first copy.
Both are HMAC-SHA256 over a label, which separates the two kinds and the versions, and over fields that each follow
their length, so that no text can move from one field to the next.

Neither is a signature of a request: Upbit's tokens are signed with the secret key, in `upbit_async.protocol.token`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn, cast

import attrs

if TYPE_CHECKING:
    from upbit_async.payouts.payout import Payout
    from upbit_async.protocol.send_guard import SigningParams

__all__ = [
    "JOURNAL_KEY_PURPOSE",
    "JournalKeys",
    "RowAuthenticator",
    "mac_of_departure",
    "mac_of_payment",
    "verifies_departure",
    "verifies_payment",
]

JOURNAL_KEY_PURPOSE: Final = b"upbit_async payouts journal v1"
"""Purpose for which the default journal key is derived from an API secret."""

_REQUEST: Final = "upbit_async payouts journal v1: request"
_DEPARTURE: Final = "upbit_async payouts journal v1: departure"
_FORM: Final = "1:"
_SHORTEST_KEY: Final = 16


@attrs.frozen(init=False, repr=False, eq=False)
class JournalKeys:
    """Keys that authenticate rows, masked wherever they are shown.

    They can't be pickled, and compare in constant time.

    Args:
        keys: The keys, of at least 16 bytes each. The first makes new MACs, all verify. To replace a key, put the new
            one first, and drop the former one when no open row has a MAC by it.

    Raises:
        TypeError: The keys are not a sequence of bytes.
        ValueError: There is no key, or one is too short.

    Example:
        .. code-block:: python

            from upbit_async.payouts.row_mac import JournalKeys

            keys = JournalKeys([b"the key of new rows", b"the former key, which verifies"])
    """

    # A closure, so that no attribute holds a key: walking an object's attributes does not find it.
    _reveal: Callable[[], tuple[bytes, ...]]

    def __init__(self, keys: Sequence[bytes]) -> None:
        if problem := _problem_with(keys):
            del self, keys  # a traceback may be shown with the locals of its frames
            raise problem
        kept = tuple(keys)
        object.__setattr__(self, "_reveal", lambda: kept)

    def mac_of(self, message: bytes) -> str:
        """Return the MAC of a message, by the first key."""
        return _hmac_of(self._reveal()[0], message)

    def verifies(self, mac: str | None, message: bytes) -> bool:
        """Return whether the MAC of a message is by one of the keys."""
        if not isinstance(mac, str):
            return False
        expected = mac.encode("utf-8", "surrogatepass")
        matches = [hmac.compare_digest(_hmac_of(key, message).encode(), expected) for key in self._reveal()]
        return any(matches)  # all are compared, so the time does not reveal which

    def __repr__(self) -> str:
        return f"JournalKeys({len(self._reveal())} keys)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JournalKeys):
            return NotImplemented
        return hmac.compare_digest(self._digest(), other._digest())

    def __hash__(self) -> int:
        return hash(self._digest())

    def _digest(self) -> bytes:
        return hashlib.sha256(b"".join(hashlib.sha256(key).digest() for key in self._reveal())).digest()

    def __copy__(self) -> JournalKeys:
        return self

    def __deepcopy__(self, memo: object) -> JournalKeys:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("journal keys can't be pickled; pass the name of an environment variable instead")


@attrs.frozen
class RowAuthenticator:
    """Maker and verifier of the MACs of one journal's rows.

    Attributes:
        keys: Journal keys: the first makes new MACs, all verify.
        host: Host that the journal belongs to.
        account: Label of the account that it belongs to.
    """

    keys: JournalKeys
    host: str
    account: str

    def payment_mac(self, key: str, members: Mapping[str, str]) -> str:
        """Return the MAC of a payment: over what a payout asks for."""
        return mac_of_payment(self.keys, host=self.host, account=self.account, key=key, members=members)

    def departure_mac(self, payout: Payout, signing: SigningParams, signed_by: str) -> str:
        """Return the MAC of a departure: over what a payout asks for and what its request is signed with."""
        return mac_of_departure(
            self.keys,
            host=self.host,
            account=self.account,
            key=payout.key,
            members=payout.intent.members,
            nonce=signing.nonce,
            algorithm=signing.algorithm,
            signed_by=signed_by,
        )

    def verifies(self, payout: Payout) -> bool:
        """Return whether this library wrote the row with one of the keys, in everything that would be sent."""
        same = {"host": self.host, "account": self.account, "key": payout.key}
        members = payout.intent.members
        if not verifies_payment(self.keys, payout.mac, **same, members=members):
            return False
        sent_request = payout.sent_request
        if sent_request is None or sent_request.needs_new_nonce:
            return True
        return verifies_departure(
            self.keys,
            sent_request.mac,
            **same,
            members=members,
            nonce=sent_request.signing.nonce,
            algorithm=sent_request.signing.algorithm,
            signed_by=sent_request.signed_by,
        )


def mac_of_payment(
    keys: JournalKeys, *, host: str, account: str, key: str, members: Mapping[str, str]
) -> str:
    """Return the MAC of a payment, for the write that adds the payout.

    Args:
        keys: The journal's keys.
        host: Host that the request is for.
        account: Label of the account that pays.
        key: The payout's key.
        members: The request's body, in the order in which it is sent.

    Raises:
        TypeError: A field is not text.
    """
    return keys.mac_of(_message(_REQUEST, (host, account, key), members))


def verifies_payment(
    keys: JournalKeys, mac: str | None, *, host: str, account: str, key: str, members: Mapping[str, str]
) -> bool:
    """Return whether a MAC is that of a payment. A missing MAC and a damaged row never verify."""
    try:
        message = _message(_REQUEST, (host, account, key), members)
    except TypeError:
        return False
    return keys.verifies(mac, message)


def mac_of_departure(
    keys: JournalKeys,
    *,
    host: str,
    account: str,
    key: str,
    members: Mapping[str, str],
    nonce: str,
    algorithm: str,
    signed_by: str,
) -> str:
    """Return the MAC of a departure, for the write that records a copy.

    Args:
        keys: The journal's keys.
        host: Host that the request is sent to.
        account: Label of the account that pays.
        key: The payout's key.
        members: The request's body, in the order in which it is sent.
        nonce: Nonce of its token.
        algorithm: Algorithm by which the token is signed.
        signed_by: Digest of the access key that signs the token.

    Raises:
        TypeError: A field is not text.
    """
    return keys.mac_of(_message(_DEPARTURE, (host, account, key), members, (nonce, algorithm, signed_by)))


def verifies_departure(  # noqa: PLR0913 - each is one field of the row
    keys: JournalKeys,
    mac: str | None,
    *,
    host: str,
    account: str,
    key: str,
    members: Mapping[str, str],
    nonce: str,
    algorithm: str,
    signed_by: str,
) -> bool:
    """Return whether a MAC is that of a departure. A missing MAC and a damaged row never verify."""
    try:
        message = _message(_DEPARTURE, (host, account, key), members, (nonce, algorithm, signed_by))
    except TypeError:
        return False
    return keys.verifies(mac, message)


def _message(
    label: str, head: tuple[str, ...], members: Mapping[str, str], tail: tuple[str, ...] = ()
) -> bytes:
    """Return the canonical bytes to authenticate."""
    if not isinstance(members, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - a row may hold anything
        raise TypeError(f"members must be a mapping, got {type(members).__name__}")
    body = [text for pair in members.items() for text in pair]
    parts = [*map(_field, (label, *head)), _length(len(members)), *map(_field, (*body, *tail))]
    return b"".join(parts)


def _field(text: str) -> bytes:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a row may hold anything
        raise TypeError(f"an authenticated field must be text, got {type(text).__name__}")
    content = text.encode("utf-8", "surrogatepass")  # two texts never have the same bytes
    return _length(len(content)) + content


def _length(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _hmac_of(key: bytes, message: bytes) -> str:
    return _FORM + hmac.digest(key, message, hashlib.sha256).hex()


def _problem_with(keys: object) -> TypeError | ValueError | None:
    kind = type(keys).__name__
    if not isinstance(keys, Sequence) or isinstance(keys, (str, bytes, bytearray, memoryview)):
        return TypeError(f"journal_keys must be a sequence of keys, got {kind}")
    if not keys:
        return ValueError("journal_keys must hold at least one key")
    for key in cast("Sequence[object]", keys):
        if not isinstance(key, bytes):
            return TypeError(f"a journal key must be bytes, got {type(key).__name__}")
        if len(key) < _SHORTEST_KEY:
            return ValueError(f"a journal key must have at least {_SHORTEST_KEY} bytes, got {len(key)}")
    return None
