"""Who grows the business, and who was handed it? Managers between their own limits, points, plans and proposals."""

from collections.abc import Callable
from functools import partial

import ipywidgets

from crmlab.mart.snapshot import Mart
from crmlab.views.managers import controls, draw, say
from crmlab.views.managers.listed import listed
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import Reader, block, button, choice, panel
from crmlab.views.sight import Asked, Sight, later
from crmlab.views.widgets import follow, live
from crmlab.views.words import word


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; a customer of its lists is opened for the `reader` by a click, a manager is chosen by one."""
    reader, tables = reader or Reader(), Tables(mart)
    chosen, rules = controls.chosen(tables), controls.rules(tables)
    whose = {name: chosen[name] for name in ("branch", "manager")}
    who, of, where = {"manager": chosen["manager"]}, {"measure": chosen["measure"]}, {"branch": chosen["branch"]}
    currency = {"currency": mart.base_currency, "from_on": tables.span[0], "to_on": tables.span[1]}

    def said(made: Callable, sight: Sight, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        return _shown(partial(made, tables), sight, "", **controls)

    def figure(name: str, sight: Sight, label: str = "", **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        title = word(f"managers.{label or name}_title")
        return _shown(partial(getattr(draw, name), tables), sight, title, **controls)

    def choosing(shown: ipywidgets.Widget) -> ipywidgets.Widget:
        """A figure of managers, of which a click chooses one."""
        follow(lambda clicked: controls.show(chosen, clicked[0]) if clicked else None, clicked=shown)
        return shown

    def rows(
        name: str, sight: Sight, opened: Callable | None = None, **controls: ipywidgets.Widget
    ) -> ipywidgets.Widget:
        return listed(tables, name, opened, asked=Asked(sight, **controls))

    def fair(sight: Sight) -> list[ipywidgets.Widget]:
        funnel = choosing(figure("funnel", sight, **of, **whose))
        lasting = choosing(figure("lasting", sight, **of, **whose))
        return [
            block("crmlab-lead", said(say.finding, sight, **of, **where)),
            block(
                "crmlab-pair",
                _titled("funnel", said(say.one, sight, **of, **who), funnel, **currency),
                _titled("lasting", lasting),
            ),
        ]

    def peers(sight: Sight) -> list[ipywidgets.Widget]:
        opened = partial(controls.show, chosen)
        return [_titled("peers", rows("peers", sight, opened, **of, **where))]

    def bridges(sight: Sight) -> list[ipywidgets.Widget]:
        return [
            block(
                "crmlab-even",
                _titled("bridge", said(say.bridged, sight, **whose), figure("bridge", sight, **whose), **currency),
                _titled("around", figure("around", sight, **whose), **currency),
            ),
            _titled("books", rows("books", sight, partial(controls.show, chosen), **where), **currency),
        ]

    def card(sight: Sight) -> list[ipywidgets.Widget]:
        points = figure("points", sight, **who)
        again = button("managers.all_rules", points, [])
        chosen["manager"].observe(lambda _: setattr(points, "value", []), "value")
        traced = said(say.traced, sight, **who, clicked=points)
        return [
            _titled(
                "points",
                said(say.scorecard, sight, **who),
                block("crmlab-halves", points, block("crmlab-stack", again, traced)),
            )
        ]

    def what_if(sight: Sight) -> list[ipywidgets.Widget]:
        told = said(say.if_so, sight, **rules)
        return [_titled("movers", block("crmlab-pickers", *rules.values()), told, rows("movers", sight, **rules))]

    def plan(sight: Sight) -> list[ipywidgets.Widget]:
        shown = said(say.contacts, sight, **whose), choosing(figure("contacts", sight, "due", **whose))
        return [_titled("due", *shown, rows("due", sight, reader.open, **whose))]

    def leaving(sight: Sight) -> list[ipywidgets.Widget]:
        names = sorted((tables.manager(key), key) for key in tables.recuts)
        leaver = choice("managers.leaving", names)
        picker = [block("crmlab-pickers", leaver)] if names else []
        told = said(say.recut, sight, leaving=leaver)
        return [
            _titled("recut", *picker, told, rows("recut", sight, reader.open, leaving=leaver)),
            _titled("findings", said(say.findings, sight)),
        ]

    title = ipywidgets.HTML(f"<h1>{word('managers.title')}</h1><p>{word('managers.decides')}</p>")
    return block(
        "crmlab-page",
        title.add_class("crmlab-title"),
        block("crmlab-filters", *chosen.values(), live(partial(say.count, tables), **where)),
        later(900, fair, is_seen=True),
        later(420, peers),
        later(900, bridges),
        later(620, card),
        later(560, what_if),
        later(900, plan),
        later(900, leaving),
    )


def _shown(draw: Callable, sight: Sight, label: str, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
    """What `draw` makes of the controls while it is in sight."""
    return live(lambda asked: draw(**asked), label, asked=Asked(sight, **controls))


def _titled(name: str, *inside: ipywidgets.Widget, **told: object) -> ipywidgets.Box:
    return panel(word(f"managers.{name}_title"), word(f"managers.{name}_note", **told), *inside)
