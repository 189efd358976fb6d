"""What matures when, and what of it stays."""

from datetime import date, timedelta

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT, ROW, ROOM = 380, 26, 96
MOST_TICKS = 8
WEEK = 5.5 * 86_400_000  # milliseconds: the width of a bar


def calendar(frame: pl.DataFrame, currency: str, digits: int) -> go.Figure:
    """A column a week by line, and a mark at what is expected to stay. A part carries ``week|line`` for a click.

    Parameters
    ----------
    frame
        week (its Monday), line, n, amount and stays (minor units; null where it cannot be told).
    """
    if not frame.height:
        return theme.sentence(word("retention.none_matures"), HEIGHT)
    weeks = frame.group_by("week").agg(pl.col("amount", "stays").sum(), known=pl.col("stays").count() > 0).sort("week")
    step, unit = theme.unit(weeks["amount"].max() / 10**digits)
    scale = step * 10**digits

    def bars(line: str) -> dict:
        rows = frame.filter(pl.col("line") == line).sort("week")
        return {
            "type": "bar",
            "x": rows["week"].to_list(),
            "y": [amount / scale for amount in rows["amount"]],
            "width": WEEK,
            "name": named("line", line),
            "marker": {"color": theme.LINES.get(line, theme.OTHER)},
            "customdata": [f"{week}|{line}" for week in rows["week"]],
            "hovertext": [_hover(row, currency, digits) for row in rows.iter_rows(named=True)],
            "hoverinfo": "text",
            "showlegend": True,
        }

    there = weeks.filter("known")
    stays = {
        "type": "scatter",
        "mode": "markers",
        "x": there["week"].to_list(),
        "y": [one / scale for one in there["stays"]],
        "name": word("retention.stays"),
        "marker": {"symbol": "line-ew", "size": 26, "line": {"width": 3, "color": theme.INK}},
        "hoverinfo": "skip",
    }
    room = timedelta(days=5)
    return theme.clickable(
        HEIGHT,
        [*(bars(line) for line in frame["line"].unique().sort()), stays],
        barmode="stack",
        xaxis={
            "type": "date",
            "tickvals": _ticks(weeks["week"].min(), weeks["week"].max()),
            "tickformat": "%-d %b",
            "range": [weeks["week"].min() - room, weeks["week"].max() + room],
            "title": theme.title(word("retention.week_axis")),
        },
        yaxis={"title": theme.title(f"{currency} {unit}".strip()), "rangemode": "tozero"},
    )


def _ticks(first: date, last: date) -> list[date]:
    """Mondays as far apart as their names need, also over weeks in which nothing matures."""
    n = (last - first).days // 7 + 1
    return [first + timedelta(weeks=at) for at in range(0, n, -(-n // MOST_TICKS))]


def kept(frame: pl.DataFrame) -> go.Figure:
    """A dot a manager: the share of matured deals of which most stayed, its interval, and what the mix let expect.

    Parameters
    ----------
    frame
        manager, n, kept_rate, lower, upper, expected, is_small (too few to be leant on, drawn faint).
    """
    if not frame.height:
        return theme.sentence(word("retention.none_matured"), HEIGHT)
    rows = frame.reverse()
    inks = [theme.FAINT if small else theme.ACCENT for small in rows["is_small"]]
    ends = {"upper": (rows["upper"] - rows["kept_rate"]), "lower": (rows["kept_rate"] - rows["lower"])}
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": rows["kept_rate"].to_list(),
        "y": list(range(rows.height)),
        "name": word("retention.kept"),
        "marker": {"size": 10, "color": inks},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": ends["upper"].to_list(),
            "arrayminus": ends["lower"].to_list(),
            "color": theme.FAINT,
            "thickness": 1.8,
            "width": 0,
        },
        "hovertext": [_kept(row) for row in rows.iter_rows(named=True)],
        "hoverinfo": "text",
    }
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": rows["expected"].to_list(),
        "y": list(range(rows.height)),
        "name": word("retention.expected_kept"),
        "marker": {"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": theme.INK}},
        "hoverinfo": "skip",
    }
    names = [f"{row['manager']} <span style='color:{theme.QUIET}'>{theme.whole(row['n'])}</span>"
             for row in rows.iter_rows(named=True)]  # fmt: skip
    return theme.figure(
        ROOM + ROW * rows.height,
        [dots, marks],
        dragmode=False,
        hovermode="closest",
        xaxis={"tickformat": ".0%", "range": [max(0, rows["lower"].min() - 0.05), 1.02],
               "title": theme.title(word("retention.kept_axis")),
               "showgrid": True, "gridcolor": theme.RULE},
        yaxis={"tickvals": list(range(rows.height)), "ticktext": names, "range": [-0.7, rows.height - 0.3],
               "showgrid": False},
    )  # fmt: skip


def _hover(row: dict, currency: str, digits: int) -> str:
    told = {name: f"{currency} {theme.money(row[name], digits)}" for name in ("amount",)}
    stays = theme.money(row["stays"], digits)
    return word("retention.week_hover", line=named("line", row["line"]), week=theme.day(row["week"]), n=row["n"],
                stays=stays, **told)  # fmt: skip


def _kept(row: dict) -> str:
    told = {name: theme.share(row[name]) for name in ("kept_rate", "lower", "upper", "expected")}
    return word("retention.kept_hover", manager=row["manager"], n=theme.whole(row["n"]), **told)
