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


def _points(marks: list[tuple[float, float, str]], kind: str, colour: str) -> dict:
    shares, values, keys = zip(*marks, strict=True)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(shares),
        "y": list(values),
        "marker": {"color": colour, "size": 9, "line": {"width": 1.5, "color": "white"}},
        "legendgroup": kind,
        "showlegend": False,
        "customdata": [f"{kind}|{key}" for key in keys],
        "hovertemplate": f"<b>{named('kind', kind)}</b><br>{word('worth.whale_hover')}<extra></extra>",
    }


def _marks(rows: pl.DataFrame) -> list[tuple[float, float, str]]:
    """The points nearest to every tenth per cent, and the peak; from the peak on those who give back are meant."""
    points = rows.select("customers_share", "value_share", "is_peak").rows()
    peak = next((share for share, value, is_peak in points if is_peak and value > 1), None)
    aims = [(at / 100, str(at)) for at in range(EVERY, 101, EVERY)] + ([] if peak is None else [(peak, "rest")])
    marks = {}
    for aim, key in aims:
        share, value, _ = min(points, key=lambda point: abs(point[0] - aim))
        marks.setdefault(share, (value, "rest" if peak is not None and share >= peak else key))
    return [(share, *mark) for share, mark in sorted(marks.items())]
