"""Spending: what customers buy, in which season, and how much of their money goes to other banks, an early sign.

`summary` and `outflow` read transactions beside their customer, in the base currency (`panel.in_base_of_the_day`). What
was reversed is taken back from the transaction that it reverses, if both are among the rows given: a reversal booked
after the last of them is not seen. Where there are several currencies, `net` does so before they become one, else a
rate that moved in between would leave a part. A joint account's transactions are the owner's.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, keys, named, required
from crmlab.measures.uncertainty import wilson

ROWS = ["customer_id", "booked_on", "amount", "kind", "category", "counterparty_kind", "transaction_id", "reverses_id"]
BOUGHT = ["payment", "card"]
OUTSIDE = [*BOUGHT, "cash", "transfer", "salary"]
NOT_TOLD = "not told"  # the category of a purchase that has none
SEASONS = ["Q1", "Q2", "Q3", "Q4"]


def net(rows: pl.LazyFrame | pl.DataFrame) -> pl.LazyFrame:
    """Transactions less what was taken back of them; the reversals themselves are left out.

    Parameters
    ----------
    rows
        transaction_id, reverses_id, kind, amount (minor units of the account's currency), and any other column.

    Returns
    -------
    pl.LazyFrame
        The columns of `rows`; what left an account is nearer to 0 by what came back of it, at most all of it. A
        reversal that names nothing stays.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> rows = pl.DataFrame({"transaction_id": ["T1", "T2", "T3"], "reverses_id": [None, None, "T1"],
    ...     "kind": ["card", "card", "reversal"], "amount": [-900, -50, 200]})
    >>> net(rows).select("transaction_id", "amount").sort("transaction_id").collect().rows()
    [('T1', -700), ('T2', -50)]
    """
    lazy = rows.lazy()
    named(lazy.collect_schema().names(), ["transaction_id", "reverses_id", "kind", "amount"], "spending.net")
    amount, left = pl.col("amount"), pl.col("amount") + pl.col("back").fill_null(0)
    takes_back = (pl.col("kind").cast(pl.String) == "reversal") & (amount > 0) & pl.col("reverses_id").is_not_null()
    back = lazy.filter(takes_back).group_by(transaction_id="reverses_id").agg(back=amount.sum())
    return (
        lazy.filter(~takes_back)
        .join(back, on="transaction_id", how="left")
        .with_columns(pl.when(amount < 0).then(pl.min_horizontal(left, 0)).otherwise(amount).alias("amount"))
        .drop("back")
    )


def summary(rows: pl.LazyFrame | pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """What each customer spent by payment and card, month by month and category by category.

    Answers: what do our customers buy?

    Bills paid by mandate count; cash and transfers do not, since nobody knows what they bought.

    Parameters
    ----------
    rows
        customer_id, booked_on, amount (minor units of the base currency), kind, category, counterparty_kind,
        transaction_id, reverses_id.
    start, end
        The first and the last day to look at.

    Returns
    -------
    pl.DataFrame
        customer_id, month, category ("not told" where there is none), amount (minor units, above 0, net of reversals),
        n (purchases that were not reversed); in this order.

    Raises
    ------
    InputError
        When `start` is after `end`, a column is missing, or a sum does not fit into 64 bits.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": 7, "booked_on": date(2024, 3, 5), "amount": [-900, -50, 900],
    ...     "kind": ["card", "payment", "reversal"], "category": ["dining", None, None],
    ...     "counterparty_kind": "merchant", "transaction_id": ["T1", "T2", "T3"], "reverses_id": [None, None, "T1"]})
    >>> summary(rows, date(2024, 1, 1), date(2024, 3, 31)).rows()
    [(7, datetime.date(2024, 3, 31), 'not told', 50, 1)]
    """
    key = ["customer_id", "month", "category"]
    bought = _gone(rows, start, end, BOUGHT, "spending.summary").with_columns(
        category=pl.col("category").cast(pl.String).fill_null(NOT_TOLD)
    )
    sums = bought.group_by(key).agg(pl.col("amount").cast(pl.Int128).sum(), n=pl.len().cast(pl.Int64))
    return in_64_bits(sums.collect(engine="streaming")).sort(key)


def profile(rows: pl.DataFrame, start: date, end: date, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How spending divides among categories, season by season.

    Answers: what do they spend on, and when is its season?

    Parameters
    ----------
    rows
        As `summary` gives them, or sums of these: month, category, amount, n and the columns of `by`. A month without
        a row is one in which nothing was bought.
    start, end
        The first and the last month end; months outside are left out. Let them make whole years, else growth from year
        to year reads as season.
    by
        Columns to tell apart, such as kind or segment; none for all rows together.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; season (Enum `SEASONS`: quarters of the year), category, n_months (of the season between
        `start` and `end`), amount (minor units), n (purchases), share (of the amount of the group and season, 0 to 1),
        monthly (amount a month, Float64), index (monthly over the mean of the four seasons' monthly; null where the
        months do not cover all four): 1.5 is half as much again as usual. Money is counted, not sampled: no interval.

    Raises
    ------
    InputError
        When there is no row, none lies between `start` and `end`, or a column is missing.

    Examples
    --------
    >>> march = date(2024, 3, 31)
    >>> rows = pl.DataFrame({"month": march, "category": ["dining", "fuel"], "amount": [75, 25], "n": 1})
    >>> profile(rows, march, march).select("season", "category", "share", "index").rows()
    [('Q1', 'dining', 0.75, None), ('Q1', 'fuel', 0.25, None)]
    """
    groups = keys(by)
    required(rows, ["month", "category"], "spending.profile")
    named(rows.columns, ["amount", "n", *groups], "spending.profile")
    inside = rows.filter(pl.col("month").is_between(start, end))
    if inside.is_empty():
        months = f"{rows['month'].min()} to {rows['month'].max()}"
        raise InputError(f"No spending lies between {start} and {end}: the rows go from {months}. Choose other months.")
    season = pl.lit("Q") + pl.col("month").dt.quarter().cast(pl.String)
    inside = inside.with_columns(season=season.cast(pl.Enum(SEASONS)))
    days = pl.date_range(start.replace(day=1), end, "1mo", eager=True).alias("month").to_frame()
    n_months = days.group_by(season=season.cast(pl.Enum(SEASONS))).agg(n_months=pl.len().cast(pl.Int64))
    sums = inside.group_by(*groups, "category", "season").agg(
        pl.col("amount").cast(pl.Int128).sum(), pl.col("n").cast(pl.Int64).sum()
    )
    key = [*groups, "category"]
    # A season in which a group bought nothing of a category is a row of zeros, and counts in the mean of the seasons.
    grid = inside.select(key).unique().join(n_months, how="cross")
    told = in_64_bits(grid.join(sums, on=[*key, "season"], how="left", nulls_equal=True)).with_columns(
        pl.col("amount", "n").fill_null(0)
    )
    of_season = pl.col("amount").cast(pl.Float64).sum().over(*groups, "season")
    usual = pl.col("monthly").mean().over(key)
    return (
        told.with_columns(
            share=pl.when(of_season > 0).then(pl.col("amount") / of_season),
            monthly=pl.col("amount") / pl.col("n_months"),
        )
        .with_columns(index=pl.when(usual > 0, n_months.height == len(SEASONS)).then(pl.col("monthly") / usual))
        .select(*groups, "season", "category", "n_months", "amount", "n", "share", "monthly", "index")
        .sort(*groups, "season", "category", nulls_last=True)
    )


