"""The page `worth` in a real browser: a click anywhere lists the customers behind it."""

import csv
import io

import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.views import theme
from crmlab.views.parts import months
from crmlab.views.worth import earnings
from crmlab.views.worth.behind import listed
from crmlab.views.worth.tables import Tables

pytestmark = pytest.mark.browser

FIGURES = ["levels", "whale", "lines", "deviation", "months", "near", "bridge", "groups"]  # in their order on the page
TOTAL = "n => document.querySelector('.crmlab-table')?.dataset.total === String(n)"
HEAD = "text => document.querySelector('.crmlab-list-head').innerText.includes(text)"
CHANGED = """([at, before]) =>
    at.every(i => document.querySelectorAll('.crmlab-figure')[i].dataset.draws !== before[i])"""


@pytest.fixture(scope="module")
def opened(mart):
    return snapshot.open(mart)


@pytest.fixture(scope="module")
def tables(opened):
    return Tables(opened)


@pytest.fixture(scope="module")
def span(opened):
    return months(opened).value


@pytest.fixture
def page(show, tables):
    shown = show("?page=worth")
    shown.wait_for("n => document.querySelectorAll('.crmlab-figure .main-svg').length >= n", len(FIGURES))
    shown.wait_for(TOTAL, tables.all.height)
    return shown


def click(shown, figure: str, point: int) -> None:
    shown.click_mark(shown.page.locator(".crmlab-figure").nth(FIGURES.index(figure)), ".point", point)


def redrawn(shown, before: list[str], *figures: str) -> None:
    shown.wait_for(CHANGED, [[FIGURES.index(name) for name in figures], before])


def test_the_page_shows_its_question_tiles_figures_and_list(page):
    assert page.page.title() == "Worth · crmlab"
    assert page.text("h1") == "Which customers earn our living?"
    assert page.page.locator(".crmlab-tile").count() == 5
    assert page.page.locator(".crmlab-reading").first.is_visible()


def test_deep_links_open_it(show):
    show("voila/render/worth.ipynb", until="text=Which customers earn our living?")


def test_a_branch_redraws_every_figure_and_the_list(page, opened, tables):
    branch, name = opened.page("branches").row(-1)
    before = page.figures()
    page.page.get_by_label("Branch").select_option(label=name)
    redrawn(page, before, *FIGURES)
    mine = tables.people(branch=branch)
    page.wait_for(TOTAL, mine.height)
    assert f"{theme.whole(mine.height)} of" in page.text(".crmlab-count")


def test_the_measure_redraws_curve_and_bridge_the_range_months_and_bridge(page, span):
    before = page.figures()
    page.page.get_by_label("Measure").select_option(label="AUM")
    redrawn(page, before, "whale", "bridge")
    assert page.figures()[0] == before[0]
    before = page.figures()
    page.page.locator(".noUi-handle").first.focus()
    page.page.keyboard.press("ArrowLeft")
    redrawn(page, before, "months", "bridge")


def test_groups_are_chosen_beside_their_figure(page):
    before = page.figures()
    page.page.get_by_label("against", exact=True).select_option(label="Everyone")
    redrawn(page, before, "groups")
    page.page.get_by_role("columnheader", name="Everyone").wait_for()


def test_a_click_on_the_pyramid_lists_a_tiers_grade_and_can_be_taken_back(page, tables, span):
    grade = tables.grades[-1]
    tier = earnings.levels(tables.all).filter(pl.col("grade") == grade)["tier"][0]
    click(page, "levels", 0)
    found = listed(tables, ("levels", f"{tier}|{grade}"), span, "contribution")
    page.wait_for(TOTAL, found.rows.height)
    page.wait_for(HEAD, found.title)
    page.page.get_by_role("button", name="Show all customers").click()
    page.wait_for(TOTAL, tables.all.height)


def test_a_click_on_the_curve_lists_the_best(page, tables, span):
    kind = tables.curves("contribution")[0]["kind"][0]
    click(page, "whale", 0)
    page.wait_for(TOTAL, round(tables.all.filter(pl.col("kind") == kind).height / 10))
    page.wait_for(HEAD, "the best 10 %")


