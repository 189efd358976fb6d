"""What `worth` draws: figures of its tables, by the reader's filters."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import book, theme
from crmlab.views.figures import bridge as bridge_figure
from crmlab.views.figures import contribution, pyramid, thresholds
from crmlab.views.figures import deviation as deviation_figure
from crmlab.views.figures import groups as groups_figure
from crmlab.views.figures import whale as whale_figure
from crmlab.views.words import word
from crmlab.views.worth import earnings, say
from crmlab.views.worth.behind import group_name
from crmlab.views.worth.tables import Tables


def levels(tables: Tables, **chosen: str) -> go.Figure:
    """The value pyramid."""
    frame = earnings.levels(tables.people(**chosen))
    return pyramid.levels(frame, tables.tiers, tables.grades, tables.mart.base_currency, tables.mart.minor_digits)


def near(tables: Tables, **chosen: str) -> go.Figure:
    """Who is near a threshold."""
    return thresholds.near(earnings.near(tables.people(**chosen), tables.tiers))


def whale(tables: Tables, measure: str, **chosen: str) -> go.Figure:
    """The whale curves of the chosen measure."""
    found = tables.curves(measure, **chosen)
    if found is None:
        return theme.sentence(word("worth.no_whale"), whale_figure.HEIGHT)
    return whale_figure.curve(found[0], tables.kinds, tables.small(**chosen))


def said(tables: Tables, measure: str, **chosen: str) -> str:
    """The whale curves in sentences."""
    found = tables.curves(measure, **chosen)
    return say.whale(found[1], tables.small(**chosen), measure) if found else ""


def lines(tables: Tables, **chosen: str) -> go.Figure:
    """Contribution by line and component."""
    mart = tables.mart
    frame = earnings.by_line(tables.lines(**chosen))
    return contribution.by_line(
        frame, mart.manifest["contribution"]["components"], mart.base_currency, mart.minor_digits
    )


def months(tables: Tables, span: tuple, **chosen: str) -> go.Figure:
    """Contribution by month and line."""
    frame = earnings.by_month(book.scope(tables.mart.page("worth_months"), **chosen), *span)
    return contribution.over_months(frame, tables.mart.base_currency, tables.mart.minor_digits)


def deviation(tables: Tables, **chosen: str) -> go.Figure:
    """Closing against average."""
    trend = book.scope(tables.mart.page("trend"), **chosen)
    return deviation_figure.by_month(earnings.deviation(trend, tables.spikes(**chosen)))


def bridge(tables: Tables, span: tuple, measure: str, **chosen: str) -> go.Figure:
    """The bridge between the two months of the span."""
    if span[0] == span[1]:
        return theme.sentence(word("worth.two_months"), bridge_figure.HEIGHT)
    labels = dict(zip(("opening", "closing"), map(theme.month, span), strict=True))
    bars = tables.bridge(span, measure, **chosen)
    return bridge_figure.waterfall(bars, labels, tables.mart.base_currency, tables.mart.minor_digits)


def groups(tables: Tables, first: str, second: str, **chosen: str) -> go.Figure:
    """Two groups by line."""
    members, amounts = tables.sides(first, second, **chosen)
    frame = earnings.each(amounts, [one.height for one in members], "line")
    return groups_figure.side_by_side(
        frame.with_columns(pl.col("amount") / 10**tables.mart.minor_digits),
        [first, second],
        [group_name(first), group_name(second)],
        [one.height < earnings.SMALL for one in members],
        word("worth.each_axis", currency=tables.mart.base_currency),
    )
