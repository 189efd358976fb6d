"""The page `opportunities` in a real browser: limits move the preview, a list is settled behind the page and issued."""

import polars as pl
import pytest

from crmlab.mart import ledger, snapshot
from crmlab.views.opportunities import builder, listed
from crmlab.views.opportunities.controls import FREE
from crmlab.views.opportunities.solving import Solving
from crmlab.views.opportunities.tables import Tables
from tests.opportunities_mart import written

pytestmark = pytest.mark.browser

TOTAL = "([at, n]) => document.querySelectorAll('.crmlab-table')[at]?.dataset.total === String(n)"
FREELY = {"budget": FREE, "minutes": 600, "most": FREE, "least": 0, "n_lists": 0}
FIGURES = 5
PARTS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp("opportunities") / "mart", 2000)


@pytest.fixture(scope="module")
def tables(folder):
    return Tables(snapshot.open(folder))


@pytest.fixture
def page(show, served):
    return show("?page=opportunities", base=served, until=".crmlab-lead .told")


def preview(tables, **moved):
    return builder.listed(tables, Solving(), 0, **(FREELY | moved))


def test_the_page_shows_its_question_its_finding_and_its_list_first(page, tables):
    assert page.page.title() == "Opportunities · crmlab"
    assert page.text("h1") == "What do they need next?"
    page.wait_for(TOTAL, [0, listed.next_best(tables).height])
    assert "more than 3 × their usual month and still hold it" in page.text(".crmlab-lead .told")
    assert page.page.locator(".crmlab-table").first.bounding_box()["y"] < 768
    assert page.page.locator(".crmlab-filters .crmlab-choice").count() <= 5


def test_deep_links_open_it(show, served):
    show("voila/render/opportunities.ipynb", base=served, until="text=What do they need next?")


def test_a_manager_sees_their_own(page, tables):
    page.page.get_by_label("Manager").select_option(label="Xu")
    page.wait_for(TOTAL, [0, listed.next_best(tables, manager="M2").height])
    page.page.get_by_text("customers of yours").first.wait_for()


def test_a_row_opens_the_customer(page, tables):
    number = listed.next_best(tables)["customer_no"][1]
    page.page.locator(f"tr[data-key='{number}']").first.click()
    page.page.wait_for_url(f"**page=customer&customer={number}**")
    page.page.go_back()
    page.wait_for(TOTAL, [0, listed.next_best(tables).height])


def test_everything_below_the_fold_is_drawn_when_it_is_scrolled_to(page):
    for part in range(PARTS):
        page.come_to(part)
    page.wait_for("n => document.querySelectorAll('.crmlab-figure .main-svg').length >= n", FIGURES)
    labels = page.page.eval_on_selector_all(".crmlab-figure", "all => all.map(one => one.getAttribute('aria-label'))")
    assert len(labels) == len(set(labels)) == FIGURES
    page.page.get_by_label("Campaign").select_option(label="Plan G1")
    page.page.get_by_text("It worked").first.wait_for()


def test_limits_that_clash_are_said_by_keyboard_alone(page, tables):
    page.come_to(1)
    page.wait_for(TOTAL, [1, preview(tables).height])
    sliders = page.page.locator(".crmlab-pickers .is-short [role=slider]")
    sliders.nth(1).press("Home")
    sliders.nth(2).press("ArrowRight")
    page.page.get_by_text("No offer fits into these limits. No list").wait_for()
    page.page.get_by_role("button", name="Settle the list").press("Enter")
    page.page.get_by_text("It cannot be settled. The conditions clash").wait_for(timeout=60_000)
    assert page.page.get_by_role("button", name="Issue this list").count() == 0


def test_a_list_is_previewed_settled_and_issued(page, folder, tables):
    """The last of this file: what is issued changes the list."""
    page.come_to(1)
    page.wait_for(TOTAL, [1, preview(tables).height])
    sliders = page.page.locator(".crmlab-pickers .is-short [role=slider]")
    sliders.nth(1).focus()
    for _ in range(10):
        page.page.keyboard.press("ArrowLeft")
    few = preview(tables, minutes=300)
    assert few.height < preview(tables).height
    page.wait_for(TOTAL, [1, few.height])
    page.page.get_by_text(f"About {few.height} offers worth").wait_for()
    page.page.get_by_role("button", name="Settle the list").click()
    page.page.get_by_text("Settled in").wait_for(timeout=60_000)
    page.page.get_by_text("Settled:").wait_for()
    with page.page.expect_download() as got:
        page.page.locator(".crmlab-table").nth(1).get_by_role("button", name="CSV").click()
    assert got.value.suggested_filename == "campaign-list.csv"
    rows = pl.read_csv(got.value.path())
    with page.page.expect_download() as got:
        page.page.locator(".crmlab-table").nth(1).get_by_role("button", name="Excel").click()
    assert got.value.suggested_filename == "campaign-list.xlsx"
    assert rows["Why on the list"].str.starts_with("Worth").all()
    page.page.get_by_role("button", name="Issue this list").click()
    page.page.get_by_role("button", name="Not now").click()
    assert ledger.lists(folder).height == 0
    page.page.get_by_role("button", name="Issue this list").click()
    page.page.get_by_role("button", name="Yes, issue it").click()
    page.page.get_by_text("Issued as “Offers, All branches").wait_for()
    made = ledger.issued(folder)
    assert sorted(made["customer_no"]) == sorted(rows["Customer"])
    left = preview(tables, minutes=300, n_lists=1)
    assert not set(left["customer_no"]) & set(made["customer_no"])
    page.wait_for(TOTAL, [1, left.height])
    page.come_to(0)
    page.wait_for(TOTAL, [0, listed.next_best(tables, 1).height])
    page.come_to(5)
    page.page.get_by_text("it is read out on 2026-03-31").first.wait_for()
