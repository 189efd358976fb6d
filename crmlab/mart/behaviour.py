"""The tables of what customers do: the traits that tell groups apart, spending, channels, money to other banks."""

from datetime import date
from functools import reduce

import polars as pl

from crmlab import panel
from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank
from crmlab.mart.people import held
from crmlab.measures import channels, spending
from crmlab.measures.clusters import Clusters
from crmlab.policy import LINES, Policy

APART, TOLD = 0.5, 3  # standard deviations from which a feature is worth telling, and how many are
GROUP = ["branch_id", "manager_id", "kind"]
NEEDED = [*spending.ROWS, "channel", "initiated_by"]
TRAITS = [
    "customer_id", "kind", "branch_id", "manager_id", "segment", "state", "tier", "tenure_months", "aum_average",
    "deposits", "loans", "n_lines", "recency_days", "frequency", "monetary", "is_active",
]  # fmt: skip


class Behaviour:
    """What customers bought, through which channels they acted and what they sent away, gathered month by month."""

    def __init__(self, bank: Bank, people: pl.DataFrame):
        self.bank = bank
        self.owners = bank.table("accounts").select("account_id", "customer_id", "currency")
        self.of = people.select("customer_id", *GROUP)
        self.spending: list[pl.DataFrame] = []
        self.channels: list[pl.DataFrame] = []
        self.bought, self.left, self.acts = [], [], []  # of recent months, in one frame each

    def add_month(self, month: date, standing: pl.DataFrame, is_recent: bool) -> None:
        """Take one month of `standing.table`. Traits are told of recent months only.

        Who closes the last account within the month counts: with them goes the money that went to other banks.
        """
        # What is reversed in this month or the next is taken back. The months come first: else each reads all of them.
        seen = pl.col("booked_on").is_between(month.replace(day=1), pl.lit(month).dt.offset_by("1mo").dt.month_end())
        rows = spending.net(self.bank.table("transactions").filter(seen)).join(self.owners, on="account_id")
        rows = panel.in_base_of_the_day(rows, self.bank).select(NEEDED).collect(engine="streaming")
        span = rows, month.replace(day=1), min(month, self.bank.as_of)
        bought, left = spending.summary(*span), spending.outflow(*span)
        acts = channels.summary(*span, self.bank.policy)
        key = ["month", *GROUP, "category"]
        sums = bought.join(self.of, on="customer_id", how="left").group_by(key).agg(pl.col("amount", "n").sum())
        self.spending.append(sums.sort(key, nulls_last=True))
        rows = standing.select("customer_id", month=pl.lit(month)).join(self.of, on="customer_id", how="left")
        for frame in (acts, left):
            rows = rows.join(frame.drop("month"), on="customer_id", how="left")
        self.channels += [channels.totals(rows, ["month", *GROUP])] if rows.height else []
        if is_recent:
            self.bought = _added(self.bought, bought.drop("month"), "customer_id", "category")
            self.left = _added(self.left, left.drop("month"), "customer_id")
            self.acts = _added(self.acts, acts.drop("month"), "customer_id")

    def tables(
        self,
        roster: pl.DataFrame,
        worth: pl.DataFrame,
        members: pl.DataFrame,
        marks: pl.DataFrame,
        clusters: Clusters,
    ) -> dict[str, pl.DataFrame]:
        """The page tables by name, from those they build on, where customers stand, and who is in which cluster."""
        known = [
            roster.select(TRAITS),
            marks.select("customer_id", "activity", "earning", "growth"),
            clusters.members.select("customer_id", cluster=_cluster()),
            worth.select("customer_id", "contribution"),
            _digital(*self.acts),
            _sent(*self.left),
            _shares(*self.bought),
            self._salaried(),
            self._holdings(),
            _at_home(members.join(roster, on="customer_id", how="semi")),
        ]
        traits = reduce(lambda left, right: left.join(right, on="customer_id", how="left"), known).sort("customer_id")
        return {
            "traits": traits.with_columns(
                pl.col(pl.Boolean).fill_null(False), pl.col("outflow_other_bank").fill_null(0)
            ),
            "spending_months": pl.concat(self.spending),
            "channel_months": pl.concat(self.channels),
            "clusters": _kinds_of_behaviour(clusters, self.bank.policy),
        }

    def _salaried(self) -> pl.DataFrame:
        """Who received a salary in the last months."""
        back = f"-{self.bank.policy.profile.salary_months - 1}mo"
        paid = pl.col("booked_on") >= pl.lit(self.bank.as_of).dt.month_start().dt.offset_by(back)
        rows = self.bank.table("transactions").filter(pl.col("kind") == "salary", pl.col("amount") > 0, paid)
        accounts = self.bank.table("accounts").select("account_id", "customer_id")
        paid_to = rows.select("account_id").join(accounts, on="account_id").select("customer_id").unique()
        return paid_to.with_columns(has_salary=pl.lit(True)).collect()

    def _holdings(self) -> pl.DataFrame:
        """Which product lines each customer holds today."""
        lines = self.bank.table("products").select("product_id", pl.col("line").cast(pl.String))
        rows = held(self.bank).filter(pl.col("closed_on").is_null()).join(lines, on="product_id")
        has = [(pl.col("line") == line).any().alias(f"has_{line.replace('-', '_')}") for line in LINES]
        return rows.group_by("customer_id").agg(has).collect()


