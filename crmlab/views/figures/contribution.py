"""What the lines bring: by component, and month after month."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 300


def by_line(frame: pl.DataFrame, components: list[str], currency: str, digits: int) -> go.Figure:
    """A bar a line, what it brings to the right of zero and what it costs to the left; a diamond for the balance.

    A bar carries ``line|component`` for a click, a diamond ``line|``.

    Parameters
    ----------
    frame
        line, component, amount in minor units (`earnings.by_line`), the best line first.
    components
        In the order in which they are drawn.
    """
    if not frame.height:
        return theme.sentence(word("worth.none"), HEIGHT)
    step, unit = theme.unit(frame["amount"].abs().max() / 10**digits)
    frame = frame.with_columns(pl.col("amount") / 10**digits / step)
    sums = frame.group_by("line", maintain_order=True).agg(pl.col("amount").sum())
    lines = [named("line", line) for line in sums["line"]]

    def over(component: str) -> dict:
        rows = frame.filter(pl.col("component") == component)
        return {
            "type": "bar",
            "x": rows["amount"].to_list(),
            "y": [named("line", line) for line in rows["line"]],
            "orientation": "h",
            "name": named("component", component),
            "marker": {"color": theme.COMPONENTS.get(component, theme.OTHER)},
            "customdata": [f"{line}|{component}" for line in rows["line"]],
            "hovertemplate": _hover("%{y}", named("component", component), "x", unit),
        }

    net = {
        "type": "scatter",
        "mode": "markers",
        "x": sums["amount"].to_list(),
        "y": lines,
        "marker": {"symbol": "diamond", "size": 9, "color": theme.INK, "line": {"width": 1, "color": "white"}},
        "name": word("worth.net"),
        "customdata": [f"{line}|" for line in sums["line"]],
        "hovertemplate": _hover("%{y}", word("worth.net"), "x", unit),
    }
    return theme.clickable(
        HEIGHT,
        [*(over(name) for name in components if (frame["component"] == name).any()), net],
        barmode="relative",
        bargap=0.3,
        xaxis={"title": _axis(currency, unit), **theme.ZERO},
        yaxis={"categoryorder": "array", "categoryarray": lines[::-1], "showgrid": False},
    )


def over_months(frame: pl.DataFrame, currency: str, digits: int) -> go.Figure:
    """A column a month, by line, and a line for what remains; each carries its month (ISO) for a click.

    Parameters
    ----------
    frame
        month, line, amount in minor units (`earnings.by_month`).
    """
    if not frame.height:
        return theme.sentence(word("worth.none"), HEIGHT)
    step, unit = theme.unit(frame["amount"].abs().max() / 10**digits)
    frame = frame.with_columns(pl.col("amount") / 10**digits / step)

    def of(line: str, rows: pl.DataFrame) -> dict:
        return {
            "type": "bar",
            "x": rows["month"].to_list(),
            "y": rows["amount"].to_list(),
            "name": named("line", line),
            "marker": {"color": theme.LINES.get(line, theme.OTHER)},
            "customdata": [str(month) for month in rows["month"]],
            "hovertemplate": _hover(named("line", line), "%{x|%b %Y}", "y", unit),
        }

    whole = frame.group_by("month").agg(pl.col("amount").sum()).sort("month")
    net = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": whole["month"].to_list(),
        "y": whole["amount"].to_list(),
        "line": {"color": theme.INK, "width": 2},
        "marker": {"symbol": "diamond", "size": 7},
        "name": word("worth.net"),
        "customdata": [str(month) for month in whole["month"]],
        "hovertemplate": _hover(word("worth.net"), "%{x|%b %Y}", "y", unit),
    }
    return theme.clickable(
        HEIGHT,
        [*(of(line, rows) for (line,), rows in frame.group_by("line", maintain_order=True)), net],
        barmode="relative",
        bargap=0.3,
        xaxis=theme.months(whole["month"].to_list()),
        yaxis={"title": _axis(currency, unit), **theme.ZERO},
    )


def _hover(name: str, of: str, value: str, unit: str) -> str:
    return f"<b>{name}</b>, {of}<br>%{{{value}:,.2f}} {unit}<extra></extra>"


def _axis(currency: str, unit: str) -> dict:
    return theme.title(word("balances.axis", currency=currency, unit=unit).rstrip(", "))