def outflow(rows: pl.LazyFrame | pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """What left each customer's accounts, month by month, and how much of it went to other banks.

    Answers: who has begun to carry money elsewhere?

    Both are sums over the same transactions, so that a share of them is one; the outflow of `panel.customers` is by
    holders' shares and at the month's rate. Own transfers, loan instalments, interest and fees are no outflow.

    Parameters
    ----------
    rows, start, end
        As for `summary`.

    Returns
    -------
    pl.DataFrame
        customer_id, month; outflow, other_banks (minor units, net of reversals; other_banks is a part of outflow, 0
        where nothing went there); customers without outflow have no row. By customer and month.

    Raises
    ------
    InputError
        As `summary`.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": 7, "booked_on": date(2024, 3, 5), "amount": [-900, -100], "category": None,
    ...     "kind": ["transfer", "cash"], "counterparty_kind": ["other bank", None], "transaction_id": ["T1", "T2"],
    ...     "reverses_id": pl.Series([None, None], dtype=pl.String)})
    >>> outflow(rows, date(2024, 3, 1), date(2024, 3, 31)).rows()
    [(7, datetime.date(2024, 3, 31), 1000, 900)]
    """
    key = ["customer_id", "month"]
    away = (pl.col("counterparty_kind") == "other bank").fill_null(False)
    amount = pl.col("amount").cast(pl.Int128)
    sums = (
        _gone(rows, start, end, OUTSIDE, "spending.outflow")
        .group_by(key)
        .agg(outflow=amount.sum(), other_banks=amount.filter(away).sum())
    )
    return in_64_bits(sums.collect(engine="streaming")).sort(key)


def other_banks(rows: pl.DataFrame, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How much of the outflow went to other banks, and how many customers sent some.

    Answers: does money begin to leave us, and from whom?

    Parameters
    ----------
    rows
        As `channels.totals` gives them, or a selection: n_customers, outflow, other_banks, n_other_banks (customers who
        sent some). Several months of one group count a customer as often as there are.
    by
        Columns to tell apart, such as month; none for all rows together.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; outflow, other_banks (minor units), other_banks_share (of outflow, 0 to 1, null without
        outflow; money is counted, so it has no interval); n (customers), n_other_banks, senders_share (n_other_banks of
        n) with lower and upper (95 %, Wilson; null without customers).

    Raises
    ------
    InputError
        When there is no row, or a column is missing.

    Examples
    --------
    >>> rows = pl.DataFrame({"n_customers": [40], "outflow": [1_000], "other_banks": [250], "n_other_banks": [10]})
    >>> other_banks(rows).select("other_banks_share", "senders_share").row(0)
    (0.25, 0.25)
    """
    groups = keys(by)
    required(rows, ["n_customers", "n_other_banks"], "spending.other_banks")
    named(rows.columns, ["outflow", "other_banks", *groups], "spending.other_banks")
    sums = [
        pl.col("outflow", "other_banks").cast(pl.Int128).sum(),
        pl.col("n_customers").cast(pl.Int64).sum().alias("n"),
        pl.col("n_other_banks").cast(pl.Int64).sum(),
    ]
    told = in_64_bits(rows.group_by(groups).agg(sums) if groups else rows.select(sums))
    lower, upper = wilson(pl.col("n_other_banks"), pl.col("n"))
    return (
        told.with_columns(
            other_banks_share=pl.when(pl.col("outflow") > 0).then(pl.col("other_banks") / pl.col("outflow")),
            senders_share=pl.when(pl.col("n") > 0).then(pl.col("n_other_banks") / pl.col("n")),
            lower=lower,
            upper=upper,
        )
        .select(
            *groups,
            "outflow",
            "other_banks",
            "other_banks_share",
            "n",
            "n_other_banks",
            "senders_share",
            "lower",
            "upper",
        )
        .sort(groups or "n", nulls_last=True)
    )


def _gone(rows: pl.LazyFrame | pl.DataFrame, start: date, end: date, kinds: list[str], measure: str) -> pl.LazyFrame:
    """What left by transactions of some kinds between two days: amounts positive, what was reversed taken back."""
    lazy = rows.lazy()
    named(lazy.collect_schema().names(), ROWS, measure)
    if start > end:
        raise InputError(f"{measure} is asked from {start} to {end}, which is no time. Choose a start before the end.")
    amount, kind = pl.col("amount"), pl.col("kind").cast(pl.String)
    inside = kind.is_in(kinds) & (amount < 0) & pl.col("booked_on").is_between(start, end)
    return net(lazy).filter(inside).with_columns(amount=-amount, month=pl.col("booked_on").dt.month_end())
