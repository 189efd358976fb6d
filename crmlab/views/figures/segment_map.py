"""The map of segments: activity and earning, once for each growth."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.figures.mosaic import axis, squares
from crmlab.views.words import named, word

HEIGHT = 300


def cells(frame: pl.DataFrame, colours: dict[str, str]) -> go.Figure:
    """A square a cell, in the colour of its segment, with its customers. It carries ``activity|earning|growth``.

    Parameters
    ----------
    frame
        activity, earning, growth (Enum, levels in their order), segment, n (null: not known).
    """
    columns = frame["growth"].cat.get_categories().to_list()
    levels = [frame[name].cat.get_categories().to_list() for name in ("activity", "earning")]
    traces, axes, heads = [], {}, []
    for at, growth in enumerate(columns):
        rows = frame.filter(pl.col("growth") == growth)
        traces.append(_facet(rows, colours, at + 1))
        room = [(at + 0.02) / len(columns), (at + 0.98) / len(columns)]
        names = [named("activity", name) for name in levels[0]]
        axes[f"xaxis{at + 1}"] = axis(names, domain=room, anchor=f"y{at + 1}", tickfont={"size": 11})
        axes[f"yaxis{at + 1}"] = axis(
            [named("earning", name) for name in levels[1]], anchor=f"x{at + 1}", showticklabels=at == 0, tickangle=-90
        )
        place = {"x": sum(room) / 2, "y": 1, "xref": "paper", "yref": "paper", "yanchor": "bottom"}
        text = f"<b>{named('growth', growth)}</b>"
        heads.append({"text": text, "showarrow": False, "font": {"size": 12, "color": theme.QUIET}, **place})
    axes["yaxis1"]["title"] = theme.title(word("segments.earning_axis"))
    axes["xaxis2"]["title"] = theme.title(word("segments.activity_axis"))
    return theme.clickable(
        HEIGHT,
        traces,
        bargap=0,
        barmode="overlay",
        margin={"l": 48, "r": 2, "t": 24, "b": 44},
        annotations=heads,
        **axes,
    )


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
