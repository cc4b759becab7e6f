"""Assertions about HTTP answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import httpx

__all__ = ["assert_like", "error_of"]


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the name of a refusal."""
    return response.status_code, response.json()["error"]["name"]


def assert_like(answer: dict[str, object], example: dict[str, object]) -> None:
    """Assert the same members in the same order and of the same types; null has any type."""
    assert list(answer) == list(example)
    for name, value in example.items():
        if answer[name] is not None and value is not None:
            assert _kind_of(answer[name]) == _kind_of(value), name


def _kind_of(value: object) -> object:
    """Return the type of a value, or for lists the types of their items."""
    return [type(item) for item in cast("list[object]", value)] if isinstance(value, list) else type(value)
