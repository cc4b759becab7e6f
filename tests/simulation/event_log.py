"""Log of a simulation: one line for each event, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulated_loop import SimulatedProcess

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EventLog"]


class EventLog:
    """Log of one simulation. The same seed writes the same bytes.

    Args:
        clock: The virtual time, in seconds.

    Attributes:
        lines: The lines, oldest first.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lines: list[str] = []
        self._clock = clock

    def add(self, what: str, process: SimulatedProcess | None = None) -> None:
        """Write an event; its process is the current one by default."""
        process = process or SimulatedProcess.current()
        name = "" if process is None else process.name
        self.lines.append(f"{self._clock():10.3f}  {name:12}  {what}")

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)
