"""What makes leaving more or less likely."""

import math

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

ROW, ROOM = 27, 76  # pixels
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
WIDEST = 0.04, 25  # an interval may run out of the picture further out, a dot never does


def dots(frame: pl.DataFrame) -> go.Figure:
    """A dot a covariate with its interval: right of the line more leave, left of it fewer; none where it is not told.

    Parameters
    ----------
    frame
        covariate, hazard_ratio, lower, upper, n_events, is_shared (of all causes together), is_proportional (null:
        cannot be told), advice.
    """
    rows = frame.drop_nulls(["hazard_ratio", "lower", "upper"]).sort("hazard_ratio")
    if not rows.height:
        return theme.sentence(word("retention.no_model"), 240)
    names = [named("covariate", name) for name in rows["covariate"]]
    low, high = WIDEST
    reach = max(low, min(rows["lower"].min(), 0.5)), min(high, max(rows["upper"].max(), 2))
    told = rows["hazard_ratio"]
    ends = [math.log10(one) for one in (min(reach[0], told.min()), max(reach[1], told.max()))]
    hollow = [one is False for one in rows["is_proportional"]]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": rows["hazard_ratio"].to_list(),
        "y": names,
        "marker": {
            "size": 10,
            "color": ["white" if one else _colour(row) for one, row in zip(hollow, rows.to_dicts(), strict=True)],
            "line": {"width": 2, "color": [_colour(row) for row in rows.to_dicts()]},
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": (rows["upper"] - rows["hazard_ratio"]).to_list(),
            "arrayminus": (rows["hazard_ratio"] - rows["lower"]).to_list(),
            "color": theme.QUIET,
            "thickness": 1.5,
            "width": 0,
        },
        "hovertext": [_hover(row) for row in rows.to_dicts()],
        "hoverinfo": "text",
    }
    return theme.figure(
        ROOM + ROW * rows.height,
        [trace],
        dragmode=False,
        hovermode="closest",
        showlegend=False,
        shapes=[{"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": theme.QUIET}}],
        xaxis={
            "type": "log",
            "range": [ends[0] - 0.05, ends[1] + 0.05],
            "tickvals": TICKS,
            "ticktext": [f"×{one:g}" for one in TICKS],
            "title": theme.title(word("retention.hazard_axis")),
            "showgrid": True,
            "gridcolor": theme.RULE,
        },
        yaxis={"range": [-0.7, rows.height - 0.3]},
    )


def _colour(row: dict) -> str:
    if row["lower"] <= 1 <= row["upper"]:
        return theme.OTHER
    return theme.DOWN if row["hazard_ratio"] > 1 else theme.UP


def _hover(row: dict) -> str:
    told = {name: f"{row[name]:.2f}" for name in ("hazard_ratio", "lower", "upper")}
    told |= {"name": named("covariate", row["covariate"]), "n_events": theme.whole(row["n_events"])}
    parts = [word("retention.hazard_hover", **told)]
    parts += [word("retention.hazard_shared")] if row["is_shared"] else []
    parts += [row["advice"]] if row["is_proportional"] is False else []
    return "<br>".join(parts)
