"""The tables of `segments` as a reader asks for them."""

from datetime import date
from functools import cached_property, lru_cache

import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.measures import funnel, transitions
from crmlab.measures.segments.portrait import profile
from crmlab.measures.transitions import ENTRY, EXIT, UNKNOWN
from crmlab.views import theme
from crmlab.views.book import ALL, scope
from crmlab.views.segments import moves

GROUP = ["kind", "branch_id", "manager_id"]
BYS = ("segment", "state", "tier")
GROUPS = ("kind", "segment", "state", "tier", "cluster")
# What says who a customer is and where they stand, which is no trait that sets groups apart.
NO_TRAITS = ("customer_id", *GROUP, "segment", "state", "tier", "cluster", "activity", "earning", "growth")


class Tables:
    """What several figures ask for with the same filters is computed once and kept until the filters change."""

    def __init__(self, mart: Mart):
        self.mart = mart
        self._paths = mart.page("paths")
        tiers = mart.page("worth_tiers").filter(pl.col("rule") == "tier").sort("rank")["name"].to_list()
        names = mart.page("segments")["name"].to_list()
        self.orders = {"segment": names, "state": list(theme.STATES), "tier": tiers[::-1]}
        self.colours = {"segment": theme.colours(names), "state": theme.STATES, "tier": theme.steps(tiers)}
        held = [name.split()[1] for name in self._paths.columns if name.startswith("state ")]
        self.history = sorted(map(date.fromisoformat, held))
        self.months = [day for day in self.history if f"segment {day}" in self._paths.columns]
        if not self.months:  # a history too short for segments still has life cycle and tier
            self.months, cannot_tell = self.history, pl.lit(None, pl.String)
            self._paths = self._paths.with_columns(cannot_tell.alias(f"segment {day}") for day in self.months)
        self.everyone = mart.page("roster")
        self.people, self.compared = (lru_cache(1)(made) for made in (self._people, self._compared))
        self.pairs, self.change = (lru_cache(2)(made) for made in (self._pairs, self._change))
        self.matrix = lru_cache(4)(self._matrix)

    @cached_property
    def people_ever(self) -> pl.DataFrame:
        """Everybody who ever was a customer, in the columns of those of today that are known of all."""
        found = self.mart.page("people")
        for table, what in (("branches", "branch"), ("managers", "manager")):
            told = self.mart.page(table).select(f"{what}_id", pl.coalesce("name", f"{what}_id").alias(what))
            found = found.join(told, on=f"{what}_id", how="left", maintain_order="left")
        return found.select(name for name in self.everyone.columns if name in found.columns)

    def ends(self, by: str) -> dict[str, str]:
        """The values of segment, state or tier with their colours; who came stands first, who is gone last."""
        shades = {ENTRY: theme.QUIET, **self.colours[by], UNKNOWN: theme.FAINT, EXIT: theme.QUIET}
        return {name: shades[name] for name in (ENTRY, *self.orders[by], UNKNOWN, EXIT)}

    def lines(self) -> list[str]:
        """The product lines of which there are leads."""
        return self.mart.page("leads")["line"].drop_nulls().unique().sort().to_list()

    def a_year(self) -> tuple[date, date]:
        """The last month that can be told and the one a year before it, or the first."""
        return self.months[-min(13, len(self.months))], self.months[-1]

    def who(self, **chosen: str) -> pl.DataFrame:
        """Everybody who ever was a customer, as far as the filters leave them: customer_id and a state a month."""
        return scope(self._paths.select("customer_id", *GROUP, *(f"state {day}" for day in self.history)), **chosen)

    def page(self, name: str, **chosen: str) -> pl.DataFrame:
        """A page table as far as the filters leave it."""
        return scope(self.mart.page(name), **chosen)

    def leads(self, **chosen: str) -> pl.DataFrame:
        """The leads that the filters leave; what kind a prospect is, nobody knows yet."""
        kinds = self.mart.page("people").select("customer_id", "kind")
        return scope(self.mart.page("leads").join(kinds, on="customer_id", how="left"), **chosen)

    def steps(self, by: str | None = None, line: str = ALL, **chosen: str) -> pl.DataFrame | None:
        """The funnel (`funnel.steps`), newcomers and customers apart; None without a lead."""
        rows = self.leads(**chosen)
        rows = rows.filter(pl.col("line") == line) if line else rows
        apart = ["is_prospect", *([by] if by else [])]
        return funnel.steps(rows, self.mart.as_of, self.mart.manifest["settle_days"], apart) if rows.height else None

    def offered(self) -> list[str]:
        """The groups that can be compared, each kind of group in its own order; nothing is everybody else."""
        traits = self.mart.page("traits")
        found = [""]
        for column in GROUPS:
            there = traits[column].drop_nulls().unique().cast(pl.String).sort().to_list()
            found += [f"{column}={name}" for name in self.orders.get(column, there) if name in there]
        return found

    def _people(self, **chosen: str) -> pl.DataFrame:
        """The customers of today that the filters leave."""
        return scope(self.everyone, **chosen)

    def _pairs(self, span: tuple[date, date], by: str, **chosen: str) -> pl.DataFrame:
        """Where each customer stood at both ends of the span (`moves.pairs`)."""
        columns = [f"{name} {day}" for name in {"state", by, "aum"} for day in set(span)]
        return moves.pairs(scope(self._paths.select("customer_id", *GROUP, *columns), **chosen), *span, by)

    def _matrix(self, span: tuple[date, date], by: str, **chosen: str) -> pl.DataFrame | None:
        """The matrix of these pairs; None where nobody is there, or the two months are one."""
        if span[0] == span[1] or not (pairs := self.pairs(span, by, **chosen)).height:
            return None
        return transitions.matrix(pairs)

    def _change(self, span: tuple[date, date], by: str, **chosen: str) -> pl.DataFrame | None:
        """What moves otherwise than between the same months a year before; None where that cannot be told."""
        before = tuple(self.year_before(day) for day in span)
        now = self.matrix(span, by, **chosen)
        then = (
            self.matrix(before, by, **chosen) if all(f"{by} {day}" in self._paths.columns for day in before) else None
        )
        if now is None or then is None:
            return None
        return moves.notable(transitions.change(now, then, self.mart.manifest["least_effect"]))

    @staticmethod
    def year_before(day: date) -> date:
        """The same month's end, a year before."""
        return pl.select(pl.lit(day).dt.offset_by("-12mo").dt.month_end()).item()

    def _compared(self, first: str, second: str, **chosen: str) -> tuple[pl.DataFrame, int, int]:
        """What sets two groups apart (`segments.profile`), and how many customers each has.

        Raises
        ------
        InputError
            Where a group is empty, or of one.
        """
        asked = moves.group(self.page("traits", **chosen), first, second)
        n_first = asked["is_first"].sum()
        rows = asked.drop(NO_TRAITS, strict=False)
        return profile(rows, "is_first", self.mart.manifest["least_effect"]), n_first, asked.height - n_first
