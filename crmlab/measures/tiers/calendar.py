"""Months as whole numbers, and the assessments that a frame must hold without a gap."""

from collections.abc import Collection

import polars as pl

from crmlab.errors import InputError


def month_number(month: pl.Expr) -> pl.Expr:
    """Months since the year 0, so that the number after December's is January's."""
    return month.dt.year().cast(pl.Int64) * 12 + month.dt.month() - 1


def months_of(frame: pl.DataFrame, within: Collection[int], measure: str) -> pl.Series:
    """The months of a frame in order; stops where one of the months `within` the year is missing for everybody.

    Examples
    --------
    >>> from datetime import date
    >>> months_of(pl.DataFrame({"month": [date(2023, 12, 31), date(2024, 12, 31)]}), [6, 12], "tiers.history")
    Traceback (most recent call last):
    crmlab.errors.InputError: tiers.history has been given no row of 2024-06, though of months before and after. ...
    """
    months = frame["month"].unique().sort()
    numbers = months.to_frame().select(month_number(pl.col("month"))).to_series().to_list()
    for earlier, later, number in zip(months, months[1:], numbers[1:], strict=False):
        if number == earlier.year * 12 + earlier.month - 1:
            raise InputError(f"{measure} has been given both {earlier} and {later}. Write one date a month, its end.")
    missing = [n for n in range(numbers[0], numbers[-1]) if n % 12 + 1 in within and n not in numbers]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"{measure} has been given no row of {missing[0] // 12}-{missing[0] % 12 + 1:02}{more}, "
            f"though of months before and after. Add that month's rows."
        )
    return months
