"""What `retention` computes of maturities: pure Polars functions of page tables, all of them live."""

from datetime import date, timedelta

import polars as pl

from crmlab.measures import maturity

SMALL = 30  # a rate of fewer is told, but not to be leant on
MIX = ["kind", "line"]  # what a manager does not choose


def weeks(coming: pl.DataFrame, as_of: date, days: int) -> pl.DataFrame:
    """What matures within so many days by week and line: week (its Monday), line, n, amount, stays.

    What is expected to stay is the amount times its probability, null where none of the week's can be told.

    Examples
    --------
    >>> coming = pl.DataFrame({"matures_on": [date(2026, 1, 2), date(2026, 1, 8), date(2027, 1, 1)],
    ...     "line": ["deposits"] * 3, "amount": [100, 50, 9], "probability": [0.5, None, 0.5]})
    >>> weeks(coming, date(2025, 12, 31), 90).rows()[0]
    (datetime.date(2025, 12, 29), 'deposits', 1, 100, 50)
    """
    rows = within(coming, as_of, days).with_columns(week=pl.col("matures_on").dt.truncate("1w"))
    stays = (pl.col("amount") * pl.col("probability")).round()
    return (
        rows.group_by("week", "line")
        .agg(
            n=pl.len(),
            amount=pl.col("amount").sum(),
            stays=pl.when(pl.col("probability").count() > 0).then(stays.sum()).cast(pl.Int64),
        )
        .sort("week", "line")
    )


def within(coming: pl.DataFrame, as_of: date, days: int) -> pl.DataFrame:
    """What matures after `as_of`, within so many days, the nearest first."""
    return coming.filter(pl.col("matures_on").is_between(as_of, as_of + timedelta(days), closed="right")).sort(
        "matures_on", "amount", descending=[False, True]
    )


def in_week(rows: pl.DataFrame, week: date, line: str) -> pl.DataFrame:
    """What matures in the week from that Monday on, of that line."""
    return rows.filter(pl.col("matures_on").dt.truncate("1w") == week, pl.col("line") == line)


def kept(matured: pl.DataFrame, everywhere: pl.DataFrame, by: str) -> pl.DataFrame:
    """How much of what matured stayed (`maturity.retention`), what the mix let expect, and whether it is few.

    ``expected`` is what kept_rate would be if deals of each kind of customer and line stayed as they do everywhere.

    Examples
    --------
    >>> rows = pl.DataFrame({"manager_id": ["M1", "M1", "M2"], "kind": "retail", "line": "deposits",
    ...     "amount": [100, 50, 50], "retained": [100, 0, 50]})
    >>> kept(rows, rows, "manager_id").select("manager_id", "n", "kept_rate", pl.col("expected").round(2)).rows()
    [('M1', 2, 0.5, 0.67), ('M2', 1, 1.0, 0.67)]
    """
    usual = maturity.retention(everywhere, MIX).select(*MIX, expected="kept_rate")
    mixed = matured.filter(pl.col("retained").is_not_null(), pl.col("amount") > 0).join(usual, on=MIX, how="left")
    expected = mixed.group_by(by).agg(pl.col("expected").mean())
    found = maturity.retention(matured, by)
    return found.join(expected, on=by, how="left", nulls_equal=True, maintain_order="left").with_columns(
        is_small=pl.col("n") < SMALL
    )
