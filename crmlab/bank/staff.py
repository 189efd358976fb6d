"""The part of the dictionary about the bank's own people: managers, what they look after, and what is asked of them."""

import dataframely as dy
import polars as pl

from crmlab.bank.columns import CURRENT, FIXED, dated, day, key, one_of, other_id, share_, text
from crmlab.policy import LINES


class Managers(dy.Schema):
    manager_id = key()
    name = text()
    branch_id = other_id(nullable=True)
    grade = text(CURRENT)
    joined_on = day()
    left_on = day(metadata=dated("left_on"))


class Assignments(dy.Schema):
    """Who originates or maintains what: the scope says which one of account, line, customer and branch is meant."""

    manager_id = other_id()
    role = one_of(["originates", "maintains"], nullable=False)
    scope = one_of(["account", "line", "customer", "branch"], nullable=False)
    account_id = other_id(nullable=True)
    customer_id = other_id(nullable=True)
    line = one_of(LINES)
    branch_id = other_id(nullable=True)
    share = share_()
    from_on = day(nullable=False)
    to_on = day(metadata=dated("to_on"))

    @dy.rule()
    def starts_before_it_ends(cls) -> pl.Expr:
        return pl.col("from_on") <= pl.col("to_on")

    @dy.rule()
    def scope_names_its_object(cls) -> pl.Expr:
        scope = pl.col("scope")
        return (
            pl.when(scope == "account").then(pl.col("account_id").is_not_null())
            .when(scope == "customer").then(pl.col("customer_id").is_not_null())
            .when(scope == "line").then(pl.col("customer_id").is_not_null() & pl.col("line").is_not_null())
            .otherwise(pl.col("branch_id").is_not_null())
        )  # fmt: skip


class ManagerEvents(dy.Schema):
    manager_id = other_id()
    on = day(nullable=False)
    kind = one_of(["joined", "moved", "promoted", "leave", "left"], nullable=False)
    detail = text()


class Capacity(dy.Schema):
    manager_id = key()
    month = dy.Date(primary_key=True, metadata=FIXED)
    n_contacts = dy.Int32(min=0, metadata=FIXED)


class Targets(dy.Schema):
    """A target of a manager, or of a branch where `manager_id` is null; set before its period starts."""

    measure = other_id()
    branch_id = other_id(nullable=True)
    manager_id = other_id(nullable=True)
    set_on = day(nullable=False)
    from_on = day(nullable=False)
    to_on = day(nullable=False)
    target = dy.Int64(metadata=FIXED)
