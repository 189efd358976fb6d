"""Deviation: rows worked by hand, the edge of a spike, and what is not known."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab import policy as rules
from crmlab.errors import InputError
from crmlab.measures import deviation

AUGUST, SEPTEMBER = date(2025, 8, 31), date(2025, 9, 30)
# a spike: closing at least 20 % and 100.00 above the average
BASE = rules.load()
POLICY = replace(BASE, deviation=replace(BASE.deviation, flag=200_000, least=Decimal("100.00")))

COLUMNS = ["customer_id", "manager_id", "line", "month", "closing", "balance_days", "days", "n_without_average"]
ROWS = [
    (1, "A", "deposits", AUGUST, 100_00, 31 * 100_00, 31, 0),
    (1, "A", "deposits", SEPTEMBER, 300_00, 30 * 100_00, 30, 0),
    (
        1,
        "B",
        "wealth",
        SEPTEMBER,
        0,
        30 * 50_00,
        30,
        0,
    ),  # handed from B to A within September, so B has days, A the end
    (2, "B", "deposits", SEPTEMBER, 1000_00, 30 * 900_00 + 15, 30, 0),  # 0.5 rounds to the even 90000
    (3, "B", "deposits", SEPTEMBER, 700_00, 0, 30, 1),
    (4, "C", "deposits", SEPTEMBER, -50_00, 30 * -60_00, 30, 0),
]


def book(rows: list[tuple] = ROWS) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        # by, month, closing, average, deviation, deviation_share, is_quarter_end, is_spike
        (
            "customer_id",
            [
                (1, AUGUST, 100_00, 100_00, 0, 0.0, False, False),
                (1, SEPTEMBER, 300_00, 150_00, 150_00, 1.0, True, True),
                (2, SEPTEMBER, 1000_00, 900_00, 100_00, 100 / 900, True, False),
                (3, SEPTEMBER, 700_00, None, None, None, True, None),
                (4, SEPTEMBER, -50_00, -60_00, 10_00, None, True, False),
            ],
        ),
        (
            "manager_id",
            [
                ("A", AUGUST, 100_00, 100_00, 0, 0.0, False, False),
                ("A", SEPTEMBER, 300_00, 100_00, 200_00, 2.0, True, True),
                ("B", SEPTEMBER, 1700_00, None, None, None, True, None),
                ("C", SEPTEMBER, -50_00, -60_00, 10_00, None, True, False),
            ],
        ),
    ],
)
def test_closing_against_average_worked_by_hand(by, expected):
    assert deviation.table(book(), by, POLICY).rows() == expected
    assert deviation.table(book().lazy(), by, POLICY).rows() == expected


@pytest.mark.parametrize(
    ("closing", "average", "is_spike"),
    [
        (1200_00, 1000_00, True),  # both bounds are reached
        (1199_99, 1000_00, False),  # 20 % less a cent
        (500_00, 400_00, True),
        (499_99, 400_00, False),  # 100.00 less a cent
        (100_00, 0, True),
        (0, 1000_00, False),
    ],
)
def test_the_edge_of_a_spike(closing, average, is_spike):
    row = (1, "A", "deposits", SEPTEMBER, closing, 30 * average, 30, 0)
    assert deviation.table(book([row]), policy=POLICY)["is_spike"].item() is is_spike


def test_only_a_quarter_that_was_there_to_its_end_ends():
    rows = [(1, "A", "deposits", SEPTEMBER, 900_00, 12 * 100_00, 12, 0)]
    assert deviation.table(book(rows), policy=POLICY).select("average", "is_quarter_end", "is_spike").row(0) == (
        100_00,
        False,
        False,
    )


def test_a_balance_that_is_not_known_is_not_zero():
    row = book([(1, "A", "deposits", SEPTEMBER, 0, 0, 30, 0)]).with_columns(n_without_balance=pl.lit(1))
    found = deviation.table(row, policy=POLICY)
    assert found.select("average", "deviation", "is_spike").row(0) == (None, None, None)


def test_a_trillion_sized_book_does_not_wrap():
    rows = [(1, "A", "deposits", SEPTEMBER, 2 * 10**16, 30 * 10**16, 30, 0)]
    found = deviation.table(book(rows), policy=POLICY)
    assert found.select("average", "deviation", "is_spike").row(0) == (10**16, 10**16, True)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from("AB"), st.integers(-999, 999), st.integers(-30, 30)), min_size=1
    )
)
def test_deviations_by_customer_add_to_those_of_all(drawn):
    rows = [(c, m, "deposits", SEPTEMBER, closing, 30 * average, 30, 0) for c, m, closing, average in drawn]
    whole = deviation.table(book(rows), None, POLICY)["deviation"].item()
    for by in ("customer_id", "manager_id", ["customer_id", "manager_id"]):
        assert deviation.table(book(rows), by, POLICY)["deviation"].sum() == whole


def test_what_deviation_refuses():
    with pytest.raises(InputError, match=r"needs a column managers\. Did you mean manager_id\?"):
        deviation.table(book(), "managers")
    with pytest.raises(InputError, match="the selection is empty"):
        deviation.table(book().clear())
