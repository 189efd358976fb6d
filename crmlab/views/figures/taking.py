"""What a list of the likeliest offers held of what was taken."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 320


def gains(frame: pl.DataFrame) -> go.Figure:
    """A line a way to tell: of all that was taken, the share on a list of so many pairs; of the one used its interval.

    Parameters
    ----------
    frame
        method, budget (share of the pairs), n_called, n_taken, share, lower, upper.
    """
    if not frame.height:
        return theme.sentence(word("opportunities.no_gains"), HEIGHT)
    there = set(frame["method"])
    return theme.figure(
        HEIGHT,
        [_line(frame.filter(pl.col("method") == way).sort("budget"), way) for way in theme.WAYS if way in there],
        dragmode=False,
        hovermode="closest",
        showlegend=True,
        xaxis={
            "type": "log",
            "tickvals": frame["budget"].unique().sort().to_list(),
            "tickformat": ".0%",
            "title": theme.title(word("opportunities.gains_axis")),
        },
        yaxis={
            "tickformat": ".0%",
            "range": [0, 1.02],
            "title": theme.title(word("opportunities.gains_share_axis")),
        },
    )


def _line(rows: pl.DataFrame, way: str) -> dict:
    colour = theme.WAYS[way]
    made = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": rows["budget"].to_list(),
        "y": rows["share"].to_list(),
        "name": named("way", way),
        "line": {"color": colour, "width": 3 if way == "chosen" else 1.5, "dash": _dash(way)},
        "marker": {"size": 7 if way == "chosen" else 5},
        "hovertext": [_hover(row, way) for row in rows.iter_rows(named=True)],
        "hoverinfo": "text",
    }
    if way not in ("chosen", "popularity"):
        return made
    return made | {
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": (rows["upper"] - rows["share"]).to_list(),
            "arrayminus": (rows["share"] - rows["lower"]).to_list(),
            "color": colour,
            "thickness": 1.2,
            "width": 0,
        }
    }


def _dash(way: str) -> str:
    return "dot" if way == "popularity" else "solid"


def _hover(row: dict, way: str) -> str:
    told = {name: theme.share(row[name]) for name in ("budget", "share", "lower", "upper")}
    return word("opportunities.gains_hover", way=named("way", way), n=theme.whole(row["n_called"]),
                n_taken=theme.whole(row["n_taken"]), **told)  # fmt: skip
