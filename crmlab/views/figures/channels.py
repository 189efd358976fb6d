"""Where customers come to us, and how many do it themselves."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 340


def mix(frame: pl.DataFrame, order: tuple[str, ...]) -> go.Figure:
    """A column a month, by channel; a line for the share of customers who are digital, with its interval.

    Parameters
    ----------
    frame
        month, digital_share, lower, upper and the share of each channel (`moves.channels`).
    """
    if not frame.height:
        return theme.sentence(word("segments.none"), HEIGHT)
    months = frame["month"].to_list()
    shown = [name for name in order if frame[name].sum()]
    colours = theme.steps(order)
    bars = [
        {
            "type": "bar",
            "x": months,
            "y": frame[name].to_list(),
            "name": named("channel", name),
            "marker": {"color": colours[name]},
            "hovertemplate": f"<b>{named('channel', name)}</b>, %{{x|%b %Y}}<br>%{{y:.1%}}<extra></extra>",
        }
        for name in shown
    ]
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": months,
        "y": frame["digital_share"].to_list(),
        "yaxis": "y2",
        "line": {"color": theme.DOWN, "width": 2.5},
        "marker": {"size": 6, "line": {"width": 1, "color": "white"}},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": (frame["upper"] - frame["digital_share"]).to_list(),
            "arrayminus": (frame["digital_share"] - frame["lower"]).to_list(),
            "thickness": 1,
            "width": 0,
        },
        "showlegend": False,
        "hovertext": [_hover(row) for row in frame.iter_rows(named=True)],
        "hoverinfo": "text",
    }
    return theme.figure(
        HEIGHT,
        [*bars, line],
        barmode="stack",
        bargap=0.15,
        dragmode=False,
        legend={"traceorder": "normal", "y": 0.6},
        xaxis=theme.months(months),
        yaxis={
            "tickformat": ".0%",
            "range": [0, 1],
            "domain": [0, 0.58],
            "title": theme.title(word("segments.by_channel")),
        },
        yaxis2={
            "tickformat": ".0%",
            "rangemode": "tozero",
            "domain": [0.74, 1],
            "nticks": 3,
            "title": theme.title(word("segments.digital")),
        },
    )


def _hover(row: dict) -> str:
    told = {name: theme.share(row[name]) for name in ("digital_share", "lower", "upper")}
    return word(
        "segments.digital_hover",
        month=theme.month(row["month"]),
        n=theme.whole(row["n_digital"]),
        of=theme.whole(row["n_customers"]),
        **told,
    )
