"""Rules across tables: what a row refers to must be there, and must have existed on the row's day.

A row is joined to its parents once; a parent that is not found, or does not fit, is then one named expression. Each
expression is true where the row is broken. Parents are those rows that were loaded, so a row of a rejected account is
a reject as well.
"""

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.schema import TABLES

PARENTS: dict[str, dict[str, str]] = {
    "customers": {"branch_id": "branches"},
    "managers": {"branch_id": "branches"},
    "parties": {"customer_id": "customers"},
    "accounts": {"customer_id": "customers", "product_id": "products", "branch_id": "branches"},
    "holders": {"account_id": "accounts", "customer_id": "customers"},
    "repricings": {"account_id": "accounts"},
    "loan_status": {"account_id": "accounts"},
    "transactions": {"account_id": "accounts"},
    "balances": {"account_id": "accounts"},
    "assignments": {
        "manager_id": "managers", "account_id": "accounts", "customer_id": "customers", "branch_id": "branches",
    },
    "manager_events": {"manager_id": "managers"},
    "capacity": {"manager_id": "managers"},
    "targets": {"manager_id": "managers", "branch_id": "branches"},
    "campaigns": {"product_id": "products"},
    "leads": {"customer_id": "customers", "manager_id": "managers", "product_id": "products"},
    "contacts": {"customer_id": "customers", "manager_id": "managers"},
    "nominations": {"customer_id": "customers"},
    "complaints": {"customer_id": "customers"},
    "surveys": {"customer_id": "customers"},
    "offers": {"campaign_id": "campaigns", "customer_id": "customers"},
    "relations": {"customer_id": "customers", "other_id": "customers"},
    "contact_persons": {"customer_id": "customers"},
}  # fmt: skip

# Columns of customers that name another customer; one that is not there is reported, and the row is loaded without it.
SELF = ("referred_by_id", "legal_rep_id")

# Parents before children; a table is landed when those it refers to are.
ORDER = sorted(
    TABLES, key=["branches", "products", "managers", "customers", "accounts", "campaigns", *TABLES].index
)  # fmt: skip

RULES: dict[str, dict[str, pl.Expr]] = {
    "repricings": {"on|before opening": pl.col("on") < pl.col("account_id.opened_on")},
    "loan_status": {"on|before opening": pl.col("on") < pl.col("account_id.opened_on")},
    "accounts": {"opened_on|before customer": pl.col("opened_on") < pl.col("customer_id.since")},
    "transactions": {
        "booked_on|before opening": pl.col("booked_on") < pl.col("account_id.opened_on"),
        "booked_on|after closing": pl.col("booked_on") > pl.col("account_id.closed_on"),
    },
    "balances": {
        "on|before opening": pl.col("on") < pl.col("account_id.opened_on"),
        "on|after closing": (pl.col("on") > pl.col("account_id.closed_on")) & (pl.col("balance") != 0),
    },
}


def with_parents(rows: pl.DataFrame, table: str, known: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows beside their parents: for ``account_id`` the columns ``account_id.number``, ``account_id.opened_on``...

    `known` holds the loaded parents as frames of `id`, `number` (that of the row) and what else a rule needs; a parent
    table that was not delivered is not asked for.
    """
    for column, parent in PARENTS.get(table, {}).items():
        if parent in known:
            ids = known[parent].select("id", "number")
            found = rows.select(column).join(ids, left_on=column, right_on="id", how="left", maintain_order="left")
            facts = known[parent].select(pl.exclude("id").gather(found["number"]).name.prefix(f"{column}."))
            rows = rows.with_columns(facts.get_columns())
    return rows


def rules(table: str, known: dict[str, pl.DataFrame]) -> dict[str, pl.Expr]:
    """The rules of a table by name, for rows that stand beside their parents."""
    unknown = {
        f"{column}|unknown": pl.col(column).is_not_null() & pl.col(f"{column}.number").is_null()
        for column, parent in PARENTS.get(table, {}).items()
        if parent in known
    }
    return unknown | RULES.get(table, {})


def uneven_shares(holders: pl.DataFrame) -> pl.Series:
    """True for holders of an account whose shares are given and do not add to one; users have none and do not count.

    Examples
    --------
    >>> rows = {"account_id": [1, 1, 2, 2], "role": ["owner", "joint", "owner", "user"], "share": [400, 600, 900, 100]}
    >>> uneven_shares(pl.DataFrame(rows).with_columns(pl.col("share") * 1000)).to_list()
    [False, False, True, True]
    """
    share = pl.when(pl.col("role") != "user").then("share")
    given = share.is_not_null().any().over("account_id")
    return holders.select(given & (share.sum().over("account_id") != MILLION)).to_series()
