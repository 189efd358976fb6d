"""The page `segments` in a real browser: a ribbon, a square or a bar lists the customers behind it, and back."""

import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.views.segments import draw, say
from crmlab.views.segments.behind import listed
from crmlab.views.segments.tables import Tables
from crmlab.views.words import named

pytestmark = pytest.mark.browser

TOTAL = "n => document.querySelector('.crmlab-table')?.dataset.total === String(n)"
HEAD = "text => document.querySelector('.crmlab-list-head').innerText.includes(text)"
DRAWN = "n => document.querySelectorAll('.crmlab-figure .main-svg').length >= n"
FOLD = 2  # figures above it
ALL = 10


@pytest.fixture(scope="module")
def tables(mart):
    return Tables(snapshot.open(mart))


@pytest.fixture
def page(show, tables):
    shown = show("?page=segments", until=".crmlab-lead .told")
    shown.wait_for(TOTAL, tables.everyone.height)
    shown.wait_for(DRAWN, FOLD)
    return shown


def figure(shown, title: str):
    return shown.page.locator(f'.crmlab-figure[aria-label^="{title}"]')


def unfolded(shown) -> None:
    """Read down to the end of the page."""
    for part in range(4):
        shown.come_to(part)
    shown.wait_for("n => document.querySelectorAll('.crmlab-figure').length === n", ALL)


def behind(tables, name: str, key: str, **asked):
    return listed(tables, (name, key), tables.a_year(), asked.pop("by", "segment"), **asked)


def test_the_page_shows_its_question_and_finding_first(page, tables):
    assert page.page.title() == "Segments · crmlab"
    assert page.text("h1") == "Who is moving, and where to?"
    way = say.lost(tables, tables.a_year(), "segment")
    if way:
        assert f"{way['n']} customer" in page.text(".crmlab-lead .told p")
    assert len(page.figures()) == FOLD


def test_deep_links_open_it(show):
    show("voila/render/segments.ipynb", until="text=Who is moving, and where to?")


def test_a_ribbon_lists_who_went_that_way_then_a_customer_then_back(page, tables):
    trace = draw.flows(tables, tables.a_year(), "segment").data[0]
    widest = max(range(len(trace.link.value)), key=trace.link.value.__getitem__)
    page.click_mark(figure(page, "From where"), ".sankey-link", widest)
    found = behind(tables, "flows", trace.link.customdata[widest])
    page.wait_for(TOTAL, found.rows.height)
    page.wait_for(HEAD, found.title)
    page.page.locator(".crmlab-table tbody tr").first.click()
    page.page.wait_for_url("**page=customer**")
    page.page.go_back()
    page.page.wait_for_url("**page=segments**")
    page.wait_for(HEAD, found.title)
    page.page.get_by_role("button", name="Show all customers").click()
    page.wait_for(TOTAL, tables.everyone.height)


def test_an_end_of_the_ribbons_lists_everybody_in_it(page, tables):
    trace = draw.flows(tables, tables.a_year(), "segment").data[0]
    page.click_mark(figure(page, "From where"), ".node-rect")
    page.wait_for(TOTAL, behind(tables, "flows", trace.node.customdata[0]).rows.height)


def test_a_square_of_the_map_lists_its_segment(page, tables):
    key = draw.cells(tables).data[0].customdata[-1]
    page.click_mark(figure(page, "What the segments are"), ".point", 8)
    page.wait_for(TOTAL, behind(tables, "cells", key).rows.height)


def test_the_button_beside_the_finding_lists_those_it_tells_of(page, tables):
    way = say.lost(tables, tables.a_year(), "segment")
    page.page.get_by_role("button", name="List them").click()
    page.wait_for(TOTAL, way["n"] if way else tables.everyone.height)


def test_the_chip_jumps_to_the_list_of_this_page(page, tables):
    way = say.lost(tables, tables.a_year(), "segment")
    for other in ("Worth", "Segments"):
        page.page.get_by_role("link", name=other, exact=True).click()
        page.page.locator("h2.crmlab-list:visible").wait_for(state="attached")
    page.page.get_by_role("button", name="List them").click()
    page.page.locator(".crmlab-chip a:visible").click()
    page.wait_for("() => scrollY > innerHeight")
    assert f"{way['n']} customer" in page.text("h2.crmlab-list:visible")
    page.page.get_by_role("link", name="Overview").click()
    page.page.wait_for_url("**/?page=overview")


def test_who_is_no_customer_yet_cannot_be_opened(page, tables):
    unfolded(page)
    figure(page, "Leads").focus()
    key = draw.funnel(tables, "").data[0].customdata[0]
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("Enter")
    rows = behind(tables, "funnel", key).rows.sort("reached_on", descending=True, maintain_order=True)
    page.wait_for(TOTAL, rows.height)
    nobody = rows["customer_no"].head(12).null_count()
    assert nobody
    assert page.page.locator(".crmlab-table tbody tr:not([tabindex])").count() == nobody
    assert page.page.locator("tr[aria-selected='true']").count() == 0


def test_what_is_below_the_fold_comes_when_it_is_scrolled_to(page, tables):
    unfolded(page)
    bars = draw.states(tables).data[0]
    page.click_mark(figure(page, "Life cycle"), ".point")
    page.wait_for(TOTAL, behind(tables, "states", bars.customdata[0]).rows.height)


def test_a_control_redraws_what_is_in_sight_at_once_and_the_rest_when_it_is_seen(page, tables):
    unfolded(page)
    page.page.evaluate("scrollTo(0, 0)")
    page.wait_for("() => document.querySelector('.crmlab-title').getBoundingClientRect().top > 0")
    states = figure(page, "Life cycle")
    page.page.wait_for_timeout(500)  # until the page knows what is out of sight
    before, ways = states.get_attribute("data-draws"), figure(page, "From where").get_attribute("data-draws")
    kind = tables.everyone["kind"][0]
    page.page.get_by_label("Customer kind").select_option(label=named("kind", kind))
    page.wait_for(TOTAL, tables.people(kind=kind).height)
    page.wait_for("n => document.querySelector('.crmlab-figure[aria-label^=\"From where\"]').dataset.draws !== n", ways)
    assert states.get_attribute("data-draws") == before
    states.scroll_into_view_if_needed()
    page.wait_for("n => document.querySelector('.crmlab-figure[aria-label^=\"Life\"]').dataset.draws !== n", before)


def test_tier_and_life_cycle_can_be_followed(page, tables):
    for label, by in (("Tier", "tier"), ("Life cycle", "state")):
        page.page.get_by_label("Follow").select_option(label=label)
        trace = draw.flows(tables, tables.a_year(), by).data[0]
        page.wait_for("n => document.querySelectorAll('.sankey-link').length === n", len(trace.link.value))


def test_two_groups_are_chosen_beside_their_figure(page, tables):
    unfolded(page)
    box = figure(page, "What sets")
    box.scroll_into_view_if_needed()
    before = box.get_attribute("data-draws")
    page.page.get_by_label("Group", exact=True).select_option(index=1)
    page.wait_for(
        "n => document.querySelector('.crmlab-figure[aria-label^=\"What sets\"]').dataset.draws !== n", before
    )


def test_the_keyboard_walks_the_squares_of_the_matrix(page, tables):
    unfolded(page)
    box = figure(page, "Out of a hundred")
    box.focus()
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("Enter")
    way = tables.matrix(tables.a_year(), "segment").select(pl.format("{}|{}", "origin", "destination")).item(0, 0)
    page.wait_for(TOTAL, behind(tables, "matrix", way).rows.height)
