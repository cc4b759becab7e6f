"""Nonces that were used."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from upbit_async.sandbox.exchange.errors import Refusal
from upbit_async.sandbox.knobs import ErrorSpec, Knobs

__all__ = ["Nonces"]

_NONCE_USED: Final = ErrorSpec(401, "nonce_used")


class Nonces:
    """Remembers which key used which nonce, as long as ``Knobs.nonce_memory`` says."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._used: dict[tuple[str, str], datetime] = {}

    def check(self, access_key: str, nonce: str, now: datetime) -> None:
        """Checks that a nonce is new.

        Raises:
            Refusal: It was used before.
        """
        used_at = self._used.get((access_key, nonce))
        memory = self._knobs.nonce_memory
        if used_at is not None and (memory is None or now - used_at <= timedelta(seconds=memory)):
            raise Refusal(_NONCE_USED)

    def burn(self, access_key: str, nonce: str, now: datetime) -> None:
        """Notes that a nonce is used up."""
        self._used[access_key, nonce] = now
