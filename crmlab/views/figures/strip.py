"""Where one customer stood, month after month: a bar for as long as nothing changed."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

ROW = 44  # pixels
DAY = 86_400_000  # milliseconds, in which plotly measures a bar along dates


def runs(frame: pl.DataFrame, rows: dict[str, str], colours: dict[str, dict[str, str]]) -> go.Figure:
    """A row of bars each for segment, life cycle and tier.

    Parameters
    ----------
    frame
        what, value, start, end (the first and the last month end): `histories`, in order.
    rows
        The name of each row by `what`, from the top.
    colours
        By `what` and value.
    """
    height = ROW * len(rows) + 40
    if not frame.height:
        return theme.sentence(word("customer.no_history"), height)
    starts = [day.replace(day=1) for day in frame["start"]]
    shades = [colours[what].get(value, theme.OTHER) for what, value in frame.select("what", "value").iter_rows()]
    texts = [named(what, value) for what, value in frame.select("what", "value").iter_rows()]
    bars = {
        "type": "bar",
        "orientation": "h",
        "base": starts,
        "x": [((end - start).days + 1) * DAY for start, end in zip(starts, frame["end"], strict=True)],
        "y": [rows[what] for what in frame["what"]],
        "marker": {"color": shades, "line": {"color": "white", "width": 1.5}},
        "text": texts,
        "textposition": "inside",
        "insidetextanchor": "start",
        "textangle": 0,
        "constraintext": "inside",
        "insidetextfont": {"color": [theme.on(shade) for shade in shades], "size": 12},
        "hovertext": [
            word("customer.run_hover", row=rows[what], value=text, start=theme.month(start), end=theme.month(end))
            for (what, start, end), text in zip(frame.select("what", "start", "end").iter_rows(), texts, strict=True)
        ],
        "hoverinfo": "text",
        "showlegend": False,
    }
    return theme.figure(
        height,
        [bars],
        dragmode=False,
        hovermode="closest",
        bargap=0.3,
        margin={"l": 8, "r": 12, "t": 4, "b": 30},
        xaxis={"type": "date", "tickformat": "%b %Y", "nticks": 10},
        yaxis={"categoryorder": "array", "categoryarray": list(rows.values())[::-1], "showgrid": False},
        uniformtext={"minsize": 12, "mode": "hide"},  # a name that does not fit is told by hovering,
    )
