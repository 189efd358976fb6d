"""The tables behind the page `worth`, gathered while the months go by: what customers earn, and how the book moved."""

from datetime import date

import numpy as np
import polars as pl

from crmlab.bank.read import Bank
from crmlab.measures import completeness, concentration, contribution, deviation, tiers
from crmlab.panel.relationships import customers_of, parts_of, register
from crmlab.policy import TierRule

YEAR = 12
KEYS = ["customer_id", "manager_id"]
FLOWS = ["flow", "interest", "valuation", "fx"]
GROUP = ["branch_id", "manager_id", "kind"]
UNRANKED = {
    "customer_id": pl.Int32, "tier": pl.String, "next_tier": pl.String, "missing": pl.Int64, "above": pl.Int64,
    "is_near_up": pl.Boolean, "is_near_down": pl.Boolean,
}  # fmt: skip
UNASSESSED = {"customer_id": pl.Int32, "month": pl.Date, "value": pl.Int64, "tier": pl.String}
NO_DEVIATION = {
    "customer_id": pl.Int32, "month": pl.Date, "branch_id": pl.String, "manager_id": pl.String, "kind": pl.String,
    "closing": pl.Int64, "average": pl.Int64, "is_spike": pl.Boolean,
}  # fmt: skip
INCOMPLETE = {"customer_id": pl.Int32, "n_required": pl.Int32, "n_filled": pl.Int32, "missing": pl.String}


