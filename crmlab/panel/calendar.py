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


def periods(spans: pl.DataFrame, cuts: pl.DataFrame, month: date) -> pl.DataFrame:
    """The periods of one month: one for every account, more where the account is cut on a day of the month.

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
    pl.DataFrame
        The columns of `spans`, the two dates those of the period (inclusive), by account and date.
    """
    alive = spans.filter(pl.col("starts_on") <= month, pl.col("ends_on") >= month.replace(day=1)).with_columns(
        starts_on=pl.max_horizontal("starts_on", pl.lit(month.replace(day=1))),
        ends_on=pl.min_horizontal("ends_on", pl.lit(month)),
    )
    inside = cuts.filter(pl.col("starts_on").is_between(month.replace(day=2), month))
    inside = inside.join(alive.select("account_id", first="starts_on", last="ends_on"), on="account_id").filter(
        pl.col("starts_on") > pl.col("first"), pl.col("starts_on") <= pl.col("last")
    )
    if inside.is_empty():
        return alive.with_columns(is_part=pl.lit(False))
    cut = alive.join(inside, on="account_id", how="semi")
    parts = (
        pl.concat(
            [cut, cut.drop("starts_on").join(inside.select("account_id", "starts_on"), on="account_id")], how="diagonal"
        )
        .sort("account_id", "starts_on")
        .with_columns(
            ends_on=pl.col("starts_on").shift(-1).over("account_id").dt.offset_by("-1d").fill_null(pl.col("ends_on"))
        )
    )
    whole = alive.join(inside, on="account_id", how="anti")
    return pl.concat(
        [whole.with_columns(is_part=pl.lit(False)), parts.select(whole.columns).with_columns(is_part=pl.lit(True))]
    ).sort("account_id", "starts_on")
