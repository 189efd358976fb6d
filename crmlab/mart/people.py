"""The tables of customers through time: who there ever was, and where each of them stood every month."""

from typing import NamedTuple

import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.measures import lifecycle, segments, standing

LAST = {"customer_id": pl.Int32, "last_active_on": pl.Date, "manager_id": pl.String}


class Paths(NamedTuple):
    """Customer × month: a frame each for segment, state, tier and AUM, with a column of that name.

    Tiers are those of assessments; between two of them the last one's holds.
    """

    segment: pl.DataFrame
    state: pl.DataFrame
    tier: pl.DataFrame
    aum: pl.DataFrame


class People:
    """What each customer had, earned and did, month by month, and what segments and life cycle make of it."""

    def __init__(self, bank: Bank):
        self.bank = bank
        first = held(bank).group_by("customer_id").agg(first_on=pl.col("opened_on").min())
        self.everyone = (
            bank.table("customers")
            .join(first, on="customer_id", how="left")
            .select(
                "customer_id", "customer_no", pl.col("kind").cast(pl.String), "branch_id",
                (pl.col("name").str.slice(0, 1) + "…").alias("name"), "since", "first_on",
            )
            .sort("customer_id")
            .collect()
        )  # fmt: skip
        self.months: list[pl.DataFrame] = []
        self.unbroken: list[pl.DataFrame] = []
        self.last = pl.DataFrame(schema=LAST)

    def add_month(self, customers: pl.DataFrame, lines: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
        """Take a month of `panel.customers`, its `contribution.lines` and who keeps whom; gives `standing.table`.

        Nobody's path leads over a month in which nobody had an account: it begins anew after it.
        """
        rows = standing.table(customers, lines, self.everyone, self.bank.policy, self.last)
        self.months.append(rows)
        self.unbroken = [*self.unbroken, rows] if rows.height else []
        self._remember(rows.join(kept, on="customer_id", how="left"))
        return rows

    def standing(self) -> pl.DataFrame:
        """All months so far."""
        return pl.concat(self.months)

    def paths(self, tiers: pl.DataFrame) -> Paths:
        """Everybody's way through segments, life cycle and, by the history of the first tier rule, `tiers`.

        Raises
        ------
        InputError
            When nobody has an open account at the end.
        """
        if not self.months[-1]["is_open"].any():
            raise InputError(f"Nobody has an open account on {self.bank.as_of}. Choose another day.")
        rows, policy = pl.concat(self.unbroken), self.bank.policy
        return Paths(segments.assign(rows, policy), lifecycle.states(rows, policy), tiers, rows.filter("is_open"))

    def marks(self, paths: Paths) -> pl.DataFrame:
        """Where each customer stands at the end: activity, earning, growth, segment, state, tier; null: cannot tell."""
        now, assessed = pl.col("month") == self.months[-1]["month"][0], pl.col("month") == pl.col("month").max()
        found = paths.state.filter(now).select("customer_id", "state")
        tier = paths.tier.filter(assessed).select("customer_id", "tier")
        for frame in (paths.segment.filter(now).drop("kind", "month"), tier):
            found = found.join(frame, on="customer_id", how="left")
        return found.with_columns(pl.exclude("customer_id").cast(pl.String))

    def tables(self, paths: Paths) -> dict[str, pl.DataFrame]:
        """The page tables by name."""
        people = self.everyone.join(self.last.drop("last_active_on"), on="customer_id", how="left").sort("customer_id")
        side = people.select("customer_id", "kind", "branch_id", "manager_id")
        side = side.join(paths.state, on="customer_id", how="semi", maintain_order="left")
        for name, frame in paths._asdict().items():
            side = _side_by_side(side, frame, name)
        side = side.with_columns(_in_force(side.columns))
        rules = self.bank.policy.segmentation.rows
        return {
            "people": people,
            "paths": side,
            "segments": pl.DataFrame(
                [
                    (one.name, *map(", ".join, (one.activity, one.earning, one.growth)), one.means, one.do)
                    for one in rules
                ],
                schema=dict.fromkeys(("name", "activity", "earning", "growth", "means", "do"), pl.String),
                orient="row",
            ),
            "segment_cells": segments.cells(self.bank.policy),
        }

    def _remember(self, rows: pl.DataFrame) -> None:
        """Who looks after each customer and when they last did something; of those who are gone, as it was."""
        then = self.last.select("customer_id", was="manager_id")
        manager = pl.when("is_open").then("manager_id").otherwise("was").alias("manager_id")
        now = rows.join(then, on="customer_id", how="left").select("customer_id", "last_active_on", manager)
        self.last = pl.concat([self.last.join(now, on="customer_id", how="anti"), now])


def held(bank: Bank) -> pl.LazyFrame:
    """The accounts of each customer, a joint one as often as it has holders: customer_id and what is known of it."""
    accounts = bank.table("accounts")
    joint = bank.table("holders").filter(pl.col("role") != "user", pl.col("share") > 0)
    joint = joint.select("account_id", holder_id="customer_id").join(accounts, on="account_id")
    joint = joint.filter(pl.col("holder_id") != pl.col("customer_id")).with_columns(customer_id="holder_id")
    return pl.concat([accounts, joint.select(accounts.collect_schema().names())])


def _side_by_side(people: pl.DataFrame, rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """A row a customer, and the values of a column of each month side by side: ``segment 2024-01-31``, …"""
    # A join a month takes a thirteenth of the time of a pivot.
    for (month,), of in sorted(rows.partition_by("month", as_dict=True).items()):
        told = of.select("customer_id", pl.col(name).alias(f"{name} {month}"))
        people = people.join(told, on="customer_id", how="left", maintain_order="left")
    return people


def _in_force(columns: list[str]) -> list[pl.Expr]:
    """The tier of each month: that of its assessment or the last one before it, of who is with us."""
    found, last = [], pl.lit(None, pl.String)
    for month in (name.removeprefix("state ") for name in columns if name.startswith("state ")):
        last = pl.col(f"tier {month}") if f"tier {month}" in columns else last
        found.append(pl.when(pl.col(f"state {month}") != "left").then(last).alias(f"tier {month}"))
    return found
