"""Who keeps which customer, on a day and from day to day."""

from datetime import date

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank

FOREVER = date(9999, 12, 31)
NEAREST = {"customer": 0, "line": 1, "account": 2}


def keepers(bank: Bank, on: date) -> pl.DataFrame:
    """The manager who maintains each customer on a day; a customer without one is branch-public and absent.

    An assignment of the customer as a whole goes before one of a line and that before one of an account; among several
    the larger share goes first, then the lower manager_id; where two branches claim more than the whole,
    ``managing.two_branches`` says who goes first.

    Returns
    -------
    pl.DataFrame
        customer_id, manager_id
    """
    rows = _assigned(bank, "maintains").filter(pl.col("from_on") <= on, pl.col("to_on") >= on)
    found = foremost(rows.collect(), ["customer_id"], bank.policy.managing.two_branches)
    return found.select("customer_id", "manager_id")


def keeping(bank: Bank, role: str = "maintains") -> pl.DataFrame:
    """Who kept each customer from when to when, as `keepers` tells it of every day; days without anybody are told, too.

    Parameters
    ----------
    bank
        The bank; what it has assigned up to `as_of`.
    role
        maintains, or originates: who brought the customer.

    Returns
    -------
    pl.DataFrame
        customer_id, manager_id (null: nobody, the customer is the branch's), from_on, to_on (null: still); by customer
        and day, without a gap from the day the customer joined, or was first assigned, on.
    """
    rows = _assigned(bank, role).collect()
    joined = bank.table("customers").select("customer_id", from_on="since").collect()
    nobody = joined.with_columns(to_on=pl.lit(FOREVER), nearness=pl.lit(len(NEAREST), pl.Int8), share=pl.lit(MILLION))
    days = stretches(pl.concat([rows, nobody], how="diagonal_relaxed"), ["customer_id"])
    kept = foremost(days, ["customer_id", "starts_on"], bank.policy.managing.two_branches)
    is_same = pl.col("manager_id").eq_missing(pl.col("manager_id").shift()) & (
        pl.col("customer_id") == pl.col("customer_id").shift()
    )
    return (
        kept.sort("customer_id", "starts_on")
        .with_columns(spell=(~is_same.fill_null(False)).cum_sum())
        .group_by("spell", maintain_order=True)
        .agg(
            pl.col("customer_id", "manager_id").first(),
            from_on=pl.col("starts_on").first(),
            to_on=pl.col("ends_on").last(),
        )
        .select("customer_id", "manager_id", "from_on", to_on=pl.col("to_on").replace(FOREVER, None))
    )


def stretches(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Each row as often as there are stretches of days, within its own, on which nothing of its group begins or ends.

    Parameters
    ----------
    rows
        from_on, to_on (both included; none is null) and the columns `by`.
    by
        What one group is.

    Returns
    -------
    pl.DataFrame
        `rows` with starts_on and ends_on of the stretch.

    Examples
    --------
    >>> day = [date(2024, 1, n) for n in (1, 10, 20, 31)]
    >>> rows = pl.DataFrame({"who": ["C1", "C1"], "m": ["M1", "M2"], "from_on": [day[0], day[1]],
    ...     "to_on": [day[2], day[3]]})
    >>> stretches(rows, ["who"]).select("m", pl.col("starts_on", "ends_on").dt.day()).sort("starts_on", "m").rows()
    [('M1', 1, 9), ('M1', 10, 20), ('M2', 10, 20), ('M2', 21, 31)]
    """
    is_alone = pl.len().over(by) == 1
    alone, others = rows.filter(is_alone), rows.filter(~is_alone)
    ends = others.filter(pl.col("to_on") < FOREVER).select(*by, starts_on=pl.col("to_on") + pl.duration(days=1))
    edges = pl.concat([others.select(*by, starts_on="from_on"), ends]).unique().sort(*by, "starts_on")
    edges = edges.with_columns(
        ends_on=(pl.col("starts_on").shift(-1).over(by) - pl.duration(days=1)).fill_null(FOREVER)
    )
    cut = edges.join(others, on=by).filter(pl.col("starts_on").is_between("from_on", "to_on"))
    return pl.concat(
        [alone.with_columns(starts_on="from_on", ends_on="to_on"), cut.select(*rows.columns, "starts_on", "ends_on")]
    )


def foremost(rows: pl.DataFrame, by: list[str], two_branches: str) -> pl.DataFrame:
    """Of the assignments of each group the one that goes first: the nearest, then the larger share, then the lower id.

    Parameters
    ----------
    rows
        The columns `by`, nearness (the lowest goes first), share, manager_id, branch_id (the manager's), from_on.
    by
        What one group is; all its rows hold on the same day.
    two_branches
        ``managing.two_branches``: "earlier" lets who came earlier go first where two branches claim more than
        the whole customer.
    """
    order = ["nearness", "share", "manager_id"]
    descending = [False, True, False]
    if two_branches == "earlier":
        whole, group = pl.col("nearness") == NEAREST["customer"], (*by, "nearness")
        branches, share = pl.col("branch_id").drop_nulls().n_unique(), pl.col("share").sum()
        is_clash = whole & (branches.over(group) > 1) & (share.over(group) > MILLION)
        rows = rows.with_columns(came_on=pl.when(is_clash).then("from_on"))
        order, descending = ["nearness", "came_on", *order[1:]], [False, False, *descending[1:]]
    firsts = rows.sort(*by, *order, descending=[False] * len(by) + descending)
    return firsts.unique(by, keep="first", maintain_order=True)


def _assigned(bank: Bank, role: str) -> pl.LazyFrame:
    """What is assigned in a role, a row a customer; an account's assignment ends with it, each with its manager."""
    managers = bank.table("managers").select("manager_id", "branch_id", "left_on")
    owners = bank.table("accounts").select("account_id", owner_id="customer_id", closed_on="closed_on")
    closed = pl.col("closed_on") - pl.duration(days=1)
    return (
        bank.table("assignments")
        .filter(pl.col("role") == role, pl.col("scope") != "branch")
        .drop("branch_id")
        .join(managers, on="manager_id", how="left")
        .join(owners, on="account_id", how="left")
        .select(
            pl.coalesce("customer_id", "owner_id").alias("customer_id"),
            "manager_id",
            "branch_id",
            "from_on",
            to_on=pl.min_horizontal("to_on", "left_on", closed).fill_null(FOREVER),
            share=pl.col("share").fill_null(MILLION),
            nearness=pl.col("scope").cast(pl.String).replace_strict(NEAREST, return_dtype=pl.Int8),
        )
        .filter(pl.col("customer_id").is_not_null(), pl.col("from_on") <= pl.col("to_on"))
    )
