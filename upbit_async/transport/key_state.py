"""What all clients of this process share for one key at one host: limits, bans and cooldowns.

It is dropped with the last client that uses it, unless something still lasts: a ban, a cooldown, a standstill or the
last second's window. Then it is kept until that is over, and dropped when the next client comes or goes.
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
    """What is known of one key at one host.

    Attributes:
        limiter: Says when a call may leave.
        penalty_box: Holds bans.
        cooldowns: Holds cooldowns.
    """

    limiter: LocalLimiter = attrs.field(factory=LocalLimiter)
    penalty_box: PenaltyBox = attrs.field(factory=PenaltyBox)
    cooldowns: Cooldowns = attrs.field(factory=Cooldowns)

    def is_at_rest(self, now: float) -> bool:
        """Whether a new state would say the same of everything from now on."""
        return all(part.is_at_rest(now) for part in (self.limiter, self.penalty_box, self.cooldowns))


class KeyUse:
    """The use of a key's state by one client and its siblings; it ends when this object is collected.

    Args:
        host: The host that is talked to.
        key: The digest of the access key; empty if there is none. The whole of it: two keys can have one fingerprint
            of 32 bits, and then the ban of one would be that of the other.
    """

    __slots__ = ("__weakref__", "state")

    def __init__(self, host: str, key: str) -> None:
        place = host, key
        self.state: Final = _register.take(place)
        weakref.finalize(self, _register.give_back, place).atexit = False


def known() -> dict[tuple[str, str], KeyState]:
    """Return all states, by host and key."""
    return dict(_register.states)


class _Register:
    """The states, and how many uses each has."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], KeyState] = {}
        self._uses: Counter[tuple[str, str]] = Counter()
        self._unused: set[tuple[str, str]] = set()
        self._ended: deque[tuple[str, str]] = deque()
        self._lock = threading.Lock()

    def take(self, place: tuple[str, str]) -> KeyState:
        """Begin a use."""
        with self._lock:
            self._uses[place] += 1
            self._unused.discard(place)
            state = self.states.setdefault(place, KeyState())
        self._settle()
        return state

    def give_back(self, place: tuple[str, str]) -> None:
        """End a use. The garbage collector calls this, wherever a thread is: it may be in here already."""
        self._ended.append(place)
        self._settle()

    def _settle(self) -> None:
        """Count the uses that have ended, and drop what nobody needs; who holds the lock does it for the others."""
        once_more = True
        while once_more and self._lock.acquire(blocking=False):
            try:
                while self._ended:
                    place = self._ended.popleft()
                    self._uses[place] -= 1
                    if not self._uses[place]:
                        self._unused.add(place)
                now = shared_clock.now_anywhere()
                for place in [place for place in self._unused if self.states[place].is_at_rest(now)]:
                    self._unused.discard(place)
                    del self.states[place], self._uses[place]
            finally:
                self._lock.release()
            once_more = bool(self._ended)


_register: Final = _Register()
