"""Two groups of customers side by side."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 300


def side_by_side(frame: pl.DataFrame, groups: list[str], labels: list[str], small: list[bool], axis: str) -> go.Figure:
    """What a customer of each group contributes by line. A bar carries ``group|line`` for a click.

    Parameters
    ----------
    frame
        group (0 or 1), line, amount in major units (`earnings.each`), the line that differs most first.
    groups, labels, small
        The key of each group, what it is called, and whether it is too small to be leant on and drawn faint.
    """
    if not frame.height:
        return theme.sentence(word("worth.none"), HEIGHT)
    lines = [named("line", line) for line in frame["line"].unique(maintain_order=True)][::-1]

    def bars(at: int) -> dict:
        rows = frame.filter(pl.col("group") == at)
        return {
            "type": "bar",
            "x": rows["amount"].to_list(),
            "y": [named("line", line) for line in rows["line"]],
            "orientation": "h",
            "name": labels[at],
            "marker": {"color": theme.TWO[at], "opacity": 0.35 if small[at] else 1},
            "customdata": [f"{groups[at]}|{line}" for line in rows["line"]],
            "hovertemplate": f"<b>%{{y}}</b>, {labels[at]}<br>%{{x:,.2f}}<extra></extra>",
        }

    return theme.clickable(
        HEIGHT,
        [bars(1), bars(0)],  # plotly draws upwards: the second first, so that the first stands on top
        barmode="group",
        bargap=0.3,
        legend={"traceorder": "reversed"},
        xaxis={"title": theme.title(axis), **theme.ZERO},
        yaxis={"categoryorder": "array", "categoryarray": lines, "showgrid": False},
    )
