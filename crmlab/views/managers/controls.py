"""What a reader of `managers` may choose."""

import ipywidgets
import polars as pl

from crmlab.views.book import ALL
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import choice
from crmlab.views.words import named, word


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
