"""What `segments` computes on a control: pure Polars functions of page tables, all of them live.

The page tables are described in `crmlab.mart`. Money stays in minor units.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from crmlab.measures.funnel import STEPS
from crmlab.measures.transitions import ENTRY, EXIT, UNKNOWN
from crmlab.measures.uncertainty import wilson

SMALL = 30  # below it one customer decides what a group looks like
LEFT = "left"  # the state of the life cycle that is no standing any more
AWAY = (EXIT, LEFT)
CHANNELS = ("counter", "atm", "online", "mobile", "pos")


def pairs(paths: pl.DataFrame, start: date, end: date, by: str) -> pl.DataFrame:
    """Where each customer stood at two month ends, as `crm.transitions.pairs` tells it, from a column a month.

    Who had left before the start and is still away is left out.

    Parameters
    ----------
    paths
        customer_id and for both months ``state``, `by` and ``aum``, each followed by the month.
    by
        segment, state or tier.

    Examples
    --------
    >>> days = date(2024, 1, 31), date(2024, 2, 29)
    >>> paths = pl.DataFrame({"customer_id": [1, 2, 3],
    ...     "state 2024-01-31": ["new", "mature", "left"], "state 2024-02-29": ["mature", "left", "left"],
    ...     "tier 2024-01-31": ["basic", "gold", None], "tier 2024-02-29": [None] * 3,
    ...     "aum 2024-01-31": [5, 7, None], "aum 2024-02-29": [6, None, None]})
    >>> pairs(paths, *days, "tier").rows()
    [(1, 'basic', 'cannot tell', 5, 6), (2, 'gold', 'gone', 7, 0)]
    >>> pairs(paths, *days, "state").rows()
    [(1, 'new', 'mature', 5, 6), (2, 'mature', 'left', 7, 0)]
    """
    told = {"origin": (start, ENTRY), "destination": (end, EXIT)}
    amounts = dict(zip(("aum_start", "aum_end"), (start, end), strict=True))
    return paths.filter(_is_there(start) | _is_there(end)).select(
        "customer_id",
        *(_where(by, day, absent).alias(name) for name, (day, absent) in told.items()),
        *(pl.when(_is_there(day)).then(f"aum {day}").otherwise(0).alias(name) for name, day in amounts.items()),
    )


def _is_there(day: date) -> pl.Expr:
    return (pl.col(f"state {day}").cast(pl.String) != LEFT).fill_null(False)


def _where(by: str, day: date, absent: str) -> pl.Expr:
    if by == "state":
        return pl.col(f"state {day}").cast(pl.String).fill_null(absent)
    return (
        pl.when(_is_there(day)).then(pl.col(f"{by} {day}").cast(pl.String).fill_null(UNKNOWN)).otherwise(pl.lit(absent))
    )


@dataclass(frozen=True)
class Movement:
    """Two months in numbers: customers at the start, those who moved, came and are gone, and the ways with most money.

    Rows of the matrix, or None: `lost` and `won`, where the money of those who moved shrank and grew most, and `away`,
    from where most of it is gone.
    """

    n: int
    n_moved: int
    n_came: int
    aum_came: int
    n_gone: int
    aum_gone: int
    lost: dict | None
    won: dict | None
    away: dict | None


def movement(matrix: pl.DataFrame) -> Movement:
    """A matrix with money (`crm.transitions.matrix`) in a few numbers.

    Examples
    --------
    >>> ends = {"origin": ["gold", "gold", "base", "came"], "destination": ["base", "gold", "gone", "base"]}
    >>> matrix = pl.DataFrame({**ends, "n": [2, 5, 1, 3], "aum_start": [90, 500, 8, 0], "aum_end": [20, 520, 0, 30]})
    >>> told = movement(matrix)
    >>> told.n, told.n_moved, told.n_came, told.n_gone, told.lost["origin"], told.won
    (8, 2, 3, 1, 'gold', None)
    """
    origin, destination, change = pl.col("origin"), pl.col("destination"), pl.col("aum_end") - pl.col("aum_start")
    came = matrix.filter(origin.is_in([ENTRY, LEFT]), ~destination.is_in(AWAY))
    gone = matrix.filter(destination.is_in(AWAY), ~origin.is_in([ENTRY, LEFT]))
    there = matrix.filter(~origin.is_in([ENTRY, LEFT]))
    moved = there.filter(
        origin != destination, ~pl.any_horizontal(origin == UNKNOWN, destination.is_in([UNKNOWN, *AWAY]))
    )
    ways = (
        moved.filter(change < 0).sort(change),
        moved.filter(change > 0).sort(-change),
        gone.sort(-pl.col("aum_start")),
    )
    return Movement(
        there["n"].sum(),
        moved["n"].sum(),
        came["n"].sum(),
        came["aum_end"].sum(),
        gone["n"].sum(),
        gone["aum_start"].sum(),
        *(found.row(0, named=True) if found.height else None for found in ways),
    )


def notable(change: pl.DataFrame) -> pl.DataFrame:
    """`crm.transitions.change` with is_notable only where it can be leant on.

    That is between groups that are large enough, and where the interval leaves no doubt whether more went or fewer.

    Examples
    --------
    >>> change = pl.DataFrame({"n_origin": [40, 3, 40], "n_origin_before": [50, 90, 50], "is_notable": [True] * 3,
    ...     "lower": [0.1, 0.1, -0.1], "upper": [0.3, 0.9, 0.3]})
    >>> notable(change)["is_notable"].to_list()
    [True, False, False]
    """
    is_large = pl.min_horizontal("n_origin", "n_origin_before") >= SMALL
    return change.with_columns(pl.col("is_notable") & is_large & ((pl.col("lower") > 0) | (pl.col("upper") < 0)))


def standing(paths: pl.DataFrame, days: Iterable[date]) -> pl.DataFrame:
    """Customers with us by life-cycle state and month.

    Examples
    --------
    >>> paths = pl.DataFrame({"state 2024-01-31": ["new", "mature", "left", "new"]})
    >>> standing(paths, [date(2024, 1, 31)]).sort("state").rows()
    [(datetime.date(2024, 1, 31), 'mature', 1), (datetime.date(2024, 1, 31), 'new', 2)]
    """
    counts = [
        paths[f"state {day}"]
        .rename("state")
        .value_counts(name="n")
        .with_columns(pl.col("state").cast(pl.String), month=pl.lit(day))
        for day in days  # the texts of a few counts, not of all customers
    ]
    told = pl.concat(counts) if counts else pl.DataFrame(schema={"state": pl.String, "n": pl.UInt32, "month": pl.Date})
    return told.filter(pl.col("state") != LEFT).select("month", "state", pl.col("n").cast(pl.Int64))


def cells(traits: pl.DataFrame, grid: pl.DataFrame) -> pl.DataFrame:
    """How many customers stand in each cell of activity, earning and growth.

    Parameters
    ----------
    traits
        activity, earning, growth: a row a customer, null where it cannot be told.
    grid
        activity, earning, growth, segment: a row a cell.

    Examples
    --------
    >>> grid = pl.DataFrame({"activity": ["active"], "earning": ["high"], "growth": ["steady"], "segment": ["Gold"]})
    >>> cells(grid.drop("segment"), grid)["n"].to_list()
    [1]
    """
    axes = ["activity", "earning", "growth"]
    counts = traits.drop_nulls(axes).group_by(axes).agg(n=pl.len().cast(pl.Int64))
    counts = counts.with_columns(pl.col(name).cast(grid.schema[name]) for name in axes)
    return grid.join(counts, on=axes, how="left", maintain_order="left").with_columns(pl.col("n").fill_null(0))


def spending(months: pl.DataFrame, quarters: int = 4) -> pl.DataFrame:
    """What was spent by category in the last quarters that are whole, the largest category first.

    Returns quarter (its last month end), category, amount, and `index`: the amount over the category's mean quarter.

    Examples
    --------
    >>> days = pl.date_range(date(2024, 1, 31), date(2024, 6, 30), "1mo", eager=True).dt.month_end()
    >>> months = pl.DataFrame({"month": days, "category": "fuel", "amount": [1, 1, 1, 2, 2, 5]})
    >>> spending(months).select("quarter", "amount", "index").rows()
    [(datetime.date(2024, 3, 31), 3, 0.5), (datetime.date(2024, 6, 30), 9, 1.5)]
    """
    end = pl.col("month").dt.truncate("1q").dt.offset_by("2mo").dt.month_end()
    by_quarter = months.with_columns(quarter=end)
    whole = by_quarter.group_by("quarter").agg(pl.col("month").n_unique()).filter(pl.col("month") == 3)
    kept = whole["quarter"].sort().tail(quarters)
    sums = by_quarter.filter(pl.col("quarter").is_in(kept.implode())).group_by("quarter", "category")
    told = sums.agg(pl.col("amount").sum()).filter(pl.col("amount").sum().over("category") > 0)
    mean = pl.col("amount").sum().over("category") / max(len(kept), 1)
    largest = pl.col("amount").sum().over("category")
    return told.with_columns(index=pl.col("amount") / mean).sort(-largest, "category", "quarter")


def channels(months: pl.DataFrame) -> pl.DataFrame:
    """How customers come to us, by month: each channel's share of transactions, and the share who are digital.

    Returns month, n_customers, n_digital, digital_share with lower and upper (95 %), and by channel its share.

    Examples
    --------
    >>> months = pl.DataFrame({"month": [date(2024, 1, 31)], "n_customers": [100], "n_digital": [40], "n_counter": [30],
    ...     "n_atm": [0], "n_online": [30], "n_mobile": [40], "n_pos": [0]})
    >>> channels(months).select("digital_share", "counter", "mobile").row(0)
    (0.4, 0.3, 0.4)
    """
    counted = [f"n_{name}" for name in CHANNELS]
    sums = months.group_by("month").agg(pl.col("n_customers", "n_digital", *counted).cast(pl.Int64).sum())
    lower, upper = wilson(pl.col("n_digital"), pl.col("n_customers"))
    every = pl.sum_horizontal(counted)
    return (
        sums.filter(pl.col("n_customers") > 0)
        .select(
            "month",
            "n_customers",
            "n_digital",
            (pl.col("n_digital") / pl.col("n_customers")).alias("digital_share"),
            lower,
            upper,
            *(pl.when(every > 0).then(pl.col(f"n_{name}") / every).alias(name) for name in CHANNELS),
        )
        .sort("month")
    )


def outflow(months: pl.DataFrame) -> pl.DataFrame:
    """Money that went to other banks, month by month: month, other_banks, share (of all that went out), n_other_banks.

    Examples
    --------
    >>> months = pl.DataFrame({"month": [date(2024, 1, 31)] * 2, "outflow": [60, 40], "other_banks": [20, 0],
    ...     "n_other_banks": [3, 0], "n_customers": [9, 4]})
    >>> outflow(months).row(0)
    (datetime.date(2024, 1, 31), 20, 100, 3, 13, 0.2)
    """
    names = ["other_banks", "outflow", "n_other_banks", "n_customers"]
    sums = months.group_by("month").agg(pl.col(names).cast(pl.Int64).sum()).sort("month")
    return sums.with_columns(share=pl.when(pl.col("outflow") > 0).then(pl.col("other_banks") / pl.col("outflow")))


def wins(steps: pl.DataFrame) -> pl.DataFrame:
    """How many of the leads that are old enough were won: the rows of the last step with won, low and high (95 %).

    Examples
    --------
    >>> steps = pl.DataFrame({"step": ["offered", "opened"], "n_settled": [None, 10], "n_wins": [None, 8]})
    >>> wins(steps).select("won", pl.col("low").round(2), pl.col("high").round(2)).rows()
    [(0.8, 0.49, 0.94)]
    """
    n, of = pl.col("n_wins"), pl.col("n_settled")
    low, high = wilson(n, of)
    last = steps.filter(pl.col("step").cast(pl.String) == STEPS[-1])
    return last.with_columns(low.alias("low"), high.alias("high"), won=pl.when(of > 0).then(n / of))


def group(traits: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
    """The customers of two groups, each as ``segment=Gold``: a column is_first, then their traits.

    Nothing asked for is everybody else, and who is in both counts for the first.

    Examples
    --------
    >>> traits = pl.DataFrame({"customer_id": [1, 2, 3], "tier": ["gold", "basic", None]})
    >>> group(traits, "tier=gold", "")["is_first"].to_list()
    [True, False, False]
    >>> group(traits, "", "tier=gold")["is_first"].to_list()
    [False, True, True]
    >>> group(traits, "tier=gold", "tier=basic").height
    2
    """
    is_first = _is_in(first) if first else ~_is_in(second)
    return traits.with_columns(is_first=is_first).filter(pl.col("is_first") | _is_in(second))


def _is_in(chosen: str) -> pl.Expr:
    if not chosen:
        return pl.lit(True)
    column, value = chosen.split("=", 1)
    return (pl.col(column).cast(pl.String) == value).fill_null(False)
