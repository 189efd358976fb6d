"""Who keeps which customer on a day."""

from datetime import date

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank


def keepers(bank: Bank, on: date) -> pl.DataFrame:
    """The manager who maintains each customer on a day; a customer without one is branch-public and absent.

    An assignment of the customer as a whole goes before one of a line and that before one of an account; among several
    the larger share goes first, then the lower manager_id.

    Returns
    -------
    pl.DataFrame
        customer_id, manager_id
    """
    order = {"customer": 0, "line": 1, "account": 2}
    open_then = pl.col("closed_on").is_null() | (pl.col("closed_on") > on)
    owners = bank.table("accounts").filter(open_then).select("account_id", owner_id="customer_id")
    gone = bank.table("managers").filter(pl.col("left_on") < on).select("manager_id")
    return (
        bank.table("assignments")
        .join(gone, on="manager_id", how="anti")
        .filter(
            pl.col("role") == "maintains",
            pl.col("scope") != "branch",
            pl.col("from_on") <= on,
            pl.col("to_on").is_null() | (pl.col("to_on") >= on),
        )
        .join(owners, on="account_id", how="left")
        .with_columns(
            pl.coalesce("customer_id", "owner_id").alias("customer_id"),
            nearness=pl.col("scope").cast(pl.String).replace_strict(order, return_dtype=pl.Int8),
        )
        .filter(pl.col("customer_id").is_not_null())
        .sort("customer_id", "nearness", -pl.col("share").fill_null(MILLION), "manager_id")
        .group_by("customer_id", maintain_order=True)
        .agg(pl.col("manager_id").first())
        .collect()
    )
