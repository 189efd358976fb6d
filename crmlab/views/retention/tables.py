"""The tables of `retention` as a reader asks for them."""

from datetime import date
from functools import cached_property, lru_cache

import polars as pl

from crmlab.errors import InputError
from crmlab.mart import ledger
from crmlab.mart.snapshot import Mart
from crmlab.measures.churn import followup, worklist
from crmlab.policy import Worklist
from crmlab.views import theme
from crmlab.views.book import ALL, scope
from crmlab.views.retention import maturing

MILLION = 1_000_000
NAMED = (("branches", "branch_id"), ("managers", "manager_id"))
BYS = ("", "kind", "segment", "tier", "branch_id")


class Tables:
    """What several parts ask for with the same controls is computed once and kept until the controls change.

    `n_lists` says how many lists have been issued: with each one more the ledger is read again.
    """

    def __init__(self, mart: Mart):
        self.mart = mart
        self.rules = Worklist(**mart.manifest["worklist"])
        leaving = mart.manifest["leaving"]
        self.horizons: list[int] = list(leaving["horizons"])
        self.untested = {int(months): why for months, why in leaving["untested"].items()}
        self.main: int | None = leaving["main"]
        self.budget = leaving["budget"] / MILLION
        self.confirm_months: int = mart.manifest.get("confirm_months", 2)
        self.root = mart.folder.parent.parent  # the mart, in which the ledger lies beside the snapshots
        self.branches, self.managers = (dict(self._told(*of)) for of in NAMED)
        segments = mart.page("segments")["name"].to_list()
        tiers = mart.page("worth_tiers").filter(pl.col("rule") == "tier").sort("rank")["name"].to_list()
        kinds = mart.page("roster")["kind"].unique().sort().cast(pl.String).to_list()
        self.orders = {"segment": segments, "tier": tiers[::-1], "kind": kinds, "branch_id": list(self.branches)}
        self.colours = {  # none of tiers: as lines their steps of one colour cannot be told apart
            "segment": theme.colours(segments),
            "kind": dict(zip(kinds, theme.KINDS, strict=False)),
        }
        self.scores, self.coming = (lru_cache(2)(made) for made in (self._scores, self._coming))
        self.called, self.issued = lru_cache(2)(self._called), lru_cache(1)(self._issued)
        self.fate = lru_cache(1)(self._fate)

    @cached_property
    def life_values(self) -> pl.DataFrame:
        """What customers are worth over their life."""
        return self.mart.page("life_values")

    def page(self, name: str, **chosen: str) -> pl.DataFrame:
        """A page table as far as the filters leave it."""
        return scope(self.mart.page(name), **chosen)

    def trial(self, name: str, horizon: int) -> pl.DataFrame:
        """What the trial of a horizon found."""
        return self.mart.page(f"trial_{name}").filter(pl.col("horizon") == horizon)

    def score_of(self, customer: str | None) -> dict | None:
        """What is known of who was chosen; None where nobody was, or who was is not scored."""
        found = self.mart.page("leaving").filter(pl.col("customer_no") == customer) if customer else None
        return found.row(0, named=True) if found is not None and found.height else None

    def reasons_of(self, customer: str | None) -> pl.DataFrame:
        """Their reasons: covariate, value, contribution, text."""
        score = self.score_of(customer)
        ids = [] if score is None else [score["customer_id"]]
        return self.mart.of("reasons", *ids) if ids else self.mart.page("reasons").clear()

    def curves(self, by: str, kind: str = ALL) -> pl.DataFrame:
        """The curves of a way to group; by kind they are of all kinds whatever the filter says."""
        return self.mart.page("curves").filter(
            pl.col("by") == by, pl.col("kind") == (ALL if by == "kind" else kind), pl.col("group").is_not_null()
        )

    def behind(self, by: str, kind: str = ALL) -> int:
        """On how many customers' stays the curves rest."""
        return self.curves(by, kind).unique("group")["n"].sum()

    @cached_property
    def known_to(self) -> date:
        """The last month end of which it is known who left: confirming takes months."""
        after = pl.select(pl.lit(self.mart.as_of).dt.offset_by("1d").dt.month_start()).item()  # of whole months only
        return pl.select(pl.lit(after).dt.offset_by(f"-{self.confirm_months}mo").dt.offset_by("-1d")).item()

    def known(self, horizon: int, **chosen: str) -> pl.DataFrame:
        """Who left in the last so many months that are known (a row of `departures` each)."""
        since = pl.lit(self.known_to).dt.offset_by("1d").dt.offset_by(f"-{horizon}mo")
        is_then = pl.col("ends_on").is_between(since, pl.lit(self.known_to))
        return self.page("departures", **chosen).filter("event", is_then)

    def causes(self) -> list[str]:
        """The causes whose hazards are told."""
        found = set(self.mart.page("hazards")["cause"].drop_nulls().cast(pl.String))
        return [cause for cause in theme.CAUSES if cause in found] or ["all"]

    def kept(self, **chosen: str) -> pl.DataFrame:
        """How much of what matured stayed, by manager (`maturing.kept`), with their names."""
        found = maturing.kept(self.page("matured", **chosen), self.mart.page("matured"), "manager_id")
        return self.with_names(found).filter(pl.col("manager_id").is_not_null())

    def held(self, n_lists: int) -> pl.Series:
        """The numbers of those whom a list keeps uncalled as its control, today."""
        if not n_lists:
            return pl.Series("customer_no", [], pl.String)
        return worklist.held_out(self.issued(n_lists), self.mart.as_of)

    def _fate(self, n_lists: int) -> pl.DataFrame | None:
        """What became of those on the issued call lists (`followup.followed_up`); None where none has been issued."""
        issued = self.issued(n_lists).filter(pl.col("product_id").is_null())
        if issued.is_empty():
            return None
        calls = self.mart.events.filter(
            pl.col("kind").cast(pl.String) == "contact", pl.col("on") > issued["issued_on"].min()
        )
        numbers = self.mart.page("people").select("customer_id", "customer_no").lazy()
        contacts = calls.join(numbers, on="customer_id").select("customer_no", "on").collect()
        return followup.followed_up(issued, self.mart.page("departures"), contacts, self.mart.as_of)

    def of_filters(self, issued: pl.DataFrame, **chosen: str) -> pl.DataFrame:
        """The rows of issued lists whose customers the filters leave, with the branch and manager of today."""
        known = ("branch_id", "manager_id", "kind")
        homes = self.mart.page("people").select("customer_no", *known)
        rows = issued.drop(known, strict=False).join(homes, on="customer_no", how="left", maintain_order="left")
        return scope(rows, **chosen)

    def with_names(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the names of branch and manager, as far as they have their numbers."""
        names = {"branch": self.branches, "manager": self.managers}
        known = [what for what in names if f"{what}_id" in rows.columns and what not in rows.columns]
        return rows.with_columns(
            pl.col(f"{what}_id").replace_strict(names[what], default=pl.col(f"{what}_id"), return_dtype=pl.String)
            .alias(what)
            for what in known
        )  # fmt: skip

    def _told(self, table: str, key: str) -> list[tuple[str, str]]:
        return self.mart.page(table).select(key, pl.coalesce("name", key)).sort("name").rows()

    def _scores(self, **chosen: str) -> pl.DataFrame:
        return self.page("leaving", **chosen)

    def _called(self, horizon: int, capacity: int, n_lists: int, **chosen: str) -> worklist.CallList | None:
        """Whom to call (`worklist.call_list`) but for those whom a list holds out; None where nobody can be scored."""
        scores = self.scores(**chosen)
        if horizon not in self.horizons or not scores.height:
            return None
        try:
            return worklist.call_list(scores, self.rules, horizon, capacity, self.held(n_lists))
        except InputError:
            return None  # nobody in this selection has a probability

    def _issued(self, n_lists: int) -> pl.DataFrame:
        return ledger.issued(self.root)

    def _coming(self, **chosen: str) -> pl.DataFrame:
        """What matures within the days of the calendar, with who looks after it."""
        rows = maturing.within(self.page("maturing", **chosen), self.mart.as_of, self.rules.maturing_days)
        return self.with_names(rows)
