"""What a reader of `managers` may choose."""

import ipywidgets
import polars as pl

from crmlab.views.book import ALL
from crmlab.views.managers.tables import AS_IT_IS, Tables
from crmlab.views.parts import choice
from crmlab.views.words import named, word

PARTS = range(0, 205, 5)  # per cent of what a rule gives today
TARGETS = range(50, 155, 5)  # per cent of today's target


def chosen(tables: Tables) -> dict[str, ipywidgets.Dropdown]:
    """Branch, manager and measure; the managers offered follow the branch."""
    known = tables.named(tables.mart.page("managers").select("manager_id", "branch_id")).sort("manager", "manager_id")
    branches = [(word("filter.all_branches"), ALL), *sorted((name, key) for key, name in tables.branches.items())]

    def offered(branch: str) -> list[tuple[str, str]]:
        rows = known if branch == ALL else known.filter(pl.col("branch_id") == branch)
        return [(word("filter.all_managers"), ALL), *rows.select("manager", "manager_id").rows()]

    made = {
        "branch": choice("filter.branch", branches),
        "manager": choice("filter.manager", offered(ALL)),
        "measure": choice("filter.measure", [(named("measure", one), one) for one in tables.measures()]),
    }
    made["branch"].observe(lambda change: setattr(made["manager"], "options", offered(change.new)), "value")
    return made


def show(chosen: dict[str, ipywidgets.Dropdown], manager: str) -> None:
    """Choose a manager who was clicked somewhere."""
    if manager in [value for _, value in chosen["manager"].options]:
        chosen["manager"].value = manager


def rules(tables: Tables) -> dict[str, ipywidgets.Widget]:
    """A card, one of its rules, and how much of its points and of its target there should be, in per cent of today."""
    names = [one.name for one in tables.cards]
    card = choice("managers.card", [(one, one) for one in sorted(names, key=tables.most_used)])

    def offered() -> list[str]:
        return [one.name for of in tables.cards if of.name == card.value for one in of.rules]

    rule = ipywidgets.Dropdown(description=word("managers.rule"), options=offered()).add_class("crmlab-choice")
    made = {"card": card, "rule": rule, "part": _slider("managers.part", PARTS)}
    made["target"] = _slider("managers.target", TARGETS)

    def back(_: object) -> None:
        made["part"].value = made["target"].value = AS_IT_IS

    card.observe(lambda _: setattr(rule, "options", offered()), "value")
    rule.observe(back, "value")
    return made


def _slider(key: str, steps: range) -> ipywidgets.SelectionSlider:
    options = [(word("managers.of_today", percent=one), one) for one in steps]
    made = ipywidgets.SelectionSlider(description=word(key), options=options, value=AS_IT_IS)
    return made.add_class("crmlab-choice")
