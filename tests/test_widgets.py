"""Widgets: redrawn once a change, only what is in sight is sent, and files that no spreadsheet runs."""

import io
import zipfile
from xml.etree import ElementTree

import ipywidgets
import plotly.graph_objects as go
import polars as pl
import pytest

from crmlab.views.plotly_view import PlotlyView, plotly_js
from crmlab.views.widgets import Column, download, live, table

LIST = pl.DataFrame(
    {
        "customer_id": pl.Series([0, 1, 2, 3], dtype=pl.Int32),
        "customer_no": ["C1", "C2", "C3", "C4"],
        "name": ["W…", None, "=SUM(A1)", "@x"],
        "aum": [3_00, 1_50, None, 2_25],
        "since": pl.Series(["2020-01-31", None, "2021-02-28", "2022-03-31"]).str.to_date(),
    }
)
COLUMNS = [Column("customer_no"), Column("name"), Column("aum", "money")]


def made(rows=lambda: LIST, size=2, opened=print, **controls):
    return table(
        rows,
        COLUMNS,
        key="customer_no",
        search=["customer_no", "name"],
        file="f",
        digits=2,
        sort="aum",
        opened=opened,
        size=size,
        **controls,
    )


def test_a_figure_is_drawn_at_once_and_again_on_a_change():
    number = ipywidgets.IntSlider(1)
    view = live(lambda n: go.Figure(go.Bar(y=[n])), n=number)
    number.value = 7
    assert view.figure["data"][0]["y"] == [7]


def test_controls_that_change_together_draw_once_for_each_state():
    drawn = []
    branch = ipywidgets.Dropdown(options=["all", "B1"])
    manager = ipywidgets.Dropdown(options=["all", "M1"])
    branch.observe(lambda _: setattr(manager, "options", ["all", "M2"]), "value")
    live(lambda **values: drawn.append(values) or "", branch=branch, manager=manager)
    branch.value = "B1"
    assert drawn == [{"branch": "all", "manager": "all"}, {"branch": "B1", "manager": "all"}]


def test_a_clicked_figure_is_a_control():
    view = PlotlyView(go.Figure())
    shown = live(lambda cells: str(cells), cells=view)
    view.value = [[5, 4]]
    assert shown.value == "[[5, 4]]"


