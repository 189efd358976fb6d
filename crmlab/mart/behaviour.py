"""The tables of what customers do: the traits that tell groups apart, spending, channels, money to other banks."""

from functools import reduce

import polars as pl

from crmlab import panel
from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank
from crmlab.measures import channels, spending
from crmlab.measures.clusters import Clusters
from crmlab.policy import LINES, Policy

YEAR = 12
APART, TOLD = 0.5, 3  # standard deviations from which a feature is worth telling, and how many are
GROUP = ["branch_id", "manager_id", "kind", "segment"]
TRAITS = [
    "customer_id", "kind", "branch_id", "manager_id", "segment", "state", "tier", "tenure_months", "aum_average",
    "deposits", "loans", "n_lines", "recency_days", "frequency", "monetary", "is_active",
]  # fmt: skip


class Behaviour:
    """What customers bought, through which channels they acted and what they sent away, month by month."""

    def __init__(self, bank: Bank, standing: pl.DataFrame):
        self.bank = bank
        self.standing = standing
        self.months = standing.filter("is_open")["month"].unique().sort().to_list()
        owners = bank.table("accounts").select("account_id", "customer_id", "currency")
        rows = panel.in_base_of_the_day(bank.table("transactions").join(owners, on="account_id"), bank)
        span = rows, self.months[0].replace(day=1), bank.as_of
        self.bought, self.left = spending.summary(*span), spending.outflow(*span)
        self.acts = channels.summary(*span, bank.policy)

    def tables(
        self,
        people: pl.DataFrame,
        roster: pl.DataFrame,
        worth: pl.DataFrame,
        members: pl.DataFrame,
        marks: pl.DataFrame,
        clusters: pl.DataFrame,
    ) -> dict[str, pl.DataFrame]:
        """The page tables by name, from those they build on, where customers stand, and who is in which cluster."""
        of = people.select("customer_id", "branch_id", "manager_id", "kind").join(
            roster.select("customer_id", "segment"), on="customer_id", how="left"
        )
        return {
            "traits": self._traits(roster, worth, members, marks, clusters),
            "spending_months": self._spending(of),
            "channel_months": pl.concat(self._channels(month, of) for month in self.months),
        }

    def _traits(
        self,
        roster: pl.DataFrame,
        worth: pl.DataFrame,
        members: pl.DataFrame,
        marks: pl.DataFrame,
        clusters: pl.DataFrame,
    ) -> pl.DataFrame:
        """What is known of each customer of the day, a column a trait; money and acts are those of the last year."""
        rules, last_year = self.bank.policy.profile, pl.col("month").is_in(self.months[-YEAR:])
        spent = self.bought.filter(pl.col("month").is_in(self.months[-rules.spending_months :]))
        known = [
            roster.select(TRAITS),
            marks.select("customer_id", "activity", "earning", "growth"),
            clusters.select("customer_id", cluster=_cluster()),
            worth.select("customer_id", "contribution"),
            _digital(self.acts.filter(last_year)),
            _sent(self.left.filter(last_year)),
            _shares(spent),
            self._salaried(rules.salary_months),
            self._holdings(),
            members.select("customer_id", in_household=pl.col("n_household") > 1),
        ]
        joined = reduce(lambda left, right: left.join(right, on="customer_id", how="left"), known)
        flags = [name for name, dtype in joined.schema.items() if dtype == pl.Boolean]
        return joined.with_columns(pl.col(flags).fill_null(False), pl.col("outflow_other_bank").fill_null(0)).sort(
            "customer_id"
        )

    def _salaried(self, months: int) -> pl.DataFrame:
        """Who received a salary in the last months."""
        paid = pl.col("booked_on") >= self.months[-months:][0].replace(day=1)
        rows = self.bank.table("transactions").filter(pl.col("kind") == "salary", pl.col("amount") > 0, paid)
        accounts = self.bank.table("accounts").select("account_id", "customer_id")
        paid_to = rows.select("account_id").join(accounts, on="account_id").select("customer_id").unique()
        return paid_to.with_columns(has_salary=pl.lit(True)).collect()

    def _holdings(self) -> pl.DataFrame:
        """Which product lines each customer holds today."""
        lines = self.bank.table("products").select("product_id", pl.col("line").cast(pl.String))
        held = self.bank.table("accounts").filter(pl.col("closed_on").is_null()).join(lines, on="product_id")
        has = [(pl.col("line") == line).any().alias(f"has_{line.replace('-', '_')}") for line in LINES]
        return held.group_by("customer_id").agg(has).collect()

    def _spending(self, of: pl.DataFrame) -> pl.DataFrame:
        key = ["month", *GROUP, "category"]
        rows = self.bought.join(of, on="customer_id", how="left")
        return rows.group_by(key).agg(pl.col("amount", "n").sum()).sort(key, nulls_last=True)

    def _channels(self, month, of: pl.DataFrame) -> pl.DataFrame:
        """Acts and money that left in one month, of all customers with an open account at its end."""
        now = pl.col("month") == month
        rows = self.standing.filter(now, "is_open").select("customer_id", "month")
        for frame in (of, self.acts.filter(now).drop("month"), self.left.filter(now).drop("month")):
            rows = rows.join(frame, on="customer_id", how="left")
        return channels.totals(rows, ["month", *GROUP])


def kinds_of_behaviour(found: Clusters, policy: Policy) -> pl.DataFrame:
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
