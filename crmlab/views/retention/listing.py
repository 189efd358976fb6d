"""The lists of `retention` as tables on the page."""

from collections.abc import Callable

import ipywidgets

from crmlab.views.retention import behind, fate
from crmlab.views.retention.tables import Tables
from crmlab.views.sight import Asked, Sight
from crmlab.views.widgets import Table, table
from crmlab.views.words import word

SIZE = 8  # rows of a list
LISTS = {
    "list": (behind.calls, behind.CALLS),
    "fate": (fate.people, fate.COLUMNS),
    "maturing": (behind.coming, behind.COMING),
    "win_back": (behind.left, behind.LEFT),
}


def rows_of(
    tables: Tables, name: str, sight: Sight, opened: Callable[[str], None] | None, **controls: ipywidgets.Widget
) -> Table:
    """One of the lists, in its own order; it follows its controls while it is in sight."""
    made, columns = LISTS[name]
    return table(
        lambda asked: made(tables, **asked),
        columns,
        key="customer_no",
        search=[column.name for column in columns if column.form in ("text", "prose")],
        file=word(f"retention.{name}_file"),
        digits=tables.mart.minor_digits,
        sort=None,
        opened=opened,
        size=SIZE,
        asked=Asked(sight, **controls),
    )
