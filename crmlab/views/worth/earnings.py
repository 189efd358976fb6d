"""What `worth` computes on a control: pure Polars functions of page tables, all of them live.

The page tables are described in `crmlab.mart`. Money stays in minor units unless a function takes `digits`; costs are
negative, loans are told as positive outstanding.
"""

from datetime import date
from math import sqrt

import polars as pl

from crmlab.measures import completeness
from crmlab.views.book import ALL

MEASURES = {"contribution": "contribution", "aum": "aum_average", "loans": "loans"}  # column of a customer
GROUPS = ("kind", "tier", "grade", "segment", "branch")
SMALL = 30  # below it one customer decides what a group looks like
FEW = 5  # key customers of whom a manager may be told from others


def levels(worth: pl.DataFrame) -> pl.DataFrame:
    """Customers, average AUM and contribution by tier and the grade within it.

    Examples
    --------
    >>> worth = pl.DataFrame(
    ...     {"tier": ["gold"] * 2, "grade": ["A"] * 2, "aum_average": [5, None], "contribution": [3, -1]})
    >>> levels(worth).rows()
    [('gold', 'A', 2, 5, 2)]
    """
    return (
        worth.group_by("tier", "grade")
        .agg(n=pl.len().cast(pl.Int64), aum=pl.col("aum_average").sum(), contribution=pl.col("contribution").sum())
        .sort("tier", "grade")
    )


def near(worth: pl.DataFrame, order: list[str]) -> pl.DataFrame:
    """Customers just below a tier (missing a little) and just above its lower bound (who would fall), by tier.

    Parameters
    ----------
    worth
        tier, next_tier, is_near_up, is_near_down.
    order
        The tiers, lowest first.

    Examples
    --------
    >>> worth = pl.DataFrame({"tier": ["basic", "gold"], "next_tier": ["gold", None],
    ...     "is_near_up": [True, False], "is_near_down": [False, True]})
    >>> near(worth, ["basic", "gold"]).rows()
    [('gold', 1, 1)]
    """
    up = dict(worth.group_by("next_tier").agg(pl.col("is_near_up").sum().cast(pl.Int64)).iter_rows())
    down = dict(worth.group_by("tier").agg(pl.col("is_near_down").sum().cast(pl.Int64)).iter_rows())
    return pl.DataFrame(
        [(tier, up.get(tier, 0), down.get(tier, 0)) for tier in order[1:]],
        schema={"tier": pl.String, "up": pl.Int64, "down": pl.Int64},
        orient="row",
    )


def of(lines: pl.DataFrame, worth: pl.DataFrame, everyone: int) -> pl.DataFrame:
    """The rows of those customers; all of them, untouched, where they are everyone.

    Examples
    --------
    >>> lines = pl.DataFrame({"customer_id": [1, 2], "amount": [5, 7]})
    >>> of(lines, pl.DataFrame({"customer_id": [2]}), everyone=2)["amount"].to_list()
    [7]
    """
    if worth.height == everyone:
        return lines
    return lines.filter(pl.col("customer_id").is_in(worth["customer_id"].implode()))


def by_line(lines: pl.DataFrame) -> pl.DataFrame:
    """Contribution by line and component, the line that earns most first.

    Examples
    --------
    >>> lines = pl.DataFrame({"line": ["loans", "cards", "loans"], "component": ["margin", "fee", "margin"],
    ...     "amount": [4, 1, 2]})
    >>> by_line(lines).rows()
    [('loans', 'margin', 6), ('cards', 'fee', 1)]
    """
    sums = lines.group_by("line", "component").agg(pl.col("amount").sum())
    return sums.sort(-pl.col("amount").sum().over("line"), "line", "component")


