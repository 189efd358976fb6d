"""What pages show, without a browser: figures, words, the app's sentences, and what a page's kernel must not load."""

import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from queue import Empty

import polars as pl
import pytest

from crmlab.views import app, book, server, theme, words
from crmlab.views.figures import balances, grid

VIEWS = Path(app.__file__).parent
HEAVY = ("pandas", "scipy", "sklearn", "lifelines", "voila", "xlsxwriter", "crmlab.mart.build", "crmlab.panel")

TREND = pl.DataFrame(
    {
        "month": [date(2025, 8, 31), date(2025, 9, 30)] * 2,
        "line": ["deposits", "deposits", "loans", "loans"],
        "class": ["deposits", "deposits", "loans", "loans"],
        "closing": [100_00, 132_00, -60_00, -50_00],
        "balance_days": [100_00 * 31, 120_00 * 30, -62_00 * 31, -55_00 * 30],
        "days": [31, 30, 31, 30],
    }
)
ROSTER = pl.DataFrame(
    {"r": [5, 5, 5, 1], "f": [5, 5, 1, 1], "rfm_segment": ["Champions", "Loyal", "New or rare", "Inactive"]}
)


def test_loans_stand_above_the_axis_and_closing_beside_average():
    figure = balances.over_time(book.balances(TREND, 2), "CNY")
    drawn = {trace.name: list(trace.y) for trace in figure.data if trace.x[0]}
    assert drawn == {
        "Deposits": [100.0, 120.0],
        "Deposits, closing": [100.0, 132.0],
        "Loans": [62.0, 55.0],
        "Loans, closing": [60.0, 50.0],
    }
    assert {trace.line.dash for trace in figure.data if trace.name.endswith("closing")} == {"dot"}


def test_window_dressing_is_told_for_the_last_quarter_end():
    assert book.deviation(book.balances(TREND, 2)) == (date(2025, 9, 30), 0.1)


def test_a_cell_carries_its_bands_and_the_colour_of_its_largest_segment():
    colours = theme.colours(["Champions", "Loyal", "New or rare", "Inactive"])
    trace = grid.recency_frequency(book.cells(ROSTER), colours, 5).data[0]
    assert [tuple(key) for key in trace.customdata] == [(1, 1), (5, 1), (5, 5)]
    assert list(trace.marker.color) == [colours["Inactive"], colours["New or rare"], colours["Champions"]]
    assert trace.marker.size[2] / trace.marker.size[0] == pytest.approx(2**0.5)


def test_nothing_selected_is_a_sentence_not_an_empty_picture():
    for figure in (
        balances.over_time(book.balances(TREND.clear(), 2), "CNY"),
        grid.recency_frequency(book.cells(ROSTER.clear()), {}, 5),
    ):
        assert figure.data == ()
        assert figure.layout.annotations[0].text.endswith(".")


def test_every_segment_has_one_colour_of_its_own():
    names = [f"segment {i}" for i in range(10)]
    assert len(set(theme.colours(names).values())) == 10


def test_every_word_asked_for_is_in_the_catalogue_of_every_language():
    code = "".join(path.read_text("utf-8") for path in VIEWS.rglob("*.py"))
    asked = set(re.findall(r"""\bword\(\s*["']([\w.]+)["']""", code))
    assert len(asked) > 40
    for language, known in words.WORDS.items():
        assert asked <= known.keys(), language
        assert known.keys() == words.WORDS["en"].keys(), language


def test_an_absent_mart_is_a_sentence(tmp_path):
    assert "There is no mart" in _text(app.app(mart=tmp_path / "none"))


def test_a_mart_of_another_version_is_a_sentence(sample_mart, tmp_path):
    copy = _copy(sample_mart, tmp_path)
    manifest = next(copy.glob("snapshots/*/manifest.json"))
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    assert "99" in _text(app.app(mart=copy))


def test_a_damaged_page_table_is_a_sentence_and_the_other_pages_stand(sample_mart, tmp_path, caplog):
    copy = _copy(sample_mart, tmp_path)
    next(copy.glob("snapshots/*/pages/roster.arrow")).write_bytes(b"not arrow")
    assert words.word("app.broken") in _text(app.app(mart=copy))
    assert "could not be built" in caplog.text
    assert words.word("landing.title") in _text(app.app(app.Viewer(page="landing"), mart=copy))


def test_an_unknown_page_is_a_sentence(sample_mart):
    assert "no page “nonsense”" in _text(app.app(app.Viewer(page="nonsense"), mart=sample_mart))


def test_a_warm_app_is_handed_over_once_and_only_to_who_asks_for_it(sample_mart):
    app.warm(sample_mart)
    other = app.app(app.Viewer(page="landing"), mart=sample_mart)
    first, second = app.app(mart=sample_mart), app.app(mart=sample_mart)
    assert len({first.model_id, second.model_id, other.model_id}) == 3


def test_the_request_is_read_from_the_query(monkeypatch):
    monkeypatch.delenv("VOILA_PREHEAT", raising=False)
    monkeypatch.setenv("QUERY_STRING", "page=landing&customer=C%201")
    assert app.viewer() == app.Viewer("landing", "C 1")
    monkeypatch.setenv("QUERY_STRING", "")
    assert app.viewer() == app.Viewer()


def test_a_page_loads_nothing_heavy(sample_mart):
    code = (
        "import sys; from crmlab.views import app; app.warm(); app.app(app.Viewer('landing')); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    environment = os.environ | {"CRMLAB_MART": str(sample_mart)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_assets_are_named_by_their_content_and_plotly_comes_without_its_wrapper():
    found = server.assets()
    script = next(name for name in found if name.startswith("plotly-"))
    assert re.fullmatch(r"plotly-[0-9a-f]{12}\.js", script)
    text = gzip.decompress(found[script][1])
    assert text.startswith(b'"use strict";var Plotly=')
    assert text.rstrip().endswith(b"window.Plotly = Plotly;")


class Deaf:
    """A socket whose first wake-ups are lost."""

    def __init__(self, lost: int) -> None:
        self.lost, self.socket = lost, self

    async def poll(self, _: int) -> bool:
        self.lost -= 1
        return self.lost < 0

    async def _recv(self) -> str:
        return "message"


def test_a_lost_wake_up_does_not_hang_a_page():
    assert asyncio.run(server._get_msg(Deaf(3))) == "message"
    with pytest.raises(Empty):
        asyncio.run(server._get_msg(Deaf(10**9), timeout=0.01))


def _text(widget) -> str:
    own = getattr(widget, "value", "") if type(widget).__name__ == "HTML" else ""
    return own + " ".join(_text(child) for child in getattr(widget, "children", ()))


def _copy(mart: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(mart, to / "mart"))
