"""Who grows the business, and who was handed it? Managers between their own limits, points, plans and proposals."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import ipywidgets
import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.views.managers import behind, controls, dealing, draw, rules, say
from crmlab.views.managers.listed import listed
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import Reader, block, button, panel, sentence
from crmlab.views.sight import Asked, Sight, later
from crmlab.views.solving import Solving
from crmlab.views.widgets import follow, live
from crmlab.views.words import word


class Shown(NamedTuple):
    """What all parts of the page are made of."""

    tables: Tables
    reader: Reader
    chosen: dict[str, ipywidgets.Dropdown]

    def of(self, *names: str) -> dict[str, ipywidgets.Dropdown]:
        """Some of the controls on top."""
        return {name: self.chosen[name] for name in names}


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; a customer of its lists is opened for the `reader` by a click, a manager is chosen by one."""
    tables = Tables(mart)
    shown = Shown(tables, reader or Reader(), controls.chosen(tables))
    title = ipywidgets.HTML(f"<h1>{word('managers.title')}</h1><p>{word('managers.decides')}</p>")
    return block(
        "crmlab-page",
        title.add_class("crmlab-title"),
        block("crmlab-filters", *shown.chosen.values(), live(partial(say.count, tables), **shown.of("branch"))),
        later(720, partial(_fair, shown), is_seen=True),
        later(420, partial(_peers, shown)),
        later(880, partial(_books, shown)),
        later(180, partial(_scorecard, shown)),
        later(280, partial(_what_if, shown)),
        later(520, partial(_plan, shown)),
        later(520, partial(_leaving, shown)),
    )


def _fair(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    of = shown.of("measure", "branch", "manager")
    said, one = shown.of("measure", "branch"), shown.of("measure", "manager")
    funnel, lasting = (_choosing(shown, _figure(shown, name, sight, **of)) for name in ("funnel", "lasting"))
    return [
        block("crmlab-lead", _said(shown, say.finding, sight, **said)),
        block(
            "crmlab-pair",
            _titled(shown, "funnel", _said(shown, say.one, sight, **one), funnel),
            _titled(shown, "lasting", lasting),
        ),
    ]


def _peers(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    rows = _rows(shown, "peers", sight, partial(controls.show, shown.chosen), **shown.of("measure", "branch"))
    return [_titled(shown, "peers", rows)]


def _books(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    whose = shown.of("branch", "manager")
    own, apart = (_figure(shown, name, sight, **whose) for name in ("bridge", "apart"))
    follow(lambda clicked: controls.show_apart(shown.chosen, clicked[0]) if clicked else None, clicked=apart)
    rows = _rows(shown, "books", sight, partial(controls.show, shown.chosen), **shown.of("branch"))
    told = _said(shown, say.bridged, sight, **whose)
    beside = block("crmlab-even", _titled(shown, "bridge", own), _titled(shown, "apart", apart))
    return [block("crmlab-stack", told), beside, _titled(shown, "books", rows)]


def _scorecard(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    """A click on a rule shows what is behind it; the click is forgotten with the manager it was about."""
    who = shown.of("manager")
    points = _figure(shown, "points", sight, **who)
    who["manager"].observe(lambda _: setattr(points, "value", []), "value")
    of_rule, told = who | {"clicked": points}, _said(shown, say.scorecard, sight, **who)
    beside = block("crmlab-stack", button("managers.all_rules", points, []), _said(shown, say.traced, sight, **of_rule))
    rows = _rows(shown, "behind", sight, shown.reader.open, **of_rule), _said(shown, behind.total, sight, **of_rule)
    return [_titled(shown, "points", told, block("crmlab-beside", points, beside), *rows)]


def _what_if(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    if shown.tables.now().is_empty():
        return [_titled(shown, "movers", sentence(shown.tables.without.get("scores") or word("managers.none_here")))]
    wanted = rules.Wanted()
    rows = _rows(shown, "movers", sight, partial(controls.show, shown.chosen), changes=wanted)
    told = _said(shown, rules.told, sight, changes=wanted)
    return [_titled(shown, "movers", rules.controls(shown.tables, wanted), told, rows)]


def _plan(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    whose = shown.of("branch", "manager")
    figure = _choosing(shown, _figure(shown, "contacts", sight, **whose))
    rows = _rows(shown, "due", sight, shown.reader.open, **whose)
    return [_titled(shown, "contacts", _said(shown, say.contacts, sight, **whose), figure, rows)]


def _leaving(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    solving, whose = dealing.solver(), shown.of("branch", "manager")
    proposed = _rows(shown, "recut", sight, shown.reader.open, partial(_proposed, solving), solved=solving)
    loads = _said(shown, partial(_loads, solving), sight, solved=solving)
    found = _said(shown, say.findings, sight, **whose), _rows(shown, "findings", sight, None, **whose)
    return [
        _titled(shown, "recut", dealing.dealing(shown.tables, solving), loads, proposed),
        _titled(shown, "findings", *found),
    ]


def _proposed(solving: Solving, tables: Tables, solved: int) -> pl.DataFrame:
    return dealing.proposed(tables, solving, solved)


def _loads(solving: Solving, tables: Tables, solved: int) -> str:
    return dealing.loads(tables, solving, solved)


def _said(shown: Shown, made: Callable, sight: Sight, **asked: ipywidgets.Widget) -> ipywidgets.Widget:
    """Sentences that follow their controls while they are in sight."""
    return live(lambda asked: made(shown.tables, **asked), asked=Asked(sight, **asked))


def _figure(shown: Shown, name: str, sight: Sight, **asked: ipywidgets.Widget) -> ipywidgets.Widget:
    draw_it, label = getattr(draw, name), word(f"managers.{name}_title")
    return live(lambda asked: draw_it(shown.tables, **asked), label, asked=Asked(sight, **asked))


def _rows(shown: Shown, name: str, sight: Sight, *more: Callable | None, **asked: ipywidgets.Widget):
    return listed(shown.tables, name, *more, asked=Asked(sight, **asked))


def _choosing(shown: Shown, figure: ipywidgets.Widget) -> ipywidgets.Widget:
    """A figure of managers, of which a click chooses one."""
    follow(lambda clicked: controls.show(shown.chosen, clicked[0]) if clicked else None, clicked=figure)
    return figure


def _titled(shown: Shown, name: str, *inside: ipywidgets.Widget) -> ipywidgets.Box:
    since, until = shown.tables.span
    told = {"currency": shown.tables.mart.base_currency, "from_on": since, "to_on": until}
    return panel(word(f"managers.{name}_title"), word(f"managers.{name}_note", **told), *inside)
