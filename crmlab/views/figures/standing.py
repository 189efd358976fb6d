"""Managers among each other: how far each is from what their book would do, and what of it will last."""

from html import escape
from textwrap import wrap

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 430
ROW, ROOM, HEAD = 22, 70, 30  # pixels of a row, of what stands around them, of a legend above few rows
HANDED = "#b39ddb"
FLAGGED, MOST_NAMES = ("clearly above", "clearly below", "watch"), 10
LETTERS = 26  # of a name beside a row
LEAST_ROWS = 5  # that a figure has room for, or a single bar fills it
COLOURS = {
    "clearly above": theme.UP, "clearly below": theme.DOWN, "watch": "#8c6bb1", "as expected": theme.INK,
    "too few to say": theme.FAINT,
}  # fmt: skip
SHAPES = {
    "clearly above": "triangle-up", "clearly below": "triangle-down", "watch": "diamond", "as expected": "circle",
    "too few to say": "circle-open",
}  # fmt: skip


def funnel(frame: pl.DataFrame, chosen: str, axis: str, percent: bool, nothing: str) -> go.Figure:
    """Each manager's difference from expected a customer, by how many customers they have, between their own limits.

    A point carries the manager's id for a click.

    Parameters
    ----------
    frame
        manager_id, manager, n_customers, status (of `COLOURS`), score (how far out, in standard errors), away
        (observed less expected, a customer), the limits watch_lower, watch_upper, limit_lower, limit_upper as such
        differences (null: none), text.
    chosen
        The manager to be named, as those are who stand out most; empty: none.
    axis
        What the difference is called.
    percent
        Whether it is a share.
    nothing
        What is said where there is no row.
    """
    if not frame.height:
        return theme.sentence(nothing, HEIGHT)
    bands = [_limits(frame, name, width, colour) for name, width, colour in (
        ("limit", 5, "#e3e8ee"), ("watch", 5, "#c6d2de"),
    )]  # fmt: skip
    points = [_points(frame.filter(pl.col("status") == status), status) for status in COLOURS]
    mark = frame.filter(pl.col("manager_id") == chosen)
    arrow = {"ax": 0, "ay": -28, "arrowcolor": theme.QUIET, "bgcolor": "white"}
    notes = [
        {"x": x, "y": y, "text": f"<b>{name}</b>" if key == chosen else name, **arrow}
        for key, x, y, name in pl.concat([_flagged(frame, chosen), mark])
        .select("manager_id", "n_customers", "away", "manager").rows()
        if y is not None
    ]  # fmt: skip
    return theme.clickable(
        HEIGHT,
        [*bands, *(trace for trace in points if trace["x"])],
        annotations=notes,
        xaxis={"title": theme.title(word("managers.axis_customers")), "rangemode": "tozero"},
        yaxis={"title": theme.title(axis), "tickformat": "+.1~%" if percent else "+,~s", **theme.ZERO},
        showlegend=True,
        legend={"font": {"size": 11}, "entrywidth": 0},
    )


def lasting(frame: pl.DataFrame, chosen: str, axis: str, percent: bool, nothing: str) -> go.Figure:
    """A row a manager: what of the difference will last, with its interval; a bar before each says how unsure it is.

    Parameters
    ----------
    frame
        manager_id, manager, status, lasting, lower, upper (differences a customer), text; the highest first.
    axis
        What the difference is called.
    """
    if not frame.height:
        return theme.sentence(nothing, 240)
    rows = frame.reverse()
    names = _names(rows.select("manager_id", "manager"), chosen)
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": rows["lasting"].to_list(),
        "y": list(range(rows.height)),
        "marker": {"size": 8, "color": [COLOURS[one] for one in rows["status"]]},
        "error_x": {
            "type": "data", "symmetric": False, "array": (rows["upper"] - rows["lasting"]).to_list(),
            "arrayminus": (rows["lasting"] - rows["lower"]).to_list(), "color": "#8896a4", "thickness": 1.5, "width": 0,
        },
        "customdata": rows["manager_id"].to_list(),
        "hovertext": rows["text"].to_list(),
        "hoverinfo": "text",
        "showlegend": False,
    }  # fmt: skip
    return theme.clickable(
        ROOM + ROW * rows.height,
        [dots],
        xaxis={"title": theme.title(axis), **theme.ZERO, "tickformat": "+.1~%" if percent else "+,~s", "nticks": 6},
        yaxis={"tickvals": list(range(rows.height)), "ticktext": names, "range": [-0.7, rows.height - 0.3],
               "showgrid": False},
    )  # fmt: skip


