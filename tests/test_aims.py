"""Targets of managers whose times overlap, and what is then asked in each period."""

from datetime import date, timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.measures.managers.aims import aims
from crmlab.measures.managers.amounts import CELL, KEYS, SUMS, Book, periods
from tests.test_assessed import BOOK, TARGET

D = date
YEAR = 2025
FIRST, LAST = D(YEAR, 1, 1), D(YEAR, 12, 31)
ENDS = [D(YEAR, 3, 31), D(YEAR, 6, 30), D(YEAR, 9, 30), LAST]
LONG_AGO = D(2024, 11, 1)
NOTHING = [None] * 3


def aim(
    target: int, start: date = FIRST, end: date = LAST, set_on: date = LONG_AGO, measure: str = "new_cards"
) -> dict:
    return {"measure": measure, "branch_id": "B1", "manager_id": "M1", "set_on": set_on, "from_on": start,
            "to_on": end, "target": target}  # fmt: skip


def asked(*rows: dict, every: str = "quarter") -> list[int | None]:
    """What is asked of M1 in each period of the year, who hands nobody over."""
    months = pl.date_range(FIRST, LAST, "1mo", eager=True).dt.month_end()
    days = pl.LazyFrame({"month": months}).with_columns(days=pl.col("month").dt.day().cast(pl.Int32))
    cells = {name: KEYS[name] for name in [*CELL, "is_retail"]} | dict.fromkeys([*SUMS, "kept_days"], pl.Int64)
    book = Book(periods(days, every), pl.DataFrame(), pl.DataFrame(schema=cells), False)
    targets = pl.DataFrame(list(rows), TARGET)
    found = aims(targets, book, pl.LazyFrame(schema=BOOK), ("deposits",))
    told = dict(found.select("period", "target").rows())
    return [told.get(end) for end in book.periods["period"]]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # 365 days make 1,200; those of the first quarter are asked for by its own target
        ([aim(1_200), aim(300, end=ENDS[0])], [300, 299, 303, 302]),
        ([aim(300, end=ENDS[0]), aim(1_200)], [300, 299, 303, 302]),
        ([aim(1_200), aim(300, end=ENDS[0]), aim(0, D(YEAR, 3, 1), ENDS[0])], [197, 299, 303, 302]),
        # of times as long the one that was set last, whether it is the same time or not
        ([aim(1_200, set_on=D(2024, 12, 1)), aim(2_400)], [296, 299, 303, 302]),
        ([aim(31, end=D(YEAR, 1, 31)), aim(62, D(YEAR, 1, 16), D(YEAR, 2, 15), D(2024, 12, 1))], [15 + 62, *NOTHING]),
        # what is set later than a period is not known in it
        ([aim(1_200), aim(3_650, set_on=D(YEAR, 5, 1))], [296, 910, 920, 920]),
        # what is asked for beyond the shorter time
        ([aim(90, end=ENDS[0]), aim(1_810, end=ENDS[1])], [90, 910, None, None]),
    ],
)  # fmt: skip
def test_a_day_belongs_to_the_shortest_time_that_covers_it(rows, expected):
    assert asked(*rows) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([aim(5_000), aim(4_500, end=ENDS[0])], [4_500, 5_000, 5_000, 5_000]),
        # not that of a time which ended before the period did
        ([aim(5_000), aim(4_500, end=D(YEAR, 3, 30))], [5_000] * 4),
        ([aim(5_000), aim(6_000, set_on=D(YEAR, 6, 30))], [5_000, 6_000, 6_000, 6_000]),
        ([aim(4_500, end=D(YEAR, 3, 30))], [None] * 4),
    ],
)
def test_of_a_level_the_target_of_the_last_day_counts_alone(rows, expected):
    assert asked(*(row | {"measure": "deposits_average"} for row in rows)) == expected


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15), st.sampled_from(["month", "quarter", "year"]))
def test_parts_of_a_year_add_up_to_its_target(target, every):
    assert sum(asked(aim(target), every=every)) == target


DAYS = st.integers(0, 364).map(lambda n: FIRST + timedelta(n))
TIMES = st.tuples(DAYS, DAYS).map(sorted)
DRAWN_TARGETS = st.lists(st.tuples(st.integers(0, 10**6), TIMES, DAYS), min_size=1, max_size=4)


@settings(deadline=None)
@given(DRAWN_TARGETS, st.booleans())
def test_each_day_is_asked_for_once(drawn, is_level):
    rows = [aim(target, *time, set_on) for target, time, set_on in drawn]
    start, expected = FIRST, []
    for end in ENDS:
        days = [start + timedelta(n) for n in range((end - start).days + 1)]
        known = [(n, row) for n, row in enumerate(rows) if row["set_on"] <= end]
        whose = [(day, _owner(known, day)) for day in days]
        if is_level:
            row = whose[-1][1]
            expected.append(row and row["target"])
        else:
            parts = [_due(row, day + timedelta(1)) - _due(row, day) for day, row in whose if row]
            expected.append(sum(parts) if parts else None)
        start = end + timedelta(1)
    measure = "deposits_average" if is_level else "new_cards"
    assert asked(*(row | {"measure": measure} for row in rows)) == expected


def _owner(known: list[tuple[int, dict]], day: date) -> dict | None:
    there = [(n, row) for n, row in known if row["from_on"] <= day <= row["to_on"]]
    last = max(
        there, key=lambda one: (one[1]["from_on"] - one[1]["to_on"], one[1]["set_on"], one[1]["from_on"], one[0]),
        default=(0, None),
    )  # fmt: skip
    return last[1]


def _due(row: dict, day: date) -> int:
    return round(Fraction(row["target"] * (day - row["from_on"]).days, (row["to_on"] - row["from_on"]).days + 1))
