"""Why somebody is thought to leave, or to stay."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import word

ROW, ROOM = 46, 64  # pixels of a reason, and of what stands around them


def bars(frame: pl.DataFrame) -> go.Figure:
    """A bar a reason: what drives them away to the right, what keeps them to the left.

    Parameters
    ----------
    frame
        text, contribution (log-hazard against the mean of all), the strongest first.
    """
    if not frame.height:
        return theme.sentence(word("retention.no_reasons"), 200)
    reach = max(frame["contribution"].abs().max() * 1.3, 0.1)
    rows = list(range(frame.height))[::-1]
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": frame["contribution"].to_list(),
        "y": rows,
        "width": 0.4,
        "marker": {"color": [theme.DOWN if one > 0 else theme.UP for one in frame["contribution"]]},
        "text": [theme.difference(one) for one in frame["contribution"]],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "skip",
    }
    place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": 9, "showarrow": False}
    names = [
        {"text": text, "y": at, "font": {"size": 12.5, "color": theme.INK}, "bgcolor": "white", **place}
        for text, at in zip(frame["text"], rows, strict=True)
    ]
    return theme.figure(
        ROOM + ROW * frame.height,
        [bar],
        dragmode=False,
        showlegend=False,
        margin={"l": 8, "r": 8, "t": 8, "b": 40},
        annotations=names,
        xaxis={
            "range": [-reach, reach],
            **theme.ZERO,
            "showticklabels": False,
            "ticks": "",
            "showgrid": False,
            "title": theme.title(word("retention.reasons_axis")),
        },
        yaxis={"visible": False, "range": [-0.5, frame.height - 0.2]},
    )