class Worth:
    """Contributions and movements of each month as it passes, and what becomes of them at the end."""

    def __init__(self, bank: Bank):
        self.bank = bank
        self.ledger = contribution.ledger(bank)
        self.abroad = [currency for currency in self.ledger.currencies if currency != bank.base_currency]
        self.components = list(bank.policy.contribution.components)
        self.people = (
            bank.table("customers")
            .select("customer_id", pl.col("kind").cast(pl.String), "branch_id")
            .sort("customer_id")
            .collect()
        )
        self.lines_of = {
            "aum": bank.policy.lines_of("deposits", "investments"),
            "loans": bank.policy.lines_of("loans"),
        }
        weighs = any(rule.on == "weighted_average" for rule in bank.policy.tiers)
        self.classes = register(bank, by="asset_class") if weighs else None
        self.months: list[date] = []
        self.assets: list[pl.DataFrame] = []
        is_aum = pl.col("line").cast(pl.String).is_in(self.lines_of["aum"])
        products = bank.table("products").filter(is_aum)
        accounts = bank.table("accounts").join(products, on="product_id", how="semi")
        self.aum_accounts = accounts.select("account_id").collect()["account_id"].implode()
        self.keepers: list[pl.DataFrame] = []
        self.cubes: list[pl.DataFrame] = []
        self.year: list[pl.DataFrame] = []
        self.moves: dict[str, list[pl.DataFrame]] = {"aum": [], "loans": [], "contribution": []}

    def lines(self, month: date, facts: pl.DataFrame) -> pl.DataFrame:
        """`contribution.lines` of one month of facts."""
        for currency in self.abroad:
            self.ledger.lines(facts, month, currency)  # it stops where its parts do not add up in that money, either
        return self.ledger.lines(facts, month)

    def add_month(
        self, month: date, facts: pl.DataFrame, books: pl.DataFrame, lines: pl.DataFrame, kept: pl.DataFrame
    ) -> None:
        """Take one month of the panel, what `lines` made of it, and who keeps whom; months come in order."""
        self.months.append(month)
        self.cubes.append(self._cube(lines, month))
        self.year = [*self.year, lines][-YEAR:]
        whole = lines.select(*KEYS, closing=pl.sum_horizontal(self.components))
        if month.month % 3 == 0:
            self.keepers.append(kept.with_columns(month=pl.lit(month)))
        if self.classes:
            held = facts.filter(pl.col("account_id").is_in(self.aum_accounts))
            assets = customers_of(parts_of(held, self.classes, self.bank), month, self.classes, self.bank)
            self.assets.append(assets.select("customer_id", "month", "line", "balance_days", "days"))
        for measure, of in self.lines_of.items():
            held = books.filter(pl.col("line").is_in(of)).group_by(KEYS).agg(pl.col("closing", *FLOWS).sum())
            self.moves[measure].append(held)
        self.moves["contribution"].append(whole.group_by(KEYS).agg(pl.col("closing").sum()))

    def tiers(self, standing: pl.DataFrame) -> list[pl.DataFrame]:
        """By tier rule, the level of every customer at each assessment (`tiers.history`)."""
        return [self._history(rule, standing) for rule in self.bank.policy.tiers]

    def tables(
        self, roster: pl.DataFrame, standing: pl.DataFrame, histories: list[pl.DataFrame]
    ) -> dict[str, pl.DataFrame]:
        """The page tables by name.

        `roster` holds the customers of the day, `standing` everybody month by month, `histories` what `tiers` gives.
        """
        ranks = [
            tiers.near(history, rule) if history.height else pl.DataFrame(schema=UNRANKED)
            for rule, history in zip(self.bank.policy.tiers, histories, strict=True)
        ]
        summed, ends = self._standings(standing, ranks), self._deviations(standing)
        marks = roster.select("customer_id", "segment", "tier")
        return {
            "worth": self._worth(roster, summed, ends),
            "worth_lines": self._last_year(roster),
            "worth_months": pl.concat(self.cubes),
            "worth_tiers": _tiers(self.bank),
            "concentration": self._concentration(standing),
            "deviations": ends,
            "completeness": self._completeness(roster, ranks[0]),
            **{f"moves_{measure}": self._moves(measure, standing, marks) for measure in self.moves},
        }

    def coverage(self, facts: pl.LazyFrame) -> dict:
        """What the contribution is made of and what it lacks, for the manifest."""
        return contribution.coverage(self.ledger, facts)

    def _cube(self, lines: pl.DataFrame, month: date) -> pl.DataFrame:
        """Components by branch, manager, kind and line; they must hold all that the customers hold."""
        summed = (
            lines.join(self.people, on="customer_id", how="left")
            .group_by(*GROUP, "line")
            .agg(pl.col(self.components).sum())
        )
        for name in self.components:
            if summed[name].sum() != lines[name].sum():
                raise ArithmeticError(f"{name} of {month:%Y-%m}: branches do not add up to their customers.")
        amounts = summed.unpivot(index=[*GROUP, "line"], variable_name="component", value_name="amount")
        amounts = amounts.filter(pl.col("amount") != 0).select(pl.lit(month).alias("month"), pl.all())
        return amounts.sort("month", *GROUP, "line", "component")

    def _history(self, rule: TierRule, standing: pl.DataFrame) -> pl.DataFrame:
        """Where each customer stood at each assessment; nobody does before the first one, or without an average."""
        is_average = rule.on in ("aum_average", "weighted_average")
        rows = standing.filter(pl.col("n_without_average") == 0) if is_average else standing
        if rule.on == "weighted_average":
            rows = self._weighted(rows, rule)
        # A month in which nobody was with the bank, or all averages are unknown, begins every history anew.
        begins = pl.col("month") > max(set(self.months) - set(rows["month"]), default=date.min)
        rows = rows.filter(begins, pl.col("month") <= self.bank.as_of)  # assessed at the end of a month, not within it
        if not rows["month"].dt.month().is_in(rule.assessed).any():
            return pl.DataFrame(schema=UNASSESSED)
        return tiers.history(tiers.values(rows, rule), rule)

    def _weighted(self, rows: pl.DataFrame, rule: TierRule) -> pl.DataFrame:
        """The rows with the weighted balance-days of each customer's AUM in place of the plain ones."""
        assets = pl.concat(self.assets).join(self.people.select("customer_id", "kind"), on="customer_id", how="left")
        held = tiers.weighted(assets, rule).select("customer_id", "month", "balance_days")
        rows = rows.drop("balance_days").join(held, on=["customer_id", "month"], how="left")
        return rows.with_columns(pl.col("balance_days").fill_null(0))

    def _standings(self, standing: pl.DataFrame, ranks: list[pl.DataFrame]) -> pl.DataFrame:
        """A row a customer: the last year's contribution and points, the year's before, tier, grade and thresholds."""
        now, before = self.months[-YEAR:], self.months[-2 * YEAR : -YEAR]
        is_now, was = pl.col("month").is_in(now), pl.col("month").is_in(before)
        a_year_ago = pl.col("contribution").filter(was).sum() if len(before) == YEAR else pl.lit(None, pl.Int64)
        summed = standing.group_by("customer_id").agg(
            contribution=pl.col("contribution").filter(is_now).sum(),
            contribution_before=a_year_ago,
            points=pl.col("points").filter(is_now).sum(),
        )
        distances = ["next_tier", "missing", "above", "is_near_up", "is_near_down"]
        ranked = ranks[0].select("customer_id", pl.col("tier", "next_tier").cast(pl.String), *distances[1:])
        graded = ranks[1].select("customer_id", grade=pl.col("tier").cast(pl.String)) if len(ranks) > 1 else None
        summed = summed.join(ranked, on="customer_id", how="left")
        if graded is None:
            return summed.with_columns(grade=pl.lit(None, pl.String))
        return summed.join(graded, on="customer_id", how="left")

    def _deviations(self, standing: pl.DataFrame) -> pl.DataFrame:
        """AUM of each customer at the quarter ends, closing against the month's average, by who kept it then."""
        is_known = pl.col("aum").is_not_null()
        ends = standing.filter(pl.col("month").dt.month() % 3 == 0, is_known).rename({"aum": "closing"})
        if ends.is_empty():
            return pl.DataFrame(schema=NO_DEVIATION)
        found = deviation.table(ends, ["customer_id"], self.bank.policy).filter("is_quarter_end")
        return (
            found.join(self.people, on="customer_id", how="left")
            .join(pl.concat(self.keepers), on=["customer_id", "month"], how="left")
            .select(list(NO_DEVIATION))
            .sort("month", "customer_id")
        )

    def _worth(self, roster: pl.DataFrame, standing: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
        last = ends.filter(pl.col("month") == pl.col("month").max()).select("customer_id", "closing", "average")
        known = [
            "customer_id",
            "customer_no",
            "name",
            "kind",
            "branch_id",
            "branch",
            "manager_id",
            "manager",
            "segment",
        ]
        return (
            roster.select(*known, "aum_average")
            .join(standing, on="customer_id", how="left")
            .join(last.with_columns(deviation=pl.col("closing") - pl.col("average")), on="customer_id", how="left")
            .select(
                *known, "tier", "grade", "aum_average", "contribution", "contribution_before", "points", "closing",
                "average", "deviation", "next_tier", "missing", "above", "is_near_up", "is_near_down",
            )
            .sort("customer_id")
        )  # fmt: skip

    def _last_year(self, roster: pl.DataFrame) -> pl.DataFrame:
        amounts = pl.concat(self.year).group_by("customer_id", "line").agg(pl.col(self.components).sum())
        return (
            amounts.join(roster.select("customer_id"), on="customer_id", how="semi")
            .unpivot(index=["customer_id", "line"], variable_name="component", value_name="amount")
            .filter(pl.col("amount") != 0)
            .sort("customer_id", "line", "component")
        )

    def _concentration(self, standing: pl.DataFrame) -> pl.DataFrame:
        """By month and kind, how much of AUM and of contribution the best customers bring."""
        by = ["month", "kind"]
        held, earned = (
            standing.filter("is_open", pl.col(measure).is_not_null())
            .select(*by, value=measure)
            .with_columns(measure=pl.lit(measure))
            for measure in ("aum", "contribution")
        )
        tops = concentration.shares(pl.concat([held, earned]), by=[*by, "measure"])
        if held.is_empty():
            return tops.with_columns(gini=pl.lit(None, pl.Float64)).sort("month", "kind", "measure")
        gini = concentration.gini(held, by=[*by, "measure"]).drop("n", "n_negative")
        return tops.join(gini, on=[*by, "measure"], how="left").sort("month", "kind", "measure")

    def _completeness(self, roster: pl.DataFrame, ranks: pl.DataFrame) -> pl.DataFrame:
        people = self.bank.table("customers").collect().with_columns(pl.col("kind").cast(pl.String))
        known = self.bank.table("contact_persons").group_by("customer_id").agg(contact_person=pl.len()).collect()
        people = people.join(known, on="customer_id", how="left").with_columns(pl.col("contact_person").fill_null(0))
        people = people.join(roster.select("customer_id"), on="customer_id", how="semi")
        key = ranks.filter(pl.col("tier").cast(pl.String).is_in(self.bank.policy.completeness.key_tiers))
        if key.join(people, on="customer_id", how="semi").is_empty():
            return pl.DataFrame(schema=INCOMPLETE)
        fields = completeness.fields(people, key, self.bank.policy)
        return fields.select(
            "customer_id", pl.col("n_required", "n_filled").cast(pl.Int32), pl.col("missing").list.join(", ")
        )

    def _moves(self, measure: str, standing: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
        """A row a customer and manager, the months side by side, flows since the beginning of history.

        Tier and segment are those of the snapshot's day, none for who is gone: a bridge by them tells what today's
        tiers were made of, not how a tier moved.
        """
        frames = self.moves[measure]
        rows = pl.concat([frame.select(KEYS) for frame in frames]).unique().sort(KEYS).with_row_index("row")
        about = rows.join(self.people, on="customer_id", how="left").join(marks, on="customer_id", how="left")
        columns = about.sort("row").select(*KEYS, "branch_id", "kind", "tier", "segment").get_columns()
        sign = -1 if measure == "loans" else 1
        since = {name: np.zeros(rows.height, np.int64) for name in FLOWS}
        for month, frame in zip(self.months, frames, strict=True):
            place = frame.join(rows, on=KEYS, how="left", nulls_equal=True, maintain_order="left")["row"].to_numpy()
            # With us is who has an open account; of contributions, as the measure has it, who contributed at all.
            with_us = frame if measure == "contribution" else standing.filter(pl.col("month") == month, "is_open")
            closing = np.zeros(rows.height, np.int64)
            closing[place] = sign * frame["closing"].to_numpy()
            # An account closed with money on it keeps its customer in sight, so that nothing is missing from the whole.
            known = rows["customer_id"].is_in(with_us["customer_id"].implode()) | pl.Series(closing != 0)
            known = pl.Series(closing).zip_with(known, pl.Series([None], dtype=pl.Int64))
            columns.append(known.alias(f"closing {month}"))
            for name in FLOWS if measure != "contribution" else []:
                since[name][place] += sign * frame[name].to_numpy()
                columns.append(pl.Series(f"{name} {month}", since[name].copy()))
        return pl.DataFrame(columns)


def _tiers(bank: Bank) -> pl.DataFrame:
    """The levels of the first two rules, in order."""
    rows = [
        (name, level.name, rank, level.lower, level.top)
        for name, rule in zip(("tier", "grade"), bank.policy.tiers, strict=False)
        for rank, level in enumerate(rule.levels)
    ]
    schema = {"rule": pl.String, "name": pl.String, "rank": pl.Int8, "lower": pl.Int64, "top": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
