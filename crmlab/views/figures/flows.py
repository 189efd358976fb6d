"""From where to where: the ways between two months as ribbons."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 460
TOP, BOTTOM, SIDE = 26, 8, 170  # pixels around the ribbons, where the names stand
GAP = 16  # pixels between two names
STAYED = "rgba(93,107,122,0.13)"
NARROW, FULL, FAINT = 0.01, 0.6, 0.25  # a way of fewer than this share of customers is faint, or many hide the few


def sankey(matrix: pl.DataFrame, by: str, colours: dict[str, str], months: tuple[str, str]) -> go.Figure:
    """Where each group of the first month went, as wide as it has customers; who stayed is grey.

    A ribbon carries ``origin|destination`` for a click, an end ``origin|`` or ``|destination``.

    Parameters
    ----------
    matrix
        origin, destination, n and text (what is told of the way): a row a way.
    by
        What is followed, whose values the catalogue may name.
    colours
        Of every origin and destination, in the order in which they stand.
    months
        What the two ends are called.
    """
    sides = [
        {name: n for name in colours if (n := matrix.filter(pl.col(end) == name)["n"].sum())}
        for end in ("origin", "destination")
    ]
    names = [(at, name) for at, side in enumerate(sides) for name in side]
    place = {one: at for at, one in enumerate(names)}
    whole, room = matrix["n"].sum(), HEIGHT - TOP - BOTTOM
    scale = (room - GAP * (max(map(len, sides)) - 1)) / whole
    centre = {(at, name): y / room for at, side in enumerate(sides) for name, y in _centres(side, scale).items()}
    ways = matrix.sort(
        *(
            pl.col(end).replace_strict({name: at for at, name in enumerate(colours)})
            for end in ("origin", "destination")
        )
    )
    stays = ways["origin"] == ways["destination"]
    trace = {
        "type": "sankey",
        "arrangement": "fixed",
        "node": {
            "pad": GAP,
            "thickness": 14,
            "line": {"width": 0},
            "label": [""] * len(names),
            "color": [colours[name] for _, name in names],
            "x": [1e-3 if at == 0 else 1 - 1e-3 for at, _ in names],
            "y": [centre[one] for one in names],
            "customdata": [f"{name}|" if at == 0 else f"|{name}" for at, name in names],
            "hoverinfo": "none",
        },
        "link": {
            "source": [place[0, name] for name in ways["origin"]],
            "target": [place[1, name] for name in ways["destination"]],
            "value": ways["n"].to_list(),
            "color": [
                STAYED if stay else _clear(colours[name], FULL if n >= NARROW * whole else FAINT)
                for name, stay, n in zip(ways["origin"], stays, ways["n"], strict=True)
            ],
            "customdata": [f"{one}|{other}" for one, other in ways.select("origin", "destination").rows()],
            "label": ways["text"].to_list(),
            "hovertemplate": "%{label}<extra></extra>",
        },
    }
    told = [_name(sides, one, named(by, one[1]), centre[one]) for one in names]
    heads = [_head(month, at) for at, month in enumerate(months)]
    return theme.figure(
        HEIGHT, [trace], margin={"l": SIDE, "r": SIDE, "t": TOP, "b": BOTTOM}, annotations=[*told, *heads]
    )


def _centres(side: dict[str, int], scale: float) -> dict[str, float]:
    """The middle of each end in pixels from above."""
    found, y = {}, 0.0
    for name, n in side.items():
        found[name] = y + n * scale / 2
        y += n * scale + GAP
    return found


def _name(sides: list[dict[str, int]], one: tuple[int, str], shown: str, centre: float) -> dict:
    at, name = one
    n = sides[at][name]
    count = f"<b>{theme.whole(n)}</b>"
    if at and sides[0].get(name, n) != n:
        count += f" <span style='color:{theme.QUIET}'>{theme.signed(n - sides[0][name])}</span>"
    return {
        "text": f"{shown} {count}",
        "showarrow": False,
        "font": {"size": 12},
        "xref": "paper",
        "yref": "paper",
        "x": at,
        "y": 1 - centre,
        "xanchor": "left" if at else "right",
        "yanchor": "middle",
        "xshift": 8 if at else -8,
    }


def _head(month: str, at: int) -> dict:
    place = {"x": at, "y": 1, "xref": "paper", "yref": "paper", "yanchor": "bottom", "yshift": 6}
    text = {"text": word("segments.at_end", month=month), "font": {"size": 12, "color": theme.QUIET}}
    side = {"xanchor": "left" if at else "right", "xshift": 8 if at else -8}
    return {"showarrow": False, **text, **place, **side}


def _clear(colour: str, opacity: float) -> str:
    """A colour one can see through."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
