"""The customers behind what was clicked on `segments`."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from crmlab.measures.funnel import STEPS
from crmlab.views import theme
from crmlab.views.lists import Listing
from crmlab.views.segments import moves
from crmlab.views.segments.naming import group_name, trait_name
from crmlab.views.segments.tables import Tables
from crmlab.views.widgets import Column
from crmlab.views.words import named, word

COLUMNS = [
    Column("customer_no"),
    Column("name"),
    Column("kind", "named"),
    Column("branch"),
    Column("manager"),
    Column("origin"),
    Column("destination"),
    Column("aum_start", "money"),
    Column("aum_end", "money"),
    Column("aum_moved", "change"),
    Column("lead_id"),
    Column("line"),
    Column("reached"),
    Column("reached_on"),
    Column("amount", "money"),
    Column("share_of"),
    Column("segment", "dot"),
    Column("state", "named"),
    Column("tier"),
    Column("aum", "money"),
]
OF_SOME = {
    **dict.fromkeys(("origin", "destination", "lead_id", "line", "reached", "reached_on"), pl.String),
    **dict.fromkeys(("aum_start", "aum_end", "aum_moved", "amount"), pl.Int64),
    "share_of": pl.String,
}


@dataclass(frozen=True)
class Asked:
    """What the reader asks for besides the click."""

    tables: Tables
    span: tuple[date, date]
    by: str
    pair: tuple[str, str]
    chosen: dict[str, str]

    @property
    def months(self) -> dict[str, str]:
        """The two months as they are told."""
        return dict(zip(("start", "end"), map(theme.month, self.span), strict=True))


def listed(
    tables: Tables,
    clicked: tuple[str, ...],
    span: tuple[date, date],
    by: str,
    first: str = "",
    second: str = "",
    **chosen: str,
) -> Listing:
    """The customers behind a click, given as the figure's name and the key of the point; all of today where nothing is.

    A lead of nobody's yet is a row without a customer.
    """
    if not clicked:
        return Listing(word("list.title"), _with_all_columns(tables.people(**chosen)), "aum")
    figure, key = clicked
    made, marks = _BEHIND[figure]
    found = made(Asked(tables, span, by, (first, second), chosen), *key.rsplit("|", marks))
    return Listing(found.title, _with_all_columns(_with_names(tables, found.rows)), found.sort, found.is_down)


def _with_all_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """What only some lists have is empty in the others."""
    return rows.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in OF_SOME.items() if name not in rows.columns
    )


def _with_names(tables: Tables, rows: pl.DataFrame) -> pl.DataFrame:
    """What is known of these customers today; of who is gone, number, kind and the last to look after them."""
    everyone = tables.everyone
    own = [name for name in rows.columns if name != "customer_id"]
    known = rows.join(everyone.drop(own, strict=False), on="customer_id", how="left", maintain_order="left")
    if known["customer_no"].null_count():
        gone = tables.people_ever.rename(lambda name: name if name == "customer_id" else f"{name}_ever")
        known = known.join(gone, on="customer_id", how="left", maintain_order="left").with_columns(
            pl.coalesce(name, f"{name}_ever") for name in tables.people_ever.columns if name != "customer_id"
        )
    return known.select(everyone.columns + [name for name in own if name not in everyone.columns])


def _way(asked: Asked, origin: str, destination: str) -> Listing:
    """Who went a way, came from somewhere or got somewhere; those whose money changed most on top."""
    moved = pl.col("aum_end") - pl.col("aum_start")
    ends = {"origin": origin, "destination": destination}
    rows = asked.tables.pairs(asked.span, asked.by, **asked.chosen)
    rows = rows.filter(pl.col(end) == name for end, name in ends.items() if name)
    told = {end: named(asked.by, name) for end, name in ends.items()} | asked.months
    title = word(f"segments.list_{'way' if origin and destination else 'from' if origin else 'to'}", **told)
    return _moved(asked, title, rows.with_columns(aum_moved=moved))


def _moved(asked: Asked, title: str, rows: pl.DataFrame) -> Listing:
    names = {name: named(asked.by, name) for name in pl.concat([rows["origin"], rows["destination"]]).unique()}
    rows = rows.with_columns(pl.col("origin", "destination").replace(names))
    return Listing(title, rows, "aum_moved", is_down=(rows["aum_moved"].sum() or 0) > 0)


def _cell(asked: Asked, activity: str, earning: str, growth: str) -> Listing:
    cell = {"activity": activity, "earning": earning, "growth": growth}
    rows = asked.tables.page("traits", **asked.chosen).filter(pl.col(name) == value for name, value in cell.items())
    grid = asked.tables.mart.page("segment_cells").filter(pl.col(name) == value for name, value in cell.items())
    told = {name: named(name, value) for name, value in cell.items()}
    title = word("segments.list_cell", segment=grid["segment"][0], **told)
    return Listing(title, rows.select("customer_id"), "aum")


def _state(asked: Asked, month: str, state: str) -> Listing:
    rows = asked.tables.who(**asked.chosen).filter(pl.col(f"state {month}") == state).select("customer_id")
    on = theme.month(date.fromisoformat(month))
    return Listing(word("segments.list_state", state=named("state", state), month=on), rows, "aum")


def _step(asked: Asked, who: str, line: str, step: str) -> Listing:
    """Leads that took a step, with how far they came; those who did so last on top."""
    rows = asked.tables.leads(**asked.chosen).filter(pl.col("is_prospect") == (who == "newcomers"))
    rows = rows.filter(pl.col("line") == line) if line else rows
    later = STEPS[STEPS.index(step) :]
    if step != STEPS[0]:
        rows = rows.filter(pl.any_horizontal(pl.col([f"{name}_on" for name in later]).is_not_null()))
    last = [(pl.col("opened_on"), "opened"), (pl.col("lost_on"), "lost")]
    last += [(pl.col(f"{name}_on"), name) for name in STEPS[-2::-1]]
    reached = pl.coalesce(pl.when(on.is_not_null()).then(pl.lit(named("step", name))) for on, name in last)
    told = rows.select(
        "customer_id",
        "lead_id",
        line=pl.col("line").replace({name: named("line", name) for name in rows["line"].drop_nulls().unique()}),
        reached=reached,
        reached_on=pl.coalesce(on for on, _ in last).cast(pl.String),
    )
    names = {"who": word(f"segments.{'newcomers' if who == 'newcomers' else 'of_customers'}").lower()}
    of = named("line", line) if line else word("segments.all_lines")
    return Listing(word("segments.list_step", line=of.lower(), step=named("step", step), **names), told, "reached_on")


def _trait(asked: Asked, trait: str, value: str) -> Listing:
    """Customers of the first group who have the trait; a number's largest on top."""
    rows = moves.group(asked.tables.page("traits", **asked.chosen), *asked.pair).filter("is_first")
    title = word("segments.list_trait", group=group_name(asked.pair[0]), trait=trait_name(trait, value or None))
    if rows[trait].dtype == pl.Boolean:
        return Listing(title, rows.filter(trait).select("customer_id"), "aum")
    if value:
        return Listing(title, rows.filter(pl.col(trait).cast(pl.String) == value).select("customer_id"), "aum")
    return Listing(title, rows.sort(trait, descending=True, nulls_last=True).select("customer_id"), sort=None)


