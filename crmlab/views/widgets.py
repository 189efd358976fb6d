"""The only generic widget code: `live`, `tile`, `table`, `download`."""

import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import anywidget
import ipywidgets
import plotly.graph_objects as go
import polars as pl
import traitlets

from crmlab.views import excel, theme
from crmlab.views.plotly_view import PlotlyView
from crmlab.views.words import named, word

HERE = Path(__file__).parent
LOG = logging.getLogger("crmlab")


def follow(react: Callable[..., None], **controls: ipywidgets.Widget) -> None:
    """Call `react` with the controls' values, now and whenever they differ from the last time."""
    seen: list[dict] = []

    def look(_: object = None) -> None:
        values = {name: control.value for name, control in controls.items()}
        if seen != [values]:
            seen[:] = [values]
            react(**values)

    for control in controls.values():
        control.observe(look, "value")
    look()


def live(
    draw: Callable[..., go.Figure | str], label: str = "", **controls: ipywidgets.Widget
) -> PlotlyView | ipywidgets.HTML:
    """What `draw` makes of the controls' values, kept up to date.

    Parameters
    ----------
    draw
        A pure function of the values that returns a figure, or HTML where words are enough.
    label
        What a screen reader says of the figure.
    controls
        Widgets with a `value`, by the argument of `draw` they fill. A figure is one too: its value is what was clicked.

    Examples
    --------
    >>> choice = ipywidgets.Dropdown(options=[1, 2])
    >>> shown = live(lambda n: f"<b>{n}</b>", n=choice)
    >>> choice.value = 2
    >>> shown.value
    '<b>2</b>'
    """
    shown: list[PlotlyView | ipywidgets.HTML] = []

    def redraw(**values: object) -> None:
        try:
            drawn = draw(**values)
        except Exception:
            LOG.exception("drawing with %s failed", values)
            drawn = theme.sentence(word("app.draw_failed"), 200) if shown and isinstance(shown[0], PlotlyView) else ""
        if not shown:
            shown.append(ipywidgets.HTML() if isinstance(drawn, str) else PlotlyView(label=label))
        if isinstance(drawn, str):
            shown[0].value = drawn
        else:
            shown[0].show(drawn)

    follow(redraw, **controls)
    return shown[0]


def tile(label: str, value: str, note: str, changes: Mapping[str, str], is_small: bool = False) -> str:
    """The HTML of one number with its movement."""
    moves = "".join(f"<span><b>{escape(text)}</b> {escape(period)}</span>" for period, text in changes.items())
    return (
        f'<div class="crmlab-tile{" is-small" if is_small else ""}"><div class="label">{escape(label)}</div>'
        f'<div class="value">{escape(value)}</div><div class="changes">{moves}</div>'
        f'<div class="note">{escape(note)}</div></div>'
    )


@dataclass(frozen=True)
class Column:
    """A column of a list: its name in the frame and how its values are written.

    `form` is text, prose (text of several lines), dot (text with its colour), named (through the catalogue), count,
    money, change (signed money), percent (of a share), date or flag.
    """

    name: str
    form: str = "text"

    @property
    def label(self) -> str:
        """The column's heading."""
        return word(f"column.{self.name}")

    def written(self, value: object, digits: int) -> str:
        """A value as a reader sees it.

        Examples
        --------
        >>> Column("aum", "money").written(1234567, 2), Column("n_lines", "count").written(1200, 2)
        ('12,346', '1,200')
        """
        if value is None:
            return "–"
        if self.form in ("money", "change"):
            return theme.full(value / 10**digits, signed=self.form == "change")
        if self.form == "percent":
            return f"{value * 100:.1f}"
        if self.form == "count":
            return theme.whole(value)
        if self.form == "flag":
            return word("table.yes" if value else "table.no")
        if self.form == "named":
            return named(self.name, value)
        return str(value)


class Table(anywidget.AnyWidget):
    """A list of any length of which only the rows in sight are sent; `value` is the key of the row opened last.

    Made by `table`.
    """

    _esm = HERE / "table.js"
    head = traitlets.List().tag(sync=True)
    colours = traitlets.Dict().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    page = traitlets.Dict().tag(sync=True)
    opens = traitlets.Bool(True).tag(sync=True)
    ask = traitlets.Dict({"sort": None, "down": False, "search": "", "from": 0}).tag(sync=True)
    value = traitlets.Unicode(allow_none=True, default_value=None).tag(sync=True)


