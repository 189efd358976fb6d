"""One look: the plotly template, one colour per segment and line, and how money, shares and months are written."""

from collections.abc import Iterable
from datetime import date, timedelta

import plotly.graph_objects as go

from crmlab.views.words import units, word

INK, QUIET, RULE, ACCENT = "#1c2733", "#5d6b7a", "#e3e8ee", "#1f5f8b"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif'
# Paul Tol's muted and bright schemes, distinct for colour-blind readers.
SEGMENTS = (
    "#117733",
    "#44aa99",
    "#88ccee",
    "#332288",
    "#882255",
    "#cc6677",
    "#ddcc77",
    "#999933",
    "#bbbbbb",
    "#aa4499",
)
LINES = {
    "deposits": "#4477aa",
    "loans": "#ee6677",
    "wealth": "#228833",
    "insurance": "#ccbb44",
    "cards": "#66ccee",
    "settlement": "#aa3377",
    "e-banking": "#004488",
    "international": "#997700",
    "guarantees": "#994455",
}
COMPONENTS = {  # Tol's vibrant scheme: what comes in is cold, what goes out is warm
    "margin": "#0077bb",
    "fee": "#33bbee",
    "service_cost": "#ee7733",
    "expected_loss": "#cc3311",
    "capital": "#ee3377",
    "tax": "#882255",
}
STATES = {  # of the life cycle, in the order of their telling; most are mature, which is quiet; none is a segment's
    "new": "#33bbee",
    "growing": "#0077bb",
    "mature": "#a9bccd",
    "declining": "#ee7733",
    "dormant": "#997700",
    "left": "#5d6b7a",
    "won back": "#aa3377",
}
EVENTS = {  # in the order of their telling: with the customer, their money, their accounts
    "contact": "#117733",
    "offer": "#44aa99",
    "complaint": "#cc3311",
    "manager_change": "#332288",
    "salary": "#88ccee",
    "salary_rise": "#33bbee",
    "large_inflow": "#0077bb",
    "inflow_stayed": "#004488",
    "outflow_other_bank": "#ee7733",
    "opened": "#999933",
    "maturing_soon": "#ccbb44",
    "matured": "#ddcc77",
    "closed": "#5d6b7a",
}
CAUSES = {  # of leaving, in the order of their telling; who died, merged or repaid did not leave us, which is quiet
    "closure": "#cc3311",
    "run-off": "#ee7733",
    "maturity": "#0077bb",
    "salary": "#aa3377",
    "death": "#5d6b7a",
    "merger": "#8a8a8a",
    "repaid": "#a9bccd",
}
METHODS = {  # of finding who leaves: what is tried, the simple rules it must beat, and chance
    "worklist": "#1f5f8b",
    "probability": "#33bbee",
    "model": "#1f5f8b",
    "fell most in money": "#ee7733",
    "fell most in share": "#ddaa33",
    "random": "#8a8a8a",
}
WAYS = {  # to tell what is taken next: what is used, what it is chosen from, and what it must beat
    "chosen": "#1f5f8b",
    "hazards": "#33bbee",
    "logistic": "#aa3377",
    "rules": "#ddaa33",
    "popularity": "#8a8a8a",
}
KINDS = ("#332288", "#117733", "#aa4499", "#997700")
TWO = ("#004488", "#ddaa33")  # two groups side by side, apart in print too
UP, DOWN = "#0077bb", "#ee7733"
STEPS = ("#c9d9ea", "#0b2f57")  # light to dark in one hue, so that order is seen
OTHER = "#8a8a8a"
MONTH = 20 * 86_400_000  # milliseconds, in which plotly measures a bar along dates
FAINT = "#b4bec8"  # what rests on too few customers to be leant on

ZERO = {"showgrid": True, "gridcolor": RULE, "zeroline": True, "zerolinecolor": QUIET}  # an axis of gains and losses

TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 12, "t": 8, "b": 40},
        "xaxis": {"showgrid": False, "linecolor": RULE, "ticks": "outside", "tickcolor": RULE, "automargin": True},
        "yaxis": {"gridcolor": RULE, "zeroline": False, "automargin": True},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "hoverlabel": {"bgcolor": "white", "bordercolor": RULE, "font": {"family": FONT, "size": 13, "color": INK}},
    }
)


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each segment, by its place in the policy.

    Examples
    --------
    >>> colours(["Champions", "Loyal"])
    {'Champions': '#117733', 'Loyal': '#44aa99'}
    """
    return {name: SEGMENTS[i] if i < len(SEGMENTS) else OTHER for i, name in enumerate(names)}


def steps(names: Iterable[str]) -> dict[str, str]:
    """A colour for each of some ordered names, light for the lowest to dark for the highest.

    Examples
    --------
    >>> steps(["C", "B", "A"])
    {'C': '#c9d9ea', 'B': '#6a84a0', 'A': '#0b2f57'}
    """
    names = list(names)
    return {name: between(*STEPS, i / max(len(names) - 1, 1)) for i, name in enumerate(names)}


def between(low: str, high: str, share: float) -> str:
    """A colour between two others.

    Examples
    --------
    >>> between("#000000", "#ffffff", 0.5)
    '#7f7f7f'
    """
    ends = zip(*([int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (low, high)), strict=True)
    return "#" + "".join(f"{int(start + (end - start) * share):02x}" for start, end in ends)


def on(colour: str) -> str:
    """Black or white, whichever reads better on a colour.

    Examples
    --------
    >>> on("#332288"), on("#ddcc77")
    ('#ffffff', '#1c2733')
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else INK


