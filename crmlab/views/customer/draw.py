"""What the page of one customer draws."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.customer.sheet import STANDINGS, Sheet
from crmlab.views.figures import balances as balances_figure
from crmlab.views.figures import contribution as contribution_figure
from crmlab.views.figures import strip, timeline
from crmlab.views.words import word

HEIGHT = 300
MANY = 60  # events of a kind; more of them are drawn a dot a month


def balances(sheet: Sheet) -> go.Figure:
    """Balances over time by line."""
    if sheet.balances.is_empty():
        return theme.sentence(word("customer.no_balances"), HEIGHT)
    return balances_figure.over_time(sheet.balances, sheet.mart.base_currency, HEIGHT)


def contribution(sheet: Sheet) -> go.Figure:
    """Contribution by month and line; nothing stands behind a bar but this customer, so nothing can be clicked."""
    mart = sheet.mart
    if sheet.contribution.is_empty():
        return theme.sentence(word("customer.no_contribution"), HEIGHT)
    figure = contribution_figure.over_months(sheet.contribution, mart.base_currency, mart.minor_digits)
    return figure.update_traces(customdata=None)


def history(sheet: Sheet) -> go.Figure:
    """Segment, life cycle and tier over the months."""
    mart = sheet.mart
    tiers = mart.page("worth_tiers").filter(pl.col("rule") == "tier").sort("rank")["name"]
    colours = {
        "segment": theme.colours(mart.page("segments")["name"]),
        "state": theme.STATES,
        "tier": theme.steps(tiers),
    }
    return strip.runs(runs(sheet.history), {what: word(f"column.{what}") for what in STANDINGS}, colours)


def events(sheet: Sheet) -> go.Figure:
    """What happened since the history begins, a row a kind; accounts may be decades older."""
    mart = sheet.mart
    rows = dots(sheet.events.filter(pl.col("on") >= sheet.history_from), mart.minor_digits)
    return timeline.dots(rows, list(theme.EVENTS), (sheet.history_from, mart.as_of), mart.base_currency)


def runs(history: pl.DataFrame) -> pl.DataFrame:
    """How long a customer stood where: what, value, start, end (the first and the last month end).

    Examples
    --------
    >>> from datetime import date
    >>> days = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]
    >>> runs(pl.DataFrame({"month": days, "segment": [None] * 3, "state": ["new", "new", "mature"], "tier": [None] * 3},
    ...     {"month": pl.Date, "segment": pl.String, "state": pl.String, "tier": pl.String})).rows()[0]
    ('state', 'new', datetime.date(2024, 1, 31), datetime.date(2024, 2, 29))
    """
    long = history.unpivot(STANDINGS, index="month", variable_name="what").sort("what", "month", maintain_order=True)
    spans = long.group_by("what", pl.struct("what", "value").rle_id().alias("run"), maintain_order=True).agg(
        pl.col("value").first(), start=pl.col("month").first(), end=pl.col("month").last()
    )
    return spans.drop_nulls("value").select("what", "value", "start", "end")


def dots(events: pl.DataFrame, digits: int) -> pl.DataFrame:
    """The events as they are drawn: on, kind, n, amount in major units, detail; what is too frequent by month.

    Examples
    --------
    >>> from datetime import date
    >>> many = pl.DataFrame({"on": [date(2024, 3, 1)] * 61, "kind": "salary", "amount": 100, "detail": "pay"})
    >>> dots(many, 2).rows()
    [(datetime.date(2024, 3, 15), 'salary', 61, 61.0, None)]
    """
    by_month = pl.len().over("kind") > MANY
    middle = pl.col("on").dt.month_start().dt.offset_by("14d")
    rows = events.with_columns(on=pl.when(by_month).then(middle).otherwise("on"))
    same = rows.group_by("on", "kind", maintain_order=True).agg(
        n=pl.len(),
        amount=pl.when(pl.col("amount").count() > 0).then(pl.col("amount").sum() / 10**digits),
        detail=pl.when(pl.len() == 1).then(pl.col("detail").first()),
    )
    return same
