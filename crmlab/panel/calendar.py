"""Months, and the periods into which a month is cut."""

from calendar import monthrange
from datetime import date

import polars as pl


def month_end(day: date) -> date:
    """The last day of the month of `day`.

    Examples
    --------
    >>> month_end(date(2024, 2, 3))
    datetime.date(2024, 2, 29)
    """
    return day.replace(day=monthrange(day.year, day.month)[1])


def month_ends(first: date, last: date) -> list[date]:
    """Month ends of all months that `first` to `last` touch.

    Examples
    --------
    >>> [str(day) for day in month_ends(date(2023, 12, 31), date(2024, 2, 1))]
    ['2023-12-31', '2024-01-31', '2024-02-29']
    """
    return pl.date_range(first.replace(day=1), last, "1mo", eager=True).dt.month_end().to_list()


def periods(spans: pl.DataFrame, cuts: pl.DataFrame, month: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The periods of one month: accounts with the month as one, and those cut on a day inside it.

    Parameters
    ----------
    spans
        account_id, starts_on, ends_on: the days of which an account's history tells.
    cuts
        account_id, starts_on: the days on which something begins anew.
    month
        Last day of the month.

    Returns
    -------
    tuple of two frames
        The columns of `spans`, the two dates those of the period (inclusive), by account and date.
    """
    first = month.replace(day=1)
    alive = spans.filter(pl.col("starts_on") <= month, pl.col("ends_on") >= first).with_columns(
        starts_on=pl.max_horizontal("starts_on", pl.lit(first)), ends_on=pl.min_horizontal("ends_on", pl.lit(month))
    )
    begins = (
        cuts.filter(pl.col("starts_on").is_between(first, month))
        .join(alive.select("account_id", start="starts_on", end="ends_on"), on="account_id")
        .filter(pl.col("starts_on") > pl.col("start"), pl.col("starts_on") <= pl.col("end"))
        .select("account_id", "starts_on")
    )
    cut = alive.join(begins, on="account_id", how="semi")
    next_start = pl.col("starts_on").shift(-1).over("account_id")
    parts = (
        pl.concat([cut, cut.drop("starts_on").join(begins, on="account_id").select(cut.columns)])
        .sort("account_id", "starts_on")
        .with_columns(ends_on=next_start.dt.offset_by("-1d").fill_null(pl.col("ends_on")))
    )
    return alive.join(begins, on="account_id", how="anti"), parts
