"""How figures are put together and shown."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ratios", "show", "spread"]


def ratios(figures: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Divide round by round: what disturbed a round has disturbed both."""
    return [figure / other for figure, other in zip(figures, reference, strict=True)]


def spread(figures: Sequence[float], digits: int = 2, unit: str = "x") -> str:
    """Write the median, and the least and the greatest."""
    middle, least, greatest = statistics.median(figures), min(figures), max(figures)
    return f"{middle:.{digits}f}{unit} ({least:.{digits}f}-{greatest:.{digits}f})"


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print(f"\n{title}")
    for row in (head, *rows):
        first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join((f"  {first}", *others)).rstrip(), flush=True)
