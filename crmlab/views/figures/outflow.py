"""Money that goes to other banks."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import word

HEIGHT = 340


def over_time(frame: pl.DataFrame, currency: str, digits: int) -> go.Figure:
    """A column a month for the money, a line for its share of all that went out.

    Parameters
    ----------
    frame
        month, other_banks in minor units, share, n_other_banks, n_customers (`moves.outflow`).
    """
    if not frame.height or not frame["other_banks"].sum():
        return theme.sentence(word("segments.no_outflow"), HEIGHT)
    step, unit = theme.unit(frame["other_banks"].max() / 10**digits)
    bars = {
        "type": "bar",
        "x": frame["month"].to_list(),
        "y": (frame["other_banks"] / 10**digits / step).to_list(),
        "marker": {"color": theme.FAINT},
        "name": word("segments.sent"),
        "hovertext": [_hover(row, currency, digits) for row in frame.iter_rows(named=True)],
        "hoverinfo": "text",
    }
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": frame["month"].to_list(),
        "y": frame["share"].to_list(),
        "yaxis": "y2",
        "line": {"color": theme.DOWN, "width": 2.5},
        "marker": {"size": 6},
        "name": word("segments.sent_share"),
        "hoverinfo": "skip",
    }
    axis = word("balances.axis", currency=currency, unit=unit).rstrip(", ")
    return theme.figure(
        HEIGHT,
        [bars, line],
        dragmode=False,
        margin={"r": 64},
        xaxis=theme.months(frame["month"].to_list()),
        yaxis={"title": theme.title(axis), "rangemode": "tozero"},
        yaxis2={
            "title": theme.title(word("segments.sent_share")),
            "overlaying": "y",
            "side": "right",
            "tickformat": ".0%",
            "tickmode": "auto",
            "nticks": 5,
            "rangemode": "tozero",
            "showgrid": False,
            "tickfont": {"color": theme.DOWN},
        },
    )


def _hover(row: dict, currency: str, digits: int) -> str:
    return word(
        "segments.outflow_hover",
        month=theme.month(row["month"]),
        money=f"{currency} {theme.money(row['other_banks'], digits)}",
        share=theme.share(row["share"]),
        n=theme.whole(row["n_other_banks"]),
        of=theme.whole(row["n_customers"]),
    )
