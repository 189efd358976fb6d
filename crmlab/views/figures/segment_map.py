"""The map of segments: activity and earning, once for each growth."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.figures.mosaic import axis, squares
from crmlab.views.words import named, word

HEIGHT = 560


def cells(frame: pl.DataFrame, colours: dict[str, str]) -> go.Figure:
    """A square a cell, in the colour of its segment, with its customers. It carries ``activity|earning|growth``.

    Parameters
    ----------
    frame
        activity, earning, growth (Enum, levels in their order), segment, n (null: not known).
    """
    growths = frame["growth"].dtype.categories.to_list()[::-1]
    names = {
        axis: [named(axis, level) for level in frame[axis].dtype.categories.to_list()]
        for axis in ("activity", "earning")
    }
    traces, axes, heads = [], {}, []
    for at, growth in enumerate(growths):
        traces.append(_facet(frame.filter(pl.col("growth") == growth), colours, at + 1))
        top, bottom = 1 - at / len(growths), 1 - (at + 1) / len(growths)
        room, is_last = [bottom + 0.01, top - 0.06], at == len(growths) - 1
        axes[f"xaxis{at + 1}"] = axis(names["activity"], anchor=f"y{at + 1}", showticklabels=is_last)
        axes[f"yaxis{at + 1}"] = axis(names["earning"], domain=room, anchor=f"x{at + 1}", tickfont={"size": 11})
        place = {"x": 0, "y": room[1], "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
        text = f"<b>{word('segments.facet', growth=named('growth', growth))}</b>"
        heads.append({"text": text, "showarrow": False, "font": {"size": 12, "color": theme.QUIET}, **place})
    axes["yaxis2"]["title"] = {**theme.title(word("segments.earning_axis")), "standoff": 10}
    axes[f"xaxis{len(growths)}"]["title"] = theme.title(word("segments.activity_axis"))
    margin = {"l": 48, "r": 2, "t": 2, "b": 44}
    return theme.clickable(HEIGHT, traces, bargap=0, barmode="overlay", margin=margin, annotations=heads, **axes)


def _facet(rows: pl.DataFrame, colours: dict[str, str], at: int) -> dict:
    fill = [colours.get(name, theme.OTHER) for name in rows["segment"].cast(pl.String)]
    return squares(
        rows["activity"].to_physical().to_list(),
        rows["earning"].to_physical().to_list(),
        fill,
        xaxis=f"x{at}",
        yaxis=f"y{at}",
        text=["" if n is None else theme.brief(n) for n in rows["n"]],
        textfont={"size": 12, "color": [theme.on(colour) for colour in fill]},
        customdata=["|".join(key) for key in rows.select("activity", "earning", "growth").cast(pl.String).iter_rows()],
        hovertext=[_hover(row) for row in rows.iter_rows(named=True)],
    )


def _hover(row: dict) -> str:
    told = {axis: named(axis, row[axis]) for axis in ("activity", "earning", "growth")}
    return word("segments.cell_hover", segment=row["segment"], n=theme.whole(row["n"]), **told)
