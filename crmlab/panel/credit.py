"""Credit: which manager a sum counts for, day by day."""

from datetime import date
from typing import NamedTuple

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank
from crmlab.panel.align import by_account
from crmlab.panel.exact import largest_remainder
from crmlab.policy import Managing

PUBLIC = -1  # the number of no manager: the customer belongs to the branch
NEAREST = {"account": 0, "line": 1, "customer": 2}
FOREVER = date(9999, 12, 31)
# What counts of shares, the larger first: up to one, or in proportion, a millionth that is left going to the first.
_BEFORE = pl.col("share").cum_sum().over("#") - pl.col("share")
_WHOLE = pl.max_horizontal(pl.col("share").sum().over("#"), MILLION)
_PART = MILLION * pl.col("share") // _WHOLE
_LEFT = pl.when(_WHOLE > MILLION).then(MILLION - _PART.sum().over("#")).otherwise(0)
SHARES = {
    "larger share": pl.min_horizontal("share", (MILLION - _BEFORE).clip(lower_bound=0)),
    "in proportion": _PART + (pl.int_range(pl.len()).over("#") < _LEFT).cast(pl.Int64),
}


class Credit(NamedTuple):
    """Assignments of one role, with managers as numbers: their places in `managers`."""

    managers: pl.Series
    assignments: pl.DataFrame
    rules: Managing


def credit(bank: Bank, role: str = "maintains") -> Credit:
    """Who maintains (or originates) what, when, as known at `as_of`; an assignment ends with its manager's last day."""
    assigned = bank.table("assignments").select(pl.col("manager_id").unique())
    # A bank may name managers and not deliver them.
    left = bank.table("managers").select("manager_id", "left_on", branch="branch_id")
    managers = assigned.join(left, on="manager_id", how="left").sort("manager_id").collect().with_row_index("manager")
    ends = pl.min_horizontal(pl.col("to_on").fill_null(FOREVER), pl.col("left_on").fill_null(FOREVER))
    assignments = (
        bank.table("assignments")
        .filter(pl.col("role") == role, pl.col("scope") != "branch")
        .collect()
        .join(managers, on="manager_id")
        .select(
            "account_id",
            "customer_id",
            pl.col("line").cast(pl.String),
            pl.col("manager").cast(pl.Int32),
            "branch",
            "from_on",
            to_on=ends,
            share=pl.col("share").fill_null(MILLION),
            nearness=pl.col("scope").cast(pl.String).replace_strict(NEAREST, return_dtype=pl.Int8),
        )
        .sort("nearness", "share", "manager", descending=[False, True, False])
    )
    return Credit(managers["manager_id"], assignments, bank.policy.managing)


def credited(rows: pl.DataFrame, pairs: pl.DataFrame, credit: Credit, month: date, money: list[str]) -> pl.DataFrame:
    """Rows with the number of the manager they count for, those of several managers split by their shares.

    The nearest scope counts: account over line over customer. Where managers of two branches claim more than the whole,
    one goes first (``managing.two_branches``: the larger share, or who came earlier; then the lower manager_id), and
    what those of other branches have is theirs. Shares that do not reach one leave the rest to the branch; of shares
    beyond one the larger counts first, then the lower manager_id, or each in proportion (``managing.shares_over_one``).
    Money is split by largest remainder; what is not money goes to the first manager.

    Parameters
    ----------
    rows
        account_id, pair, starts_on: the first day of a stretch without a handover.
    pairs
        customer_id (the holder) and line of each pair, in the order of their numbers.
    credit
        As `credit` gives it.
    month
        Last day of the month in which the rows lie.
    money
        Columns to split; other columns of `rows` are counts, flags and keys.

    Returns
    -------
    pl.DataFrame
        `rows` with manager (Int32, `PUBLIC` where there is none) and is_main (the row that keeps the counts).
    """
    first = month.replace(day=1)
    assignments = credit.assignments.filter(pl.col("from_on") <= month, pl.col("to_on") >= first)
    # Nearly all customers have one manager all month; only the others need a look at each row's day.
    is_plain = (
        (pl.col("from_on") <= first)
        & (pl.col("to_on") >= month)
        & (pl.col("nearness") == NEAREST["customer"])
        & (pl.col("share") >= MILLION)
        & pl.col("customer_id").is_unique()
    )
    plain, others = assignments.filter(is_plain), assignments.filter(~is_plain)
    customers, accounts = (others[name].drop_nulls().unique() for name in ("customer_id", "account_id"))
    customer = pairs["customer_id"].gather(rows["pair"])
    size = max(series.max() or 0 for series in (customer, plain["customer_id"], customers)) + 1
    keeper = by_account(plain["customer_id"], plain["manager"], size).fill_null(PUBLIC)
    looks = by_account(customers, pl.repeat(True, len(customers), eager=True), size).fill_null(False)
    slow = looks.gather(customer)
    if len(accounts):
        slow = slow | rows["account_id"].is_in(accounts.implode())
    rows = rows.with_columns(manager=keeper.gather(customer), is_main=pl.lit(True))
    if not slow.any():
        return rows
    some = rows.filter(slow).drop("manager")
    some = some.hstack(pairs.select(pl.col("customer_id", "line").gather(some["pair"])))
    shared = _by_assignment(some, assignments, money, credit.rules)
    return pl.concat([rows.filter(~slow), shared.select(rows.columns)])


