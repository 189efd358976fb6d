"""What pages share: where the reader is, boxes, filters, and what was clicked last."""

from collections.abc import Iterable
from datetime import date
from functools import partial
from html import escape

import ipywidgets
import polars as pl
import traitlets

from crmlab.mart.snapshot import Mart
from crmlab.views.book import ALL, PUBLIC
from crmlab.views.words import named, word

SHEET = "customer"  # the page that shows one customer


class Reader(traitlets.HasTraits):
    """Where the reader is: the page shown, and the customer whom the page of one customer shows.

    Examples
    --------
    >>> reader = Reader(page="worth")
    >>> reader.open("C1")
    >>> reader.page, reader.customer
    ('customer', 'C1')
    >>> reader.back()
    >>> reader.page
    'worth'
    """

    page = traitlets.Unicode("overview")
    customer = traitlets.Unicode(None, allow_none=True)
    _list = "overview"

    def open(self, customer_no: str) -> None:
        """Show a customer; who opens another from there comes back to the same list."""
        if self.page != SHEET:
            self._list = self.page
        self.customer = customer_no
        self.page = SHEET

    def back(self) -> None:
        """Show the list again from which a customer was opened."""
        self.page = self._list


def block(name: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    """A box of a style; the style sheet says how its children stand."""
    return ipywidgets.Box(children).add_class(name)


def panel(title: str, note: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    """A titled part of a page."""
    head = ipywidgets.HTML(f"<h2>{escape(title)}</h2><p>{escape(note)}</p>").add_class("crmlab-panel-head")
    return block("crmlab-panel", head, *children)


def filters(mart: Mart) -> dict[str, ipywidgets.Dropdown]:
    """Branch, manager and kind, by the names `book.scope` knows; the managers offered follow the branch.

    A bank that delivers no managers is not asked for one.
    """
    branches = (
        mart.page("branches").select(pl.col("name").fill_null(pl.col("branch_id")), "branch_id").sort("name").rows()
    )
    managers = mart.page("managers").with_columns(pl.col("name").fill_null(pl.col("manager_id"))).sort("name")

    told = managers.select("manager_id", "name", "branch_id").rows()

    def offered(branch: str) -> list[tuple[str, str]]:
        of_branch = [(name, manager) for manager, name, home in told if branch in (ALL, home)]
        return [(word("filter.all_managers"), ALL), (word("filter.public"), PUBLIC), *of_branch]

    kinds = [(named("kind", kind), kind) for kind in mart.page("roster")["kind"].unique().cast(str).sort()]
    chosen = {
        "branch": choice("filter.branch", [(word("filter.all_branches"), ALL), *branches]),
        "manager": choice("filter.manager", offered(ALL)),
        "kind": choice("filter.kind", [(word("filter.all_kinds"), ALL), *kinds]),
    }
    if not told:
        del chosen["manager"]
        return chosen
    chosen["branch"].observe(lambda change: setattr(chosen["manager"], "options", offered(change.new)), "value")
    return chosen


def a_year(mart: Mart) -> tuple[date, date]:
    """The last month end of the history and the one a year before it, or the first."""
    days = mart.page("trend")["month"].unique().sort()
    return days[-min(13, len(days))], days[-1]


def months(mart: Mart) -> ipywidgets.SelectionRangeSlider:
    """Two month ends of the history, at first those of `a_year`."""
    days = mart.page("trend")["month"].unique().sort().to_list()
    return ipywidgets.SelectionRangeSlider(
        description=word("filter.months"),
        options=[(f"{day:%b %Y}", day) for day in days],
        value=a_year(mart),
        continuous_update=False,
    ).add_class("crmlab-choice")


def choice(key: str, options: Iterable[tuple[str, str]]) -> ipywidgets.Dropdown:
    """A drop-down of names and what they stand for."""
    return ipywidgets.Dropdown(description=word(key), options=list(options)).add_class("crmlab-choice")


class Latest(traitlets.HasTraits):
    """What was clicked last in any of several figures; the others let go of theirs.

    `value` is the figure's name and the key of the point, or nothing; set to nothing it clears the figures, too.
    """

    value = traitlets.Tuple()

    def __init__(self, **figures: ipywidgets.Widget) -> None:
        super().__init__()
        self.figures: dict[str, ipywidgets.Widget] = {}
        for name, figure in figures.items():
            self.follow(name, figure)
        self.observe(self._clear, "value")

    def follow(self, name: str, figure: ipywidgets.Widget) -> None:
        """Take clicks of a figure that was made later, too."""
        self.figures[name] = figure
        figure.observe(partial(self._take, name), "value")

    def _take(self, name: str, change: dict) -> None:
        if change["new"]:
            self.value = (name, change["new"][0])
        elif self.value[:1] == (name,):
            self.value = ()

    def _clear(self, change: dict) -> None:
        for name, figure in self.figures.items():
            if figure.value and change["new"][:1] != (name,):
                figure.value = []


def sentence(text: str) -> ipywidgets.HTML:
    """A sentence that stands where something else would."""
    return ipywidgets.HTML(f'<p class="crmlab-sentence" role="status">{escape(text)}</p>')


def reading(text: str) -> str:
    """The HTML of a sentence beside what it is about."""
    return f'<p class="crmlab-reading">{text}</p>'


def small_table(head: Iterable[str], rows: Iterable[tuple], kinds: str) -> str:
    """A small table as HTML; `kinds` says t for text and n for a number, by column."""

    def line(tag: str, cells: Iterable[str]) -> str:
        return "".join(f'<{tag} class="{kind}">{cell}</{tag}>' for cell, kind in zip(cells, kinds, strict=True))

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    table = f'<table class="crmlab-small"><thead><tr>{line("th", head)}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def button(key: str, of: ipywidgets.Widget, nothing: object) -> ipywidgets.Button:
    """A button that lets go of what is chosen in a figure or a list, and cannot be pressed while nothing is."""
    made = ipywidgets.Button(description=word(key), disabled=of.value == nothing).add_class("crmlab-button")
    made.on_click(lambda _: setattr(of, "value", nothing))
    of.observe(lambda change: setattr(made, "disabled", change.new == nothing), "value")
    return made
