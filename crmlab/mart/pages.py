"""The tables that pages show, gathered while the months go by."""

from datetime import date

import polars as pl

from crmlab import panel
from crmlab.bank.read import Bank
from crmlab.measures import rfm

GROUP = ["branch_id", "manager_id", "kind"]


class Pages:
    """Sums of each month as it passes, and what must be remembered of a customer: last activity, earlier AUM."""

    def __init__(self, bank: Bank):
        self.bank = bank
        self.classes = pl.DataFrame({"line": list(bank.policy.lines), "class": list(bank.policy.lines.values())})
        homes = bank.table("customers").select("customer_id", "branch_id", pl.col("kind").cast(pl.String))
        self.homes = homes.collect()
        self.trend: list[pl.DataFrame] = []
        self.heads: list[pl.DataFrame] = []
        self.standings: dict[date, pl.DataFrame] = {}

    def add_month(self, month: date, customers: pl.DataFrame, standing: pl.DataFrame, kept: pl.DataFrame) -> None:
        """Take a month of `panel.customers`, of `standing.table` and of who keeps whom; months come in order."""
        on = min(month, self.bank.as_of)
        kept = self.homes.join(kept, on="customer_id", how="left")
        lines = customers.join(self.classes, on="line", how="left").join(kept, on="customer_id", how="left")
        self.trend.append(_trend(lines))
        active = (pl.lit(on) - pl.col("last_active_on")).dt.total_days() < self.bank.policy.activity_window_days
        standing = standing.select(
            "customer_id", "kind", "aum", "loans", "deposits", "n_lines", "is_open",
            aum_average=pl.when(pl.col("n_without_average") == 0).then(pl.col("balance_days") // pl.col("days")),
            is_active=active.fill_null(False),
        )  # fmt: skip
        self.heads.append(_heads(standing.drop("kind").join(kept, on="customer_id", how="left"), month))
        self.standings[month] = standing
        for old in [past for past in self.standings if (month.year - past.year) * 12 + month.month - past.month > 12]:
            del self.standings[old]

    def tables(self, people: pl.DataFrame, marks: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """The page tables by name; `people` are all customers there ever were, `marks` say where they stand today."""
        scores = rfm.scores(self._rfm_summary(), self.bank.policy.rfm_bands)
        return {
            "roster": self._roster(rfm.segments(scores, self.bank.policy), people, marks),
            "trend": pl.concat(self.trend),
            "heads": pl.concat(self.heads),
            "branches": self._names("branches", "branch_id"),
            "managers": self._names("managers", "manager_id", "branch_id", "left_on"),
            "rfm_thresholds": scores.thresholds,
            "rfm_segments": pl.DataFrame(
                [(segment.name, *segment.r, *segment.f, *segment.m) for segment in self.bank.policy.rfm_segments],
                schema={"name": pl.String} | {f"{axis}_{end}": pl.Int8 for axis in "rfm" for end in ("low", "high")},
                orient="row",
            ),
        }

    def _rfm_summary(self) -> pl.DataFrame:
        """RFM of every customer with an account open at `as_of`, also of those without a transaction."""
        bank, now = self.bank, list(self.standings)[-1]
        owners = bank.table("accounts").select("account_id", "customer_id", "currency")
        rows = bank.table("transactions").join(owners, on="account_id")
        rows = panel.in_base_of_the_day(rows, bank)
        known = rfm.summary(rows, bank.as_of, bank.policy.rfm_window_days, bank.policy).collect(engine="streaming")
        return (
            self.standings[now]
            .filter("is_open")
            .select("customer_id", "kind")
            .join(known, on="customer_id", how="left")
            .with_columns(pl.col("frequency", "monetary").fill_null(0))
            .sort("customer_id")
        )

    def _roster(self, scored: pl.DataFrame, people: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
        bank, months = self.bank, list(self.standings)
        now = months[-1]
        before = months[-2] if len(months) > 1 else None
        a_year_ago = months[-13] if len(months) > 12 else None
        branches = self._names("branches", "branch_id").rename({"name": "branch"})
        managers = self._names("managers", "manager_id").rename({"name": "manager"})
        return (
            scored.drop("kind")
            .rename({"segment": "rfm_segment"})
            .join(people, on="customer_id", how="left")
            .join(self.standings[now].drop("is_open", "kind"), on="customer_id", how="left")
            .join(marks, on="customer_id", how="left")
            .join(branches, on="branch_id", how="left")
            .join(managers, on="manager_id", how="left")
            .pipe(_change_since, self.standings, before, "aum_change_month")
            .pipe(_change_since, self.standings, a_year_ago, "aum_change_year")
            .select(
                "customer_id", "customer_no", "name", "kind", "branch_id", "branch", "manager_id", "manager", "since",
                _months_to(bank.as_of, pl.coalesce("first_on", "since")).alias("tenure_months"),
                "aum", "aum_average", "loans", "deposits", "aum_change_month", "aum_change_year", "n_lines",
                "is_active", "recency_days", "frequency", "monetary", "r", "f", "m", "rfm_segment",
                "segment", "state", "tier",
            )
            .sort("customer_id")
        )  # fmt: skip

    def _names(self, table: str, key: str, *more: str) -> pl.DataFrame:
        named = self.bank.table(table).with_columns(name=pl.coalesce("name", key))
        return named.select(key, "name", *more).sort(key).collect()


def _months_to(as_of: date, day: pl.Expr) -> pl.Expr:
    """Whole months from a day to `as_of`."""
    months = (as_of.year - day.dt.year()) * 12 + as_of.month - day.dt.month().cast(pl.Int32)
    return (months - (day.dt.day() > as_of.day).cast(pl.Int32)).cast(pl.Int32)


def _change_since(
    frame: pl.DataFrame, standings: dict[date, pl.DataFrame], month: date | None, name: str
) -> pl.DataFrame:
    """AUM now less AUM at the end of `month`, nothing held then being zero; null where either is not known."""
    if month is None:
        return frame.with_columns(pl.lit(None, pl.Int64).alias(name))
    then = standings[month].select("customer_id", then="aum", was_there=True)
    before = pl.when("was_there").then("then").otherwise(0)
    return (
        frame.join(then, on="customer_id", how="left")
        .with_columns((pl.col("aum") - before).alias(name))
        .drop("then", "was_there")
    )


def _trend(lines: pl.DataFrame) -> pl.DataFrame:
    return (
        lines.group_by("month", *GROUP, "line", "class")
        .agg(
            pl.col("closing", "balance_days").sum(),
            pl.col("days").first(),
            n_holders=(pl.col("n_open") > 0).sum().cast(pl.Int32),
        )
        .sort("month", *GROUP, "line")
    )


def _heads(standing: pl.DataFrame, month: date) -> pl.DataFrame:
    return (
        standing.filter("is_open")
        .group_by(*GROUP)
        .agg(
            n_customers=pl.len().cast(pl.Int32),
            n_active=pl.col("is_active").sum().cast(pl.Int32),
            n_lines=pl.col("n_lines").sum().cast(pl.Int32),
        )
        .select(pl.lit(month).alias("month"), *GROUP, "n_customers", "n_active", "n_lines")
        .sort(*GROUP)
    )