def _category(asked: Asked, category: str) -> Listing:
    column = f"share_{category}"
    rows = asked.tables.page("traits", **asked.chosen)
    if column not in rows.columns:  # nobody did in those 12 months, what the figure shows is older
        rows = rows.clear().with_columns(pl.lit(None, pl.Float64).alias(column))
    rows = rows.filter(pl.col(column) > 0).sort(column, descending=True)
    shares = [theme.share(share) for share in rows[column]]
    title = word("segments.list_category", category=named("category", category).lower())
    return Listing(
        title, rows.select("customer_id").with_columns(share_of=pl.Series(shares, dtype=pl.String)), sort=None
    )


def _sent(asked: Asked, _: str) -> Listing:
    rows = asked.tables.page("traits", **asked.chosen).filter(pl.col("outflow_other_bank") > 0)
    return Listing(word("segments.list_sent"), rows.select("customer_id", amount="outflow_other_bank"), "amount")


def _not_digital(asked: Asked, _: str) -> Listing:
    rows = asked.tables.page("traits", **asked.chosen).filter(~pl.col("is_digital"))
    return Listing(word("segments.list_not_digital"), rows.select("customer_id"), "aum")


def _cluster(asked: Asked, cluster: str) -> Listing:
    rows = asked.tables.page("traits", **asked.chosen).filter(pl.col("cluster") == cluster)
    return Listing(group_name(f"cluster={cluster}"), rows.select("customer_id"), "aum")


_BEHIND = {  # with how many marks divide the key: what comes from the data may hold the mark itself
    "flows": (_way, 1),
    "matrix": (_way, 1),
    "cells": (_cell, 2),
    "states": (_state, 1),
    "funnel": (_step, 2),
    "profile": (_trait, 1),
    "spending": (_category, 0),
    "outflow": (_sent, 0),
    "channels": (_not_digital, 0),
    "clusters": (_cluster, 0),
}
