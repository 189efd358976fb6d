"""The life cycle of everybody, month after month."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 320


def over_time(frame: pl.DataFrame) -> go.Figure:
    """A column a month, by state; a part carries ``month|state`` for a click.

    Parameters
    ----------
    frame
        month, state, n (`moves.standing`).
    """
    if not frame.height:
        return theme.sentence(word("segments.none"), HEIGHT)

    def of(state: str) -> dict:
        rows = frame.filter(pl.col("state") == state).sort("month")
        return {
            "type": "bar",
            "x": rows["month"].to_list(),
            "y": rows["n"].to_list(),
            "name": named("state", state),
            "marker": {"color": theme.STATES[state]},
            "customdata": [f"{month}|{state}" for month in rows["month"]],
            "hovertemplate": f"<b>{named('state', state)}</b>, %{{x|%b %Y}}<br>%{{y:,}}<extra></extra>",
        }

    # Those who are as they were stand at the bottom, so that the others are seen against a level line.
    there = set(frame["state"])
    quiet = [name for name in ("mature", "dormant") if name in there]
    shown = quiet + [name for name in theme.STATES if name in there and name not in quiet]
    days = frame["month"].unique().sort().to_list()
    return theme.clickable(
        HEIGHT,
        [of(state) for state in shown],
        barmode="stack",
        bargap=0.15,
        showlegend=True,  # of one state, too
        legend={"traceorder": "normal"},
        xaxis=theme.months(days),
        yaxis={"title": theme.title(word("segments.customers")), "rangemode": "tozero"},
    )
