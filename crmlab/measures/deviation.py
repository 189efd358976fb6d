"""Deviation: by how much the balance of one day misleads about the month that ends with it."""

from collections.abc import Sequence

import polars as pl

from crmlab import policy as rules
from crmlab.bank.columns import MILLION
from crmlab.errors import InputError
from crmlab.measures.given import keys, named
from crmlab.panel.exact import half_even

NEEDED = ["month", "closing", "balance_days", "days"]
UNKNOWN = ["n_without_balance", "n_without_average"]


def table(
    rows: pl.LazyFrame | pl.DataFrame,
    by: str | Sequence[str] | None = "customer_id",
    policy: rules.Policy | None = None,
) -> pl.DataFrame:
    """Closing against the month's average, by customer, manager, branch or any other column, and by month.

    Answers: whose balance is only there on the last day of the quarter?

    Parameters
    ----------
    rows
        Of the lines to look at (AUM, deposits), as `panel.customers` gives them: month, closing, balance_days, days,
        the columns of `by`, and optionally n_without_balance and n_without_average. `panel.books` do not count what
        is not known: with them, an account that states month ends only looks like a spike.
    by
        Columns to tell apart; none for all rows together.
    policy
        What a spike is; crmlab's own rules where none is given.

    Returns
    -------
    pl.DataFrame
        A row a group and month, in this order: the columns of `by`, month; closing, average (balance_days over days,
        rounded half to even), deviation (closing − average), in minor units of the base currency; deviation_share (of
        the average; null where that is not positive); is_quarter_end (of a month that was there to its end); is_spike
        (a quarter end at which closing exceeds the average by at least ``deviation.flag`` of it and at least
        ``deviation.least``). Where any row's average is not known, the group's is null, and what follows from it.

    Raises
    ------
    InputError
        When there is no row, or a column is missing.

    Examples
    --------
    >>> from datetime import date
    >>> rows = pl.DataFrame({"customer_id": [1, 1], "month": [date(2025, 8, 31), date(2025, 9, 30)],
    ...     "closing": [40_000_00, 90_000_00], "balance_days": [31 * 40_000_00, 30 * 45_000_00], "days": [31, 30]})
    >>> table(rows).select("average", "deviation", "deviation_share", "is_spike").rows()
    [(4000000, 0, 0.0, False), (4500000, 4500000, 1.0, True)]
    """
    groups = keys(by)
    names = rows.lazy().collect_schema().names()
    named(names, [*groups, *NEEDED], "deviation.table")
    policy = policy or rules.load()
    lacking = pl.sum_horizontal(pl.lit(0), *(name for name in UNKNOWN if name in names))
    sums = (
        rows.lazy()
        .group_by(*groups, "month")
        .agg(
            pl.col("closing", "balance_days").sum(),
            # A month's days are those of its calendar: the same in each of its rows.
            days=pl.col("days").max().cast(pl.Int64),
            is_known=(lacking == 0).all(),
        )
        .collect(engine="streaming")
    )
    if sums.is_empty():
        raise InputError("There is no balance to look at: the selection is empty. Choose a wider one.")
    return (
        sums.with_columns(pl.when("is_known").then("balance_days"))
        .with_columns(
            average=half_even(pl.col("balance_days"), pl.col("days")),
            is_quarter_end=(pl.col("month").dt.month() % 3 == 0)
            & (pl.col("days") == pl.col("month").dt.days_in_month()),
        )
        .with_columns(deviation=pl.col("closing") - pl.col("average"))
        .with_columns(
            deviation_share=pl.when(pl.col("average") > 0).then(pl.col("deviation") / pl.col("average")),
            is_spike=pl.col("is_quarter_end") & _exceeds(policy),
        )
        .select(*groups, "month", "closing", "average", "deviation", "deviation_share", "is_quarter_end", "is_spike")
        .sort(*groups, "month")
    )


def _exceeds(policy: rules.Policy) -> pl.Expr:
    """Whether closing exceeds the average by so much, in whole numbers: all of it times the month's days."""
    least = policy.minor(policy.deviation.least, policy.base_currency)
    days, average = pl.col("days").cast(pl.Int128), pl.col("balance_days").cast(pl.Int128)
    beyond = pl.col("closing").cast(pl.Int128) * days - average
    return (beyond * MILLION >= average * policy.deviation.flag) & (beyond >= days * least)
