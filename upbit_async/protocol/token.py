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
    """Makes the tokens of one key pair.

    Raises:
        ConfigurationError: The secret key can't be a key for HMAC (it looks like a PEM file, say), or the
            access key holds characters that none of Upbit's has.
    """

    __slots__ = ("_access_key", "_hmacs", "_secret_key", "algorithm")

    def __init__(self, credentials: Credentials, algorithm: Algorithm = "HS256") -> None:
        if algorithm not in get_args(Algorithm):
            raise ValueError("algorithm must be HS256 or HS512")
        self.algorithm: Final = algorithm
        self._access_key = credentials.access_key
        self._secret_key = credentials.secret_key
        # Signed with PyJWT's HMAC, and not with its `encode`: that would encode the header again for every token, and
        # warn that Upbit's keys of 40 characters are short for HS512. Its users can't follow that advice, and 40
        # random characters hold far more than 128 bits all the same.
        self._hmacs = {name: (_head(name), HMACAlgorithm(_HASHES[name])) for name in _HASHES}
        if problem := _problem_with(credentials):
            raise ConfigurationError(f"{problem}; copy it again from the key management page")

    @property
    def fingerprint(self) -> str:
        """The first eight digits of `key_digest`, for people."""
        return self._access_key.fingerprint

    @property
    def key_digest(self) -> str:
        """What tells the key from all other keys without giving it away."""
        return self._access_key.digest

    def derive_key(self, purpose: bytes) -> bytes:
        """Return a key for a purpose of our own: HMAC-SHA256 of the purpose under the secret key.

        Raises:
            ValueError: The purpose is empty, or begins as what a token signs: the server knows the HMAC of that.
        """
        if not purpose or purpose.startswith(b"eyJ"):
            raise ValueError("purpose must be some words of its own, such as b'upbit_async payouts journal'")
        return hmac.digest(self._secret_key.reveal().encode(), purpose, hashlib.sha256)

    def token(self, nonce: str, query_hash: str | None, algorithm: Algorithm | None = None) -> str:
        """Return the token for one request.

        Args:
            nonce: A UUID that was never used before, not even for another attempt of the same request.
            query_hash: The hash of the request's members, or None if it has none.
            algorithm: How to sign, where that is not as usual.
        """
        head, signing = self._hmacs[algorithm or self.algorithm]
        claims = f'{{"access_key":"{self._access_key.reveal()}","nonce":"{nonce}"'
        if query_hash is not None:
            claims += f',"query_hash":"{query_hash}","query_hash_alg":"SHA512"'
        signed = head + b"." + _segment((claims + "}").encode())
        signature = signing.sign(signed, self._secret_key.reveal().encode())
        return (signed + b"." + _segment(signature)).decode()

    def scrub(self, text: str) -> str:
        """Take keys and tokens out of a text that came from outside, also where it was cut in the middle of one."""
        return scrub(text, access_key=self._access_key.reveal(), secret_key=self._secret_key.reveal())

    def without_token(self, body: bytes) -> bytes:
        """Take echoed tokens out of an answer's body; all else in it stays."""
        return without_token(body, access_key=self._access_key.reveal())


def _head(algorithm: Algorithm) -> bytes:
    return _segment(f'{{"alg":"{algorithm}","typ":"JWT"}}'.encode())


def _segment(part: bytes) -> bytes:
    """Write a part of a token: base64 for URLs, unpadded."""
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def _problem_with(credentials: Credentials) -> str:
    """Say what is wrong with a key; the frame that raises the error holds neither of them in its locals."""
    access_key, secret_key = credentials.access_key.reveal(), credentials.secret_key.reveal()
    if not access_key.isascii() or not access_key.isprintable() or set('"\\') & set(access_key):
        return "the access key holds characters that none of Upbit's has"
    if secret_key.startswith("{"):  # a JSON Web Key; older versions of PyJWT would sign with its text
        return "the secret key is of another kind than the text that Upbit issues"
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret_key)
    except jwt.exceptions.PyJWTError:
        return "the secret key is of another kind than the text that Upbit issues"
    return ""
