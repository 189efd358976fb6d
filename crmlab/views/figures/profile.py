"""What sets two groups apart."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import word

ROW, ROOM = 30, 96  # pixels of a row, and of what stands around them
WIDE = 0.38  # of the figure, for the dots; the numbers stand beside


def effects(frame: pl.DataFrame, labels: list[str], least: float, sure: bool) -> go.Figure:
    """A dot a trait, by the size of its effect; each carries ``trait|value`` for a click.

    Parameters
    ----------
    frame
        key, name (what the trait is called), effect, first, second (what is told of each group), difference.
    labels
        What the groups are called.
    least
        The size of effect from which on it is worth telling; the band within is grey.
    sure
        Whether both groups are large enough to be leant on.
    """
    rows = frame.reverse()
    reach = max(frame["effect"].abs().max() * 1.1, least * 1.5)
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": rows["effect"].to_list(),
        "y": rows["name"].to_list(),
        "marker": {
            "size": 11,
            "color": [theme.TWO[0] if effect > 0 else theme.TWO[1] for effect in rows["effect"]],
            "opacity": 1 if sure else 0.35,
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(-effect, 0) for effect in rows["effect"]],
            "arrayminus": [max(effect, 0) for effect in rows["effect"]],
            "width": 0,
            "thickness": 2,
            "color": theme.FAINT,
        },
        "customdata": rows["key"].to_list(),
        "hovertext": rows["text"].to_list(),
        "hoverinfo": "text",
        "showlegend": False,
    }
    ink = theme.INK if sure else theme.OTHER
    heads = [
        _text(at, len(rows) - 0.05, f"<b>{label.replace(': ', ':<br>')}</b>", theme.QUIET)
        for at, label in zip(PLACES, (*labels, word("segments.difference")), strict=True)
    ]
    cells = [
        _text(place, at, text, ink if column != "difference" else theme.QUIET)
        for column, place in zip(("first", "second", "difference"), PLACES, strict=True)
        for at, text in enumerate(rows[column])
    ]
    band = {"type": "rect", "x0": -least, "x1": least, "y0": 0, "y1": 1, "yref": "paper", "layer": "below"}
    return theme.clickable(
        ROOM + ROW * frame.height,
        [dots],
        margin={"l": 8, "r": 8, "t": 30, "b": 40},
        shapes=[{**band, "fillcolor": theme.RULE, "opacity": 0.6, "line": {"width": 0}}],
        annotations=[*heads, *cells],
        xaxis={
            "domain": [0, WIDE],
            "range": [-reach, reach],
            "title": theme.title(word("segments.effect_axis")),
            **theme.ZERO,
        },
        yaxis={"range": [-0.6, len(rows) + 0.6], "showgrid": False, "ticks": ""},
    )


PLACES = (0.42, 0.58, 0.74)  # where the two groups and their difference are told, of the figure's width


def _text(x: float, y: float, text: str, colour: str) -> dict:
    place = {"x": x, "y": y, "xref": "paper", "yref": "y", "xanchor": "left", "yanchor": "middle", "align": "left"}
    return {"text": text, "showarrow": False, "font": {"size": 12, "color": colour}, **place}
