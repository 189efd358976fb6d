"""Which products go together, and who takes one, quarter by quarter."""

import math
from datetime import timedelta

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.figures.mosaic import axis, squares
from crmlab.views.words import word

ROW, ROOM, HEIGHT = 30, 170, 340
FARTHEST = 3.0  # a lift of so many times, up or down, has the full colour
NAME = 26  # characters of a product
LIGHT = "#f3f6f9"
SMALL = 30


def matrix(frame: pl.DataFrame, order: list[str]) -> go.Figure:
    """A square a pair, blue where both are surely held more often than by chance, orange less often, else pale.

    Parameters
    ----------
    frame
        item, other, n, n_item, n_other, n_both, lift, lower, upper.
    order
        The products from above and from the left.
    """
    if not frame.height:
        return theme.sentence(word("opportunities.affinity_none"), HEIGHT)
    rows = frame.filter(pl.col("item") != pl.col("other")).to_dicts()
    fill = [_fill(row) for row in rows]
    trace = squares(
        [order.index(row["other"]) for row in rows],
        [order.index(row["item"]) for row in rows],
        fill,
        text=[_told(row) for row in rows],
        textfont={
            "size": 11,
            "color": [theme.on(one) if _side(row) else theme.OTHER for one, row in zip(fill, rows, strict=True)],
        },
        hovertext=[_hover(row) for row in rows],
    )
    sizes = dict(frame.select("item", "n_item").unique().iter_rows())
    names = [one if len(one) <= NAME else f"{one[: NAME - 1]}…" for one in order]
    sides = [f"{name} <b>{theme.whole(sizes[one])}</b>" for name, one in zip(names, order, strict=True)]
    return theme.figure(
        ROOM + ROW * max(len(order), 3),
        [trace],
        bargap=0,
        dragmode=False,
        hovermode="closest",
        margin={"l": 8, "r": 130, "t": ROOM - 10, "b": 4},
        xaxis=axis(names, side="top", tickangle=-50, tickfont={"size": 11}),
        yaxis=axis(sides, autorange="reversed") | {"range": None},
    )


def attached(frame: pl.DataFrame, names: dict[str, str], colours: dict[str, str]) -> go.Figure:
    """A line a group: of customers without the product, how many took it in a month, by quarter, with intervals.

    Parameters
    ----------
    frame
        quarter, group, n, k, rate, lower, upper.
    names
        What each group is called, in their order.
    colours
        Of each group.
    """
    if not frame.height:
        return theme.sentence(word("opportunities.attached_none"), HEIGHT)
    middle = (len(names) - 1) / 2
    traces = []
    for at, (group, name) in enumerate(names.items()):
        rows, days = frame.filter(pl.col("group") == group), round((at - middle) * 4)
        is_small = rows["n"] < SMALL
        if not is_small.all():
            traces.append(_line(rows, name, colours.get(group, theme.OTHER), days))
        if is_small.any():
            few = _line(rows.filter(is_small), name, theme.FAINT, days, is_small=True)
            traces.append(few | {"showlegend": bool(is_small.all())})
    quarters = frame["quarter"].unique().sort().to_list()
    room = timedelta(days=45)
    every = -(-len(quarters) // 9)
    # Intervals of a handful of customers reach far up; they may leave the picture so that the others can be seen.
    seen = frame.filter(pl.col("n") >= SMALL)
    most = max((seen if seen.height else frame)["upper"].max(), 0.001) * 1.1
    return theme.figure(
        HEIGHT,
        traces,
        dragmode=False,
        hovermode="closest",
        showlegend=True,
        xaxis={
            "tickvals": quarters[::every],
            "ticktext": [f"Q{(day.month + 2) // 3}<br>{day.year}" for day in quarters[::every]],
            "range": [quarters[0] - room, quarters[-1] + room],
        },
        yaxis={
            "tickformat": ".2~%",
            "range": [-most / 40, most],
            "title": theme.title(word("opportunities.attached_axis")),
        },
    )


def _line(rows: pl.DataFrame, name: str, colour: str, days: int, is_small: bool = False) -> dict:
    """Moved by some days, so that intervals of several groups do not lie on one another; broken where there are few."""
    told = pl.lit(True) if is_small else pl.col("n") >= SMALL
    return {
        "type": "scatter",
        "mode": "markers" if is_small else "lines+markers",
        "x": (rows["quarter"] + timedelta(days=days)).to_list(),
        "y": rows.select(pl.when(told).then("rate")).to_series().to_list(),
        "name": name,
        "line": {"color": colour, "width": 1.5},
        "marker": {"size": 7, "color": colour},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": (rows["upper"] - rows["rate"]).to_list(),
            "arrayminus": (rows["rate"] - rows["lower"]).to_list(),
            "color": theme.faded(colour, 0.4),
            "thickness": 1.2,
            "width": 0,
        },
        "hovertext": [_taken(row, name) for row in rows.iter_rows(named=True)],
        "hoverinfo": "text",
    }


def _side(row: dict) -> int:
    """1 where the lift is surely above 1, −1 where it is surely below, 0 where it cannot be told."""
    if row["lower"] is None or row["upper"] is None:
        return 0
    return (row["lower"] > 1) - (row["upper"] < 1)


def _fill(row: dict) -> str:
    side = _side(row)
    if not side:
        return LIGHT
    far = 1.0 if not row["lift"] else min(abs(math.log(row["lift"])) / math.log(FARTHEST), 1.0)
    return theme.between(LIGHT, theme.UP if side > 0 else theme.DOWN, 0.25 + 0.75 * far)


def _told(row: dict) -> str:
    lift = row["lift"]
    return "" if lift is None else f"{lift:.1f}" if lift < 9.95 else f"{lift:.0f}"


def _hover(row: dict) -> str:
    told = {name: "–" if row[name] is None else f"{row[name]:.2f}" for name in ("lift", "lower", "upper")}
    counts = {name: theme.whole(row[name]) for name in ("n", "n_item", "n_other", "n_both")}
    key = {1: "more", -1: "less", 0: "unsure"}[_side(row)]
    told |= {"item": row["item"], "other": row["other"], "sure": word(f"opportunities.lift_{key}")}
    return word("opportunities.lift_hover", **told, **counts)


def _taken(row: dict, name: str) -> str:
    told = {one: f"{row[one] * 100:.2f} %" for one in ("rate", "lower", "upper")}
    day = row["quarter"]
    told |= {"name": name, "quarter": f"Q{(day.month + 2) // 3} {day.year}"}
    return word("opportunities.attached_hover", k=theme.whole(row["k"]), n=theme.whole(row["n"]), **told)
