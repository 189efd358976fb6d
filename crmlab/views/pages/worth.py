"""Which customers earn our living? Tiers, the whale curve, lines, deviation, the bridge, and the customers behind."""

from functools import partial
from pathlib import Path

import ipywidgets

from crmlab.mart.snapshot import Mart
from crmlab.views import theme
from crmlab.views.book import ALL
from crmlab.views.lists import boxes
from crmlab.views.parts import Latest, Reader, a_year, block, choice, filters, months, panel
from crmlab.views.widgets import Column, live
from crmlab.views.words import named, word
from crmlab.views.worth import draw, earnings, say
from crmlab.views.worth.behind import group_name, listed
from crmlab.views.worth.tables import Tables

COLUMNS = [
    Column("customer_no"),
    Column("name"),
    Column("unfilled"),
    Column("kind", "named"),
    Column("branch"),
    Column("manager"),
    Column("tier", "dot"),
    Column("grade"),
    Column("amount", "change"),
    Column("aum_average", "money"),
    Column("contribution", "change"),
    Column("next_tier"),
    Column("missing", "money"),
]


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; a row of its list opens the customer for the `reader`."""
    reader = reader or Reader()
    tables = _ahead.pop(mart.folder, None) or Tables(mart)
    chosen, span = filters(mart), months(mart)
    measure = choice("filter.measure", [(named("measure", name), name) for name in earnings.MEASURES])
    offered = earnings.offered(tables.all, mart.page("worth_tiers"), mart.page("segments")["name"].to_list())
    pair = {side: choice(f"worth.{side}", [(group_name(one), one) for one in offered]) for side in ("first", "second")}
    for side, tier in zip(pair.values(), tables.largest_tiers(), strict=False):
        side.value = f"tier={tier}"

    def figure(name: str, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        return live(
            partial(getattr(draw, name), tables),
            f"{word(f'worth.{name}_title')}. {word('figure.hint')}",
            **controls,
            **chosen,
        )

    figures = {
        "levels": figure("levels"),
        "whale": figure("whale", measure=measure),
        "lines": figure("lines"),
        "months": figure("months", span=span),
        "deviation": figure("deviation"),
        "near": figure("near"),
        "bridge": figure("bridge", span=span, measure=measure),
        "groups": figure("groups", **pair),
    }
    latest = Latest(**figures)
    customers, chip = boxes(
        partial(listed, tables),
        COLUMNS,
        latest,
        search=["customer_no", "name", "branch", "manager", "segment", "unfilled"],
        digits=mart.minor_digits,
        sort="contribution",
        opened=reader.open,
        colours=theme.steps(tables.tiers),
        span=span,
        measure=measure,
        **chosen,
    )
    near = [_lister(latest, side, "near", f"{side}|") for side in ("up", "down")]
    unknown = live(partial(say.unknown, tables), **chosen), _lister(latest, "unknown", "unknown", "")

    def titled(name: str, *inside: ipywidgets.Widget) -> ipywidgets.Box:
        return panel(word(f"worth.{name}_title"), word(f"worth.{name}_note"), *(inside or [figures[name]]))

    return block(
        "crmlab-page",
        ipywidgets.HTML(f"<h1>{word('worth.title')}</h1><p>{word('worth.decides')}</p>").add_class("crmlab-title"),
        block("crmlab-filters", *chosen.values(), span, measure, live(partial(say.count, tables), **chosen)),
        *say.missing(mart),
        live(partial(say.tiles, tables), **chosen),
        block(
            "crmlab-pair",
            titled("levels"),
            titled("whale", figures["whale"], live(partial(draw.said, tables), measure=measure, **chosen)),
        ),
        block("crmlab-pair", titled("lines"), titled("deviation")),
        titled("months"),
        block(
            "crmlab-pair",
            titled("near", figures["near"], block("crmlab-pickers", *near)),
            titled("unknown", block("crmlab-stack", unknown[0], block("crmlab-pickers", unknown[1]))),
        ),
        titled("bridge"),
        titled(
            "groups",
            block("crmlab-pickers", *pair.values()),
            block("crmlab-halves", live(partial(say.comparison, tables), **pair, **chosen), figures["groups"]),
        ),
        titled("shares", live(partial(say.shares, mart), **chosen)),
        customers,
        chip,
    )


def prepare(mart: Mart) -> None:
    """Compute what takes longest before there is a viewer; `page` takes it over."""
    tables, measure = Tables(mart), next(iter(earnings.MEASURES))
    asked = ("branch", "manager", "kind") if mart.page("managers").height else ("branch", "kind")
    tables.curves(measure, **dict.fromkeys(asked, ALL))
    start, end = a_year(mart)
    if start < end:
        tables.spans((start, end), measure)
    _ahead[mart.folder] = tables


_ahead: dict[Path, Tables] = {}


def _lister(latest: Latest, name: str, *asked: str) -> ipywidgets.Button:
    """A button that lists everyone of whom a panel tells."""
    made = ipywidgets.Button(description=word(f"worth.list_all_{name}")).add_class("crmlab-button")
    made.on_click(lambda _: setattr(latest, "value", asked))
    return made