def test_a_draw_that_fails_shows_a_sentence_and_recovers(caplog):
    number = ipywidgets.IntSlider(1)
    view = live(lambda n: go.Figure(go.Bar(y=[10 // n])), n=number)
    number.value = 0
    assert "could not be drawn" in view.figure["layout"]["annotations"][0]["text"]
    assert "ZeroDivisionError" in caplog.text
    number.value = 5
    assert view.figure["data"][0]["y"] == [2]


def test_plotly_is_sent_only_to_who_asks(monkeypatch):
    sent = []
    view = PlotlyView(go.Figure())
    monkeypatch.setattr(PlotlyView, "send", lambda self, content, buffers=None: sent.append(len(buffers[0])))
    view._send_plotly(view, {"want": "tea"}, [])
    view._send_plotly(view, {"want": "plotly.js"}, [])
    assert sent == [plotly_js().stat().st_size]


def test_only_the_rows_in_sight_are_sent_largest_first_and_nothing_last():
    widget = made()
    assert widget.page["keys"] == ["C1", "C4"]
    assert widget.page["range"] == "1–2 of 4"
    widget.ask = {**widget.ask, "from": 2}
    assert widget.page["keys"] == ["C2", "C3"]
    assert widget.page["rows"][1] == ["C3", "=SUM(A1)", "–"]


@pytest.mark.parametrize(
    ("ask", "keys"),
    [
        ({"sort": "customer_no", "down": False}, ["C1", "C2"]),
        ({"sort": "customer_no", "down": True}, ["C4", "C3"]),
        ({"search": "sum("}, ["C3"]),
        ({"search": "c4"}, ["C4"]),
        ({"search": "nobody"}, []),
        ({"from": 99}, ["C2", "C3"]),
        ({"from": -5}, ["C1", "C4"]),
    ],
)
def test_what_a_reader_asks_for(ask, keys):
    widget = made()
    widget.ask = {**widget.ask, **ask}
    assert widget.page["keys"] == keys


def test_a_filter_starts_at_the_first_page_and_keeps_sort_and_search():
    only = ipywidgets.Dropdown(options=[4, 3])
    widget = made(rows=lambda n: LIST.head(n), n=only)
    widget.ask = {"sort": "customer_no", "down": True, "search": "c", "from": 2}
    only.value = 3
    assert widget.page["keys"] == ["C3", "C2"]
    assert widget.ask["search"] == "c"


def test_a_list_that_fails_is_of_nobody_and_recovers(caplog):
    number = ipywidgets.IntSlider(1)
    widget = made(rows=lambda n: LIST.head(2 // n), n=number)
    number.value = 0
    assert widget.page["total"] == 0
    assert "ZeroDivisionError" in caplog.text
    number.value = 1
    assert widget.page["total"] == 2


def test_the_same_row_can_be_opened_twice():
    opened = []
    widget = made(opened=opened.append)
    for key in ("C1", "C1", None):
        widget._handle_custom_msg({"open": key}, [])
    assert opened == ["C1", "C1"]
    assert widget.value == "C1"


@pytest.mark.parametrize(
    ("typed", "opens_any", "found"),
    [
        ("C3", False, "C3"),
        (" c3 ", False, "C3"),
        ("c", False, "C1"),
        ("C9", False, None),
        ("C9", True, "C9"),
        (" ", True, None),
    ],
)
def test_enter_opens_the_row_of_that_name_else_the_first_found(typed, opens_any, found):
    opened = []
    made(opened=opened.append, opens_any=opens_any)._handle_custom_msg({"enter": typed}, [])
    assert opened == [found] * (found is not None)


def test_a_list_of_what_cannot_be_opened_has_no_keys():
    widget = table(lambda: LIST, COLUMNS, search=["name"], file="f", digits=2, sort=None, hint="Who?")
    widget._handle_custom_msg({"open": "C1"}, [])
    assert (widget.opens, widget.value, widget.page["keys"]) == (False, None, [None] * 4)
    assert widget.words["search"] == "Who?"
    assert [row[0] for row in widget.page["rows"]] == ["C1", "C2", "C3", "C4"]


def test_an_empty_list_has_no_range():
    assert made(rows=lambda: LIST.clear()).page == {
        "rows": [],
        "keys": [],
        "search": "",
        "from": 0,
        "size": 2,
        "total": 0,
        "range": "",
        "hidden": [False, False, False],
    }


def test_a_download_is_the_filtered_sorted_list(monkeypatch):
    sent = []
    widget = made()
    monkeypatch.setattr(type(widget), "send", lambda self, content, buffers=None: sent.append((content, buffers[0])))
    widget.ask = {**widget.ask, "sort": "customer_no", "down": True, "search": "c"}
    widget._handle_custom_msg({"want": "csv"}, [])
    widget._handle_custom_msg({"want": "exe"}, [])
    [(content, file)] = sent
    assert content["file"] == "f.csv"
    assert [line.split(",")[0] for line in file.decode("utf-8-sig").splitlines()] == [
        "Customer",
        "C4",
        "C3",
        "C2",
        "C1",
    ]


def test_csv_opens_in_a_spreadsheet_without_running_a_customer_s_name():
    content, _ = download(LIST, "csv", 2)
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").splitlines() == [
        "Customer,Name,AUM,Since",
        "C1,W…,3.00,2020-01-31",
        "C2,,1.50,",
        "C3,'=SUM(A1),,2021-02-28",
        "C4,'@x,2.25,2022-03-31",
    ]


def test_a_list_with_ranks_can_be_had_as_excel():
    """Their heading is #, as the number of a line once was."""
    ranked = LIST.with_columns(rank=pl.int_range(1, pl.len() + 1))
    assert download(ranked, "xlsx", 2)[0][:2] == b"PK"


def test_excel_holds_the_same_and_no_formula():
    frame = LIST.with_columns(is_active=pl.Series([True, False, None, True]), segment=pl.lit("A & <b>\x01"))
    content, _ = download(frame, "xlsx", 2)
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert book.testzip() is None
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        formats = ElementTree.fromstring(book.read("xl/styles.xml"))
    rows = [{cell.get("r"): cell for cell in row.findall("{*}c")} for row in sheet.iterfind(".//{*}row")]
    written = [{place: "".join(cell.itertext()) for place, cell in row.items()} for row in rows[1:]]
    assert written[0] == {"A2": "C1", "B2": "W…", "C2": "3.0", "D2": "43861", "E2": "1", "F2": "A & <b>"}
    assert written[2] == {"A4": "C3", "B4": "'=SUM(A1)", "D4": "44255", "F4": "A & <b>"}
    assert sheet.findall(".//{*}f") == []
    codes = {one.get("numFmtId"): one.get("formatCode") for one in formats.iterfind(".//{*}numFmt")}
    styles = [codes.get(one.get("numFmtId")) for one in formats.find("{*}cellXfs")]
    assert styles[int(rows[1]["D2"].get("s"))] == "yyyy-mm-dd"
    assert rows[1]["C2"].get("s") != rows[1]["D2"].get("s")
