"""What do they need next? Whom to offer what, a list that earns most, and whether offering worked."""

from collections.abc import Callable
from functools import partial

import ipywidgets

from crmlab.mart import ledger
from crmlab.mart.snapshot import Mart
from crmlab.views.issuing import Issued
from crmlab.views.opportunities import builder, controls, draw, listed, past, say
from crmlab.views.opportunities.issue import asking, settling
from crmlab.views.opportunities.solving import Solving
from crmlab.views.opportunities.tables import Tables
from crmlab.views.parts import Reader, block, choice, filters, panel
from crmlab.views.sight import Asked, Sight, in_sight, later
from crmlab.views.widgets import live
from crmlab.views.words import word

BYS = ("kind", "segment")


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; a customer of its lists is opened for the `reader` by a click."""
    reader, tables, solving = reader or Reader(), Tables(mart), Solving()
    chosen, terms = filters(mart), controls.terms(tables)
    issued = Issued(value=ledger.lists(tables.root).height)
    asked = {**terms, **chosen, "n_lists": issued}
    kind, currency = {"kind": chosen["kind"]}, {"currency": mart.base_currency}
    by = choice("opportunities.by", [(word(f"opportunities.by_{one}"), one) for one in BYS])
    product = choice("opportunities.product", [(one, one) for one in draw.taken_most(tables)])

    def figure(name: str, sight: Sight, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        return in_sight(partial(getattr(draw, name), tables), sight, word(f"opportunities.{name}_title"), **controls)

    def said(made: Callable, sight: Sight, **controls: ipywidgets.Widget) -> ipywidgets.Widget:
        return in_sight(partial(made, tables), sight, "", **controls)

    rows = partial(listed.rows_of, tables)

    def now(sight: Sight) -> list[ipywidgets.Widget]:
        out, free = said(say.excluded, sight, n_lists=issued), {**chosen, "n_lists": issued}
        return [
            block("crmlab-lead", said(say.finding, sight, **free)),
            _titled("next_best", rows("next_best", sight, reader.open, **free), horizon=tables.horizon, **currency),
            _titled("excluded", out),
        ]

    def build(sight: Sight) -> list[ipywidgets.Widget]:
        of = {**asked, "solved": solving}
        made = Asked(sight, **of)
        people = listed.listed(
            tables, "builder", lambda asked: builder.listed(tables, solving, **asked), builder.COLUMNS, reader.open,
            asked=made,
        )  # fmt: skip
        told = live(lambda asked: builder.told(tables, solving, **asked), asked=made)
        worth = said(lambda tables, solved: builder.prices(tables, solving, solved), sight, solved=solving)
        buttons = block("crmlab-even", settling(tables, solving, asked), asking(tables, solving, issued, asked))
        inside = block("crmlab-pickers", *terms.values()), told, buttons, worth, people
        return [_titled("builder", *inside, **currency)]

    def events(sight: Sight) -> list[ipywidgets.Widget]:
        return [
            _titled("followed", said(say.followed, sight), figure("followed", sight)),
            _titled("occasions", rows("occasions", sight, reader.open, **chosen), **currency),
        ]

    def trust(sight: Sight) -> list[ipywidgets.Widget]:
        return [
            _titled("trust", said(say.trusted, sight)),
            _titled("gains", figure("gains", sight)),
            _titled("choices", said(say.choices, sight)),
        ]

    def together(sight: Sight) -> list[ipywidgets.Widget]:
        each = said(say.products_each, sight, **kind)
        of = {"by": by, "product": product}
        taken = said(draw.attached_told, sight, **of), figure("attached", sight, **of)
        return [
            _titled("matrix", said(say.together, sight, **kind), figure("matrix", sight, **kind)),
            block(
                "crmlab-even",
                _titled("penetration", each, figure("penetration", sight, **kind)),
                _titled("attached", block("crmlab-pickers", product, by), *taken),
            ),
            _titled("rules", said(say.rules, sight), rows("rules", sight, None)),
        ]

    def done(sight: Sight) -> list[ipywidgets.Widget]:
        campaign = choice("opportunities.campaign", past.names(tables, issued.value))
        segments = said(past.by_segment, sight, campaign=campaign, n_lists=issued)
        return [
            _titled("issued", said(past.issued, sight, n_lists=issued), days=tables.rules.read_out_days),
            _titled("past", said(past.summary, sight), said(past.campaigns, sight)),
            _titled("by_segment", block("crmlab-pickers", campaign), segments),
        ]

    title = ipywidgets.HTML(f"<h1>{word('opportunities.title')}</h1><p>{word('opportunities.decides')}</p>")
    return block(
        "crmlab-page",
        title.add_class("crmlab-title"),
        block("crmlab-filters", *chosen.values(), live(partial(say.count, tables), **chosen)),
        later(1000, now, is_seen=True),
        later(680, build),
        later(800, events),
        later(1300, trust),
        later(1800, together),
        later(1000, done),
    )


def _titled(name: str, *inside: ipywidgets.Widget, **told: object) -> ipywidgets.Box:
    return panel(word(f"opportunities.{name}_title", **told), word(f"opportunities.{name}_note", **told), *inside)
