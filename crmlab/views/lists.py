"""The list at the end of a page: the customers behind what was clicked last in any figure above it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from html import escape

import ipywidgets
import polars as pl

from crmlab.views import theme
from crmlab.views.parts import Latest, block, button
from crmlab.views.widgets import Column, live, table
from crmlab.views.words import word


@dataclass(frozen=True)
class Listing:
    """What a list is called, its customers, and by which column it is sorted at first, the largest on top or not.

    Without `sort` the rows stay as they are.
    """

    title: str
    rows: pl.DataFrame
    sort: str | None = "contribution"
    is_down: bool = True


def boxes(
    listed: Callable[..., Listing],
    columns: list[Column],
    latest: Latest,
    *,
    search: list[str],
    digits: int,
    sort: str,
    opened: Callable[[str], None],
    colours: dict[str, str],
    **asked: ipywidgets.Widget,
) -> tuple[ipywidgets.Box, ipywidgets.Box]:
    """The list with its title, and the chip that tells of it to who has clicked far above.

    Parameters
    ----------
    listed
        A pure function of `clicked`, which is the value of `latest`, and of the values of `asked`.
    columns, search, digits, sort, opened, colours
        As for `widgets.table`.
    """
    asked = {"clicked": latest, **asked}
    behind = lru_cache(1)(listed)
    customers = table(
        lambda **asked: behind(**asked).rows,
        columns,
        key="customer_no",
        search=search,
        file=word("list.file"),
        digits=digits,
        sort=sort,
        opened=opened,
        colours=colours,
        **asked,
    )

    def in_its_own_order(_: object) -> None:
        found = behind(**{name: one.value for name, one in asked.items()})
        # What was searched for is searched for in another list, too.
        customers.ask = {"sort": found.sort, "down": found.is_down, "search": customers.ask["search"], "from": 0}

    latest.observe(in_its_own_order, "value")
    place = f"list-{customers.model_id}"  # the lists of other pages stand in the same document
    title, told = (live(partial(say, behind, place), **asked) for say in (_title, _chip))
    head = block("crmlab-list-head", title, button("list.clear_click", latest, ()))
    return block("crmlab-panel", head, customers), block("crmlab-chip", told)


def _title(behind: Callable[..., Listing], place: str, **asked: object) -> str:
    found = behind(**asked)
    return f'<h2 class="crmlab-list" id="{place}">{escape(found.title)} <small>{_counted(found)}</small></h2>'


def _chip(behind: Callable[..., Listing], place: str, clicked: tuple, **asked: object) -> str:
    if not clicked:
        return ""
    found = behind(clicked=clicked, **asked)
    return f'<a href="#{place}"><b>{escape(found.title)}</b> {_counted(found)} ↓</a>'


def _counted(found: Listing) -> str:
    return word("list.counted", n=theme.whole(found.rows.height))
