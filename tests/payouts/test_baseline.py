"""Withdrawals that are new since the baseline, in any order, and lists that prove nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbit_async import errors
from upbit_async.models import TransactionType, Withdrawal, WithdrawalState
from upbit_async.payouts.baseline import (
    Listing,
    does_not_reach_back,
    new_since,
    provable_end,
    reaches,
    read_list,
    unreadable_since,
)
from upbit_async.protocol.rows import ReadableRows

if TYPE_CHECKING:
    from collections.abc import Sequence


PAGE = 100
WHEN = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LATER = WHEN + dt.timedelta(days=1)


def row(uuid: str = "w-1", **changes: Any) -> Withdrawal:
    """Return a withdrawal as Upbit shows it."""
    known: dict[str, Any] = {
        "uuid": uuid,
        "currency": "USDT",
        "net_type": "TRX",
        "state": WithdrawalState.WAITING,
        "amount": Decimal(13),
        "fee": Decimal(1),
        "transaction_type": TransactionType.DEFAULT,
        "created_at": WHEN,
    }
    return Withdrawal(**(known | changes))


class Unreadable:
    """A row that can't be read."""

    def __init__(self, uuid: str | None) -> None:
        self.uuid = uuid


class Listed:
    """A transport that returns pages of a list, newest first."""

    def __init__(
        self, rows: Sequence[Withdrawal | Unreadable], *, inclusive: bool = False, stuck: bool = False
    ) -> None:
        self.rows = rows
        self.pages = 0
        self._inclusive = inclusive
        self._stuck = stuck

    async def call(self, _endpoint: object, asked: dict[str, Any]) -> ReadableRows[Withdrawal]:
        self.pages += 1
        uuids = [row.uuid for row in self.rows]
        to = asked["to"]
        start = 0 if to is None or self._stuck else uuids.index(to) + (not self._inclusive)
        page = self.rows[start : start + PAGE]
        errors_of = [
            errors.DecodeError("a row can't be read", path=f"$[{number}].amount", uuid=row.uuid)
            for number, row in enumerate(page)
            if isinstance(row, Unreadable)
        ]
        return ReadableRows([row for row in page if not isinstance(row, Unreadable)], tuple(errors_of))


def uuids(rows: Any) -> list[str]:
    return [row.uuid for row in rows]


async def _read(listed: Listed, oldest: dt.datetime = LATER, **options: Any) -> Listing:
    return await read_list(listed, "USDT", oldest=oldest, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def _new(listed: Listed, baseline: tuple[str, ...], *, confirm: bool = False) -> list[str]:
    found = await _read(listed, baselines=[baseline], confirm=confirm)
    if not reaches(found, baseline):
        raise does_not_reach_back()
    return uuids(new_since(found, baseline))


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (0, 0),
        (0, 3),
        (5, 0),
        (5, 3),
        (29, 1),
        (30, 1),
        (250, 3),
        (5, 250),
        (250, 250),
        (0, 250),
        (250, 71),
        (250, 99),
    ],
)
async def test_new_withdrawals_are_found(old: int, new: int, inclusive: bool) -> None:
    before = [row(f"old-{n}") for n in range(old)]
    after = [row(f"NEW-{n}") for n in range(new)]
    baseline = (await _read(Listed(before))).uuids
    assert baseline == tuple(f"old-{n}" for n in range(min(old, PAGE)))
    listed = Listed([*after, *before], inclusive=inclusive)
    assert await _new(listed, baseline) == uuids(after)
    assert listed.pages <= (new + min(30, old)) // PAGE + 2


@pytest.mark.parametrize("old", [1, 5, 29, 30, 60])
@pytest.mark.parametrize("place", [0, 1, 3, 29])
async def test_new_withdrawal_among_old_ones_of_one_second_is_found(old: int, place: int) -> None:
    before = [row(f"old-{n}") for n in range(old)]
    mixed = [*before[:place], row("new"), *before[place:]]
    assert await _new(Listed(mixed), tuple(uuids(before))) == ["new"]


@pytest.mark.parametrize("missing", [0, 2, 4])
async def test_list_that_lacks_known_withdrawals_proves_nothing(missing: int) -> None:
    before = [row(f"old-{n}") for n in range(5)]
    baseline = tuple(uuids(before))
    del before[missing]
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _new(Listed(before), baseline)
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _new(Listed([]), baseline)


async def test_cursor_that_does_not_advance_proves_nothing() -> None:
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _new(Listed([row(f"new-{n}") for n in range(150)], stuck=True), ())
    assert await _new(Listed([row("new")], stuck=True), ()) == ["new"]


async def test_other_currencies_are_ignored() -> None:
    mixed = [row("a"), row("b", currency="BTC"), row("c", currency="usdt")]
    assert await _new(Listed(mixed), ()) == ["a", "c"]