def among(own: pl.DataFrame, others: pl.DataFrame, nothing: str) -> go.Figure:
    """A row a measure: a manager's dot with its interval, and a line for each peer, which carries their id for a click.

    Parameters
    ----------
    own, others
        measure, manager_id, manager, status (of `COLOURS`), lasting, lower, upper (each measure within −1 to 1; null:
        nothing can be said, `why`), text; one row a measure in `own`, in their order from above.
    """
    if not own.height:
        return theme.sentence(nothing, 240)
    place = {measure: at for at, measure in enumerate(own["measure"].reverse())}
    known, unknown = own.drop_nulls("lasting"), own.filter(pl.col("lasting").is_null())
    others = others.join(known.select("measure"), on="measure", maintain_order="left")
    lines = {
        "type": "scatter", "mode": "markers", "x": others["lasting"].to_list(),
        "y": [place[one] for one in others["measure"]], "name": word("managers.a_peer"),
        "marker": {"symbol": "line-ns", "size": 16, "line": {"width": 2, "color": "#8fa1b3"}},
        "customdata": others["manager_id"].to_list(), "hovertext": others["text"].to_list(), "hoverinfo": "text",
    }  # fmt: skip
    dot = {
        "type": "scatter", "mode": "markers", "x": known["lasting"].to_list(),
        "y": [place[one] for one in known["measure"]], "name": own["manager"][0],
        "marker": {"size": 11, "color": [COLOURS[one] for one in known["status"]]},
        "error_x": {"type": "data", "symmetric": False, "array": (known["upper"] - known["lasting"]).to_list(),
                    "arrayminus": (known["lasting"] - known["lower"]).to_list(), "color": theme.INK, "thickness": 2,
                    "width": 0},
        "customdata": known["manager_id"].to_list(), "hovertext": known["text"].to_list(), "hoverinfo": "text",
    }  # fmt: skip
    few = [
        {"x": 0, "y": place[one], "text": f"{named('manager_verdict', 'too few to say')}: {why}", "showarrow": False,
         "font": {"color": theme.QUIET}, "bgcolor": "white"}
        for one, why in unknown.select("measure", "why").rows()
    ]  # fmt: skip
    return theme.clickable(
        ROOM + 40 * own.height,
        [lines, dot],
        annotations=few,
        xaxis={
            "range": [-1.05, 1.05], **theme.ZERO, "showgrid": False, "tickvals": [-0.85, 0, 0.85],
            "ticktext": [word(f"managers.ends_{one}") for one in ("below", "expected", "above")],
        },
        yaxis={"tickvals": list(place.values()), "ticktext": [named("measure", one) for one in place],
               "range": [-0.6, own.height - 0.4], "showgrid": False},
        showlegend=True,
    )  # fmt: skip


def points(frame: pl.DataFrame, nothing: str) -> go.Figure:
    """What each rule gives a manager, a bar a rule; its whole row carries the rule's place for a click.

    A rule that gives nothing has no bar to be clicked, and is asked about the most.

    Parameters
    ----------
    frame
        place, rule, side, points (whole ones), sentence.
    """
    if not frame.height:
        return theme.sentence(nothing, 240)
    rows = frame.reverse()
    shades = {"results": theme.ACCENT, "process": "#44aa99", "deductions": theme.DOWN}
    bars = [
        {
            "type": "bar", "orientation": "h", "x": part["points"].to_list(), "y": part["rule"].to_list(),
            "name": named("side", side), "marker": {"color": shades[side]}, "cliponaxis": False, "hoverinfo": "skip",
            "text": [theme.difference(one, 1) for one in part["points"]], "textposition": "outside",
        }
        for side in shades
        if (part := rows.filter(pl.col("side") == side)).height
    ]  # fmt: skip
    low, high = _room(rows["points"])
    strips = {
        "type": "bar", "orientation": "h", "base": low, "x": [high - low] * rows.height, "y": frame["rule"].to_list(),
        "width": 1, "marker": {"color": theme.ACCENT, "opacity": 0}, "selected": {"marker": {"opacity": 0.12}},
        "unselected": {"marker": {"opacity": 0}}, "customdata": frame["place"].to_list(), "showlegend": False,
        "hovertext": ["<br>".join(wrap(one, 60)) for one in frame["sentence"]], "hoverinfo": "text",
    }  # fmt: skip
    return theme.clickable(
        ROOM + ROW * rows.height,
        [strips, *bars],
        barmode="overlay",
        bargap=0.25,
        xaxis={**theme.ZERO, "title": theme.title(word("managers.axis_points")), "range": [low, high]},
        yaxis={"categoryorder": "array", "categoryarray": rows["rule"].to_list(), "showgrid": False},
        showlegend=True,
    )


