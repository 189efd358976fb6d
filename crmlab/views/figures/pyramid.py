"""The value pyramid: how many customers stand on each tier, what they hold and what they earn us."""

from collections.abc import Iterator

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import word

HEIGHT = 440
COLUMNS = {"n": [0.0, 0.27], "aum": [0.365, 0.635], "contribution": [0.73, 1.0]}  # and where each stands
ROOM = 0.75  # of the bars' width, so that a number stands beside the longest
SMALL = 30  # below it one customer decides what a tier looks like


def levels(frame: pl.DataFrame, tiers: list[str], grades: list[str], currency: str, digits: int) -> go.Figure:
    """Three columns of bars, the highest tier on top, the grade within it by shade.

    A bar carries ``tier|grade`` for a click, the number beside it ``tier|``.

    Parameters
    ----------
    frame
        tier, grade, n, aum, contribution in minor units (`earnings.levels`).
    tiers, grades
        Their names, lowest first.
    """
    if not frame.height:
        return theme.sentence(word("worth.none"), HEIGHT)
    frame = frame.with_columns(pl.col("aum", "contribution") / 10**digits)
    colours = {**theme.steps(grades), None: theme.OTHER}
    shown = [name for name in (*reversed(grades), None) if name in frame["grade"]]
    traces, axes, heads = [], {}, []
    for at, (column, place) in enumerate(COLUMNS.items(), 1):
        traces += [_bars(frame, column, at, grade, colours[grade], currency) for grade in shown]
        sums = _sums(frame, column)
        traces.append(_totals(sums, column, at))
        low, high = min(sums["low"].min(), 0), max(sums["end"].max(), 0)
        ends = [low, high + ROOM * max(high - low, 1e-9)]
        axes[f"xaxis{at}"] = {"visible": False, "domain": place, "range": ends, "fixedrange": True}
        heads.append(_head(column, place[0], currency))
    return theme.clickable(
        HEIGHT,
        traces,
        barmode="relative",
        bargap=0.25,
        legend={"y": 1.1, "traceorder": "normal"},
        margin={"l": 8, "r": 4, "t": 8, "b": 8},
        annotations=heads,
        yaxis={
            "categoryorder": "array",
            "categoryarray": tiers,
            "range": [-0.6, len(tiers) - 0.4],
            "showgrid": False,
            "ticks": "outside",
            "ticklen": 6,
            "tickcolor": "rgba(0,0,0,0)",
        },
        **axes,
    )


def _bars(frame: pl.DataFrame, column: str, at: int, grade: str | None, colour: str, currency: str) -> dict:
    rows = frame.filter(pl.col("grade").eq_missing(grade))
    return {
        "type": "bar",
        "x": rows[column].to_list(),
        "y": rows["tier"].to_list(),
        "orientation": "h",
        "xaxis": f"x{at}",
        "name": word("worth.grade", grade=grade) if grade else word("worth.ungraded"),
        "legendgroup": str(grade),
        "showlegend": at == 1,
        "marker": {"color": colour},
        "customdata": [f"{tier}|{grade or ''}" for tier in rows["tier"]],
        "hovertext": list(_hovers(rows, currency)),
        "hoverinfo": "text",
    }


def _sums(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    value = pl.col(column)
    return frame.group_by("tier", maintain_order=True).agg(
        whole=value.sum(), end=value.clip(0).sum(), low=value.clip(None, 0).sum(), customers=pl.col("n").sum()
    )


def _totals(sums: pl.DataFrame, column: str, at: int) -> dict:
    """What a whole tier comes to, beside its bar, and its share of all."""
    whole = sums["whole"].sum()
    return {
        "type": "scatter",
        "mode": "text",
        "x": sums["end"].to_list(),
        "y": sums["tier"].to_list(),
        "xaxis": f"x{at}",
        "text": [f" {_short(value, column)}  {_share(value, whole)}" for value in sums["whole"]],
        "textposition": "middle right",
        "textfont": {"size": 12, "color": [theme.INK if n >= SMALL else theme.OTHER for n in sums["customers"]]},
        "cliponaxis": False,
        "customdata": [f"{tier}|" for tier in sums["tier"]],
        "hoverinfo": "none",
        "showlegend": False,
    }


def _head(column: str, start: float, currency: str) -> dict:
    title = word("worth.customers") if column == "n" else f"{word(f'worth.{column}')}, {currency}"
    place = {"x": start, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return {"text": f"<b>{title}</b>", "showarrow": False, "font": {"size": 12, "color": theme.QUIET}, **place}


def _short(value: float, column: str) -> str:
    return theme.whole(value) if column == "n" else theme.money(value, 0)


def _share(value: float, whole: float) -> str:
    if whole <= 0:
        return ""
    share = f"{value / whole:.0%}".replace("-", "−").replace("%", " %")
    return f"<span style='color:{theme.QUIET}'>{share}</span>"


def _hovers(rows: pl.DataFrame, currency: str) -> Iterator[str]:
    for row in rows.iter_rows(named=True):
        yield word(
            "worth.level_hover",
            tier=row["tier"],
            grade=row["grade"] or word("worth.ungraded"),
            n=theme.whole(row["n"]),
            aum=f"{currency} {theme.money(row['aum'], 0)}",
            contribution=f"{currency} {theme.money(row['contribution'], 0)}",
        )
