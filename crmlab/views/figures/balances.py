"""Balances over time, closing against average."""

from datetime import timedelta

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 440


def over_time(frame: pl.DataFrame, currency: str, height: int = HEIGHT) -> go.Figure:
    """A colour a line, drawn through for the month's average and dotted for its closing; quarter ends are ruled.

    Parameters
    ----------
    frame
        month, line, closing, average in major units (`book.balances`).
    """
    if not frame.height:
        return theme.sentence(word("balances.none"), height)
    step, unit = theme.unit(max(frame["closing"].abs().max(), frame["average"].abs().max()))
    figure = theme.figure(height, hovermode="x unified", xaxis_hoverformat="%b %Y")
    for (line,), rows in frame.group_by("line", maintain_order=True):
        colour = theme.LINES.get(line, theme.OTHER)
        for column, style in (("average", {"width": 2.5}), ("closing", {"width": 1.5, "dash": "dot"})):
            figure.add_scatter(
                x=rows["month"].to_list(),
                y=(rows[column] / step).to_list(),
                name=named("line", line)
                if column == "average"
                else f"{named('line', line)}, {word('balances.closing')}",
                line={"color": colour, **style},
                mode="lines" if column == "average" else "lines+markers",
                marker={"size": [6 if day.month % 3 == 0 else 0 for day in rows["month"]]},
                legendgroup=line,
                showlegend=column == "average",
                hovertemplate=f"%{{y:,.2f}} {unit}",
            )
    for style, dash in (("average", "solid"), ("closing", "dot")):
        key = {"color": theme.QUIET, "dash": dash, "width": 2}
        figure.add_scatter(x=[None], y=[None], mode="lines", line=key, name=word(f"balances.{style}"), hoverinfo="skip")
    months = frame["month"].unique().sort().to_list()
    quarters = [day for day in months if day.month % 3 == 0] or months
    rule = {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": theme.RULE, "width": 1},
    }
    figure.layout.shapes = [rule | {"x0": day, "x1": day} for day in quarters]
    every = -(-len(quarters) // 8)
    room = timedelta(days=20)  # a tick on the very edge would be left out
    ends = [months[0] - room, months[-1] + room]
    figure.update_xaxes(tickvals=quarters[::-1][::every], tickformat="%b<br>%Y", range=ends)
    axis = word("balances.axis", currency=currency, unit=unit).rstrip(", ")
    return figure.update_yaxes(title={"text": axis, "font": {"size": 12, "color": theme.QUIET}}, rangemode="tozero")