def contacts(frame: pl.DataFrame, nothing: str) -> go.Figure:
    """A row a manager: contacts made, overdue and due in a month, beside what they can make.

    Parameters
    ----------
    frame
        manager_id, manager, n_made, n_overdue, n_more (due later), n_contacts (null: not known); in their order from
        above.
    """
    if not frame.height:
        return theme.sentence(nothing, 240)
    rows = frame.reverse()
    names = _names(rows.select("manager_id", "manager"), "")
    place = list(range(rows.height))
    bars = [
        {"type": "bar", "orientation": "h", "y": place, "x": rows[name].to_list(), "name": word(f"managers.{name}"),
         "marker": {"color": colour}, "customdata": rows["manager_id"].to_list(),
         "hovertemplate": "%{x}<extra></extra>"}
        for name, colour in (("n_made", theme.ACCENT), ("n_overdue", theme.DOWN), ("n_more", "#c9d9ea"))
    ]  # fmt: skip
    room = {
        "type": "scatter", "mode": "markers", "y": place, "x": rows["n_contacts"].to_list(),
        "name": word("managers.capacity"), "hovertemplate": "%{x}<extra></extra>",
        "customdata": rows["manager_id"].to_list(),
        "marker": {"symbol": "line-ns", "size": 14, "line": {"width": 3, "color": theme.INK}},
    }  # fmt: skip
    return theme.clickable(
        ROOM + HEAD + ROW * max(rows.height, LEAST_ROWS),
        [*bars, room],
        barmode="stack",
        bargap=0.3,
        xaxis={"rangemode": "tozero", "showgrid": True, "gridcolor": theme.RULE},
        yaxis=_of_rows(names),
        showlegend=True,
    )


def apart(frame: pl.DataFrame, chosen: str) -> go.Figure:
    """A row each: what was their own growth, and below it what was handed over. A bar carries the key for a click.

    Parameters
    ----------
    frame
        key (null: of nobody), name, own and handed (signed, in major units); in their order from above.
    chosen
        The key to be marked; empty: none.
    """
    rows = frame.reverse()
    names = _names(rows.select("key", "name"), chosen)
    place = list(range(rows.height))
    bars = [
        {"type": "bar", "orientation": "h", "y": place, "x": rows[name].to_list(), "name": word(f"managers.{name}"),
         "marker": {"color": colour}, "customdata": rows["key"].to_list(),
         "text": [theme.money(round(one), 0) if one else "" for one in rows[name]], "textposition": "outside",
         "cliponaxis": False, "textfont": {"size": 11},
         "hovertext": [f"{name}: {theme.full(one, signed=True)}" for name, one in rows.select("name", name).rows()],
         "hoverinfo": "text"}
        for name, colour in (("handed", HANDED), ("own", theme.ACCENT))
        if (rows[name] != 0).any()
    ]  # fmt: skip
    return theme.clickable(
        ROOM + 2 * ROW * max(rows.height, LEAST_ROWS),
        bars,
        barmode="group",
        bargap=0.3,
        bargroupgap=0,
        xaxis={
            **theme.ZERO,
            "tickformat": "+,~s",
            "nticks": 6,
            "range": _room(pl.concat([rows["own"], rows["handed"]])),
        },
        yaxis=_of_rows(names),
        showlegend=True,
        legend={"traceorder": "reversed"},
    )


def _names(rows: pl.DataFrame, chosen: str) -> list[str]:
    """Names as a row has room for them, the one that is chosen in bold."""
    short = [(key, name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…") for key, name in rows.rows()]
    return [f"<b>{escape(name)}</b>" if key == chosen else escape(name) for key, name in short]


def _of_rows(names: list[str]) -> dict:
    """The axis of rows by name, with room for at least so many that a bar stays a bar."""
    n = len(names)
    return {"tickvals": list(range(n)), "ticktext": names, "range": [min(n - LEAST_ROWS, 0) - 0.7, n - 0.3],
            "showgrid": False}  # fmt: skip


def _room(points: pl.Series) -> list[float]:
    """From the least to the most, with room for what is written beside a bar."""
    low, high = min(points.min(), 0), max(points.max(), 0)
    aside = max(high - low, 1) * 0.16
    return [low - aside if low < 0 else 0, high + aside]


def _flagged(frame: pl.DataFrame, chosen: str) -> pl.DataFrame:
    """Who stands out, the farthest first, as many as can be read beside each other."""
    out = frame.filter(pl.col("status").is_in(FLAGGED), pl.col("manager_id") != chosen)
    return out.sort(pl.col("score").abs(), descending=True, nulls_last=True).head(MOST_NAMES)


def _limits(frame: pl.DataFrame, name: str, width: int, colour: str) -> dict:
    known = frame.drop_nulls(f"{name}_lower").sort("n_customers")
    xs, ys = [], []
    for x, low, high in known.select("n_customers", f"{name}_lower", f"{name}_upper").rows():
        xs += [x, x, None]
        ys += [low, high, None]
    return {
        "type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": {"width": width, "color": colour},
        "hoverinfo": "skip", "name": word(f"managers.{name}"),
    }  # fmt: skip


def _points(rows: pl.DataFrame, status: str) -> dict:
    return {
        "type": "scatter", "mode": "markers", "x": rows["n_customers"].to_list(), "y": rows["away"].to_list(),
        "name": named("manager_verdict", status), "customdata": rows["manager_id"].to_list(),
        "marker": {"size": 9, "color": COLOURS[status], "symbol": SHAPES[status]},
        "hovertext": rows["text"].to_list(), "hoverinfo": "text",
    }  # fmt: skip
