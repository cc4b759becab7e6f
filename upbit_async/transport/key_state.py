"""State that all clients of this process share for one key at one host: limits, bans and cooldowns.

The state is dropped with the last client that uses it, unless a ban, a cooldown, a wait after a 429 or the last
second's window still lasts. Then it is dropped when that has ended and the next client is created or collected.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter, deque
from typing import Final

import attrs

from upbit_async.transport import shared_clock
from upbit_async.transport.cooldowns import Cooldowns
from upbit_async.transport.limiter import LocalLimiter
from upbit_async.transport.penalty_box import PenaltyBox

__all__ = ["KeyState", "KeyUse", "known"]


@attrs.define(eq=False)
class KeyState:
    """Shared state of one key at one host.

    Attributes:
        limiter: Decides when a call may leave.
        penalty_box: Ban of the key.
        cooldowns: Cooldowns of calls that Upbit accepts once per interval.
    """

    limiter: LocalLimiter = attrs.field(factory=LocalLimiter)
    penalty_box: PenaltyBox = attrs.field(factory=PenaltyBox)
    cooldowns: Cooldowns = attrs.field(factory=Cooldowns)

    def is_at_rest(self, now: float) -> bool:
        """Whether a new state would decide everything alike from now on."""
        return all(part.is_at_rest(now) for part in (self.limiter, self.penalty_box, self.cooldowns))


class KeyUse:
    """Use of a key's state by one client and its siblings; it ends when this object is collected.

    Args:
        host: Host of the client.
        key: Whole digest of the access key; empty without a key. Two keys can have the same fingerprint of 32 bits,
            and would then share their bans.
    """

    __slots__ = ("__weakref__", "state")

    def __init__(self, host: str, key: str) -> None:
        name = host, key
        self.state: Final = _register.take(name)
        weakref.finalize(self, _register.give_back, name).atexit = False


def known() -> dict[tuple[str, str], KeyState]:
    """Return all states, by host and key digest."""
    return dict(_register.states)


class _Register:
    """Registry of the states, with the number of uses of each."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], KeyState] = {}
        self._uses: Counter[tuple[str, str]] = Counter()
        self._unused: set[tuple[str, str]] = set()
        self._ended: deque[tuple[str, str]] = deque()
        self._lock = threading.Lock()

    def take(self, name: tuple[str, str]) -> KeyState:
        """Begin a use of a state."""
        with self._lock:
            self._uses[name] += 1
            self._unused.discard(name)
            state = self.states.setdefault(name, KeyState())
        self._settle()
        return state

    def give_back(self, name: tuple[str, str]) -> None:
        """End a use. The garbage collector calls this in any thread, perhaps one that runs a method of this class."""
        self._ended.append(name)
        self._settle()

    def _settle(self) -> None:
        """Count the uses that have ended, and drop unused states; the thread with the lock does it for all."""
        once_more = True
        while once_more and self._lock.acquire(blocking=False):
            try:
                while self._ended:
                    name = self._ended.popleft()
                    self._uses[name] -= 1
                    if not self._uses[name]:
                        self._unused.add(name)
                now = shared_clock.now_anywhere()
                for name in [name for name in self._unused if self.states[name].is_at_rest(now)]:
                    self._unused.discard(name)
                    del self.states[name], self._uses[name]
            finally:
                self._lock.release()
            once_more = bool(self._ended)


_register: Final = _Register()
