"""Who is moving, and where to? The finding, the ways between two months, the segments, and the customers behind."""

from collections.abc import Callable
from functools import partial

import ipywidgets

from crmlab.mart.snapshot import Mart
from crmlab.views import theme
from crmlab.views.lists import boxes
from crmlab.views.parts import Latest, Reader, block, choice, filters, panel
from crmlab.views.segments import draw, say
from crmlab.views.segments.behind import COLUMNS, listed
from crmlab.views.segments.naming import group_name
from crmlab.views.segments.tables import BYS, Tables
from crmlab.views.sight import Sight, in_sight, later
from crmlab.views.widgets import live
from crmlab.views.words import named, word

SIDES = ("first", "second")
WAYS = (("flows",), ("matrix",))


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; a row of its list opens the customer for the `reader`."""
    reader, tables = reader or Reader(), Tables(mart)
    chosen, span = filters(mart), _span(tables)
    by = choice("segments.by", [(word(f"segments.by_{one}"), one) for one in BYS])
    between = {"span": span, "by": by, **chosen}
    offered = tables.offered()
    pair = {side: choice(f"segments.{side}", [(group_name(one), one) for one in offered]) for side in SIDES}
    pair["first"].value = next((one for one in offered if one.startswith("segment=")), "")
    line = choice("segments.line", [(word("segments.all_lines"), ""), *((named("line", n), n) for n in tables.lines())])
    latest = Latest()
    # What was clicked of segments is nothing to life cycle or tier.
    by.observe(lambda _: latest.value[:1] in WAYS and latest.set_trait("value", ()), "value")

    def figure(name: str, sight: Sight, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        made = in_sight(partial(getattr(draw, name), tables), sight, _label(name), **controls)
        latest.follow(name, made)
        return made

    def said(name: str, sight: Sight, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        return in_sight(partial(getattr(say, name), tables), sight, "", **controls)

    def halves(*parts: ipywidgets.Widget) -> ipywidgets.Box:
        return block("crmlab-halves", *parts)

    def lost() -> tuple[str, ...]:
        way = say.lost(tables, **{name: one.value for name, one in between.items()})
        return ("flows", f"{way['origin']}|{way['destination']}") if way else ()

    def now(sight: Sight) -> list[ipywidgets.Widget]:
        found, ways = said("finding", sight, **between), figure("flows", sight, **between)
        cells, told = figure("cells", sight, **chosen), said("legend", sight, **chosen)
        return [
            block("crmlab-lead", found, _lister(latest, "lost", lost)),
            _titled("flows", ways),
            _titled("cells", block("crmlab-beside", cells, told)),
        ]

    def movement(sight: Sight) -> list[ipywidgets.Widget]:
        ways, states = figure("matrix", sight, **between), figure("states", sight, **chosen)
        return [block("crmlab-pair", _titled("matrix", ways), _titled("states", states))]

    def dealings(sight: Sight) -> list[ipywidgets.Widget]:
        steps, won = figure("funnel", sight, line=line, **chosen), said("wins", sight, **chosen)
        note = word("segments.funnel_note", days=mart.manifest["settle_days"])
        leads = panel(word("segments.funnel_title"), note, block("crmlab-pickers", line), halves(steps, won))
        sent, come = figure("outflow", sight, **chosen), figure("channels", sight, **chosen)
        asked = [
            block("crmlab-pickers", _lister(latest, name, lambda name=name: (name, "")))
            for name in ("outflow", "channels")
        ]
        return [
            leads,
            block("crmlab-even", _titled("outflow", sent, asked[0]), _titled("channels", come, asked[1])),
        ]

    def people(sight: Sight) -> list[ipywidgets.Widget]:
        apart, sizes = figure("profile", sight, **pair, **chosen), said("compared", sight, **pair, **chosen)
        groups, bought = figure("clusters", sight), figure("spending", sight, **chosen)
        told = said("stability", sight)
        return [
            _titled("profile", block("crmlab-pickers", *pair.values()), sizes, apart),
            block("crmlab-even", _titled("spending", bought), _titled("clusters", groups, told)),
        ]

    customers, chip = boxes(
        partial(listed, tables),
        COLUMNS,
        latest,
        search=["customer_no", "name", "branch", "manager", "lead_id"],
        digits=mart.minor_digits,
        sort="aum",
        opened=reader.open,
        colours=tables.colours["segment"],
        **between,
        **pair,
    )
    return block(
        "crmlab-page",
        ipywidgets.HTML(f"<h1>{word('segments.title')}</h1><p>{word('segments.decides')}</p>").add_class(
            "crmlab-title"
        ),
        block("crmlab-filters", *chosen.values(), span, by, live(partial(say.count, tables), **chosen)),
        later(1200, now, is_seen=True),
        later(500, movement),
        later(920, dealings),
        later(1120, people),
        customers,
        chip,
    )


def _span(tables: Tables) -> ipywidgets.SelectionRangeSlider:
    """Two month ends of those that can be told."""
    return ipywidgets.SelectionRangeSlider(
        description=word("filter.months"),
        options=[(theme.month(day), day) for day in tables.months],
        value=tables.a_year(),
        continuous_update=False,
    ).add_class("crmlab-choice")


def _label(name: str) -> str:
    return f"{word(f'segments.{name}_title')}. {word('figure.hint')}"


def _titled(name: str, *inside: ipywidgets.Widget) -> ipywidgets.Box:
    return panel(word(f"segments.{name}_title"), word(f"segments.{name}_note"), *inside)


def _lister(latest: Latest, name: str, asked: Callable[[], tuple[str, ...]]) -> ipywidgets.Button:
    """A button that lists those of whom a sentence or a panel tells."""
    made = ipywidgets.Button(description=word(f"segments.list_all_{name}")).add_class("crmlab-button")
    made.on_click(lambda _: setattr(latest, "value", asked()))
    return made
