"""How far the closing balance stands from the month's average: why a single day misleads."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import word

HEIGHT = 300


def by_month(frame: pl.DataFrame) -> go.Figure:
    """A column a month; quarter ends are dark, say how many customers had a spike, and carry their day for a click.

    Parameters
    ----------
    frame
        month, share, n (`earnings.deviation`).
    """
    if not frame.height:
        return theme.sentence(word("worth.none"), HEIGHT)
    ends = [day.month % 3 == 0 for day in frame["month"]]
    bars = {
        "type": "bar",
        "x": frame["month"].to_list(),
        "y": frame["share"].to_list(),
        "marker": {"color": [theme.LINES["deposits"] if is_end else theme.FAINT for is_end in ends]},
        "customdata": [str(day) if is_end else None for day, is_end in zip(frame["month"], ends, strict=True)],
        "text": [theme.brief(n) if n else "" for n in frame["n"]],
        "textposition": "outside",
        "textfont": {"size": 11, "color": theme.QUIET},
        "constraintext": "none",
        "cliponaxis": False,
        "hovertext": [_hover(row) for row in frame.iter_rows(named=True)],
        "hoverinfo": "text",
    }
    axis = {"title": theme.title(word("worth.deviation_axis")), "tickformat": "+.1~%", "nticks": 6}
    return theme.clickable(
        HEIGHT, [bars], bargap=0.3, xaxis=theme.months(frame["month"].to_list()), yaxis={**axis, **theme.ZERO}
    )


def _hover(row: dict) -> str:
    told = word("worth.deviation_hover", month=theme.month(row["month"]), share=theme.share(row["share"], signed=True))
    return told if row["n"] is None else f"{told}<br>{word('worth.spikes', n=theme.whole(row['n']))}"
