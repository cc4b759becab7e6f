"""What is new since the baseline, in whatever order Upbit lists it; and when nothing follows from the list."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async import errors
from upbit_async.payouts.baseline import back_to_mark, since_baseline

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.models import Withdrawal

PAGE = 100
WHEN = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LATER = WHEN + dt.timedelta(days=1)


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


async def _new(listed: Listed, baseline: tuple[str, ...]) -> list[str]:
    return uuids((await since_baseline(listed, "USDT", baseline)).rows)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


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
    baseline = (await back_to_mark(Listed(before), "USDT", None, LATER)).uuids  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert baseline == tuple(f"old-{n}" for n in range(min(old, PAGE)))
    listed = Listed([*after, *before], inclusive=inclusive)
    assert await _new(listed, baseline) == uuids(after)
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
    baseline = tuple(uuids(before))
    del before[missing]
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _new(Listed(before), baseline)
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _new(Listed([]), baseline)


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
    baseline = tuple(each.uuid for each in rows if each.uuid.startswith("old"))
    assert await _new(Listed(rows), baseline) == [each.uuid for each in rows if each.uuid.startswith("new")]


async def _listing(rows: list[Any], baseline: tuple[str, ...] = (), *, confirm: bool = False) -> Any:
    return await since_baseline(Listed(rows), "USDT", baseline, confirm=confirm)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("seconds", "is_sound"), [(-60, True), (0, True), (2, True), (3, False), (None, False)]
)
async def test_a_list_that_is_not_newest_first_has_a_gap(
    row: Callable[..., Withdrawal], seconds: int | None, is_sound: bool
) -> None:
    below = None if seconds is None else WHEN + dt.timedelta(seconds=seconds)
    found = await _listing([row("a"), row("b", created_at=below)])
    assert (found.gap == "") is is_sound
    assert found.uuids == ("a", "b")
    if not is_sound:
        assert "withdrawal b" in found.gap


async def test_a_list_that_rises_little_by_little_has_a_gap(row: Callable[..., Withdrawal]) -> None:
    rows = [row(f"w{n}", created_at=WHEN + dt.timedelta(seconds=2 * n)) for n in range(3)]
    assert "withdrawal w2" in (await _listing(rows)).gap


async def test_a_list_with_a_gap_is_read_to_its_end(row: Callable[..., Withdrawal]) -> None:
    before = [row(f"old-{n}", created_at=WHEN - dt.timedelta(seconds=n)) for n in range(250)]
    hidden = [*before, row("new", created_at=WHEN + dt.timedelta(hours=1))]
    baseline = tuple(uuids(before[:PAGE]))
    assert (await _listing(hidden, baseline)).uuids == ()
    confirmed = await _listing(hidden, baseline, confirm=True)
    assert ("new" in confirmed.uuids, bool(confirmed.gap)) == (True, True)
    at_the_top = [row("x", created_at=None), *hidden]
    assert "new" in (await _listing(at_the_top, baseline)).uuids


async def test_it_is_read_back_to_the_mark_or_else_to_a_time(row: Callable[..., Withdrawal]) -> None:
    rows = [row(f"W-{n}", created_at=WHEN - dt.timedelta(hours=n)) for n in range(450)]

    async def back(mark: str | None, oldest: dt.datetime) -> tuple[int, int]:
        listed = Listed(rows)
        found = await back_to_mark(listed, "USDT", mark, oldest)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert found.gap == ""
        return listed.pages, len(found.rows)

    assert await back("w-0", WHEN) == (1, 100)
    assert await back("w-99", WHEN) == (1, 100)
    assert await back("w-100", WHEN) == (2, 200)
    assert await back(None, WHEN - dt.timedelta(days=7)) == (2, 200)
    assert await back(None, WHEN - dt.timedelta(hours=300)) == (4, 400)
    with pytest.raises(errors.DecodeError, match="lacks withdrawal gone, which it has shown before"):
        await back("gone", WHEN)
