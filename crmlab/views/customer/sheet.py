"""What the mart knows of one customer; each part is read when it is first asked for."""

from calendar import monthrange
from datetime import date
from difflib import get_close_matches
from functools import cached_property

import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.views import book
from crmlab.views.words import named

STANDINGS = ("segment", "state", "tier")
SOME = 200  # numbers that are looked at closely for one that nobody has
LONGEST = 40  # letters of it that are looked at


class Sheet:
    """One customer of the mart; `found` makes it."""

    def __init__(self, mart: Mart, person: dict):
        self.mart, self.person, self.id = mart, person, person["customer_id"]

    def row(self, name: str) -> dict:
        """What a page table holds of the customer; nothing where it holds nothing."""
        rows = self.mart.of(name, self.id)
        return rows.row(0, named=True) if rows.height else {}

    @cached_property
    def today(self) -> dict:
        """The row of `roster`; nothing where the customer is gone."""
        return self.row("roster")

    @cached_property
    def worth(self) -> dict:
        """The row of `worth`: contribution, grade, what the next tier asks for; nothing where the customer is gone."""
        return self.row("worth")

    @cached_property
    def branch(self) -> str | None:
        """The name of the branch."""
        return names(self.mart, "branches", "branch_id").get(self.person["branch_id"])

    @cached_property
    def manager(self) -> str | None:
        """The name of who looks after the customer, or did last; None where nobody does."""
        return names(self.mart, "managers", "manager_id").get(self.person["manager_id"])

    @cached_property
    def history(self) -> pl.DataFrame:
        """Month by month: month, segment, state, tier (null where the customer was not there, or it cannot be told)."""
        row = self.row("paths")
        months = sorted(name.removeprefix("state ") for name in row if name.startswith("state "))
        columns = {name: [row.get(f"{name} {month}") for month in months] for name in STANDINGS}
        schema = {"month": pl.Date} | dict.fromkeys(STANDINGS, pl.String)
        return pl.DataFrame({"month": [date.fromisoformat(month) for month in months], **columns}, schema)

    @cached_property
    def now(self) -> dict:
        """Segment, state and tier at the end of the last month."""
        return self.history.row(-1, named=True) if self.history.height else dict.fromkeys(STANDINGS)

    @cached_property
    def rule(self) -> dict:
        """What the policy says of the segment: means, do; nothing where there is none."""
        rows = self.mart.page("segments").filter(pl.col("name").eq_missing(self.now["segment"]))
        return rows.row(0, named=True) if rows.height else {}

    @cached_property
    def holdings(self) -> pl.DataFrame:
        """The accounts the customer owns or holds a part of, open ones first, then by size, with their closing balance.

        That of the last month and of the whole account, in minor units of its currency; null where it is not known.
        share is that of an account that another customer owns, in millionths.
        """
        accounts = self.mart.accounts.filter(pl.col("customer_id") == self.id).collect()
        accounts = accounts.with_columns(share=pl.lit(None, pl.Int64))
        jointly = self.mart.of("jointly", self.id).select("account_id", "share")
        if jointly.height:
            held = self.mart.accounts.filter(pl.col("account_id").is_in(jointly["account_id"].implode())).collect()
            accounts = pl.concat([accounts, held.join(jointly, on="account_id").select(accounts.columns)])
        ids = accounts["account_id"]
        if not ids.len():
            return accounts.with_columns(closing=pl.lit(None, pl.Int64))
        last = (pl.col("month") == self.month) & pl.col("account_id").is_between(ids.min(), ids.max())
        facts = self.mart.facts.filter(last, pl.col("account_id").is_in(ids.implode()))
        closing = facts.select("account_id", "ends_on", "closing").collect().sort("ends_on")
        closing = closing.unique("account_id", keep="last").drop("ends_on")
        known = accounts.join(closing, on="account_id", how="left")
        return known.sort(pl.col("closed_on").is_not_null(), -pl.col("closing").abs(), "opened_on", nulls_last=True)

    @property
    def history_from(self) -> date:
        """The first day of the history."""
        return date.fromisoformat(self.mart.manifest["history_from"])

    @property
    def month(self) -> date:
        """The end of the last month of the history."""
        day = self.mart.as_of
        return day.replace(day=monthrange(day.year, day.month)[1])

    @cached_property
    def balances(self) -> pl.DataFrame:
        """Closing and average by month and line (`book.balances`), in major units; null in months without.

        Without is a month in which there was no such account, or one whose balance or average is not known.
        """
        is_known = pl.col("n_without_balance") + pl.col("n_without_average") == 0
        rows = self.mart.customers.filter(pl.col("customer_id") == self.id, is_known)
        rows = rows.select("month", "line", "closing", "balance_days", "days").collect()
        known = book.balances(rows.join(classes(self.mart), on="line"), self.mart.minor_digits)
        lines = known.select(pl.col("line").unique(maintain_order=True))
        months = self.history.select("month").filter(pl.col("month") >= pl.lit(known["month"].min(), pl.Date))
        return lines.join(months, how="cross").join(known, on=["line", "month"], how="left", maintain_order="left")

    @cached_property
    def contribution(self) -> pl.DataFrame:
        """What the customer brought: month, line, amount in minor units."""
        parts = self.mart.manifest["contribution"]["components"]
        rows = self.mart.contribution.filter(pl.col("customer_id") == self.id)
        sums = rows.group_by("month", "line").agg(amount=pl.sum_horizontal(pl.col(parts).sum())).collect()
        return sums.filter(pl.col("amount") != 0).sort("line", "month")

    @cached_property
    def events(self) -> pl.DataFrame:
        """What happened: on, kind, amount, detail, the newest first; managers and campaigns by their names."""
        rows = self.mart.events.filter(pl.col("customer_id") == self.id).collect()
        rows = rows.select("on", pl.col("kind").cast(pl.String), "amount", "detail")
        who = pl.col("detail").replace(names(self.mart, "managers", "manager_id"))
        rows = rows.filter(pl.col("kind") != "offer").with_columns(
            detail=pl.when(pl.col("kind") == "manager_change").then(who).otherwise("detail")
        )
        offers = self.offers.select("on", kind=pl.lit("offer"), amount=pl.lit(None, pl.Int64), detail="name")
        return pl.concat([rows, offers]).sort("on", "kind", "amount", "detail", descending=[True, False, True, False])

    @property
    def happened(self) -> pl.DataFrame:
        """The events as a list shows them: on, event, amount_event, detail; what happened in words, to be found by."""
        told = {kind: named("event", kind) for kind in self.events["kind"].unique()}
        return self.events.select(
            "on", pl.col("kind").replace(told).alias("event"), amount_event="amount", detail="detail"
        )

    @cached_property
    def complaints(self) -> pl.DataFrame:
        """on, topic, resolved_on; the open ones first, the oldest of them on top."""
        rows = self.mart.of("complaints", self.id)
        return rows.sort(pl.col("resolved_on").is_not_null(), "on")

    @cached_property
    def offers(self) -> pl.DataFrame:
        """on, name, product, responded_on, opened_on; the newest first."""
        return self.mart.of("offers", self.id).sort("on", "name", descending=[True, False])

    @cached_property
    def identity(self) -> dict:
        """Name, mobile, address and national ID: read for the one customer whose identity a reader asks for."""
        return self.mart.identity.filter(pl.col("customer_id") == self.id).collect().row(0, named=True)