def table(
    rows: Callable[..., pl.DataFrame],
    columns: list[Column],
    *,
    search: list[str],
    file: str,
    digits: int,
    sort: str | None,
    key: str | None = None,
    opened: Callable[[str], None] | None = None,
    opens_any: bool = False,
    hint: str | None = None,
    colours: Mapping[str, str] | None = None,
    size: int = 12,
    **controls: ipywidgets.Widget,
) -> Table:
    """A list with sort, search, pages and download.

    Parameters
    ----------
    rows
        A pure function of the controls' values that returns the list.
    columns
        What is shown, save columns without a single value; a download holds every column of the list.
    search, sort
        The columns that are searched, the one sorted by at first (the largest on top), if any.
    file, digits
        The name of a download, and the digits of money after the point.
    key, opened
        The column that names a row, and what is called with the name of each row that the reader opens, the same one as
        often as it is opened. Without them no row can be opened. Enter in the search field opens the row of that name,
        else the first that is found.
    opens_any
        Whether Enter calls `opened` even with a name that no row has.
    hint
        What stands in the search field.
    """
    widget = Table(
        head=[{"name": column.name, "label": column.label, "form": column.form} for column in columns],
        words={name: word(f"table.{name}") for name in ("search", "csv", "excel", "busy", "previous", "next", "empty")},
        colours=dict(colours or {}),
        opens=opened is not None,
    )
    if hint:
        widget.words = widget.words | {"search": hint}
    widget.set_trait("ask", {"sort": sort, "down": True, "search": "", "from": 0})
    now: dict = {}

    def send(_: object = None) -> None:
        ask = widget.ask
        if now.get("ask") != {**ask, "from": 0}:
            now.update(ask={**ask, "from": 0}, order=_order(now["frame"], ask, search))
        order = now["order"]
        start = min(max(ask["from"], 0), max(len(order) - 1, 0) // size * size)
        sight = now["frame"][order[start : start + size]]
        written = [
            [column.written(row[column.name], digits) for column in columns] for row in sight.iter_rows(named=True)
        ]
        ends = {
            "from": theme.whole(start + 1),
            "to": theme.whole(start + len(written)),
            "total": theme.whole(len(order)),
        }
        widget.page = {
            "rows": written,
            "keys": sight[key].to_list() if key else [None] * sight.height,
            "search": ask["search"],
            "from": start,
            "size": size,
            "total": len(order),
            "range": word("table.range", **ends) if written else "",
            "hidden": [0 < now["frame"].height == now["frame"][column.name].null_count() for column in columns],
        }

    def refill(**values: object) -> None:
        now.update(frame=_listed(rows, values, now.get("frame")), ask=None)
        if widget.ask["from"]:
            widget.ask = {**widget.ask, "from": 0}
        else:
            send()

    def answer(_: object, content: dict, __: list) -> None:
        kind = content.get("want")
        typed = content.get("enter", "").strip()
        asked = content.get("open") or _first(now["frame"], typed, key, {**widget.ask, "search": typed}, search)
        asked = asked or (typed if opens_any else None)
        if opened and asked:
            widget.value = asked
            opened(asked)
        elif kind in FORMATS:
            content, mime = download(now["frame"][now["order"]], kind, digits)
            widget.send({"file": f"{file}.{kind}", "mime": mime}, buffers=[content])

    follow(refill, **controls)
    widget.observe(send, "ask")
    widget.on_msg(answer)
    return widget


def _listed(rows: Callable[..., pl.DataFrame], values: dict, before: pl.DataFrame | None) -> pl.DataFrame:
    """The list; where it cannot be made, nobody rather than those who were listed before."""
    try:
        return rows(**values)
    except Exception:
        if before is None:
            raise
        LOG.exception("listing with %s failed", values)
        return before.clear()


def _first(frame: pl.DataFrame, typed: str, key: str | None, ask: dict, search: list[str]) -> str | None:
    """The name of the row that is called what was typed, else of the first that is found by it."""
    if not typed or key is None:
        return None
    if frame.select((pl.col(key) == typed).any()).item():
        return typed
    found = _order(frame, ask, search)
    return frame[key][found[0]] if found.len() else None


def _order(frame: pl.DataFrame, ask: dict, search: list[str]) -> pl.Series:
    """Row numbers of the list as asked for; the rows themselves are only gathered where they are seen."""
    rows = frame.lazy().with_row_index("#")
    if text := ask["search"].strip().lower():
        hit = (pl.col(column).str.to_lowercase().str.contains(text, literal=True).fill_null(False) for column in search)
        rows = rows.filter(pl.any_horizontal(hit))
    if ask["sort"]:
        rows = rows.sort(ask["sort"], "#", descending=[ask["down"], False], nulls_last=True)
    return rows.select("#").collect()["#"]


FORMATS = {
    "csv": "text/csv;charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MONEY = (
    *("aum", "loans", "deposits", "monetary"),
    *("contribution", "amount", "closing", "average", "deviation", "missing", "above"),
)
SHARES = ("probability",)  # told as per cent


def download(frame: pl.DataFrame, kind: str, digits: int) -> tuple[bytes, str]:
    """A list as the bytes of a file and their media type.

    Money columns are in major units, probabilities in per cent. A text that a spreadsheet would take for a formula
    gets an apostrophe before it.

    Examples
    --------
    >>> content, _ = download(pl.DataFrame({"customer_no": ["=1+1"], "aum": [12345]}), "csv", 2)
    >>> content.decode("utf-8-sig").splitlines()
    ['Customer,AUM', "'=1+1,123.45"]
    """
    money = [name for name in frame.columns if name.startswith(MONEY)]
    formula = pl.col(pl.String).str.contains(r"^[=+\-@\t\r]")
    safe = frame.drop("customer_id", strict=False).with_columns(
        pl.when(formula).then("'" + pl.col(pl.String)).otherwise(pl.col(pl.String)).name.keep(),
        pl.col(money) / 10**digits,
        pl.col([name for name in frame.columns if name.startswith(SHARES)]) * 100,
    )
    listed = safe.rename(lambda name: word(f"column.{name}"))
    if kind == "xlsx":
        return excel.workbook(listed, digits), FORMATS[kind]
    out = io.BytesIO()
    listed.write_csv(out, include_bom=True, float_precision=digits)
    return out.getvalue(), FORMATS[kind]
