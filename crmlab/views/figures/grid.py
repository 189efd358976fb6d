"""The recency × frequency grid."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import word

HEIGHT = 360
WIDEST = 52  # pixels of the largest cell's side


def recency_frequency(cells: pl.DataFrame, colours: dict[str, str], bands: int) -> go.Figure:
    """A square a cell: its area by customers, its colour by the largest segment in it. Each carries (r, f) for a click.

    Parameters
    ----------
    cells
        r, f, n, segments, counts (`book.cells`).
    colours
        Segment to colour.
    bands
        How many bands an axis has.
    """
    if not cells.height:
        return theme.sentence(word("grid.none"), HEIGHT)
    fill = [colours.get(segments[0], theme.OTHER) for segments in cells["segments"]]
    side = (cells["n"] / cells["n"].max()).sqrt() * WIDEST
    figure = theme.figure(HEIGHT, clickmode="event", dragmode=False)
    figure.add_scatter(
        x=cells["f"].to_list(),
        y=cells["r"].to_list(),
        mode="markers+text",
        marker={
            "symbol": "square",
            "size": side.clip(9).to_list(),
            "color": fill,
            "opacity": 1,
            "line": {"width": 1, "color": "white"},
        },
        text=[theme.brief(n) if size >= 22 else "" for n, size in zip(cells["n"], side, strict=True)],
        textfont={"size": 11, "color": [theme.on(colour) for colour in fill]},
        customdata=cells.select("r", "f").rows(),
        hovertext=[_hover(row) for row in cells.iter_rows(named=True)],
        hoverinfo="text",
        unselected={"marker": {"opacity": 0.3}},
        showlegend=False,
    )
    ticks = {
        "tickvals": list(range(1, bands + 1)),
        "range": [0.4, bands + 0.6],
        "gridcolor": theme.RULE,
        "showgrid": True,
    }
    small = {"size": 12, "color": theme.QUIET}
    figure.update_xaxes(title={"text": word("grid.f"), "font": small}, **ticks)
    return figure.update_yaxes(title={"text": word("grid.r"), "font": small}, **ticks)


def _hover(cell: dict) -> str:
    split = (f"{name}: {theme.whole(n)}" for name, n in zip(cell["segments"], cell["counts"], strict=True))
    return word("grid.hover", r=cell["r"], f=cell["f"], n=theme.whole(cell["n"]), split="<br>".join(split))