def test_a_click_on_a_line_lists_who_brings_it(page, opened, tables, span):
    frame = earnings.by_line(tables.lines())
    component = next(c for c in opened.manifest["contribution"]["components"] if c in frame["component"])
    line = frame.filter(pl.col("component") == component)["line"][0]
    click(page, "lines", 0)
    found = listed(tables, ("lines", f"{line}|{component}"), span, "contribution")
    page.wait_for(TOTAL, found.rows.height)
    page.wait_for(HEAD, found.title)
    assert "Amount listed" in page.page.locator(".crmlab-table thead").inner_text()


def test_a_click_on_a_quarters_end_lists_who_deviates(page, opened, tables, span):
    held = sorted(opened.page("trend")["month"].unique().to_list())
    at = max(i for i, day in enumerate(held) if day.month % 3 == 0)
    click(page, "deviation", at)
    found = listed(tables, ("deviation", str(held[at])), span, "contribution")
    page.wait_for(TOTAL, found.rows.height)
    page.wait_for(HEAD, theme.month(held[at]))


@pytest.mark.parametrize("at", [0, 2])
def test_a_click_on_the_bridge_lists_who_is_in_the_bar(page, tables, span, at):
    part = list(tables.bridge(span, "contribution"))[at]
    click(page, "bridge", at)
    found = listed(tables, ("bridge", part), span, "contribution")
    page.wait_for(TOTAL, found.rows.height)
    page.wait_for(HEAD, found.title)


def test_the_latest_click_counts_and_only_it_is_marked(page, tables, span):
    click(page, "levels", 0)
    before = page.figures()
    click(page, "months", 0)
    redrawn(page, before, "levels", "months")
    page.wait_for(HEAD, "Contribution in")
    page.page.get_by_role("link", name="Contribution in").click()
    page.wait_for("() => document.querySelector('.crmlab-list-head').getBoundingClientRect().top < innerHeight")


def test_who_could_rise_is_listed_nearest_first_and_taken_away(page, tables, span):
    page.page.get_by_role("button", name="List all who could rise").click()
    found = listed(tables, ("near", "up|"), span, "contribution").rows
    page.wait_for(TOTAL, found.height)
    with page.page.expect_download(timeout=20_000) as waiting:
        page.page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_bytes().decode("utf-8-sig"))))
    told = [round(float(row["Missing to it"]) * 10**tables.mart.minor_digits) for row in rows]
    assert told == sorted(found["missing"].to_list())
    assert {row["Manager"] for row in rows} == {name or "" for name in found["manager"]}


def test_what_is_missing_of_key_customers_is_listed_in_words(page, tables, span):
    page.page.get_by_role("button", name="List what is missing").click()
    found = listed(tables, ("unknown", ""), span, "contribution")
    page.wait_for(TOTAL, found.rows.height)
    page.wait_for(HEAD, found.title)
    at = page.page.locator(".crmlab-table thead th").all_inner_texts().index("Missing in the file")
    shown = page.page.locator(f".crmlab-table tbody td:nth-child({at + 1})").all_inner_texts()
    assert shown == found.rows["unfilled"].to_list()[: len(shown)]


def test_a_row_opens_the_customer(page, tables):
    best = tables.all.sort("contribution", descending=True, nulls_last=True, maintain_order=True)["customer_no"][0]
    page.page.locator(".crmlab-table tbody tr").first.click()
    page.page.get_by_role("heading", name=best).wait_for()
    page.page.go_back()
    page.page.get_by_role("heading", name="Which customers earn our living?").wait_for()
    page.wait_for(TOTAL, tables.all.height)


def test_the_keyboard_walks_all_bars_of_a_figure(page, tables, span):
    box = page.page.locator(".crmlab-figure").nth(FIGURES.index("near"))
    box.focus()
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("Enter")
    tier = tables.tiers[-1]
    page.wait_for(TOTAL, listed(tables, ("near", f"up|{tier}"), span, "contribution").rows.height)