def found(mart: Mart, number: str) -> Sheet | None:
    """The customer of a number, or None."""
    rows = mart.page("people").filter(pl.col("customer_no") == number.strip())
    return Sheet(mart, rows.row(0, named=True)) if rows.height else None


def near(mart: Mart, number: str) -> list[str]:
    """Up to three numbers that may have been meant: those that end as it does, else the most like it.

    Like it are those that share its beginning or its end: a wrong figure, or two in the wrong order, leave one of them.
    """
    typed, no = number.strip()[:LONGEST], pl.col("customer_no")
    if not typed:
        return []
    numbers, half = mart.page("people").select(no), len(typed) // 2
    ends = numbers.filter(no.str.ends_with(typed.upper())).head(3)["customer_no"].to_list()
    if ends:
        return ends
    alike = pl.sum_horizontal(no.str.slice(at, 1) == letter for at, letter in enumerate(typed))
    like = numbers.filter(no.str.starts_with(typed[: half or 1]) | no.str.ends_with(typed[half:]))
    return get_close_matches(typed, like.sort(alike, descending=True).head(SOME)["customer_no"].to_list())


def names(mart: Mart, table: str, key: str) -> dict[str, str]:
    """The names of branches or managers by their number; who has no name stands with the number."""
    return dict(mart.page(table).select(key, pl.coalesce("name", key)).iter_rows())


def classes(mart: Mart) -> pl.DataFrame:
    """What each line counts as: line, class."""
    return mart.page("trend").select("line", "class").unique()
