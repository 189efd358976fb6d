"""What is known of each account before its flows: the days of its history, its opening balance, where it is cut."""

from datetime import timedelta

import polars as pl

from crmlab.bank.read import Bank

STATED = ["daily", "month_end", "balance_days"]


def spans(bank: Bank) -> pl.DataFrame:
    """Account by account, the days of its history up to `as_of` and the balance with which that history opens.

    Returns
    -------
    pl.DataFrame
        account_id, history_kind, starts_on, ends_on (inclusive), opening (minor units of the account's currency; zero
        for an account opened inside the history, null for an older one without an anchor).
    """
    first = bank.history_from
    opened_inside = pl.col("opened_on") >= first
    return (
        bank.table("accounts")
        .filter(pl.col("closed_on").is_null() | (pl.col("closed_on") >= first))
        .join(_anchors(bank), on="account_id", how="left")
        .select(
            "account_id",
            pl.col("history_kind").cast(pl.String).fill_null("transactions"),
            starts_on=pl.max_horizontal("opened_on", pl.lit(first)),
            ends_on=pl.min_horizontal("closed_on", pl.lit(bank.as_of)),
            opening=pl.when(opened_inside).then(pl.lit(0, pl.Int64)).otherwise("anchor"),
        )
        .sort("account_id")
        .collect()
    )


def _anchors(bank: Bank) -> pl.LazyFrame:
    """The last balance stated at or before the first day of history, taken back to the start of that day.

    A balance of the day itself says no more than one of the day before; between them a control, which is there to be
    compared, gives way to the others.
    """
    first = bank.history_from
    stands_from = pl.min_horizontal("on", pl.lit(first - timedelta(days=1)))
    anchors = (
        bank.table("balances")
        .filter(pl.col("kind") != "balance_days", pl.col("on") <= first)
        .sort("account_id", stands_from, pl.col("kind") != "control", "on", "kind")
        .group_by("account_id", maintain_order=True)
        .last()
    )
    that_day = (
        bank.table("transactions")
        .filter(pl.col("booked_on") == first)
        .group_by("account_id")
        .agg(flow=pl.col("amount").sum())
    )
    counted = pl.when(pl.col("on") == first).then(pl.col("flow")).fill_null(0)
    return anchors.join(that_day, on="account_id", how="left").select("account_id", anchor=pl.col("balance") - counted)


def resets(bank: Bank) -> pl.DataFrame:
    """Balances that an account takes on a day whatever its flows say: valuations, and stated histories.

    Returns
    -------
    pl.DataFrame
        account_id, on, balance (at the end of the day), by account and day.
    """
    stated = bank.table("accounts").filter(pl.col("history_kind").is_in(STATED)).select("account_id")
    first = bank.history_from
    inside = bank.table("accounts").filter(pl.col("opened_on") >= first).select("account_id", is_inside=True)
    balances = (
        bank.table("balances")
        .join(inside, on="account_id", how="left")
        .filter((pl.col("on") > first) | (pl.col("is_inside") & (pl.col("on") == first)))
    )
    return (
        pl.concat(
            [
                balances.filter(pl.col("kind") == "valuation"),
                balances.filter(pl.col("kind") == "anchor").join(stated, on="account_id", how="semi"),
            ]
        )
        .select("account_id", "on", "balance")
        .unique(["account_id", "on"], keep="first")
        .sort("account_id", "on")
        .collect()
    )


def stated_balance_days(bank: Bank) -> pl.DataFrame:
    """Balance-days (积数) as the bank states them.

    Returns
    -------
    pl.DataFrame
        account_id, month, stated
    """
    return (
        bank.table("balances")
        .filter(pl.col("kind") == "balance_days")
        .group_by("account_id", month=pl.col("on").dt.month_end())
        .agg(stated=pl.col("balance").sum())
        .collect()
    )


def handovers(bank: Bank) -> pl.DataFrame:
    """The days on which who originates or maintains an account changes, for any of its holders.

    An assignment ends with its manager's last day at the latest.

    Returns
    -------
    pl.DataFrame
        account_id, starts_on: first day of the new state, once each.
    """
    owned = (
        bank.table("accounts")
        .join(bank.table("products").select("product_id", pl.col("line").cast(pl.String)), on="product_id", how="left")
        .select("account_id", "customer_id", "branch_id", "line")
    )
    joint = bank.table("holders").filter(pl.col("role") != "user", pl.col("share") > 0)
    joint = joint.select("account_id", "customer_id").join(owned.drop("customer_id"), on="account_id")
    accounts = pl.concat([owned, joint.select("account_id", "customer_id", "branch_id", "line")])
    left = bank.table("managers").select("manager_id", "left_on")
    assignments = (
        bank.table("assignments")
        .join(left, on="manager_id", how="left")
        .with_columns(pl.col("line").cast(pl.String), to_on=pl.min_horizontal("to_on", "left_on"))
    )
    days = pl.concat(
        [
            assignments.with_columns(starts_on="from_on"),
            assignments.filter(pl.col("to_on") < bank.as_of).with_columns(starts_on=pl.col("to_on").dt.offset_by("1d")),
        ]
    )
    keys = {
        "account": ["account_id"],
        "customer": ["customer_id"],
        "line": ["customer_id", "line"],
        "branch": ["branch_id"],
    }
    return (
        pl.concat(
            [
                days.filter(pl.col("scope") == scope)
                .select(*key, "starts_on")
                .unique()
                .join(accounts, on=key)
                .select("account_id", "starts_on")
                for scope, key in keys.items()
            ]
        )
        .unique()
        .sort("account_id", "starts_on")
        .collect()
    )
