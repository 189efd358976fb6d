"""Holdings: who held which product from when to when, whatever accounts it ran in."""

import polars as pl

from crmlab.bank.read import Bank

PAIR = ["customer_id", "product_id"]
OPEN = 2**31 - 1  # a day after all others, for what is not closed


def holdings(bank: Bank) -> pl.DataFrame:
    """The spells in which customers held a product, as known at `as_of`.

    Answers: what does this customer have, and what did they take when?

    Accounts of one product held side by side, or one after the other with no more than ``crosssell.gap_days`` from the
    closing to the next opening, are one spell: a deposit that is renewed in a new account has not been taken anew. The
    owner holds an account, and so does every joint holder, whatever their share; a user does not.

    Returns
    -------
    pl.DataFrame
        customer_id, kind (of customer), product_id, product (its name), line, opened_on, closed_on (null: held at
        `as_of`; that day itself is not held any more); by customer, product and day.

    Notes
    -----
    Joint holders are told without a date, and hold from the opening on. A spell is bridged when it opens again: on a
    day within such a gap it was not known yet that it would be.
    """
    products = bank.table("products").select(
        "product_id", pl.col("line").cast(pl.String), product=pl.coalesce("name", "product_id")
    )
    kinds = bank.table("customers").select("customer_id", pl.col("kind").cast(pl.String))
    return (
        _spells(_held(bank), bank.policy.crosssell.gap_days)
        .join(products, on="product_id", how="left")
        .join(kinds, on="customer_id", how="left")
        .select("customer_id", "kind", "product_id", "product", "line", "opened_on", "closed_on")
        .sort(*PAIR, "opened_on")
        .collect()
    )


def _held(bank: Bank) -> pl.LazyFrame:
    """The accounts of each customer, a joint one as often as it has holders."""
    days = ["opened_on", "closed_on"]
    accounts = bank.table("accounts").select("account_id", *PAIR, *days)
    joint = (
        bank.table("holders")
        .filter(pl.col("role") != "user")
        .select("account_id", "customer_id")
        .join(accounts.drop("customer_id"), on="account_id")
    )
    return pl.concat([accounts.select(*PAIR, *days), joint.select(*PAIR, *days)]).unique()


def _spells(accounts: pl.LazyFrame, gap_days: int) -> pl.LazyFrame:
    """Accounts side by side or close behind each other as one."""
    ends = pl.col("closed_on").to_physical().fill_null(OPEN)
    until = pl.col("end").cum_max().shift().over(PAIR)
    is_new = (pl.col("opened_on").to_physical().cast(pl.Int64) > until + gap_days).fill_null(True)
    return (
        accounts.with_columns(end=ends.cast(pl.Int64))
        .sort(*PAIR, "opened_on", "end")
        .with_columns(spell=is_new.cum_sum())
        .group_by(*PAIR, "spell")
        .agg(pl.col("opened_on").min(), end=pl.col("end").max())
        .with_columns(closed_on=pl.when(pl.col("end") < OPEN).then("end").cast(pl.Int32).cast(pl.Date))
    )
