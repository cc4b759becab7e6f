"""Entry to the exchange, which kills or stops the sender of a request when it arrives."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from schedules import Kill

from upbit_async.sandbox.faults import Delivery
from upbit_async.sandbox.messages import SandboxResponse

if TYPE_CHECKING:
    from collections.abc import Generator

    from upbit_async.sandbox.messages import SandboxRequest

__all__ = ["Gate"]


@attrs.frozen(eq=False)
class _Interruption:
    """Interruption of the sender of a request."""

    at: Kill
    act: Callable[[], None]


class Gate:
    """Entry to the exchange, which kills or stops the sender when its request arrives."""

    def __init__(self, serve: Callable[[SandboxRequest], Delivery]) -> None:
        self.running: set[int] = set()
        self._serve = serve
        self._armed: dict[_Interruption, int] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def armed(self, at: Kill | None, act: Callable[[], None] | None = None) -> Generator[None]:
        """Interrupt within the block; the default is to kill all processes that run."""
        if at is None or at.moment not in {"arrived", "arrived and lost", "done"}:
            yield
            return
        interruption = _Interruption(at, act or self._kill_all)
        self._armed[interruption] = at.count
        try:
            yield
        finally:
            self._armed.pop(interruption, None)

    def serve(self, request: SandboxRequest) -> Delivery:
        """Serve a request, in the server's thread, which does nothing else meanwhile."""
        due = self._due(request)
        for interruption in due:
            if interruption.at.moment != "done":
                interruption.act()
        if any(interruption.at.moment == "arrived and lost" for interruption in due):
            return Delivery(SandboxResponse(500), "reset")
        delivery = self._serve(request)
        for interruption in due:
            if interruption.at.moment == "done":
                interruption.act()
        return delivery

    def _due(self, request: SandboxRequest) -> list[_Interruption]:
        due: list[_Interruption] = []
        for interruption in list(self._armed):
            if interruption.at.method in {None, request.method}:
                self._armed[interruption] -= 1
                if not self._armed[interruption]:
                    due.append(interruption)
        return due

    def _kill_all(self) -> None:
        with self._lock:
            for pid in self.running:
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    os.kill(pid, signal.SIGKILL)

    def resume(self, pid: int) -> None:
        """Continue a stopped process, if it still runs."""
        with self._lock:
            if pid in self.running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def add(self, pid: int) -> None:
        """Record that a process runs."""
        with self._lock:
            self.running.add(pid)

    def remove(self, pid: int) -> None:
        """Record that a process has ended."""
        with self._lock:
            self.running.discard(pid)
