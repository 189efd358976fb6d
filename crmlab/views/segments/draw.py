"""What `segments` draws: figures of its tables, by the reader's filters."""

from datetime import date

import plotly.graph_objects as go
import polars as pl

from crmlab.errors import InputError
from crmlab.views import theme
from crmlab.views.figures import channels as channels_figure
from crmlab.views.figures import clusters as clusters_figure
from crmlab.views.figures import flows as flows_figure
from crmlab.views.figures import funnel as funnel_figure
from crmlab.views.figures import outflow as outflow_figure
from crmlab.views.figures import profile as profile_figure
from crmlab.views.figures import segment_map, transitions
from crmlab.views.figures import spending as spending_figure
from crmlab.views.figures import states as states_figure
from crmlab.views.segments import moves
from crmlab.views.segments.naming import cluster_words, group_name, trait_name, trait_told
from crmlab.views.segments.tables import Tables
from crmlab.views.words import named, word

MOST = 12  # traits that are shown of two groups
MARKS = {True: " ▲", False: " ▼"}


def flows(tables: Tables, span: tuple[date, date], by: str, **chosen: str) -> go.Figure:
    """The ways between the two months."""
    found = tables.matrix(span, by, **chosen)
    if found is None:
        return theme.sentence(_why_nothing(tables, span), flows_figure.HEIGHT)
    told = _told(tables, found, tables.change(span, by, **chosen), by)
    return flows_figure.sankey(told, by, tables.ends(by), tuple(map(theme.month, span)))


def matrix(tables: Tables, span: tuple[date, date], by: str, **chosen: str) -> go.Figure:
    """The shares of these ways, with what changed against the year before."""
    found = tables.matrix(span, by, **chosen)
    if found is None:
        return theme.sentence(_why_nothing(tables, span), flows_figure.HEIGHT)
    told = _told(tables, found, tables.change(span, by, **chosen), by)
    return transitions.matrix(told, by, list(tables.ends(by)), moves.SMALL)


def cells(tables: Tables, **chosen: str) -> go.Figure:
    """The map of segments with the customers of today."""
    found = moves.cells(tables.page("traits", **chosen), tables.mart.page("segment_cells"))
    return segment_map.cells(found, tables.colours["segment"])


def states(tables: Tables, **chosen: str) -> go.Figure:
    """The life cycle, month after month."""
    return states_figure.over_time(moves.standing(tables.who(**chosen), tables.months))


def funnel(tables: Tables, line: str, **chosen: str) -> go.Figure:
    """The funnel of newcomers and of customers."""
    found = tables.steps(line=line, **chosen)
    if found is None:
        return theme.sentence(word("segments.no_leads"), funnel_figure.HEIGHT)
    return funnel_figure.steps(found, line, moves.SMALL)


def profile(tables: Tables, first: str, second: str, **chosen: str) -> go.Figure:
    """What sets two groups apart."""
    try:
        found, *sizes = tables.compared(first, second, **chosen)
    except InputError:
        return theme.sentence(word("segments.profile_empty"), 240)
    least, labels = tables.mart.manifest["least_effect"], [group_name(one) for one in (first, second)]
    shown = found.filter("is_notable").head(MOST)
    if not shown.height:
        told = dict(zip(("first", "second"), labels, strict=True))
        return theme.sentence(word("segments.profile_none", least=f"{least:g}", **told), 240)
    rows = pl.DataFrame([_trait(row, tables.mart.minor_digits) for row in shown.iter_rows(named=True)])
    return profile_figure.effects(rows, labels, least, min(sizes) >= moves.SMALL)


def spending(tables: Tables, **chosen: str) -> go.Figure:
    """Spending by category and quarter."""
    found = moves.spending(tables.page("spending_months", **chosen))
    return spending_figure.seasons(found, tables.mart.minor_digits)


def channels(tables: Tables, **chosen: str) -> go.Figure:
    """The channels month after month."""
    return channels_figure.mix(moves.channels(tables.page("channel_months", **chosen)), moves.CHANNELS)


def outflow(tables: Tables, **chosen: str) -> go.Figure:
    """Money to other banks month after month."""
    found = moves.outflow(tables.page("channel_months", **chosen))
    return outflow_figure.over_time(found, tables.mart.base_currency, tables.mart.minor_digits)


def clusters(tables: Tables) -> go.Figure:
    """The clusters of behaviour, of the whole bank."""
    found = tables.mart.page("clusters").sort("kind", "cluster")
    words = pl.Series([cluster_words(signs) for signs in found["words"]], dtype=pl.String)
    return clusters_figure.sizes(found.with_columns(words=words))


def _why_nothing(tables: Tables, span: tuple[date, date]) -> str:
    if len(tables.months) == 1:
        return word("segments.one_month")
    return word("segments.two_months" if span[0] == span[1] else "segments.none")


def _told(tables: Tables, found: pl.DataFrame, change: pl.DataFrame | None, by: str) -> pl.DataFrame:
    """The matrix with what is said of each way, and a mark where notably more or fewer go than a year before."""
    before = {}
    if change is not None:
        before = {(row["origin"], row["destination"]): row for row in change.iter_rows(named=True)}
    rows = [(row, before.get((row["origin"], row["destination"]))) for row in found.iter_rows(named=True)]
    return found.with_columns(
        text=pl.Series([_way(tables, row, then, by) for row, then in rows], dtype=pl.String),
        mark=pl.Series([_mark(then) for _, then in rows], dtype=pl.String),
    )


def _mark(then: dict | None) -> str:
    return MARKS[then["effect"] > 0] if then and then["is_notable"] else ""


def _way(tables: Tables, row: dict, then: dict | None, by: str) -> str:
    digits, currency = tables.mart.minor_digits, tables.mart.base_currency
    text = word(
        "segments.way_hover",
        origin=named(by, row["origin"]),
        destination=named(by, row["destination"]),
        n=theme.whole(row["n"]),
        of=theme.whole(row["n_origin"]),
        share=theme.share(row["share"]),
        low=theme.share(row["lower"]),
        high=theme.share(row["upper"]),
        start=f"{currency} {theme.money(row['aum_start'], digits)}",
        end=theme.money(row["aum_end"], digits),
    )
    if then is None or then["effect"] is None:
        return text
    points = {
        name: theme.points(then[column])
        for name, column in {"difference": "difference", "low": "lower", "high": "upper"}.items()
    }
    share, effect = theme.share(then["share_before"]), theme.difference(then["effect"])
    return text + word("segments.way_before", before=share, effect=effect, **points)


def _trait(row: dict, digits: int) -> dict:
    is_rate = row["lower"] is not None
    name = trait_name(row["trait"], row["value"])
    first, second = (trait_told(row["trait"], row[side], digits, is_rate) for side in ("of_group", "of_rest"))
    difference = ""
    if is_rate:
        points = {name: theme.signed(round(100 * row[name])) for name in ("difference", "lower", "upper")}
        difference = word("segments.apart", **points)
    return {
        "key": f"{row['trait']}|{row['value'] or ''}",
        "name": name,
        "effect": row["effect"],
        "first": first,
        "second": second,
        "difference": difference,
        "text": word(
            "segments.trait_hover", name=name, first=first, second=second, effect=theme.difference(row["effect"])
        ),
    }