@given(st.lists(st.booleans(), max_size=60))
async def test_new_withdrawals_are_found_in_any_order(order: list[bool]) -> None:
    def made(uuid: str) -> Withdrawal:
        return Withdrawal(uuid=uuid, currency="USDT", state=WithdrawalState.DONE, amount=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    rows = [made(f"{'new' if is_new else 'old'}-{number}") for number, is_new in enumerate(order)]
    baseline = tuple(each.uuid for each in rows if each.uuid.startswith("old"))
    assert await _new(Listed(rows), baseline) == [each.uuid for each in rows if each.uuid.startswith("new")]


async def _listing(rows: list[Any], baseline: tuple[str, ...] = (), *, confirm: bool = False) -> Listing:
    return await _read(Listed(rows), baselines=[baseline], confirm=confirm)


@pytest.mark.parametrize(
    ("seconds", "is_sound"), [(-60, True), (0, True), (2, True), (3, False), (None, False)]
)
async def test_list_that_is_not_newest_first_has_a_gap(seconds: int | None, is_sound: bool) -> None:
    below = None if seconds is None else WHEN + dt.timedelta(seconds=seconds)
    found = await _listing([row("a"), row("b", created_at=below)])
    assert (found.gap == "") is is_sound
    assert found.uuids == ("a", "b")
    if not is_sound:
        assert "withdrawal b" in found.gap


async def test_list_that_rises_gradually_has_a_gap() -> None:
    rows = [row(f"w{n}", created_at=WHEN + dt.timedelta(seconds=2 * n)) for n in range(3)]
    assert "withdrawal w2" in (await _listing(rows)).gap


async def test_list_with_a_gap_is_read_to_its_end() -> None:
    before = [row(f"old-{n}", created_at=WHEN - dt.timedelta(seconds=n)) for n in range(250)]
    hidden = [*before, row("new", created_at=WHEN + dt.timedelta(hours=1))]
    baseline = tuple(uuids(before[:PAGE]))
    assert await _new(Listed(hidden), baseline) == []
    assert await _new(Listed(hidden), baseline, confirm=True) == ["new"]
    assert (await _listing(hidden, baseline, confirm=True)).gap
    at_the_top = [row("x", created_at=None), *hidden]
    assert await _new(Listed(at_the_top), baseline) == ["x", "new"]


async def test_list_is_read_back_to_the_mark_or_a_time() -> None:
    rows = [row(f"W-{n}", created_at=WHEN - dt.timedelta(hours=n)) for n in range(450)]

    async def back(mark: str | None, oldest: dt.datetime) -> tuple[int, int]:
        listed = Listed(rows)
        found = await _read(listed, oldest, mark=mark)
        assert found.gap == ""
        return listed.pages, len(found.rows)

    assert await back("w-0", WHEN) == (1, 100)
    assert await back("w-99", WHEN) == (1, 100)
    assert await back("w-100", WHEN) == (2, 200)
    assert await back(None, WHEN - dt.timedelta(days=7)) == (2, 200)
    assert await back(None, WHEN - dt.timedelta(hours=300)) == (4, 400)
    with pytest.raises(errors.DecodeError, match="lacks withdrawal w-missing, which it has shown before"):
        await back("w-missing", WHEN)


def test_list_reaches_a_baseline_if_it_shows_its_newest_withdrawals() -> None:
    baseline = tuple(f"w{n}" for n in range(40))
    assert reaches(Listing(tuple(row(f"w{n}") for n in range(30))), baseline)
    assert not reaches(Listing(tuple(row(f"w{n}") for n in range(29))), baseline)
    assert not reaches(Listing((row("new"),)), baseline)
    assert reaches(Listing((row("new"),), is_whole=True), ())
    assert not reaches(Listing((row("new"),)), ())


@pytest.mark.parametrize("missing", [0, 28])
def test_list_that_skips_a_withdrawal_of_the_baseline_proves_nothing(missing: int) -> None:
    rows = [row(f"w{n}") for n in range(30)]
    del rows[missing]
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        reaches(Listing(tuple(rows)), tuple(f"w{n}" for n in range(30)))
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        reaches(Listing(tuple(rows[:missing]), is_whole=True), tuple(f"w{n}" for n in range(30)))


def test_only_a_baseline_of_a_whole_page_has_a_provable_end() -> None:
    baseline = tuple(f"w{n}" for n in range(100))
    assert provable_end(baseline, {"w99": WHEN}.get) == WHEN - dt.timedelta(seconds=2)
    assert provable_end(baseline, {"w98": WHEN}.get) is None
    assert provable_end(baseline[:99], {"w98": WHEN}.get) is None


# -- rows that can't be read -----------------------------------------------------------------------


async def test_unreadable_row_is_reported_and_affects_no_other(caplog: pytest.LogCaptureFixture) -> None:
    found = await _listing([row("new"), Unreadable("ODD"), Unreadable(None), row("old")], ("old",))
    assert uuids(new_since(found, ("old",))) == ["new"]
    assert [each.uuid for each in unreadable_since(found, ("old",))] == ["ODD", None]
    assert found.uuids == ("new", "old", "odd")
    assert found.gap == ""
    assert "2 rows that can't be read" in caplog.text


async def test_unreadable_row_of_the_baseline_is_not_new() -> None:
    found = await _listing([row("new"), Unreadable("old"), row("older")], ("old", "older"))
    assert uuids(new_since(found, ("old", "older"))) == ["new"]
    assert unreadable_since(found, ("old", "older")) == ()


@pytest.mark.parametrize("mark", [None, "w-150", "odd"])
async def test_unreadable_rows_do_not_end_the_list(mark: str | None) -> None:
    rows: list[Withdrawal | Unreadable] = [row(f"w-{n}") for n in range(200)]
    rows[10] = Unreadable("x")
    rows[160] = Unreadable("odd")
    found = await _read(Listed(rows), WHEN - dt.timedelta(days=7), mark=mark)
    assert (len(found.rows), found.uuids[-2:]) == (198, ("x", "odd"))


async def test_wholly_unreadable_page_proves_nothing() -> None:
    with pytest.raises(errors.DecodeError, match="nothing follows"):
        await _listing([Unreadable(f"w-{n}") for n in range(150)], ())
