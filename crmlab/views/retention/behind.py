"""The lists of `retention`: whom to call, what matures, who left, and who stands on issued lists."""

from datetime import date
from html import escape

import polars as pl

from crmlab.measures.churn.worklist import CallList
from crmlab.views import theme
from crmlab.views.retention import maturing
from crmlab.views.retention.tables import MILLION, Tables
from crmlab.views.widgets import Column
from crmlab.views.words import named, word

CALLS = [
    Column("rank", "count"), Column("customer_no"), Column("manager"), Column("probability", "percent"),
    Column("reasons", "prose"), Column("aum", "money"), Column("contribution_year", "change"),
    Column("amount_gain", "money"), Column("last_contact_on", "date"), Column("next_matures_on", "date"),
    Column("amount_maturing", "money"), Column("listed_on", "date"),
]  # fmt: skip
COMING = [
    Column("matures_on", "date"), Column("customer_no"), Column("manager"), Column("product"), Column("line", "named"),
    Column("amount_maturing", "money"), Column("probability_stays", "percent"), Column("interval"),
    Column("n_like", "count"),
]  # fmt: skip
LEFT = [
    Column("rank", "count"), Column("customer_no"), Column("name"), Column("manager"), Column("cause", "named"),
    Column("ends_on", "date"), Column("amount_lost", "money"), Column("contribution_year", "change"),
    Column("probability_returns", "percent"), Column("amount_gain", "money"),
]  # fmt: skip
SHOWN = ("called", "going", "capacity", "gain", "held")
DOWNLOAD = [
    "customer_id", "customer_no", "name", "kind", "branch", "manager", "segment", "tier", "probability", "aum",
    "contribution_year", "amount_gain", "reasons", "last_contact_on", "next_matures_on", "amount_maturing", "listed_on",
]  # fmt: skip


def calls(tables: Tables, show: str, horizon: int, capacity: int, n_lists: int, **chosen: str) -> pl.DataFrame:
    """The list that is shown: those to call by rank, or those who are not on it for one reason, most money first."""
    found = tables.called(horizon, capacity, n_lists, **chosen)
    rows = _shown(tables, found, show, horizon, n_lists, **chosen)
    rows = rows.with_columns(
        probability=f"p{horizon}" if f"p{horizon}" in rows.columns else pl.lit(None, pl.Float64),
        amount_gain="expected" if "expected" in rows.columns else pl.lit(None, pl.Int64),
        amount_maturing=pl.when(pl.col("maturing") != 0).then("maturing"),
        next_matures_on="matures_on",
        rank="rank" if "rank" in rows.columns else pl.int_range(1, pl.len() + 1),
    )
    return rows.join(_open(tables, n_lists), on="customer_no", how="left", maintain_order="left").select(
        "rank", *DOWNLOAD
    )


def _shown(
    tables: Tables, found: CallList | None, show: str, horizon: int, n_lists: int, **chosen: str
) -> pl.DataFrame:
    """Who is called; else who is not, for that reason, those first whose money is most."""
    scores = tables.scores(**chosen)
    if found is None:
        return scores.clear()
    if show == "called":
        return found.calls
    if show == "going":
        return found.unconfirmed
    is_held = pl.col("customer_no").is_in(tables.held(n_lists).implode())
    rules, weight = tables.rules, pl.col(f"p{horizon}") * pl.col("contribution_year").clip(0)
    is_worth = weight * (rules.save_rate / MILLION) > rules.cost
    why = {"held": is_held, "capacity": is_worth & ~is_held, "gain": ~is_worth & ~is_held}[show]
    rows = scores.filter(pl.col("state_of_watch") == "at risk", why)
    return rows.join(found.calls, on="customer_no", how="anti").sort(
        "aum", "customer_no", descending=[True, False], nulls_last=True
    )


def _open(tables: Tables, n_lists: int) -> pl.DataFrame:
    """The numbers of those on a list that is not read out yet, and since when."""
    if not n_lists:
        return pl.DataFrame(schema={"customer_no": pl.String, "listed_on": pl.Date})
    rows = tables.issued(n_lists).filter(pl.col("ends_on") >= tables.mart.as_of)
    return rows.group_by("customer_no").agg(listed_on=pl.col("issued_on").max())


def coming(tables: Tables, clicked: tuple[str, ...], **chosen: str) -> pl.DataFrame:
    """What matures, of the week and line that were clicked or all of it."""
    rows = tables.coming(**chosen)
    if clicked:
        week, line = clicked[1].split("|", 1)
        rows = maturing.in_week(rows, date.fromisoformat(week), line)
    ends = [pl.col(end).mul(100).round(0).cast(pl.Int64) for end in ("lower", "upper")]
    return rows.select(
        "matures_on", "customer_id", "customer_no", "manager", "branch", "product", "line", "account_no",
        pl.format("{}–{}", *ends).alias("interval"), "n_like", probability_stays="probability",
        amount_maturing="amount",
    )  # fmt: skip


def coming_title(_: Tables, clicked: tuple[str, ...]) -> str:
    """What the list of maturities is called."""
    if not clicked:
        return f"<h2>{word('retention.maturing_all')}</h2>"
    week, line = clicked[1].split("|", 1)
    told = {"line": escape(named("line", line)), "week": theme.day(date.fromisoformat(week))}
    return f"<h2>{word('retention.maturing_week', **told)}</h2>"


def left(tables: Tables, **chosen: str) -> pl.DataFrame:
    """Who left and could be won back."""
    rows = tables.page("win_back", **chosen)
    return tables.with_names(rows).select(
        pl.int_range(1, pl.len() + 1).alias("rank"), "customer_id", "customer_no", "name", "kind", "branch", "manager",
        "cause", "ends_on", "contribution_year", amount_lost="lost", probability_returns="returned_rate",
        amount_gain="expected",
    )  # fmt: skip
