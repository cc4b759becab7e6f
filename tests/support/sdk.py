"""The official SDK's two kinds of clients behind one interface."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["done", "rows"]


async def done(answer: Any) -> Any:
    """Wait for an answer of the asynchronous client; the blocking one has it already."""
    return await answer if inspect.isawaitable(answer) else answer


async def rows(pages: Any) -> list[Any]:
    """Walk through all pages of a list."""
    return [row async for row in pages] if hasattr(pages, "__aiter__") else list(pages)
