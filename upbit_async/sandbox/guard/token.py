"""JSON Web Tokens, read and verified with the standard library only.

See https://global-docs.upbit.com/reference/auth and RFC 7519.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import TYPE_CHECKING, Final, TypeGuard

import attrs

from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.knobs import ErrorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JWT_VERIFICATION", "Token"]

JWT_VERIFICATION: Final = ErrorSpec(401, "jwt_verification")
_DIGESTS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


@attrs.frozen(kw_only=True)
class Token:
    """Token that could be read, but whose signature is not verified yet.

    Attributes:
        algorithm: ``alg`` of the header.
        access_key: Access key.
        nonce: Nonce.
        query_hash: Hash over the parameters, if any.
        query_hash_alg: Algorithm of that hash.
        signed_text: Signed part of the token.
        signature: Signature.
    """

    algorithm: str
    access_key: str
    nonce: str
    query_hash: str | None
    query_hash_alg: str
    signed_text: bytes
    signature: bytes

    @classmethod
    def read(cls, text: str) -> Token:
        """Return the token that a text encodes.

        Raises:
            Refusal: It is no token, or lacks a claim.
        """
        try:
            header_part, payload_part, signature_part = text.split(".")
            header, payload = _json_object(header_part), _json_object(payload_part)
            return cls(
                algorithm=_text(header, "alg"),
                access_key=_text(payload, "access_key"),
                nonce=_text(payload, "nonce"),
                query_hash=_text(payload, "query_hash") if "query_hash" in payload else None,
                query_hash_alg=_text(payload, "query_hash_alg") if "query_hash_alg" in payload else "SHA512",
                signed_text=f"{header_part}.{payload_part}".encode(),
                signature=_decoded(signature_part),
            )
        except (ValueError, RecursionError):  # base64, json and bad UTF-8 raise subclasses of ValueError
            raise Refusal(JWT_VERIFICATION) from None

    def verify(self, secret_key: str, algorithms: frozenset[str]) -> None:
        """Check the signature.

        Raises:
            Refusal: The algorithm is not accepted, or the signature is wrong.
        """
        digest = _DIGESTS.get(self.algorithm)
        if digest is None or self.algorithm not in algorithms:
            raise Refusal(JWT_VERIFICATION)
        expected = hmac.digest(secret_key.encode(), self.signed_text, digest)
        if not hmac.compare_digest(expected, self.signature):
            raise Refusal(JWT_VERIFICATION)


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def _json_object(part: str) -> Mapping[str, object]:
    value: object = json.loads(_decoded(part))
    if not _is_object(value):
        raise ValueError("not a JSON object")
    return value


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)  # the keys of a JSON object are always text


def _text(claims: Mapping[str, object], name: str) -> str:
    """Return a claim as text; old clients send their nonce as a number."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{name} is missing")
    text = str(value)
    text.encode()  # raises UnicodeEncodeError for half a surrogate pair
    return text