def unit(largest: float) -> tuple[float, str]:
    """What to divide amounts of this size by, and its name.

    Examples
    --------
    >>> unit(3_200_000.0), unit(12.0)
    ((1000000.0, 'm'), (1.0, ''))
    """
    return next((step for step in units() if abs(largest) >= step[0]), (1.0, ""))


def money(minor: int | None, digits: int) -> str:
    """An amount in minor units, short; three figures say enough on a tile.

    Examples
    --------
    >>> money(123_456_789_00, 2), money(-4_200, 2), money(None, 2)
    ('123 m', '−42', '–')
    """
    if minor is None:
        return "–"
    value = minor / 10**digits
    step, name = unit(value)
    short = value / step
    figures = 0 if not name or abs(short) >= 100 else 1 if abs(short) >= 10 else 2
    return f"{short:,.{figures}f} {name}".strip().replace("-", "−")


def whole(value: int | None) -> str:
    """A whole number with thousands apart.

    Examples
    --------
    >>> whole(12345), whole(-5), whole(None)
    ('12,345', '−5', '–')
    """
    return "–" if value is None else f"{value:,}".replace("-", "−")


def signed(value: int) -> str:
    """A change of a count.

    Examples
    --------
    >>> signed(1200), signed(-3), signed(0)
    ('+1,200', '−3', '0')
    """
    return _signed(f"{value:+,}")


def full(value: float, signed: bool = False) -> str:
    """An amount in major units to the unit, signed for changes.

    Examples
    --------
    >>> full(12345.6), full(12345.6, signed=True), full(-0.2), full(0.2, signed=True)
    ('12,346', '+12,346', '0', '0')
    """
    return _signed(f"{value:{'+' if signed else ''},.0f}")


def share(value: float | None, signed: bool = False) -> str:
    """A share as per cent, one digit; signed for changes, where more than a doubling needs none.

    Examples
    --------
    >>> share(0.1234), share(-0.01, signed=True), share(12.126, signed=True), share(None)
    ('12.3 %', '−1.0 %', '+1,213 %', '–')
    """
    if value is None:
        return "–"
    figures = 1 if abs(value) < 1 or not signed else 0
    return f"{_signed(f'{value * 100:+,.{figures}f}') if signed else f'{value * 100:.1f}'} %"


def difference(value: float | None, figures: int = 2) -> str:
    """A change of what is no share, two digits unless said otherwise.

    Examples
    --------
    >>> difference(0.024), difference(-0.5), difference(0.0, 1)
    ('+0.02', '−0.50', '0.0')
    """
    return "–" if value is None else _signed(f"{value:+.{figures}f}")


def points(value: float | None) -> str:
    """A change of a share, in percentage points.

    Examples
    --------
    >>> points(0.004), points(-0.0001)
    ('+0.4 pp', '0.0 pp')
    """
    return "–" if value is None else f"{_signed(f'{value * 100:+.1f}')} {word('unit.points')}"


def _signed(number: str) -> str:
    """A number with its sign, but none before a zero."""
    return number.replace("-", "−") if number.strip("+-0.") else number.lstrip("+-")


def brief(n: int) -> str:
    """A count in as few characters as fit into a mark.

    Examples
    --------
    >>> brief(870), brief(6_080), brief(17_173)
    ('870', '6.1 k', '17 k')
    """
    step, name = unit(n)
    return f"{n / step:.{0 if not name or n / step >= 9.95 else 1}f} {name}".strip()


def month(day: date) -> str:
    """A month by its name.

    Examples
    --------
    >>> month(date(2025, 9, 30))
    'Sep 2025'
    """
    return f"{day:%b %Y}"


def figure(height: int, traces: Iterable[dict] = (), **layout: object) -> go.Figure:
    """A figure of the house; what is given here is checked once, what is added or updated later once more each time."""
    return go.Figure(_seen(list(traces)), {"template": TEMPLATE, "height": height, "autosize": True, **layout})


def _seen(traces: list[dict]) -> list[dict]:
    """Bars of a single month get the width of one: plotly knows no other to measure it by, and draws a hair."""
    bars = [trace for trace in traces if trace["type"] == "bar"]
    if len({x for bar in bars for x in bar["x"]}) == 1 and isinstance(bars[0]["x"][0], date):
        return [trace | {"width": MONTH} if trace in bars else trace for trace in traces]
    return traces


def clickable(height: int, traces: Iterable[dict], **layout: object) -> go.Figure:
    """A figure whose points can be clicked, and nothing else done to it."""
    return figure(height, traces, clickmode="event", dragmode=False, hovermode="closest", **layout)


def faded(colour: str, opacity: float) -> str:
    """A colour that what lies behind it shines through.

    Examples
    --------
    >>> faded("#1f5f8b", 0.15)
    'rgba(31,95,139,0.15)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def title(text: str) -> dict:
    """What stands beside an axis."""
    return {"text": text, "font": {"size": 12, "color": QUIET}}


def day(on: date | None) -> str:
    """A day as it is said.

    Examples
    --------
    >>> day(date(2025, 9, 3)), day(None)
    ('3 Sep 2025', '–')
    """
    return "–" if on is None else f"{on.day} {on:%b %Y}"


def months(days: list[date]) -> dict:
    """An axis of month ends, at most nine of them named."""
    room = timedelta(days=20)  # a tick on the very edge would be left out
    every = -(-len(days) // 9)
    return {"tickvals": days[::-1][::every], "tickformat": "%b<br>%Y", "range": [days[0] - room, days[-1] + room]}


def sentence(text: str, height: int) -> go.Figure:
    """A figure that says why there is nothing to draw."""
    hidden = {"visible": False}
    note = {"text": text, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "font_color": QUIET}
    return figure(height, xaxis=hidden, yaxis=hidden, annotations=[note])
