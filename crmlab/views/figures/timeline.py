"""What happened with one customer, and when."""

from datetime import date, timedelta

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

ROW = 30  # pixels
ROOM = timedelta(days=12)  # beside the first and the last dot
AREA = (7, 22)  # the smallest and the largest dot


def dots(frame: pl.DataFrame, kinds: list[str], ends: tuple[date, date], currency: str) -> go.Figure:
    """A row of dots each for what happened, their area the amount.

    Parameters
    ----------
    frame
        on, kind, n, amount (major units; null where it is about no amount), detail.
    kinds
        In the order of their rows, from the top.
    ends
        The first and the last day that are drawn.
    """
    there = [kind for kind in kinds if kind in frame["kind"]]
    height = ROW * len(there) + 60
    if not there:
        return theme.sentence(word("customer.no_events"), 120)
    low, high = AREA
    largest = frame["amount"].max() or 1
    sizes = [max(low, high * (amount / largest) ** 0.5) if amount else low + 2 for amount in frame["amount"]]
    rows = frame.with_columns(size=pl.Series(sizes, dtype=pl.Float64))
    return theme.figure(
        height,
        [_row(rows.filter(pl.col("kind") == kind), kind, currency) for kind in there],
        dragmode=False,
        hovermode="closest",
        showlegend=False,
        margin={"l": 8, "r": 12, "t": 4, "b": 30},
        xaxis={"type": "date", "tickformat": "%b %Y", "nticks": 10, "range": [ends[0] - ROOM, ends[1] + ROOM]},
        yaxis={
            "categoryorder": "array",
            "categoryarray": [named("event", kind) for kind in there][::-1],
            "range": [-0.7, len(there) - 0.3],
        },
    )


def _row(rows: pl.DataFrame, kind: str, currency: str) -> dict:
    name = named("event", kind)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": rows["on"].to_list(),
        "y": [name] * rows.height,
        "marker": {
            "size": rows["size"].to_list(),
            "color": theme.EVENTS.get(kind, theme.OTHER),
            "opacity": 0.75,
            "line": {"color": "white", "width": 1},
        },
        "hovertext": [_hover(row, name, currency) for row in rows.iter_rows(named=True)],
        "hoverinfo": "text",
    }


def _hover(row: dict, name: str, currency: str) -> str:
    when = theme.day(row["on"]) if row["n"] == 1 else word("customer.dots", n=row["n"], month=theme.month(row["on"]))
    money = f"{currency} {theme.full(row['amount'])}" if row["amount"] is not None else None
    return "<br>".join(filter(None, [f"<b>{name}</b>, {when}", money, row["detail"]]))
