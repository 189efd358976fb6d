"""Rates with their intervals, one under the other."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

ROW, ROOM = 24, 84
APART = 0.16  # of a row, between two series


def dots(frame: pl.DataFrame, series: dict[str, str], nothing: str) -> go.Figure:
    """A row a label, in it a dot a series with its interval.

    Parameters
    ----------
    frame
        label, series, k, n, rate, lower, upper; labels in their order from above.
    series
        The colour of each.
    nothing
        What is said where there is no row.
    """
    if not frame.height:
        return theme.sentence(nothing, 240)
    labels = frame["label"].unique(maintain_order=True).to_list()[::-1]
    middle = (len(series) - 1) / 2

    def trace(at: int, name: str, colour: str) -> dict:
        rows = frame.filter(pl.col("series") == name)
        return {
            "type": "scatter",
            "mode": "markers",
            "x": rows["rate"].to_list(),
            "y": [labels.index(label) + (middle - at) * 2 * APART for label in rows["label"]],
            "name": named("series", name),
            "marker": {"size": 9, "color": colour},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": (rows["upper"] - rows["rate"]).to_list(),
                "arrayminus": (rows["rate"] - rows["lower"]).to_list(),
                "color": colour,
                "thickness": 1.5,
                "width": 0,
            },
            "hovertext": [_hover(row) for row in rows.iter_rows(named=True)],
            "hoverinfo": "text",
        }

    return theme.figure(
        ROOM + ROW * len(labels) * max(1, len(series) * 0.8),
        [trace(at, name, colour) for at, (name, colour) in enumerate(series.items())],
        dragmode=False,
        hovermode="closest",
        showlegend=len(series) > 1,
        xaxis={"tickformat": ".1~%", "rangemode": "tozero", "showgrid": True, "gridcolor": theme.RULE},
        yaxis={
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
            "range": [-0.7, len(labels) - 0.3],
            "showgrid": False,
        },
    )


def _hover(row: dict) -> str:
    told = {name: theme.share(row[name]) for name in ("rate", "lower", "upper")}
    counts = {name: theme.whole(row[name]) for name in ("k", "n")}
    return word("opportunities.rate_hover", label=row["label"], series=named("series", row["series"]), **told, **counts)