def _kinds_of_behaviour(found: Clusters, policy: Policy) -> pl.DataFrame:
    """The page table `clusters`: how many are in each, what sets it apart, and how far it is to be relied on.

    `words` names what its members have most more (+) or less (−) of than others of their kind.
    """
    sizes = found.members.group_by("kind", "cluster").agg(size=pl.len().cast(pl.Int64))
    sign = pl.when(pl.col("z") > 0).then(pl.lit("+")).otherwise(pl.lit("-"))
    apart = found.portraits.filter(pl.col("z").abs() >= APART).group_by("kind", "cluster", maintain_order=True)
    words = apart.agg(words=(sign + pl.col("feature")).head(TOLD).str.join(" "))
    return (
        sizes.join(found.quality.drop("n"), on="kind")
        .join(words, on=["kind", "cluster"], how="left")
        .sort("kind", "cluster")
        .select(
            "kind", _cluster().alias("cluster"), pl.col("size").alias("n"), "k", "criterion", "stability", "lower",
            "upper", pl.lit(policy.clusters.floor / MILLION).alias("floor"), "is_reliable",
            pl.col("words").fill_null(""),
        )
    )  # fmt: skip


def _cluster() -> pl.Expr:
    """A cluster's name: numbers begin anew with each kind."""
    return pl.concat_str("kind", pl.col("cluster").cast(pl.String), separator=" ")


def _at_home(members: pl.DataFrame) -> pl.DataFrame:
    """Who shares a household with another customer of today."""
    return members.select("customer_id", in_household=pl.len().over("household_id") > 1)


def _added(so_far: list[pl.DataFrame], rows: pl.DataFrame, *key: str) -> list[pl.DataFrame]:
    """One frame of sums by `key`: what there was, and the rows of one more month."""
    return [pl.concat([*so_far, rows]).group_by(key).agg(pl.all().sum())]


def _digital(acts: pl.DataFrame) -> pl.DataFrame:
    """Which share of what a customer did was done online or on the phone."""
    n, n_digital = pl.sum_horizontal(channels.COUNTS), pl.sum_horizontal(f"n_{name}" for name in channels.DIGITAL)
    sums = acts.group_by("customer_id").agg(n=n.sum(), n_digital=n_digital.sum())
    return sums.select(
        "customer_id", digital_share=pl.col("n_digital") / pl.col("n"), is_digital=pl.col("n_digital") > 0
    )


def _sent(left: pl.DataFrame) -> pl.DataFrame:
    """How much, and which share of what left, went to other banks."""
    sums = left.group_by("customer_id").agg(pl.col("outflow", "other_banks").sum())
    return sums.select(
        "customer_id",
        outflow_other_bank="other_banks",
        other_bank_share=pl.when(pl.col("outflow") > 0).then(pl.col("other_banks") / pl.col("outflow")),
        sends_to_other_banks=pl.col("other_banks") > 0,
    )


def _shares(bought: pl.DataFrame) -> pl.DataFrame:
    """Which share of their spending each customer spends on what; null for who bought nothing."""
    sums = bought.group_by("customer_id", "category").agg(pl.col("amount").sum())
    share = pl.col("amount") / pl.col("amount").sum().over("customer_id")
    wide = sums.sort("category").select("customer_id", "category", share=share)
    wide = wide.pivot("category", index="customer_id", values="share").with_columns(pl.col(pl.Float64).fill_null(0.0))
    return wide.rename({name: f"share_{name}" for name in wide.columns[1:]})
