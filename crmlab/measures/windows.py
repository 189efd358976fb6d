"""Windows: a month, a quarter, a year or the year to date, and what a measure was in it."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import keys, named
from crmlab.measures.months import complete

MONTHS = {"month": 1, "quarter": 3, "year": 12}
WINDOWS = [*MONTHS, "year_to_date"]


def window(
    rows: pl.LazyFrame | pl.DataFrame,
    values: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    window: str = "quarter",
    month: date | None = None,
) -> pl.DataFrame:
    """What a measure was in the months up to one: their sum, their average and their trend.

    Answers: what did a customer bring in the last year, and does it go up or down?

    Parameters
    ----------
    rows
        month (month ends), the columns `values` and `by`; several rows of a group and month are summed. A group
        without a row in a month had 0 in it; a month without any row is an error.
    values
        Columns of whole numbers: flows such as a contribution, or balances (whose sum says little).
    by
        Columns to tell apart; none for all rows together.
    window
        month, quarter or year: the 1, 3 or 12 months that end with `month` (with a March, the first quarter);
        year_to_date: from January to `month`.
    month
        Any day of the window's last month; the last month of `rows` where none is given.

    Returns
    -------
    pl.DataFrame
        In order of `by`: its columns; n_months (of the window); for each value, ``_total``, ``_average`` (a month's,
        Float64) and ``_trend``, all in its unit: the slope of the least-squares line through the months, the change a
        month, null where the window has one month only. The months are counted, not sampled: there is no interval.

    Raises
    ------
    InputError
        When the window is unknown, a column or one of its months is missing, or a sum does not fit into 64 bits.

    Examples
    --------
    >>> months = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]
    >>> window(pl.DataFrame({"month": months, "margin": [10, 20, 60]}), "margin").row(0)
    (3, 90, 30.0, 25.0)
    """
    values, by = _checked("windows.window", rows, values, by, window)
    held = complete(rows)
    month = month or held[-1]
    due = _months(window, month)
    missing = [day for day in due if day not in held]
    if missing:
        raise InputError(
            f"The {window.replace('_', ' ')} up to {month} needs {missing[0]}, which the rows do not hold: they go "
            f"from {held[0]} to {held[-1]}. Choose another month or a shorter window."
        )
    n = len(due)
    weight = pl.col("month").replace_strict(due, range(n), return_dtype=pl.Int128)
    sums = {f"{name}_total": pl.col(name).cast(pl.Int128).sum() for name in values}
    # Twice Σ (x − x̄) y, over months x counted from 0: a whole number, until it is divided by twice Σ (x − x̄)².
    rises = {f"{name}_trend": ((2 * weight - (n - 1)) * pl.col(name).cast(pl.Int128)).sum() for name in values}
    chosen = rows.lazy().filter(pl.col("month").is_in(due)).select(*by, "month", *values)
    told = (chosen.group_by(by).agg(**sums, **rises) if by else chosen.select(**sums, **rises)).collect()
    _fits(told.select(*sums))
    spread = n * (n * n - 1) // 6
    columns = [
        column
        for name in values
        for column in (
            pl.col(f"{name}_total").cast(pl.Int64),
            (pl.col(f"{name}_total") / n).alias(f"{name}_average"),
            (pl.col(f"{name}_trend") / spread if n > 1 else pl.lit(None, pl.Float64)).alias(f"{name}_trend"),
        )
    ]
    return told.select(*by, pl.lit(n, pl.Int32).alias("n_months"), *columns).sort(by or "n_months")


def series(
    rows: pl.LazyFrame | pl.DataFrame,
    values: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    window: str = "quarter",
) -> pl.DataFrame:
    """What a measure was in each calendar window of a history: month by month, quarter by quarter, year by year.

    Parameters
    ----------
    rows, values, by
        As for `window`.
    window
        month, quarter, year (of the calendar), or year_to_date (one a month).

    Returns
    -------
    pl.DataFrame
        month (the last of the window) and the columns of `window` but for the trends; a window of which the history
        lacks a month, at its beginning or its end, is left out.

    Raises
    ------
    InputError
        As `window`, and when no window is whole.

    Examples
    --------
    >>> rows = pl.DataFrame({"month": pl.date_range(date(2023, 12, 1), date(2024, 7, 1), "1mo", eager=True)})
    >>> rows = rows.select(pl.col("month").dt.month_end(), margin=pl.int_range(8))
    >>> series(rows, "margin").rows()
    [(datetime.date(2024, 3, 31), 3, 6, 2.0), (datetime.date(2024, 6, 30), 3, 15, 5.0)]
    """
    names, groups = _checked("windows.series", rows, values, by, window)
    held = complete(rows)
    ends = [day for day in held if day.month % MONTHS.get(window, 1) == 0 and _months(window, day)[0] >= held[0]]
    if not ends:
        raise InputError(
            f"From {held[0]} to {held[-1]} there is no whole {window.replace('_', ' ')}. Choose a shorter window."
        )
    monthly = rows.lazy().group_by(*groups, "month").agg(pl.col(names).cast(pl.Int128).sum()).collect()
    parts = [_without_trend(monthly, names, groups, window, day) for day in ends]
    return pl.concat(parts).sort("month", *groups)


def _without_trend(rows, values: list[str], by: list[str], name: str, month: date) -> pl.DataFrame:
    found = window(rows, values, by, name, month)
    return found.select(pl.lit(month).alias("month"), pl.exclude([f"{value}_trend" for value in values]))


def _months(window: str, month: date) -> list[date]:
    n = MONTHS.get(window, month.month)
    return (
        pl.select(
            pl.date_range(pl.lit(month).dt.month_start().dt.offset_by(f"-{n - 1}mo"), month, "1mo").dt.month_end()
        )
        .to_series()
        .to_list()
    )


def _checked(name: str, rows, values, by, window: str) -> tuple[list[str], list[str]]:
    if window not in WINDOWS:
        raise InputError(f"There is no window {window}. {near_miss(window, WINDOWS)}")
    told = [values] if isinstance(values, str) else list(values)
    groups = keys(by)
    named(rows.lazy().collect_schema().names(), ["month", *told, *groups], name)
    return told, groups


def _fits(sums: pl.DataFrame) -> None:
    largest = sums.select(pl.max_horizontal(pl.all().abs().max())).item()
    if largest is not None and largest >= 2**63:
        raise InputError(f"A window adds up to {largest:.3g}, too much for 64 bits. Check the unit of the amounts.")
