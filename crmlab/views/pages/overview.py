"""How is the bank's book doing? Tiles, balances, the RFM grid and the customers behind any of them."""

from collections.abc import Callable
from functools import partial
from html import escape

import ipywidgets
import plotly.graph_objects as go
import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.views import book, theme
from crmlab.views.figures import balances, grid
from crmlab.views.parts import Reader, block, button, filters, panel
from crmlab.views.widgets import Column, live, table, tile
from crmlab.views.words import word

SMALL = 30  # below it one customer moves a share by more than three points
COLUMNS = [
    Column("customer_no"),
    Column("name"),
    Column("kind", "named"),
    Column("branch"),
    Column("manager"),
    Column("rfm_segment", "dot"),
    Column("aum", "money"),
    Column("aum_change_month", "change"),
    Column("loans", "money"),
    Column("n_lines", "count"),
    Column("recency_days", "count"),
    Column("since", "date"),
]


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; a row of its list opens the customer for the `reader`."""
    reader = reader or Reader()
    roster, colours = mart.page("roster"), theme.colours(mart.page("rfm_segments")["name"])
    chosen = filters(mart)
    cells = live(partial(_grid, mart, colours), f"{word('grid.title')}. {word('figure.hint')}", **chosen)
    customers = table(
        lambda cells, **chosen: book.in_cells(book.scope(roster, **chosen), cells),
        COLUMNS,
        key="customer_no",
        search=["customer_no", "name", "branch", "manager", "rfm_segment"],
        file=word("list.file"),
        digits=mart.minor_digits,
        sort="aum",
        opened=reader.open,
        colours=colours,
        cells=cells,
        **chosen,
    )
    over_time = live(partial(_balances, mart), word("balances.title"), **chosen)
    deviation = live(partial(_deviation, mart), **chosen)
    legend = live(partial(_legend, roster, colours), **chosen)
    return block(
        "crmlab-page",
        ipywidgets.HTML(f"<h1>{word('overview.title')}</h1><p>{word('overview.decides')}</p>").add_class(
            "crmlab-title"
        ),
        block("crmlab-filters", *chosen.values(), live(partial(_count, roster), **chosen)),
        live(partial(_tiles, mart), **chosen),
        block(
            "crmlab-pair",
            panel(word("balances.title"), word("balances.note"), over_time, deviation),
            panel(word("grid.title"), word("grid.note"), cells, legend),
        ),
        block(
            "crmlab-panel",
            block("crmlab-list-head", live(_list_title, cells=cells), button("list.clear", cells, [])),
            customers,
        ),
    )


def _count(roster: pl.DataFrame, **chosen: str) -> str:
    n = book.scope(roster, **chosen).height
    words = word("filter.count", n=theme.whole(n), of=theme.whole(roster.height)) if n else word("filter.none")
    return f'<span class="crmlab-count" role="status">{words}</span>'


def _tiles(mart: Mart, **chosen: str) -> str:
    months = book.headline(book.scope(mart.page("heads"), **chosen), book.scope(mart.page("trend"), **chosen))
    rows = {row["measure"]: row for row in book.movement(months)}
    if not rows:
        return ""
    now, small = months.row(-1, named=True), rows["n_customers"]["now"] < SMALL
    counted = {
        "n": theme.whole(now["n_active"]),
        "of": theme.whole(now["n_customers"]),
        "days": mart.manifest["activity_window_days"],
    }

    def money(minor: int) -> str:
        return f"{mart.base_currency} {theme.money(minor, mart.minor_digits)}"

    def number(measure: str, value: Callable, change: Callable, **gaps: object) -> str:
        row = rows[measure]
        note = word("tile.small", n=now["n_customers"]) if small else word(f"tile.note.{measure}", **gaps)
        changes = {word(f"tile.{period}"): change(row[period]) for period in ("month", "year")}
        return tile(word(f"tile.{measure}"), value(row["now"]), note, changes, is_small=small)

    growth = partial(theme.share, signed=True)
    # Active customers are counted, not sampled: an interval would claim a doubt there is not.
    tiles = (
        number("n_customers", theme.whole, growth),
        number("aum", money, growth),
        number("loans", money, growth),
        number("active_share", theme.share, theme.points, **counted),
        number("lines_each", "{:.2f}".format, theme.difference),
    )
    return f'<div class="crmlab-tiles">{"".join(tiles)}</div>'


def _balances(mart: Mart, **chosen: str) -> go.Figure:
    frame = book.balances(book.scope(mart.page("trend"), **chosen), mart.minor_digits)
    return balances.over_time(frame, mart.base_currency)


def _deviation(mart: Mart, **chosen: str) -> str:
    found = book.deviation(book.balances(book.scope(mart.page("trend"), **chosen), mart.minor_digits))
    if found is None:
        return ""
    side = word("balances.above" if found[1] >= 0 else "balances.below")
    words = word("balances.deviation", month=theme.month(found[0]), share=theme.share(abs(found[1])), side=side)
    return f'<p class="crmlab-reading">{words}</p>'


def _grid(mart: Mart, colours: dict[str, str], **chosen: str) -> go.Figure:
    return grid.recency_frequency(
        book.cells(book.scope(mart.page("roster"), **chosen)), colours, mart.manifest["bands"]
    )


def _legend(roster: pl.DataFrame, colours: dict[str, str], **chosen: str) -> str:
    items = (
        f'<li><i class="dot" style="background:{colours[name]}"></i>{escape(name)} <b>{theme.whole(n)}</b></li>'
        for name, n in book.segments(book.scope(roster, **chosen), list(colours))
    )
    return f'<ul class="crmlab-legend">{"".join(items)}</ul>'


def _list_title(cells: list) -> str:
    text = ", ".join(word("list.cell", r=r, f=f) for r, f in cells)
    return f"<h2>{word('list.of_cell', cells=text) if cells else word('list.title')}</h2>"
