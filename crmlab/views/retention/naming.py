"""What groups, methods and lists of `retention` are called."""

from crmlab.views.book import ALL, PUBLIC
from crmlab.views.retention.tables import Tables
from crmlab.views.words import named, word


def curve_name(tables: Tables, by: str, group: str) -> str:
    """What a group of customers is called whose curve is drawn."""
    if not by:
        return word("retention.everybody")
    if by == "branch_id":
        return tables.branches.get(group, group)
    return named(by, group)


def list_name(
    tables: Tables, horizon: int, capacity: int, branch: str = ALL, manager: str = ALL, kind: str = ALL
) -> str:
    """What a list of these controls is called in the ledger."""
    who = word("filter.public") if manager == PUBLIC else tables.managers.get(manager, manager)
    where = tables.branches.get(branch, branch) or word("filter.all_branches")
    told = word("retention.list_name", horizon=horizon, capacity=capacity)
    return ", ".join(part for part in (where, who, kind and named("kind", kind), told) if part)
