"""JSON Web Token that signs a request. See https://global-docs.upbit.com/reference/auth."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import jwt
from jwt.algorithms import HMACAlgorithm

from upbit_async.errors import ConfigurationError
from upbit_async.protocol.scrub import scrub, without_token

if TYPE_CHECKING:
    from upbit_async.credentials import Credentials

__all__ = ["Algorithm", "Signer"]

Algorithm = Literal["HS256", "HS512"]

_HASHES: Final[dict[Algorithm, Any]] = {"HS256": HMACAlgorithm.SHA256, "HS512": HMACAlgorithm.SHA512}


class Signer:
    """Signer of tokens with one key pair.

    Raises:
        ConfigurationError: The secret key can't be an HMAC key (it looks like a PEM file, say), or the access key has
            characters that no access key of Upbit's has.
    """

    __slots__ = ("_access_key", "_hmacs", "_secret_key", "algorithm")

    def __init__(self, credentials: Credentials, algorithm: Algorithm = "HS256") -> None:
        if algorithm not in get_args(Algorithm):
            raise ValueError("algorithm must be HS256 or HS512")  # a misplaced key must not be shown
        self.algorithm: Final = algorithm
        self._access_key = credentials.access_key
        self._secret_key = credentials.secret_key
        # PyJWT's `encode` would encode the header again for every token, and warn that Upbit's keys of 40 characters
        # are short for HS512. Users can't change that, and 40 random characters have far more than 128 bits.
        self._hmacs = {name: (_head(name), HMACAlgorithm(_HASHES[name])) for name in _HASHES}
        if problem := _problem_with(credentials):
            raise ConfigurationError(f"{problem}; copy it again from the key management page")

    @property
    def fingerprint(self) -> str:
        """First eight digits of `key_digest`, for display."""
        return self._access_key.fingerprint

    @property
    def key_digest(self) -> str:
        """Digest that identifies the key without revealing it."""
        return self._access_key.digest

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key for another purpose: HMAC-SHA256 of the purpose under the secret key.

        Raises:
            ValueError: The purpose is empty, or begins like the text that a token signs, whose HMAC the server
                knows.
        """
        if not purpose or purpose.startswith(b"eyJ"):
            raise ValueError("purpose must be a text such as b'upbit_async payouts journal'")
        return hmac.digest(self._secret_key.reveal().encode(), purpose, hashlib.sha256)

    def token(self, nonce: str, query_hash: str | None, algorithm: Algorithm | None = None) -> str:
        """Return the token of one request.

        Args:
            nonce: UUID that was never used before, not even for another attempt of the same request.
            query_hash: Hash of the request's members, or None if it has none.
            algorithm: Signature algorithm, if it is not the usual one.
        """
        head, signing = self._hmacs[algorithm or self.algorithm]
        claims = f'{{"access_key":"{self._access_key.reveal()}","nonce":"{nonce}"'
        if query_hash is not None:
            claims += f',"query_hash":"{query_hash}","query_hash_alg":"SHA512"'
        signed = head + b"." + _segment((claims + "}").encode())
        signature = signing.sign(signed, self._secret_key.reveal().encode())
        return (signed + b"." + _segment(signature)).decode()

    def scrub(self, text: str) -> str:
        """Remove keys and tokens from a text from outside, even if they are cut off."""
        return scrub(text, access_key=self._access_key.reveal(), secret_key=self._secret_key.reveal())

    def without_token(self, body: bytes) -> bytes:
        """Remove tokens of this key from the body of an answer; the rest stays."""
        return without_token(body, access_key=self._access_key.reveal())


def _head(algorithm: Algorithm) -> bytes:
    return _segment(f'{{"alg":"{algorithm}","typ":"JWT"}}'.encode())


def _segment(part: bytes) -> bytes:
    """Return a part of a token in URL-safe base64, without padding."""
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def _problem_with(credentials: Credentials) -> str:
    """Return what is wrong with a key. The frame that raises the error then has no key in its locals."""
    access_key, secret_key = credentials.access_key.reveal(), credentials.secret_key.reveal()
    if not access_key.isascii() or not access_key.isprintable() or set('"\\') & set(access_key):
        return "the access key has characters that no access key of Upbit's has"
    if secret_key.startswith("{"):  # a JSON Web Key; older versions of PyJWT would sign with its text
        return "the secret key is not a text such as Upbit issues"
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret_key)
    except jwt.exceptions.PyJWTError:
        return "the secret key is not a text such as Upbit issues"
    return ""
