"""Who grows the business, and who was handed it? Managers between their own limits, points, plans and proposals."""

from functools import partial

import ipywidgets
import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.views.managers import behind, controls, dealing, peers, rules, say
from crmlab.views.managers.shown import Shown, hidden
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import Reader, block, button, sentence
from crmlab.views.sight import Sight, later
from crmlab.views.solving import Solving
from crmlab.views.widgets import follow, live
from crmlab.views.words import word


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; a customer of its lists is opened for the `reader` by a click, a manager is chosen by one."""
    tables = Tables(mart)
    title = ipywidgets.HTML(f"<h1>{word('managers.title')}</h1><p>{word('managers.decides')}</p>")
    title.add_class("crmlab-title")
    if why := tables.none_told():
        return block("crmlab-page", title, sentence(why))
    shown = Shown(tables, reader or Reader(), controls.chosen(tables))
    return block(
        "crmlab-page",
        title,
        block("crmlab-filters", *shown.chosen.values(), live(partial(say.count, tables), **shown.of("branch"))),
        later(720, partial(_fair, shown), is_seen=True),
        later(820, partial(_peers, shown)),
        later(880, partial(_books, shown)),
        later(180, partial(_scorecard, shown)),
        later(280, partial(_what_if, shown)),
        later(520, partial(_plan, shown)),
        later(520, partial(_leaving, shown)),
    )


def _fair(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    of = shown.of("measure", "branch", "manager")
    said, one = shown.of("measure", "branch"), shown.of("measure", "manager")
    funnel, lasting = (shown.choosing(shown.figure(name, sight, **of)) for name in ("funnel", "lasting"))
    return [
        block("crmlab-lead", shown.said(say.finding, sight, **said)),
        block(
            "crmlab-pair",
            shown.titled("funnel", shown.said(say.one, sight, **one), funnel),
            shown.titled("lasting", lasting),
        ),
    ]


def _peers(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    who, rows = shown.of("manager"), shown.rows("peers", sight, shown.show, **shown.of("measure", "branch"))
    own = shown.rows("among", sight, partial(setattr, shown.chosen["measure"], "value"), **who)
    follow(lambda manager: hidden(own, not peers.compared(shown.tables, manager).height), **who)
    among = shown.choosing(shown.figure("among", sight, peers.figure, **who))
    return [shown.titled("among", shown.said(peers.said, sight, **who), among, own), shown.titled("peers", rows)]


def _books(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    whose = shown.of("branch", "manager")
    own, apart = (shown.figure(name, sight, **whose) for name in ("bridge", "apart"))
    follow(lambda clicked: controls.show_apart(shown.chosen, clicked[0]) if clicked else None, clicked=apart)
    rows = shown.rows("books", sight, shown.show, **shown.of("branch"))
    told = shown.said(say.bridged, sight, **whose)
    beside = block("crmlab-even", shown.titled("bridge", own), shown.titled("apart", apart))
    return [block("crmlab-stack", told), beside, shown.titled("books", rows)]


def _scorecard(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    """A click on a rule shows what is behind it; the click is forgotten with the manager it was about."""
    who = shown.of("manager")
    points = shown.figure("points", sight, **who)
    who["manager"].observe(lambda _: setattr(points, "value", []), "value")
    of_rule, told = who | {"clicked": points}, shown.said(say.scorecard, sight, **who)
    beside = block("crmlab-stack", button("managers.all_rules", points, []), shown.said(say.traced, sight, **of_rule))
    rows = shown.rows("behind", sight, shown.reader.open, **of_rule), shown.said(behind.total, sight, **of_rule)
    return [shown.titled("points", told, block("crmlab-beside", points, beside), *rows)]


def _what_if(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    if shown.tables.now().is_empty():
        return [shown.titled("movers", sentence(shown.tables.without.get("scores") or word("managers.none_here")))]
    wanted = rules.Wanted()
    rows = shown.rows("movers", sight, shown.show, changes=wanted)
    told = shown.said(rules.told, sight, changes=wanted)
    return [shown.titled("movers", rules.controls(shown.tables, wanted), told, rows)]


def _plan(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    whose = shown.of("branch", "manager")
    figure = shown.choosing(shown.figure("contacts", sight, **whose))
    rows = shown.rows("due", sight, shown.reader.open, **whose)
    return [shown.titled("contacts", shown.said(say.contacts, sight, **whose), figure, rows)]


def _leaving(shown: Shown, sight: Sight) -> list[ipywidgets.Widget]:
    solving, whose = dealing.solver(), shown.of("branch", "manager")
    proposed = shown.rows("recut", sight, shown.reader.open, partial(_proposed, solving), solved=solving)
    loads = shown.said(partial(_loads, solving), sight, solved=solving)
    found = shown.said(say.findings, sight, **whose), shown.rows("findings", sight, shown.reader.open, **whose)
    return [
        shown.titled("recut", dealing.dealing(shown.tables, solving, shown.chosen["manager"]), loads, proposed),
        shown.titled("findings", *found),
    ]


def _proposed(solving: Solving, tables: Tables, solved: int) -> pl.DataFrame:
    return dealing.proposed(tables, solving, solved)


def _loads(solving: Solving, tables: Tables, solved: int) -> str:
    return dealing.loads(tables, solving, solved)
