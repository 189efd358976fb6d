"""The whale curve: customers from the best to the worst, and what they bring together."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 330
EVERY = 10  # per cent of customers between two marks


def curve(frame: pl.DataFrame, kinds: list[str], small: list[str]) -> go.Figure:
    """A curve a customer kind. Each mark carries ``kind|per cent of customers`` for a click, from the
    peak on ``kind|rest``.

    Parameters
    ----------
    frame
        kind, customers_share, value_share, is_peak (`concentration.curve`).
    kinds
        In the order of their colours.
    small
        Kinds of too few customers to be leant on, drawn faint.
    """
    if not frame.height:
        return theme.sentence(word("worth.no_whale"), HEIGHT)
    traces = []
    for (kind,), rows in frame.group_by("kind", maintain_order=True):
        colour = theme.FAINT if kind in small else theme.KINDS[kinds.index(kind) % len(theme.KINDS)]
        traces += [_line(rows, kind, colour), _points(_marks(rows), kind, colour)]
    whole = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1}
    return theme.clickable(
        HEIGHT,
        traces,
        shapes=[{**whole, "line": {"color": theme.QUIET, "dash": "dot", "width": 1}}],
        xaxis={"title": theme.title(word("worth.whale_x")), "tickformat": ".0%", "range": [-0.02, 1.02], "dtick": 0.2},
        yaxis={"title": theme.title(word("worth.whale_y")), "tickformat": ".0%", "rangemode": "tozero"},
    )


def _line(rows: pl.DataFrame, kind: str, colour: str) -> dict:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": rows["customers_share"].to_list(),
        "y": rows["value_share"].to_list(),
        "name": named("kind", kind),
        "line": {"color": colour, "width": 2.5},
        "legendgroup": kind,
        "hoverinfo": "skip",
    }


def _points(marks: pl.DataFrame, kind: str, colour: str) -> dict:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": marks["customers_share"].to_list(),
        "y": marks["value_share"].to_list(),
        "marker": {"color": colour, "size": 9, "line": {"width": 1.5, "color": "white"}},
        "legendgroup": kind,
        "showlegend": False,
        "customdata": [f"{kind}|{at}" for at in marks["at"]],
        "hovertemplate": f"<b>{named('kind', kind)}</b><br>{word('worth.whale_hover')}<extra></extra>",
    }


def _marks(rows: pl.DataFrame) -> pl.DataFrame:
    """The points nearest to every tenth per cent, and the peak; from the peak on those who give back are meant."""
    peak = rows.filter("is_peak", pl.col("value_share") > 1).select("customers_share")
    share = peak.item() if peak.height else 2
    steps = pl.DataFrame({"at": range(EVERY, 101, EVERY)}).with_columns(aim=pl.col("at") / 100)
    aims = pl.concat([steps, peak.select(at=pl.lit(0, pl.Int64), aim="customers_share")])
    near = aims.join(rows, how="cross").sort((pl.col("customers_share") - pl.col("aim")).abs(), "at")
    marks = near.unique("at", keep="first", maintain_order=True).unique("customers_share", keep="first")
    behind = pl.when(pl.col("customers_share") >= share).then(pl.lit("rest"))
    return marks.sort("customers_share").with_columns(at=behind.otherwise(pl.col("at").cast(pl.String)))
