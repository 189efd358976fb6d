"""What `retention` draws: figures of its tables, by the reader's filters."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.book import ALL
from crmlab.views.figures import hazards as hazards_figure
from crmlab.views.figures import maturities, survival, trust
from crmlab.views.figures import reasons as reasons_figure
from crmlab.views.retention import maturing
from crmlab.views.retention.naming import curve_name
from crmlab.views.retention.tables import Tables

MOST_REASONS = 7
MOST_CURVES = 8  # drawn at once: more cannot be told apart
MOST_MANAGERS = 12
LEAST_AT_RISK = 10  # a curve ends where fewer are left
SHADES = ("#004488", "#bb5566", "#117733", "#ddaa33", "#66ccee", "#aa3377", "#997700", "#44aa99")


def reasons(tables: Tables, customer: str | None) -> go.Figure:
    """Why the chosen customer is thought to leave, or to stay."""
    found = tables.reasons_of(customer)
    strongest = found.sort(pl.col("contribution").abs(), descending=True, maintain_order=True).head(MOST_REASONS)
    return reasons_figure.bars(strongest)


def curves(tables: Tables, by: str, kind: str = ALL) -> go.Figure:
    """How long customers stay."""
    rows = tables.curves(by, kind)
    groups = _largest(rows, tables.orders.get(by, []))
    rows = rows.filter(pl.col("group").is_in(groups), _is_enough().over("group")).with_columns(
        is_small=pl.col("at_risk").max().over("group") < maturing.SMALL
    )
    return survival.curves(rows, _shades(tables, by, groups), {one: curve_name(tables, by, one) for one in groups})


def incidence(tables: Tables, kind: str = ALL) -> go.Figure:
    """The share gone by cause."""
    rows = tables.mart.page("incidence").filter(pl.col("kind") == kind, _is_enough().over("cause"))
    return survival.incidence(rows)


def calibration(tables: Tables, horizon: int) -> go.Figure:
    """What was told against what came."""
    return trust.calibration(tables.trial("calibration", horizon))


def gains(tables: Tables, horizon: int) -> go.Figure:
    """What so many calls would have held."""
    return trust.gains(tables.trial("gains", horizon), tables.budget)


def lead_time(tables: Tables, horizon: int) -> go.Figure:
    """How early the lost money was flagged."""
    return trust.lead_time(tables.trial("lead", horizon))


def hazards(tables: Tables, cause: str) -> go.Figure:
    """What drives customers away by that cause."""
    return hazards_figure.dots(tables.mart.page("hazards").filter(pl.col("cause") == cause))


def calendar(tables: Tables, **chosen: str) -> go.Figure:
    """What matures week by week."""
    mart = tables.mart
    found = maturing.weeks(tables.page("maturing", **chosen), mart.as_of, tables.rules.maturing_days)
    return maturities.calendar(found, mart.base_currency, mart.minor_digits)


def kept(tables: Tables, **chosen: str) -> go.Figure:
    """How much of what matured stayed, by manager."""
    found = tables.kept(**chosen)
    most = found.sort("n", "manager_id", descending=[True, False]).head(MOST_MANAGERS)
    off = pl.col("kept_rate") - pl.col("expected")
    return maturities.kept(most.sort(off, "manager_id", descending=[True, False]))


def _largest(rows: pl.DataFrame, order: list[str]) -> list[str]:
    """The groups of most customers, in the order of their telling."""
    sizes = rows.group_by("group").agg(n=pl.col("at_risk").max()).sort("n", "group", descending=[True, False])
    most = sizes["group"].head(MOST_CURVES).to_list()
    return [one for one in order if one in most] + [one for one in most if one not in order]


def _is_enough() -> pl.Expr:
    """Up to the last time at which enough are at risk: what comes later rests on too few."""
    return pl.col("time") <= pl.col("time").filter(pl.col("at_risk") >= LEAST_AT_RISK).max()


def _shades(tables: Tables, by: str, groups: list[str]) -> dict[str, str]:
    known = tables.colours.get(by, {})
    return {group: known.get(group, SHADES[at % len(SHADES)]) for at, group in enumerate(groups)} | (
        {"": theme.ACCENT} if by == "" else {}
    )
