"""What is new since the fence, whatever the order in which Upbit lists it; and when nothing follows from the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async import errors
from upbit_async.payouts.fence import new_since, take_fence

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.models import Withdrawal

PAGE = 100


class Listed:
    """Stands for `client.withdraws`: a list, newest first, and how its cursor behaves."""

    def __init__(self, rows: list[Withdrawal], *, inclusive: bool = False, stuck: bool = False) -> None:
        self.rows = rows
        self.pages = 0
        self._inclusive = inclusive
        self._stuck = stuck

    async def list(self, *, currency: str, to: str | None = None) -> list[Withdrawal]:
        self.pages += 1
        uuids = [row.uuid for row in self.rows]
        start = 0 if to is None or self._stuck else uuids.index(to) + (not self._inclusive)
        return self.rows[start : start + PAGE]


def uuids(rows: Any) -> list[str]:
    return [row.uuid for row in rows]


async def _new(listed: Listed, fence: tuple[str, ...]) -> list[str]:
    return uuids(await new_since(listed, "USDT", fence))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [(0, 0), (0, 3), (5, 0), (5, 3), (29, 1), (30, 1), (250, 3), (5, 250), (250, 250), (0, 250)],
)
async def test_all_that_is_new_is_found(
    row: Callable[..., Withdrawal], old: int, new: int, inclusive: bool
) -> None:
    before = [row(f"old-{n}") for n in range(old)]
    after = [row(f"NEW-{n}") for n in range(new)]
    fence = await take_fence(Listed(before), "USDT")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert fence == tuple(f"old-{n}" for n in range(min(old, PAGE)))
    listed = Listed([*after, *before], inclusive=inclusive)
    assert await _new(listed, fence) == uuids(after)
    assert listed.pages <= (new + min(30, old)) // PAGE + 2


@pytest.mark.parametrize("old", [1, 5, 29, 30, 60])
@pytest.mark.parametrize("place", [0, 1, 3, 29])
async def test_one_that_stands_behind_old_ones_of_the_same_second_is_found(
    row: Callable[..., Withdrawal], old: int, place: int
) -> None:
    before = [row(f"old-{n}") for n in range(old)]
    mixed = [*before[:place], row("new"), *before[place:]]
    assert await _new(Listed(mixed), tuple(uuids(before))) == ["new"]


@pytest.mark.parametrize("missing", [0, 2, 4])
async def test_a_list_that_lacks_what_it_has_shown_proves_nothing(
    row: Callable[..., Withdrawal], missing: int
) -> None:
    before = [row(f"old-{n}") for n in range(5)]
    fence = tuple(uuids(before))
    del before[missing]
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _new(Listed(before), fence)
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _new(Listed([]), fence)


async def test_a_cursor_that_stands_still_proves_nothing(row: Callable[..., Withdrawal]) -> None:
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _new(Listed([row(f"new-{n}") for n in range(150)], stuck=True), ())
    assert await _new(Listed([row("new")], stuck=True), ()) == ["new"]


async def test_other_currencies_are_left_out_if_upbit_should_tell_them(
    row: Callable[..., Withdrawal],
) -> None:
    mixed = [row("a"), row("b", currency="BTC"), row("c", currency="usdt")]
    assert await _new(Listed(mixed), ()) == ["a", "c"]


@given(st.lists(st.booleans(), max_size=60))
async def test_in_whatever_order_they_stand_the_new_ones_are_found(order: list[bool]) -> None:
    from upbit_async.models import Withdrawal, WithdrawalState  # noqa: PLC0415 - no fixture within hypothesis

    def made(uuid: str) -> Withdrawal:
        return Withdrawal(uuid=uuid, currency="USDT", state=WithdrawalState.DONE, amount=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    rows = [made(f"{'new' if is_new else 'old'}-{number}") for number, is_new in enumerate(order)]
    fence = tuple(each.uuid for each in rows if each.uuid.startswith("old"))
    assert await _new(Listed(rows), fence) == [each.uuid for each in rows if each.uuid.startswith("new")]
