"""What pages share: boxes, filters, and the card of one customer."""

from collections.abc import Iterable
from datetime import date
from html import escape

import ipywidgets

from crmlab.mart.snapshot import Mart
from crmlab.views.book import ALL, PUBLIC
from crmlab.views.widgets import Column
from crmlab.views.words import named, word

CARD = {
    "text": ("kind", "branch", "manager", "segment"),
    "money": ("aum", "aum_average", "deposits", "loans"),
    "change": ("aum_change_month", "aum_change_year"),
    "count": ("n_lines", "recency_days", "frequency", "tenure_months"),
}


def block(name: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    """A box of a style; the style sheet says how its children stand."""
    return ipywidgets.Box(children).add_class(name)


def panel(title: str, note: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    """A titled part of a page."""
    head = ipywidgets.HTML(f"<h2>{escape(title)}</h2><p>{escape(note)}</p>").add_class("crmlab-panel-head")
    return block("crmlab-panel", head, *children)


def filters(mart: Mart) -> dict[str, ipywidgets.Dropdown]:
    """Branch, manager and kind, by the names `book.scope` knows; the managers offered follow the branch."""
    branches = [(name, branch) for branch, name in mart.page("branches").select("branch_id", "name").iter_rows()]
    managers = mart.page("managers").select("name", "manager_id", "branch_id").sort("name").rows()

    def offered(branch: str) -> list[tuple[str, str]]:
        of_branch = [(name, manager) for name, manager, home in managers if branch in (ALL, home)]
        return [(word("filter.all_managers"), ALL), (word("filter.public"), PUBLIC), *of_branch]

    kinds = [(named("kind", kind), kind) for kind in mart.page("roster")["kind"].unique().cast(str).sort()]
    chosen = {
        "branch": _choice("filter.branch", [(word("filter.all_branches"), ALL), *sorted(branches)]),
        "manager": _choice("filter.manager", offered(ALL)),
        "kind": _choice("filter.kind", [(word("filter.all_kinds"), ALL), *kinds]),
    }
    chosen["branch"].observe(lambda change: setattr(chosen["manager"], "options", offered(change.new)), "value")
    return chosen


def _choice(key: str, options: Iterable[tuple[str, str]]) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(description=word(key), options=list(options)).add_class("crmlab-choice")


def card(customer: dict, digits: int) -> str:
    """One customer of the roster as HTML; identity stays masked."""
    rows = [(word(f"column.{name}"), named(name, customer[name] or "–")) for name in CARD["text"]]
    rows += [(word("column.since"), _text(customer["since"]))]
    for form in ("money", "change", "count"):
        rows += [(word(f"column.{name}"), Column(name, form).written(customer[name], digits)) for name in CARD[form]]
    rows += [("RFM", f"R{customer['r']} F{customer['f']} M{customer['m']}")]
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    title = word("card.title", customer=customer["customer_no"])
    return f'<section class="crmlab-card" tabindex="-1"><h2>{escape(title)}</h2><dl>{items}</dl></section>'


def _text(day: date | None) -> str:
    return "–" if day is None else day.isoformat()


def sentence(text: str) -> ipywidgets.HTML:
    """A sentence that stands where something else would."""
    return ipywidgets.HTML(f'<p class="crmlab-sentence" role="status">{escape(text)}</p>')