def _by_assignment(rows: pl.DataFrame, assignments: pl.DataFrame, money: list[str], rules: Managing) -> pl.DataFrame:
    """Each row beside the assignments in force on its first day, one row a manager."""
    rows = rows.with_row_index("#")
    keys = rows.select("#", "account_id", "customer_id", "line", "starts_on")
    found = [
        keys.join(assignments.filter(pl.col("nearness") == NEAREST[scope]).drop(*drop), on=on)
        for scope, on, drop in (
            ("account", ["account_id"], ["customer_id", "line"]),
            ("line", ["customer_id", "line"], ["account_id"]),
            ("customer", ["customer_id"], ["account_id", "line"]),
        )
    ]
    columns = ["#", "manager", "branch", "share", "nearness", "from_on", "to_on", "starts_on"]
    held = (
        pl.concat([frame.select(columns) for frame in found])
        .filter(pl.col("starts_on").is_between("from_on", "to_on"))
        .filter(pl.col("nearness") == pl.col("nearness").min().over("#"))
        .sort("#", "share", "manager", descending=[False, True, False])
        .unique(["#", "manager"], keep="first", maintain_order=True)
        .pipe(_of_one_branch, rules.two_branches)
        .with_columns(share=SHARES[rules.shares_over_one])
        .filter(pl.col("share") > 0)
        .select("#", "manager", "share")
    )
    rest = (
        keys.select("#")
        .join(held.group_by("#").agg(pl.col("share").sum()), on="#", how="left")
        .with_columns(share=MILLION - pl.col("share").fill_null(0), manager=pl.lit(PUBLIC, pl.Int32))
        .filter(pl.col("share") > 0)
    )
    parts = pl.concat([held, rest.select(held.columns)]).sort("#", "share", "manager", descending=[False, True, False])
    split = rows.join(parts, on="#").sort("#", "share", "manager", descending=[False, True, False])
    return split.with_columns(
        *(largest_remainder(pl.col(name), pl.col("share"), ["#"]).alias(name) for name in money),
        is_main=pl.col("#").is_first_distinct(),
    ).drop("#", "share")


def _of_one_branch(held: pl.DataFrame, two_branches: str) -> pl.DataFrame:
    """Where two branches claim more than the whole, one of them alone: who goes first has what the others would have.

    Shares that reach one at most are as agreed, whatever the branches.
    """
    if two_branches == "earlier":
        held = held.sort("#", "from_on", "share", "manager", descending=[False, False, True, False])
    # A manager without a branch is of none, and at odds with nobody.
    branch = pl.col("branch").drop_nulls().first().over("#")
    is_clash = pl.col("share").sum().over("#") > MILLION
    is_first = (pl.col("branch") == branch).fill_null(False) & (pl.col("branch").cum_count().over("#") == 1)
    freed = pl.col("share").filter("is_other").sum().over("#")
    return (
        held.with_columns(is_other=is_clash & (pl.col("branch") != branch).fill_null(False), is_first=is_first)
        .with_columns(share=pl.col("share") + pl.when("is_first").then(freed).otherwise(0))
        .filter(~pl.col("is_other"))
        .with_columns(pl.col("share").clip(upper_bound=MILLION))
        .sort("#", "share", "manager", descending=[False, True, False])
    )
