"""Clusters of behaviour, and whether they can be relied on."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

ROW, ROOM = 34, 40


def sizes(frame: pl.DataFrame) -> go.Figure:
    """A bar a cluster with what is typical of it, faint where it is not to be relied on; it carries ``cluster``.

    Parameters
    ----------
    frame
        kind, cluster, n, is_reliable, words: a row a cluster, kind by kind.
    """
    if not frame.height:
        return theme.sentence(word("segments.no_clusters"), 160)
    kinds = frame["kind"].unique(maintain_order=True).to_list()
    colours = {kind: theme.KINDS[at % len(theme.KINDS)] for at, kind in enumerate(kinds)}
    rows = frame.reverse()
    bars = {
        "type": "bar",
        "x": rows["n"].to_list(),
        "y": [cluster_name(name) for name in rows["cluster"]],
        "orientation": "h",
        "marker": {
            "color": [colours[kind] for kind in rows["kind"]],
            "opacity": [1 if sure else 0.3 for sure in rows["is_reliable"]],
        },
        "customdata": rows["cluster"].to_list(),
        "text": [f" <b>{theme.whole(row['n'])}</b>  {row['words'] or ''}" for row in rows.iter_rows(named=True)],
        "textposition": "outside",
        "textfont": {"size": 12},
        "cliponaxis": False,
        "constraintext": "none",
        "hoverinfo": "none",
    }
    return theme.clickable(
        ROOM + ROW * frame.height,
        [bars],
        bargap=0.35,
        margin={"l": 8, "r": 8, "t": 4, "b": 4},
        xaxis={"visible": False, "range": [0, rows["n"].max() * 3.6]},
        yaxis={"showgrid": False, "ticks": ""},
    )


def cluster_name(name: str) -> str:
    """What a cluster is called: its kind as the catalogue says it, and its number.

    Examples
    --------
    >>> cluster_name("small business 2")
    'Small business 2'
    """
    kind, _, number = name.rpartition(" ")
    return f"{named('kind', kind)} {number}"
