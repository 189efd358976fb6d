"""Who stands just below a tier, and who just above its lower bound."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import word

HEIGHT = 250


def near(frame: pl.DataFrame) -> go.Figure:
    """A row a threshold: those who nearly reach it to the right, those who nearly fall below it to the left.

    A bar carries ``up|tier`` or ``down|tier`` for a click.

    Parameters
    ----------
    frame
        tier, up, down (`earnings.near`), the lowest tier first.
    """
    if not frame.select(pl.sum_horizontal("up", "down").sum()).item():
        return theme.sentence(word("worth.none_near"), HEIGHT)
    widest = max(frame["up"].max(), frame["down"].max()) * 1.25
    return theme.clickable(
        HEIGHT,
        [_bars(frame, "down", -1, theme.DOWN), _bars(frame, "up", 1, theme.UP)],
        barmode="relative",
        bargap=0.3,
        xaxis={**theme.ZERO, "range": [-widest, widest], "showticklabels": False, "ticks": "", "showgrid": False},
        yaxis={"showgrid": False},
    )


def _bars(frame: pl.DataFrame, side: str, sign: int, colour: str) -> dict:
    return {
        "type": "bar",
        "x": (frame[side] * sign).to_list(),
        "y": frame["tier"].to_list(),
        "orientation": "h",
        "name": word(f"worth.near_{side}"),
        "marker": {"color": colour},
        "text": [theme.whole(n) if n else "" for n in frame[side]],
        "textposition": "outside",
        "cliponaxis": False,
        "customdata": [f"{side}|{tier}" for tier in frame["tier"]],
        "hovertext": [
            word(f"worth.near_{side}_hover", n=theme.whole(n), tier=tier)
            for tier, n in frame.select("tier", side).rows()
        ],
        "hoverinfo": "text",
    }
