"""Windows: sums and averages worked by hand, the trend against NumPy's least squares, and months that are missing."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures import windows

MONTHS = pl.date_range(date(2023, 11, 1), date(2025, 2, 1), "1mo", eager=True).dt.month_end().to_list()
# 1 earns 0, 1, 2, ..., 15 from November 2023 to February 2025; 2 comes in January 2025.
ROWS = pl.DataFrame(
    [(1, month, i, -i) for i, month in enumerate(MONTHS)] + [(2, month, 30, 0) for month in MONTHS[-2:]],
    schema={"customer_id": pl.Int32, "month": pl.Date, "margin": pl.Int64, "service_cost": pl.Int64},
    orient="row",
)


@pytest.mark.parametrize(
    ("window", "month", "expected"),
    [
        # customer, n_months, total, average, trend
        ("month", None, [(1, 1, 15, 15.0, None), (2, 1, 30, 30.0, None)]),
        ("quarter", None, [(1, 3, 42, 14.0, 1.0), (2, 3, 60, 20.0, 15.0)]),  # 0, 30, 30
        ("year", date(2024, 12, 31), [(1, 12, 90, 7.5, 1.0)]),
        ("year_to_date", date(2024, 2, 15), [(1, 2, 5, 2.5, 1.0)]),
        ("year_to_date", date(2025, 1, 31), [(1, 1, 14, 14.0, None), (2, 1, 30, 30.0, None)]),
    ],
)
def test_a_window_worked_by_hand(window, month, expected):
    assert windows.window(ROWS, "margin", "customer_id", window, month).rows() == expected
    assert windows.window(ROWS.lazy(), ["margin"], ["customer_id"], window, month).rows() == expected


def test_several_columns_and_all_together():
    found = windows.window(ROWS, ["margin", "service_cost"])
    assert found.to_dicts() == [
        {
            "n_months": 3, "margin_total": 102, "margin_average": 34.0, "margin_trend": 16.0,
            "service_cost_total": -42, "service_cost_average": -14.0, "service_cost_trend": -1.0,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("window", "ends", "totals"),
    [
        ("month", MONTHS, [*range(14), 14 + 30, 15 + 30]),
        ("quarter", [date(2024, 3, 31), date(2024, 6, 30), date(2024, 9, 30), date(2024, 12, 31)], [9, 18, 27, 36]),
        ("year", [date(2024, 12, 31)], [90]),
        ("year_to_date", MONTHS[2:], [2, 5, 9, 14, 20, 27, 35, 44, 54, 65, 77, 90, 44, 89]),
    ],
)
def test_a_series_holds_whole_windows_only(window, ends, totals):
    found = windows.series(ROWS, "margin", window=window)
    assert found.select("month", "margin_total").rows() == list(zip(ends, totals, strict=True))
    by_customer = windows.series(ROWS, "margin", "customer_id", window)
    assert by_customer["margin_total"].sum() == sum(totals)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(10**15), 10**15), min_size=2, max_size=12), st.randoms())
def test_the_trend_is_the_least_squares_slope(values, random):
    months = MONTHS[2 : 2 + len(values)]
    rows = random.sample(list(zip(months, values, strict=True)), len(values))
    frame = pl.DataFrame(rows, schema={"month": pl.Date, "margin": pl.Int64}, orient="row")
    found = windows.window(frame, "margin", window="year_to_date")
    slope = np.polyfit(range(len(values)), values, 1)[0]
    assert found["margin_trend"].item() == pytest.approx(slope, rel=1e-6, abs=max(map(abs, values)) * 1e-9)
    assert found.select("n_months", "margin_total").row(0) == (len(values), sum(values))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: windows.window(ROWS, "margin", window="quater"), "There is no window quater. Did you mean quarter?"),
        (lambda: windows.window(ROWS, "margn"), "windows.window needs a column margn. Did you mean margin?"),
        (
            lambda: windows.window(ROWS, "margin", window="year", month=date(2024, 3, 31)),
            "The year up to 2024-03-31 needs 2023-04-30, which the rows do not hold: they go from 2023-11-30",
        ),
        (lambda: windows.window(ROWS, "margin", month=date(2025, 3, 31)), "needs 2025-03-31, which the rows do not"),
        (
            lambda: windows.window(ROWS.filter(pl.col("month") != MONTHS[3]), "margin"),
            "no rows of 2024-02, though there are rows before and after",
        ),
        (lambda: windows.window(ROWS.clear(), "margin"), "no row is left"),
        (lambda: windows.series(ROWS.head(2), "margin", window="year"), "there is no whole year. Choose a shorter"),
        (
            lambda: windows.window(ROWS.with_columns(margin=pl.lit(2**62)), "margin"),
            "too much for 64 bits. Check the unit of the amounts.",
        ),
    ],
)
def test_what_windows_refuse(call, said):
    with pytest.raises(InputError) as error:
        call()
    assert said in str(error.value)
