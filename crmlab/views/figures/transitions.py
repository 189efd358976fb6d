"""The share of each group that went to each other one."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.figures.mosaic import axis, squares
from crmlab.views.words import named

ROW, ROOM = 34, 70  # pixels of a row, and of the names above
LIGHT, DARK = "#f3f6f9", "#1f5f8b"


def matrix(frame: pl.DataFrame, by: str, order: list[str], small: int) -> go.Figure:
    """A row a group of the start, a column a group of the end; who stayed is grey. It carries ``origin|destination``.

    Parameters
    ----------
    frame
        origin, destination, n_origin, share, text (what is told of the way), mark (what stands behind the share).
    order
        The groups from above and from the left; those who do not occur are left out.
    small
        Below so many customers a row is faint.
    """
    rows = [name for name in order if name in set(frame["origin"])]
    columns = [name for name in order if name in set(frame["destination"])]
    ways = frame.with_columns(stays=pl.col("origin") == pl.col("destination"))
    most = max(ways.filter(~pl.col("stays"))["share"].max() or 0, 0.1)
    fill = [
        theme.RULE if stays else theme.between(LIGHT, DARK, min((share / most) ** 0.6, 1))
        for stays, share in ways.select("stays", "share").iter_rows()
    ]
    ink = [theme.OTHER if n < small else theme.on(colour) for n, colour in zip(ways["n_origin"], fill, strict=True)]
    trace = squares(
        [columns.index(name) for name in ways["destination"]],
        [rows.index(name) for name in ways["origin"]],
        fill,
        text=[_short(share) + mark for share, mark in ways.select("share", "mark").iter_rows()],
        textfont={"size": 12, "color": ink},
        customdata=[f"{one}|{other}" for one, other in ways.select("origin", "destination").rows()],
        hovertext=ways["text"].to_list(),
    )
    sizes = dict(frame.select("origin", "n_origin").unique().iter_rows())
    sides = [f"{named(by, name)} <b>{theme.whole(sizes[name])}</b>" for name in rows]
    heads = [named(by, name).replace(" ", "<br>") for name in columns]
    return theme.clickable(
        ROOM + ROW * max(len(rows), 3),
        [trace],
        bargap=0,
        margin={"l": 8, "r": 4, "t": ROOM - 10, "b": 4},
        xaxis=axis(heads, side="top", tickangle=0, tickfont={"size": 11}),
        yaxis=axis(sides, autorange="reversed") | {"range": None},
    )


def _short(share: float) -> str:
    return "<1" if share < 0.005 else f"{share * 100:.0f}"
