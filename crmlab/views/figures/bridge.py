"""From one month's end to another: what came, grew, shrank, left and changed hands."""

import plotly.graph_objects as go

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 340
FLAT = 0.8  # where the lowest bar ends above this share of the highest, zero is left out to see what moved


def waterfall(
    parts: dict[str, int], labels: dict[str, str], currency: str, digits: int, can_open: bool = True
) -> go.Figure:
    """Opening, what happened between, closing. Each bar carries its part's name for a click.

    Parameters
    ----------
    parts
        opening, ..., closing in minor units; what lies between sums to their difference.
    labels
        What opening and closing are called, which is their month.
    can_open
        Whether a click on a bar leads to what is behind it.
    """
    if not any(parts.values()):
        return theme.sentence(word("worth.none"), HEIGHT)
    step, unit = theme.unit(max(map(abs, parts.values())) / 10**digits)
    height = {part: amount / 10**digits / step for part, amount in parts.items()}
    ends = ("opening", "closing")
    hint = f"<br>{word('worth.click')}" if can_open else ""
    bars = {
        "type": "waterfall",
        "x": [labels.get(part) or named("part", part) for part in parts],
        "y": list(height.values()),
        "measure": ["absolute" if part in ends else "relative" for part in parts],
        "text": [_told(amount, digits, part in ends) for part, amount in parts.items()],
        "textposition": "outside",
        "cliponaxis": False,
        "constraintext": "none",
        "customdata": list(parts),
        "increasing": {"marker": {"color": theme.UP}},
        "decreasing": {"marker": {"color": theme.DOWN}},
        "totals": {"marker": {"color": theme.INK}},
        "connector": {"line": {"color": theme.QUIET, "width": 1, "dash": "dot"}},
        "hovertemplate": f"<b>%{{x}}</b><br>%{{text}}{hint}<extra></extra>",
    }
    axis, reach = word("balances.axis", currency=currency, unit=unit).rstrip(", "), _range(height)
    place = {"x": 0, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "top"}
    note = {"text": word("worth.cut"), "showarrow": False, "font": {"size": 11, "color": theme.QUIET}, **place}
    return theme.clickable(
        HEIGHT,
        [bars],
        annotations=[note] if reach[0] > 0 else [],
        xaxis={"ticks": "", "tickangle": 0},
        yaxis={"title": theme.title(axis), "range": reach, "zeroline": reach[0] < 0, "zerolinecolor": theme.QUIET},
    )


def _range(height: dict[str, float]) -> list[float]:
    """Where the bars reach; what moved is small beside what stood there, so the axis may start above zero."""
    level, reached = height["opening"], [height["opening"], height["closing"]]
    for part, amount in height.items():
        if part not in ("opening", "closing"):
            level += amount
            reached.append(level)
    low, high = min(reached), max(reached)
    room = max(high - low, abs(high) * 0.05, 1e-9) * 0.2
    starts_above = low > FLAT * high
    if low < 0:
        return [low - room, max(high, 0) + room]
    return [low - 2 * room if starts_above else 0, high + room]


def _told(amount: int, digits: int, is_level: bool) -> str:
    return f"{'+' if amount > 0 and not is_level else ''}{theme.money(amount, digits)}"