def by_month(months: pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """Contribution by month and line after `start`, up to `end`.

    Examples
    --------
    >>> days = [date(2025, 1, 31), date(2025, 2, 28)]
    >>> months = pl.DataFrame({"month": days, "line": ["loans"] * 2, "amount": [4, 5]})
    >>> by_month(months, *days).rows()
    [(datetime.date(2025, 2, 28), 'loans', 5)]
    """
    inside = (pl.col("month") > start) & (pl.col("month") <= end) if start < end else pl.col("month") == end
    return (
        months.filter(inside)
        .group_by("month", "line")
        .agg(pl.col("amount").sum())
        .sort(-pl.col("amount").abs().sum().over("line"), "line", "month")
    )


def deviation(trend: pl.DataFrame, spikes: pl.DataFrame) -> pl.DataFrame:
    """By how much AUM closed above its average of the month, by month, and how many customers had a spike.

    Parameters
    ----------
    trend
        month, class, closing, balance_days, days.
    spikes
        month, n: customers with a spike, quarter ends only.

    Examples
    --------
    >>> trend = pl.DataFrame({"month": [date(2025, 9, 30)], "class": ["deposits"], "closing": [110],
    ...     "balance_days": [3000], "days": [30]})
    >>> deviation(trend, pl.DataFrame({"month": [date(2025, 9, 30)], "n": [2]})).row(0)
    (datetime.date(2025, 9, 30), 110, 100.0, 0.1, 2)
    """
    held = trend.filter(pl.col("class").is_in(["deposits", "investments"]))
    months = held.group_by("month").agg(
        pl.col("closing").sum(), average=pl.col("balance_days").sum() / pl.col("days").max()
    )
    found = months.filter(pl.col("average") > 0).with_columns(
        share=(pl.col("closing") / pl.col("average") - 1).round(9)
    )
    counts = spikes.group_by("month").agg(pl.col("n").sum())
    return found.join(counts, on="month", how="left").select("month", "closing", "average", "share", "n").sort("month")


def group(worth: pl.DataFrame, chosen: str) -> pl.DataFrame:
    """The customers of a group: ``tier=gold``, ``branch=Riverside``; everyone where nothing is asked for.

    Examples
    --------
    >>> group(pl.DataFrame({"tier": ["gold", "basic"]}), "tier=gold").height
    1
    """
    if chosen == ALL:
        return worth
    column, value = chosen.split("=", 1)
    return worth.filter(pl.col(column) == value)


def offered(worth: pl.DataFrame, tiers: pl.DataFrame, segments: list[str]) -> list[str]:
    """The groups that can be compared, each kind of group in its own order.

    Examples
    --------
    >>> worth = pl.DataFrame({"kind": ["retail"], "tier": ["gold"], "grade": ["A"], "segment": ["Loyal"],
    ...     "branch": ["Riverside"]})
    >>> tiers = pl.DataFrame({"rule": ["tier", "grade"], "name": ["gold", "A"], "rank": [0, 0]})
    >>> offered(worth, tiers, ["Loyal"])
    ['', 'kind=retail', 'tier=gold', 'grade=A', 'segment=Loyal', 'branch=Riverside']
    """
    named = {
        rule: tiers.filter(pl.col("rule") == rule).sort("rank", descending=True)["name"].to_list()
        for rule in ("tier", "grade")
    }
    named["segment"] = segments
    found = []
    for column in GROUPS:
        there = worth[column].drop_nulls().unique().cast(pl.String).sort().to_list()
        found += [f"{column}={name}" for name in named.get(column, there) if name in there]
    return [ALL, *found]


def least_known(key: pl.DataFrame, by: str, most: int = 5) -> pl.DataFrame:
    """Managers or branches whose key customers have the lowest share of required fields filled, the lowest first.

    Every key customer is counted, so there is no interval. Left out are those with fewer than `FEW` of them, and those
    with nothing missing.

    Parameters
    ----------
    key
        n_required, n_filled and the columns of `by`: a row a key customer.
    by
        manager or branch, of which the columns are its name and its number (``manager_id``).
    most
        How many of them at most.

    Examples
    --------
    >>> key = pl.DataFrame({"manager_id": ["M1"] * 5 + ["M2"], "manager": ["Li"] * 5 + ["Xu"], "n_required": [4] * 6,
    ...     "n_filled": [4, 4, 4, 4, 2, 0]})
    >>> least_known(key, "manager").select("manager", "n", "n_complete", "filled_share").rows()
    [('Li', 5, 4, 0.9)]
    """
    found = completeness.shares(key, f"{by}_id", by)
    found = found.filter(pl.col("n") >= FEW, pl.col("n_filled") < pl.col("n_required"))
    return found.sort("filled_share", -pl.col("n"), f"{by}_id").head(most)


def profile(worth: pl.DataFrame) -> dict:
    """A group in numbers: customers, AUM and contribution of each, and the share who cost more than they bring.

    `mean` and `error` are of the contribution, in minor units; `error` is the standard error of the mean.

    Examples
    --------
    >>> profile(pl.DataFrame({"aum_average": [10, 30], "contribution": [5, 5]}))
    {'n': 2, 'aum': 20.0, 'mean': 5.0, 'error': 0.0, 'losing': 0.0}
    """
    n = worth.height
    if not n:
        return {"n": 0, "aum": None, "mean": None, "error": None, "losing": None}
    each = worth["contribution"]
    return {
        "n": n,
        "aum": worth["aum_average"].sum() / n,
        "mean": each.mean(),
        "error": each.std() / sqrt(n) if n > 1 else None,
        "losing": (each < 0).sum() / n,
    }


def each(sums: pl.DataFrame, n: list[int], by: str) -> pl.DataFrame:
    """What a customer of each group contributes by line or component; on top where the groups differ most.

    Parameters
    ----------
    sums
        group (0, 1, ...), line, component, amount.
    n
        Customers in each group.
    by
        line or component.

    Examples
    --------
    >>> sums = pl.DataFrame({"group": [0, 0], "line": ["loans"] * 2, "component": ["fee", "margin"], "amount": [6, 2]})
    >>> each(sums, [2, 1], "line").rows()
    [(0, 'loans', 4.0), (1, 'loans', 0.0)]
    """
    groups = pl.DataFrame({"group": range(len(n)), "n": n}, schema={"group": pl.Int32, "n": pl.Int64})
    known = sums.select(pl.col("group").cast(pl.Int32), by, "amount").group_by("group", by).agg(pl.col("amount").sum())
    every = sums.select(by).unique().join(groups, how="cross").join(known, on=["group", by], how="left")
    filled = every.with_columns(pl.col("amount").fill_null(0) / pl.col("n").clip(1))
    apart = (pl.col("amount").max() - pl.col("amount").min()).over(by)
    return filled.sort(-apart, by, "group").select("group", by, "amount")


def apart(first: dict, second: dict) -> tuple[float, float] | None:
    """By how much the first group's mean contribution lies above the second's, and the half width of its 95 % interval.

    None where either group is too small for the interval to mean something.

    Examples
    --------
    >>> large = {"n": 400, "mean": 100.0, "error": 3.0}
    >>> apart(large, {"n": 900, "mean": 60.0, "error": 4.0})
    (40.0, 9.8)
    """
    if min(first["n"], second["n"]) < SMALL:
        return None
    return first["mean"] - second["mean"], 1.96 * sqrt(first["error"] ** 2 + second["error"] ** 2)
