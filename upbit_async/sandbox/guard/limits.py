"""Rate limits per account, and bans for clients that ignore them.

See https://global-docs.upbit.com/reference/rate-limits: 30 calls per second to the wallet endpoints, 429 for further
calls, and 418 for some time for clients that do not stop.
"""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from upbit_async.sandbox.messages import SandboxResponse
from upbit_async.sandbox.validation import LONGEST

if TYPE_CHECKING:
    from upbit_async.sandbox.knobs import Knobs

__all__ = ["Limits"]

_TOO_MANY = SandboxResponse.of_error(429, "too_many_requests", "Too many API requests.")
_SECOND = timedelta(seconds=1)


class Limits:
    """Rate limit of one account or address in one group, with its bans.

    Args:
        knobs: Undocumented choices of the server.
        group: Rate-limit group.
        limit: Calls per second; ``None`` for ``Knobs.limit``.
    """

    def __init__(self, knobs: Knobs, *, group: str = "default", limit: int | None = None) -> None:
        self._knobs = knobs
        self._group = group
        self._own_limit = limit
        self._calls: deque[datetime] = deque()
        self._strikes: deque[datetime] = deque()
        self._bans = 0
        self._banned_until: datetime | None = None

    def charge(self, now: datetime) -> SandboxResponse | None:
        """Charge one call.

        Returns:
            The answer to a refused call, ``None`` for other calls.
        """
        if self._banned_until is not None and now < self._banned_until:
            return self._ban_answer(self._banned_until - now)
        self._forget(now)
        if len(self._calls) < self._limit:
            self._calls.append(now)
            return None
        if self._knobs.rejected_count:
            self._calls.append(now)
        return self._strike(now)

    def header(self, now: datetime) -> tuple[str, str]:
        """Return the header with the calls left in the current second."""
        self._forget(now)
        left = max(0, self._limit - len(self._calls))
        return "Remaining-Req", f"group={self._group}; min={60 * self._limit}; sec={left}"

    @property
    def _limit(self) -> int:
        return self._knobs.limit if self._own_limit is None else self._own_limit

    def _forget(self, now: datetime) -> None:
        """Drop the calls that no longer count."""
        start = now.replace(microsecond=0) if self._knobs.window == "fixed" else now - _SECOND
        fixed = self._knobs.window == "fixed"
        while self._calls and (self._calls[0] < start if fixed else self._calls[0] <= start):
            self._calls.popleft()

    def _strike(self, now: datetime) -> SandboxResponse:
        """Return the answer to a call above the limit: 429, or 418 after too many 429."""
        knobs = self._knobs
        oldest = now - timedelta(seconds=knobs.ban_memory)
        while self._strikes and self._strikes[0] <= oldest:
            self._strikes.popleft()
        if knobs.ban_after is not None and len(self._strikes) >= knobs.ban_after:
            return self._ban(now)
        self._strikes.append(now)
        return _TOO_MANY.with_headers(self.header(now)) if knobs.remaining_on_429 else _TOO_MANY

    def _ban(self, now: datetime) -> SandboxResponse:
        length = timedelta(seconds=self._ban_seconds())
        self._bans += 1
        self._strikes.clear()
        self._banned_until = now + length
        return self._ban_answer(length)

    def _ban_seconds(self) -> float:
        try:
            return min(LONGEST, self._knobs.ban_seconds * self._knobs.ban_escalation**self._bans)
        except OverflowError:
            return LONGEST

    def _ban_answer(self, left: timedelta) -> SandboxResponse:
        knobs = self._knobs
        seconds = math.ceil(left.total_seconds())
        if knobs.ban_body is not None:
            text = knobs.ban_body.replace("{seconds}", str(seconds))
            return SandboxResponse(
                418, text.encode(errors="backslashreplace"), (("Content-Type", "text/plain;charset=UTF-8"),)
            )
        return SandboxResponse.of_error(
            418, knobs.ban_name, knobs.ban_message.replace("{seconds}", str(seconds))
        )
