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
        first = bank.table("accounts").group_by("customer_id").agg(first_on=pl.col("opened_on").min())
        self.people = (
            bank.table("customers")
            .join(first, on="customer_id", how="left")
            .select(
                "customer_id", "customer_no", "name", "since", "first_on", "branch_id", pl.col("kind").cast(pl.String)
            )
            .sort("customer_id")
            .collect()
        )
        self.classes = pl.DataFrame({"line": list(bank.policy.lines), "class": list(bank.policy.lines.values())})
        self.last_active = self.people.select("customer_id", last_active_on=pl.lit(None, pl.Date))
        self.trend: list[pl.DataFrame] = []
        self.heads: list[pl.DataFrame] = []
        self.standings: dict[date, pl.DataFrame] = {}

    def add_month(self, month: date, customers: pl.DataFrame) -> None:
        """Take one month of `panel.customers`; months come in order."""
        on = min(month, self.bank.as_of)
        self._remember_activity(customers)
        kept = self.people.select("customer_id", "branch_id", "kind").join(
            panel.keepers(self.bank, on), on="customer_id", how="left"
        )
        lines = customers.join(self.classes, on="line", how="left").join(kept, on="customer_id", how="left")
        self.trend.append(_trend(lines))
        standing = _standing(lines).join(self.last_active, on="customer_id", how="left")
        standing = standing.with_columns(
            is_active=(
                (pl.lit(on) - pl.col("last_active_on")).dt.total_days() < self.bank.policy.activity_window_days
            ).fill_null(False)
        )
        self.heads.append(_heads(standing.join(kept, on="customer_id", how="left"), month))
        self.standings[month] = standing.drop("last_active_on")
        for old in [past for past in self.standings if (month.year - past.year) * 12 + month.month - past.month > 12]:
            del self.standings[old]

    def tables(self) -> dict[str, pl.DataFrame]:
        """The page tables by name."""
        scores = rfm.scores(self._rfm_summary(), self.bank.policy.rfm_bands)
        return {
            "roster": self._roster(rfm.segments(scores, self.bank.policy)),
            "trend": pl.concat(self.trend),
            "heads": pl.concat(self.heads),
            "branches": self._names("branches", "branch_id"),
            "managers": self._names("managers", "manager_id", "branch_id"),
            "rfm_thresholds": scores.thresholds,
            "segments": pl.DataFrame(
                [(segment.name, *segment.r, *segment.f, *segment.m) for segment in self.bank.policy.rfm_segments],
                schema={"name": pl.String} | {f"{axis}_{end}": pl.Int8 for axis in "rfm" for end in ("low", "high")},
                orient="row",
            ),
        }

    def _remember_activity(self, customers: pl.DataFrame) -> None:
        seen = customers.group_by("customer_id").agg(seen=pl.col("last_active_on").max())
        self.last_active = self.last_active.join(seen, on="customer_id", how="left", maintain_order="left").select(
            "customer_id", last_active_on=pl.coalesce("seen", "last_active_on")
        )

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
            .select("customer_id")
            .join(self.people.select("customer_id", "kind"), on="customer_id", how="left")
            .join(known, on="customer_id", how="left")
            .with_columns(pl.col("frequency", "monetary").fill_null(0))
            .sort("customer_id")
        )

    def _roster(self, scored: pl.DataFrame) -> pl.DataFrame:
        bank, months = self.bank, list(self.standings)
        now = months[-1]
        before = months[-2] if len(months) > 1 else None
        a_year_ago = months[-13] if len(months) > 12 else None
        branches = self._names("branches", "branch_id").rename({"name": "branch"})
        managers = self._names("managers", "manager_id").rename({"name": "manager"})
        return (
            scored.drop("kind")
            .join(self.people, on="customer_id", how="left")
            .join(self.standings[now].drop("is_open"), on="customer_id", how="left")
            .join(panel.keepers(bank, bank.as_of), on="customer_id", how="left")
            .join(branches, on="branch_id", how="left")
            .join(managers, on="manager_id", how="left")
            .pipe(_change_since, self.standings, before, "aum_change_month")
            .pipe(_change_since, self.standings, a_year_ago, "aum_change_year")
            .select(
                "customer_id", "customer_no",
                (pl.col("name").str.slice(0, 1) + "…").alias("name"),
                "kind", "branch_id", "branch", "manager_id", "manager", "since",
                _months_to(bank.as_of, pl.coalesce("first_on", "since")).alias("tenure_months"),
                "aum", "aum_average", "loans", "deposits", "aum_change_month", "aum_change_year", "n_lines",
                "is_active", "recency_days", "frequency", "monetary", "r", "f", "m", "segment",
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


def _standing(lines: pl.DataFrame) -> pl.DataFrame:
    """One row a customer: balances by class, null where an account's is unknown, and lines held at the month's end."""

    def total(name: str, *classes: str, unknown: str = "n_without_balance") -> pl.Expr:
        of = pl.col("class").is_in(classes)
        return pl.when(pl.col(unknown).filter(of).sum() == 0).then(pl.col(name).filter(of).sum())

    aum = ("deposits", "investments")
    average = total("balance_days", *aum, unknown="n_without_average") // pl.col("days").first()
    return lines.group_by("customer_id").agg(
        aum=total("closing", *aum),
        aum_average=pl.when(total("closing", *aum).is_not_null()).then(average),
        loans=-total("closing", "loans"),
        deposits=total("closing", "deposits"),
        n_lines=(pl.col("n_open") > 0).sum().cast(pl.Int32),
        is_open=(pl.col("n_open") > 0).any(),
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
