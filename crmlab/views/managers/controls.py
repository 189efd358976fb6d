"""What a reader of `managers` may choose."""

from datetime import date

import ipywidgets

from crmlab.views.book import ALL
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import choice
from crmlab.views.words import named, word


def chosen(tables: Tables) -> dict[str, ipywidgets.Dropdown]:
    """Branch, manager and measure; the managers offered follow the branch, who left before the year come last."""
    since = date.fromisoformat(tables.span[0])
    order = sorted((tables.left.get(one, since) < since, tables.manager(one), one) for one in tables.managers)
    branches = [(word("filter.all_branches"), ALL), *sorted((name, key) for key, name in tables.branches.items())]

    def offered(branch: str) -> list[tuple[str, str]]:
        of_branch = [one for *_, one in order if branch in (ALL, tables.home[one])]
        return [(word("filter.all_managers"), ALL), *((tables.called(one), one) for one in of_branch)]

    made = {
        "branch": choice("filter.branch", branches),
        "manager": choice("filter.manager", offered(ALL)),
        "measure": choice("filter.measure", [(named("measure", one), one) for one in tables.measures()]),
    }
    made["branch"].observe(lambda change: setattr(made["manager"], "options", offered(change.new)), "value")
    return made


def show(chosen: dict[str, ipywidgets.Dropdown], manager: str) -> None:
    """Choose a manager who was clicked somewhere."""
    _choose(chosen["manager"], manager)


def show_apart(chosen: dict[str, ipywidgets.Dropdown], clicked: str) -> None:
    """Choose whom a bar of `draw.apart` stands for: a branch, or a manager where a branch is chosen."""
    _choose(chosen["manager" if chosen["branch"].value or chosen["manager"].value else "branch"], clicked)


def _choose(picker: ipywidgets.Dropdown, wanted: str) -> None:
    if wanted in [value for _, value in picker.options]:
        picker.value = wanted
