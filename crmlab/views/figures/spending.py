"""What is bought, and when in the year."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.figures.mosaic import axis, squares
from crmlab.views.words import named, word

ROW, ROOM = 30, 60
MOST = 0.5  # this much above or below the mean quarter is the full colour


def seasons(frame: pl.DataFrame, digits: int) -> go.Figure:
    """A row a category, a column a quarter, by how far it is from the category's mean. It carries ``category``.

    Parameters
    ----------
    frame
        quarter (its last day), category, amount in minor units, index (`moves.spending`), the largest category first.
    """
    if not frame.height:
        return theme.sentence(word("segments.no_spending"), 240)
    names = frame["category"].unique(maintain_order=True).to_list()
    quarters = frame["quarter"].unique().sort().to_list()
    fill = [_fill(index - 1) for index in frame["index"]]
    trace = squares(
        [quarters.index(day) for day in frame["quarter"]],
        [names.index(name) for name in frame["category"]],
        fill,
        text=[theme.money(amount, digits) for amount in frame["amount"]],
        textfont={"size": 12, "color": [theme.on(colour) for colour in fill]},
        customdata=frame["category"].to_list(),
        hovertext=[_hover(row, digits) for row in frame.iter_rows(named=True)],
    )
    heads = [word("segments.quarter", q=(day.month + 2) // 3, year=day.year) for day in quarters]
    return theme.clickable(
        ROOM + ROW * len(names),
        [trace],
        bargap=0,
        margin={"l": 8, "r": 4, "t": 26, "b": 4},
        xaxis=axis(heads, side="top"),
        yaxis=axis([named("category", name) for name in names]) | {"range": [len(names) - 0.5, -0.5]},
    )


def _fill(off: float) -> str:
    end = theme.UP if off > 0 else theme.DOWN
    return theme.between("#f3f6f9", end, min(abs(off) / MOST, 1))


def _hover(row: dict, digits: int) -> str:
    told = {"category": named("category", row["category"]), "amount": theme.money(row["amount"], digits)}
    return word("segments.season_hover", off=theme.share(row["index"] - 1, signed=True), **told)
