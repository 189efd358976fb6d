"""The tables of `worth` as a reader asks for them."""

from datetime import date
from functools import lru_cache

import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.measures import concentration, movement
from crmlab.views.book import scope
from crmlab.views.worth import earnings


class Tables:
    """What several figures ask for with the same filters is computed once and kept until the filters change."""

    def __init__(self, mart: Mart):
        self.mart = mart
        customers, loans = (mart.page(name) for name in ("worth", "roster"))
        loans = customers.select("customer_id").join(loans, on="customer_id", how="left", maintain_order="left")
        self.all = customers.with_columns(loans["loans"])
        self.kinds = self.all["kind"].unique().cast(pl.String).sort().to_list()
        rules = mart.page("worth_tiers").sort("rank")
        self.tiers, self.grades = (rules.filter(pl.col("rule") == rule)["name"].to_list() for rule in ("tier", "grade"))
        self._key = mart.page("completeness").rename({"missing": "unfilled"}).join(self.all, on="customer_id")
        by = ["month", "branch_id", "manager_id", "kind"]
        self._spikes = mart.page("deviations").lazy().filter("is_spike").group_by(by).agg(n=pl.len()).collect()
        lines = mart.page("worth_lines")
        enums = [pl.col(name).cast(pl.Enum(lines[name].unique().sort())) for name in ("line", "component")]
        self._of_lines = lines.with_columns(enums)  # a sum over their names takes four times as long
        self.people, self.lines, self.sides, self.spans = (
            lru_cache(1)(made) for made in (self._people, self._lines, self._sides, self._spans)
        )
        self.curves = lru_cache(16)(self._curves)  # small, and slow to make

    def spikes(self, **chosen: str) -> pl.DataFrame:
        """Customers with a spike at a quarter's end: month, n."""
        return scope(self._spikes, **chosen)

    def key(self, **chosen: str) -> pl.DataFrame:
        """The key customers that the filters leave: what is known of them, n_required, n_filled, unfilled (fields)."""
        return scope(self._key, **chosen)

    def small(self, **chosen: str) -> list[str]:
        """Customer kinds of which the filters leave too few to lean on."""
        counts = self.people(**chosen).group_by("kind").len()
        return counts.filter(pl.col("len") < earnings.SMALL)["kind"].to_list()

    def largest_tiers(self) -> list[str]:
        """The two tiers of most customers, the higher first."""
        counts = self.all.group_by("tier").len().sort("len", "tier", descending=True)["tier"].drop_nulls().to_list()
        return sorted(counts[:2], key=self.tiers.index, reverse=True)

    def bridge(self, span: tuple[date, date], measure: str, **chosen: str) -> dict[str, int]:
        """The bars of the bridge in minor units, each as it moves the level; those that do not occur are left out."""
        rows = scope(self.spans(span, measure), **chosen)
        if not rows.height:
            return {}
        sums = movement.bridge(rows).row(0, named=True)
        bars = {part: movement.SIGNS.get(part, 1) * sums[part] for part in movement.BUCKETS}
        kept = {part: amount for part, amount in bars.items() if amount or part in movement.KINDS}
        return {"opening": sums["opening"], **kept, "closing": sums["closing"]}

    def _people(self, **chosen: str) -> pl.DataFrame:
        """The customers that the filters leave."""
        return scope(self.all, **chosen)

    def _lines(self, **chosen: str) -> pl.DataFrame:
        """What they contribute: customer_id, line, component, amount."""
        return earnings.of(self._of_lines, self.people(**chosen), self.all.height)

    def _sides(self, first: str, second: str, **chosen: str) -> tuple[list[pl.DataFrame], pl.DataFrame]:
        """The customers of two groups, and what they contribute together: group (0 or 1), line, component, amount."""
        lines, everyone = self.lines(**chosen), self.people(**chosen).height
        members = [earnings.group(self.people(**chosen), one) for one in (first, second)]
        sums = [earnings.by_line(earnings.of(lines, one, everyone)) for one in members]
        return members, pl.concat(one.with_columns(group=pl.lit(at)) for at, one in enumerate(sums))

    def _spans(self, span: tuple[date, date], measure: str) -> pl.DataFrame:
        """What the measure of each customer with each manager did between two months (`movement.between`)."""
        moves = self.mart.page(f"moves_{measure}")
        who = ["customer_id", "manager_id", "branch_id", "kind"]
        return movement.between(
            moves.select(*who, *(c for c in moves.columns if c.endswith(tuple(map(str, span))))), *span
        )

    def _curves(self, measure: str, **chosen: str) -> tuple[pl.DataFrame, pl.DataFrame] | None:
        """The whale curves of the kinds that have anything to share, and what is to be said of each."""
        values = self.people(**chosen).select("kind", value=earnings.MEASURES[measure])
        values = values.filter(pl.col("value").is_not_null(), pl.col("value").sum().over("kind") > 0)
        if not values.height:
            return None
        told = concentration.peak(values).join(concentration.shares(values).drop("n"), on="kind").sort("kind")
        return concentration.curve(values), told
