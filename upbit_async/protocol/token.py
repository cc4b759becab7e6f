"""The token that signs a request. See https://global-docs.upbit.com/reference/auth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args

import jwt
from jwt.algorithms import HMACAlgorithm

from upbit_async.errors import ConfigurationError

if TYPE_CHECKING:
    from upbit_async.credentials import Credentials

__all__ = ["Algorithm", "Signer"]

Algorithm = Literal["HS256", "HS512"]

# Possessive and tied to the beginning of a run of such characters, so that it takes one pass over any text.
_TOKEN: Final = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]{8,}+){2,}+")


class _Encoder(Protocol):
    def encode(self, payload: bytes, key: str, algorithm: str, *, sort_headers: bool) -> str: ...


class _QuietHMAC(HMACAlgorithm):
    """HMAC without PyJWT's warning about keys that are shorter than the hash, with a key checked only once.

    Upbit issues keys of 40 characters and recommends HS512, so its users can't follow that warning's advice;
    40 random characters hold far more than 128 bits all the same.
    """

    def check_key_length(self, key: bytes) -> str | None:  # noqa: ARG002 - PyJWT's signature
        return None

    def prepare_key(self, key: str | bytes) -> bytes:
        return key.encode() if isinstance(key, str) else key


class Signer:
    """Makes the tokens of one key pair.

    Raises:
        ConfigurationError: The secret key can't be a key for HMAC (it looks like a PEM file, say), or the
            access key holds characters that none of Upbit's has.
    """

    __slots__ = ("_access_key", "_algorithm", "_jws", "_secret_key")

    def __init__(self, credentials: Credentials, algorithm: Algorithm = "HS256") -> None:
        if algorithm not in get_args(Algorithm):
            raise ValueError(f"algorithm must be HS256 or HS512, not {algorithm!r}")
        self._access_key = credentials.access_key
        self._secret_key = credentials.secret_key
        self._algorithm = algorithm
        # A private registry: PyJWT's own, which others use too, is left as it is.
        jws = jwt.PyJWS(algorithms=[])
        jws.register_algorithm("HS256", _QuietHMAC(HMACAlgorithm.SHA256))
        jws.register_algorithm("HS512", _QuietHMAC(HMACAlgorithm.SHA512))
        self._jws: _Encoder = jws
        if problem := _problem_with(credentials):
            raise ConfigurationError(f"{problem}; copy it again from the key management page")

    def token(self, nonce: str, query_hash: str | None) -> str:
        """Return the token for one request.

        Args:
            nonce: A UUID that was never used before, not even for another attempt of the same request.
            query_hash: The hash of the request's members, or None if it has none.
        """
        claims = f'{{"access_key":"{self._access_key.reveal()}","nonce":"{nonce}"'
        if query_hash is not None:
            claims += f',"query_hash":"{query_hash}","query_hash_alg":"SHA512"'
        return self._jws.encode(
            (claims + "}").encode(), self._secret_key.reveal(), self._algorithm, sort_headers=True
        )

    def scrub(self, text: str) -> str:
        """Take keys and tokens out of a text that came from outside."""
        for secret in (self._secret_key, self._access_key):
            text = text.replace(secret.reveal(), "***")
        return _TOKEN.sub("***", text)


def _problem_with(credentials: Credentials) -> str:
    """Say what is wrong with a key; the frame that raises the error holds neither of them in its locals."""
    access_key, secret_key = credentials.access_key.reveal(), credentials.secret_key.reveal()
    if not access_key.isascii() or not access_key.isprintable() or set('"\\') & set(access_key):
        return "the access key holds characters that none of Upbit's has"
    if secret_key.startswith("{"):  # a JSON Web Key; older versions of PyJWT would sign with its very text
        return "the secret key is of another kind than the text that Upbit issues"
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret_key)
    except jwt.exceptions.PyJWTError:
        return "the secret key is of another kind than the text that Upbit issues"
    return ""
