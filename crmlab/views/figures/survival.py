"""How long customers stay, and by what they leave."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT, ROW = 330, 17  # pixels; a row of numbers at risk
NAMES, LETTERS = 118, 17  # pixels left of it for the group's name, and how much of that fits
STEPS, MOST = (3, 6, 12, 24, 36, 48, 60), 7  # months between two ticks, and how many there may be


def curves(frame: pl.DataFrame, colours: dict[str, str], labels: dict[str, str]) -> go.Figure:
    """A curve a group with the band of its interval, and under the axis how many are at risk.

    Parameters
    ----------
    frame
        group, time (months), survival, lower, upper, at_risk, is_small (too few to be leant on, drawn faint).
    colours, labels
        Of each group, in the order of their telling.
    """
    if not frame.height:
        return theme.sentence(word("retention.no_curves"), HEIGHT)
    groups = [group for group in colours if group in set(frame["group"])]
    traces, notes, last = [], [], frame["time"].max()
    ticks = list(range(0, last + 1, _step(last)))
    for at, group in enumerate(groups):
        rows = frame.filter(pl.col("group") == group).sort("time")
        colour = theme.FAINT if rows["is_small"][0] else colours[group]
        traces += [_band(rows, colour), _line(rows, colour, labels[group])]
        below = -74 - at * ROW
        notes += [_named(labels[group], colour, below), *_at_risk(rows, colour, ticks, below)]
    notes.append(_named(word("retention.at_risk"), theme.QUIET, -58))
    return theme.figure(
        HEIGHT + ROW * len(groups),
        traces,
        hovermode="x unified",
        dragmode=False,
        margin={"l": NAMES, "r": 12, "t": 8, "b": 84 + ROW * len(groups)},
        annotations=notes,
        xaxis={"title": theme.title(word("retention.months_axis")), "tickvals": ticks, "range": [0, last * 1.01]},
        yaxis={
            "title": theme.title(word("retention.survival_axis")),
            "tickformat": ".0%",
            "range": [max(0, frame["lower"].min() - 0.03), 1.005],
        },
    )


def incidence(frame: pl.DataFrame) -> go.Figure:
    """The share that has left by each cause, one upon the other; what is left above them is still with us.

    Parameters
    ----------
    frame
        cause, time (months), incidence, lower, upper; every cause at every time.
    """
    if not frame.height:
        return theme.sentence(word("retention.no_curves"), HEIGHT)
    there = [cause for cause in theme.CAUSES if cause in set(frame["cause"])]

    def area(cause: str) -> dict:
        rows = frame.filter(pl.col("cause") == cause).sort("time")
        return {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "causes",
            "x": rows["time"].to_list(),
            "y": rows["incidence"].to_list(),
            "name": named("cause", cause),
            "line": {"width": 0.5, "color": theme.CAUSES[cause]},
            "fillcolor": theme.faded(theme.CAUSES[cause], 0.8),
            "hovertext": [_told(row) for row in rows.iter_rows(named=True)],
            "hoverinfo": "text",
        }

    last = frame["time"].max()
    return theme.figure(
        HEIGHT + 4 * ROW,
        [area(cause) for cause in there],
        legend={"traceorder": "normal"},
        hovermode="x unified",
        dragmode=False,
        xaxis={
            "title": theme.title(word("retention.months_axis")),
            "dtick": _step(last),
            "range": [0, last],
        },
        yaxis={"title": theme.title(word("retention.incidence_axis")), "tickformat": ".0%", "rangemode": "tozero"},
    )


def _step(last: int) -> int:
    return next((step for step in STEPS if last <= step * MOST), STEPS[-1])


def _line(rows: pl.DataFrame, colour: str, label: str) -> dict:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": rows["time"].to_list(),
        "y": rows["survival"].to_list(),
        "name": label,
        "line": {"color": colour, "width": 2.2, "shape": "hv"},
        "hovertext": [_stay(row, label) for row in rows.iter_rows(named=True)],
        "hoverinfo": "text",
        "showlegend": True,
    }


def _band(rows: pl.DataFrame, colour: str) -> dict:
    there = rows.drop_nulls(["lower", "upper"])
    times = there["time"].to_list()
    return {
        "type": "scatter",
        "mode": "lines",
        "x": times + times[::-1],
        "y": [*there["upper"], *there["lower"].reverse()],
        "fill": "toself",
        "fillcolor": theme.faded(colour, 0.14),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _at_risk(rows: pl.DataFrame, colour: str, ticks: list[int], below: int) -> list[dict]:
    """How many are at risk at each tick: those of the next month in which somebody leaves or ends."""
    found = [(tick, rows.filter(pl.col("time") >= tick)["at_risk"].head(1).to_list()) for tick in ticks]
    there = rows["time"][0]
    return [_note(tick, below, theme.brief(n[0]), colour) for tick, n in found if n and tick >= there]


def _named(text: str, colour: str, below: int) -> dict:
    """What a row of numbers is of: the colour alone does not tell everybody."""
    short = text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"
    return _note(0, below, short, colour) | {"xref": "paper", "xanchor": "right", "xshift": -8}


def _note(x: float, below: int, text: str, colour: str) -> dict:
    place = {"x": x, "y": 0, "yref": "paper", "yshift": below, "xanchor": "center", "yanchor": "middle"}
    return {"text": text, "showarrow": False, "font": {"size": 11, "color": colour}, **place}


def _stay(row: dict, label: str) -> str:
    told = {name: theme.share(row[name]) for name in ("survival", "lower", "upper")}
    return word("retention.stay_hover", group=label, at_risk=theme.whole(row["at_risk"]), **told)


def _told(row: dict) -> str:
    told = {name: theme.share(row[name]) for name in ("incidence", "lower", "upper")}
    return word("retention.incidence_hover", cause=named("cause", row["cause"]), **told)
