"""Whom do we call before their money is gone? The call list, its reasons, and how far to trust it."""

from collections.abc import Callable
from functools import partial

import ipywidgets

from crmlab.mart import ledger
from crmlab.mart.snapshot import Mart
from crmlab.views import theme
from crmlab.views.issuing import Issued
from crmlab.views.parts import Latest, Reader, block, button, choice, filters, panel
from crmlab.views.retention import behind, controls, draw, fate, say, trial
from crmlab.views.retention.issue import asking
from crmlab.views.retention.listing import rows_of
from crmlab.views.retention.tables import BYS, Tables
from crmlab.views.sight import Sight, in_sight, later
from crmlab.views.widgets import live
from crmlab.views.words import named, word


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; a customer of its list is chosen by a click and opened for the `reader` by a button."""
    reader, tables = reader or Reader(), Tables(mart)
    chosen, horizon, capacity = filters(mart), controls.horizon(tables), controls.capacity(tables)
    issued = Issued(value=ledger.lists(tables.root).height)
    asked = {"horizon": horizon, "capacity": capacity, **chosen}
    show = choice("retention.show", [(word(f"retention.show_{one}"), one) for one in behind.SHOWN])
    by = choice("retention.by", [(word(f"retention.by_{one}"), one) for one in BYS])
    by.value = "kind"
    cause = choice("retention.cause", [(named("cause", one), one) for one in tables.causes()])
    kind = {"kind": chosen["kind"]}

    def figure(name: str, sight: Sight, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        label = word(f"retention.{name}_title", days=tables.rules.maturing_days)
        return in_sight(partial(getattr(draw, name), tables), sight, label, **controls)

    def said(made: Callable, sight: Sight, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        return in_sight(partial(made, tables), sight, "", **controls)

    rows = partial(rows_of, tables)

    def now(sight: Sight) -> list[ipywidgets.Widget]:
        calls = rows("list", sight, lambda _: None, show=show, n_lists=issued, **asked)
        calls.value = next(iter(calls.page["keys"]), None)
        opens = ipywidgets.Button(description=word("retention.open")).add_class("crmlab-button")
        opens.on_click(lambda _: calls.value and reader.open(calls.value))
        told = said(say.chosen_one, sight, customer=calls, horizon=horizon)
        why = block("crmlab-halves", block("crmlab-stack", told, opens), figure("reasons", sight, customer=calls))
        issue = panel(word("retention.issue_title"), word("retention.issue_note"), asking(tables, issued, **asked))
        left_out = said(say.left_out, sight, n_lists=issued, **asked)
        return [
            block("crmlab-lead", said(say.finding, sight, n_lists=issued, **asked)),
            _titled("list", block("crmlab-pickers", show, left_out), calls, days=tables.rules.maturing_days),
            block("crmlab-pair", _titled("why", why), issue),
        ]

    def lists(sight: Sight) -> list[ipywidgets.Widget]:
        people = rows("fate", sight, None, n_lists=issued, **chosen).add_class("crmlab-short").add_class("has-files")
        return [_titled("fate", said(fate.table, sight, n_lists=issued), people)]

    def maturities(sight: Sight) -> list[ipywidgets.Widget]:
        latest = Latest()
        weeks = figure("calendar", sight, **chosen)
        latest.follow("calendar", weeks)
        coming = rows("maturing", sight, reader.open, clicked=latest, **chosen)
        title = said(behind.coming_title, sight, clicked=latest)
        head = block("crmlab-list-head", title, button("retention.maturing_clear", latest, ()))
        kept = _titled("kept", said(say.kept, sight, **chosen), figure("kept", sight, **chosen))
        told = said(say.coming, sight, **chosen)
        return [
            block("crmlab-even", _titled("calendar", told, weeks, days=tables.rules.maturing_days), kept),
            block("crmlab-panel", head, coming),
        ]

    def trust(sight: Sight) -> list[ipywidgets.Widget]:
        of = {"horizon": horizon}
        if not tables.horizons:
            return [_titled("trust", said(trial.trusted, sight, **of))]
        told, early = figure("calibration", sight, **of), figure("lead_time", sight, **of)
        held, budget = figure("gains", sight, **of), theme.share(tables.budget)
        return [
            _titled("trust", said(trial.trusted, sight, **of), said(trial.accuracy, sight, **of)),
            _titled("gains", said(trial.captured, sight, **of), held, budget=budget),
            block(
                "crmlab-even",
                _titled("calibration", said(trial.calibrated, sight, **of), told),
                _titled("lead_time", early, budget=budget),
            ),
        ]

    def staying(sight: Sight) -> list[ipywidgets.Widget]:
        curves = figure("curves", sight, by=by, **kind)
        untold = said(say.hazards, sight, cause=cause)
        gone, clauses = figure("incidence", sight, **kind), said(say.overlap, sight)
        return [
            block(
                "crmlab-even",
                _titled("curves", block("crmlab-pickers", by), said(say.curves, sight, by=by, **kind), curves),
                _titled("incidence", gone),
            ),
            block(
                "crmlab-even",
                _titled("hazards", block("crmlab-pickers", cause), figure("hazards", sight, cause=cause), untold),
                _titled("overlap", clauses.add_class("crmlab-wrap")),
            ),
        ]

    def gone(sight: Sight) -> list[ipywidgets.Widget]:
        people = rows("win_back", sight, reader.open, **chosen)
        return [_titled("win_back", said(say.returned, sight), people)]

    title = ipywidgets.HTML(f"<h1>{word('retention.title')}</h1><p>{word('retention.decides')}</p>")
    return block(
        "crmlab-page",
        title.add_class("crmlab-title"),
        block("crmlab-filters", *chosen.values(), horizon, capacity, live(partial(say.count, tables), **chosen)),
        later(1060, now, is_seen=True),
        later(120, lists),
        later(860, maturities),
        later(1100, trust),
        later(960, staying),
        later(560, gone),
    )


def _titled(name: str, *inside: ipywidgets.Widget, **told: object) -> ipywidgets.Box:
    return panel(word(f"retention.{name}_title", **told), word(f"retention.{name}_note", **told), *inside)
