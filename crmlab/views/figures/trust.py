"""How far a probability can be trusted: what was told against what came, and how much of the money was held."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 320
DASHED = ("random",)


def calibration(frame: pl.DataFrame) -> go.Figure:
    """A dot a tenth of the customers: how many were told to leave, how many left, with its interval.

    Parameters
    ----------
    frame
        n, predicted, observed, lower, upper (shares).
    """
    if not frame.height:
        return theme.sentence(word("retention.no_trial"), HEIGHT)
    reach = max(frame["predicted"].max(), frame["upper"].max()) * 1.06
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": frame["predicted"].to_list(),
        "y": frame["observed"].to_list(),
        "marker": {"size": 9, "color": theme.ACCENT},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": (frame["upper"] - frame["observed"]).to_list(),
            "arrayminus": (frame["observed"] - frame["lower"]).to_list(),
            "color": theme.ACCENT,
            "thickness": 1.5,
            "width": 0,
        },
        "hovertext": [_group(row) for row in frame.iter_rows(named=True)],
        "hoverinfo": "text",
        "showlegend": False,
    }
    same = {"type": "line", "x0": 0, "y0": 0, "x1": reach, "y1": reach, "layer": "below"}
    return theme.figure(
        HEIGHT,
        [dots],
        dragmode=False,
        hovermode="closest",
        shapes=[{**same, "line": {"color": theme.QUIET, "dash": "dot", "width": 1}}],
        xaxis={
            "title": theme.title(word("retention.predicted_axis")),
            "tickformat": ".1~%",
            "range": [-reach * 0.02, reach],
        },
        yaxis={
            "title": theme.title(word("retention.observed_axis")),
            "tickformat": ".1~%",
            "range": [-reach * 0.02, reach],
        },
    )


def gains(frame: pl.DataFrame, budget: float) -> go.Figure:
    """A line a method: of those who left, and of the money that left, the share that so many calls would have held.

    Parameters
    ----------
    frame
        method, budget (share of customers called), share_of_leavers, share_of_money.
    budget
        The share that the bank can call.
    """
    if not frame.height:
        return theme.sentence(word("retention.no_trial"), HEIGHT)
    sides = {"share_of_money": ("x", "y"), "share_of_leavers": ("x2", "y2")}
    lines = [
        _line(frame.filter(pl.col("method") == method).sort("budget"), "budget", column, method)
        | {"xaxis": axes[0], "yaxis": axes[1], "legendgroup": method, "showlegend": column == "share_of_money"}
        for column, axes in sides.items()
        for method in theme.METHODS
        if method in set(frame["method"])
    ]
    called = {"type": "line", "x0": budget, "x1": budget, "y0": 0, "y1": 1, "layer": "below"}
    at_budget = [
        {**called, "xref": axes[0], "yref": axes[1], "line": {"color": theme.QUIET, "dash": "dot", "width": 1}}
        for axes in sides.values()
    ]
    x = {"title": theme.title(word("retention.budget_axis")), "tickformat": ".0%", "range": [0, max(6 * budget, 0.3)]}
    y = {"tickformat": ".0%", "range": [0, 1.02], "domain": [0, 0.88]}
    return theme.figure(
        HEIGHT,
        lines,
        dragmode=False,
        hovermode="x unified",
        shapes=at_budget,
        legend={"y": 1, "yanchor": "top"},
        xaxis={**x, "domain": [0, 0.46]},
        xaxis2={**x, "domain": [0.57, 1], "anchor": "y2"},
        yaxis={**y, "title": theme.title(word("retention.share_of_money_axis"))},
        yaxis2={**y, "anchor": "x2", "title": theme.title(word("retention.share_of_leavers_axis"))},
    )


def lead_time(frame: pl.DataFrame) -> go.Figure:
    """A line a method: the share of the lost money that a list held so many months before it went.

    Parameters
    ----------
    frame
        method, months_before, share, n.
    """
    if not frame.height:
        return theme.sentence(word("retention.no_trial"), HEIGHT)
    return theme.figure(
        HEIGHT,
        [
            _line(frame.filter(pl.col("method") == method).sort("months_before"), "months_before", "share", method)
            | {"mode": "lines+markers"}
            for method in theme.METHODS
            if method in set(frame["method"])
        ],
        dragmode=False,
        hovermode="x unified",
        showlegend=True,
        xaxis={"title": theme.title(word("retention.lead_axis")), "dtick": 1, "autorange": "reversed"},
        yaxis={"title": theme.title(word("retention.lead_share_axis")), "tickformat": ".0%", "range": [0, 1.02]},
    )


def _line(rows: pl.DataFrame, x: str, y: str, method: str) -> dict:
    name = named("method", method)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": rows[x].to_list(),
        "y": rows[y].to_list(),
        "name": name,
        "line": {"color": theme.METHODS[method], "width": 2, "dash": "dot" if method in DASHED else "solid"},
        "hovertemplate": f"{name} %{{y:.0%}}<extra></extra>",
    }


def _group(row: dict) -> str:
    told = {name: theme.share(row[name]) for name in ("predicted", "observed", "lower", "upper")}
    return word("retention.calibration_hover", n=theme.whole(row["n"]), **told)
