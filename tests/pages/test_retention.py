"""The page `retention` in a real browser: the list follows its sliders, a row tells why, and a list is issued."""

import polars as pl
import pytest

from crmlab.mart import ledger, snapshot
from crmlab.views.retention import behind, draw
from crmlab.views.retention.listing import SIZE
from crmlab.views.retention.tables import Tables
from tests.retention_mart import written

pytestmark = pytest.mark.browser

TOTAL = "n => document.querySelector('.crmlab-table')?.dataset.total === String(n)"
LISTED = """numbers => numbers.join() === [...document.querySelector('.crmlab-table').querySelectorAll('tr[data-key]')]
    .map(row => row.dataset.key).join()"""
DRAWN = "n => document.querySelectorAll('.crmlab-figure .main-svg').length >= n"
FIGURES = 9
PARTS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp("retention") / "mart", 3000)


@pytest.fixture(scope="module")
def tables(folder):
    return Tables(snapshot.open(folder))


@pytest.fixture
def page(show, served):
    shown = show("?page=retention", base=served, until=".crmlab-lead .told")
    shown.wait_for(DRAWN, 1)
    return shown


def calls(tables, capacity: int = 20, **chosen):
    return behind.calls(tables, "called", 6, capacity, ledger.lists(tables.root).height, **chosen)


def unfolded(shown) -> None:
    """Read down to the end of the page."""
    for part in range(PARTS):
        shown.come_to(part)
    shown.wait_for("n => document.querySelectorAll('.crmlab-figure').length === n", FIGURES)


def test_the_page_shows_its_question_its_finding_and_its_list_first(page, tables):
    assert page.page.title() == "Retention · crmlab"
    assert page.text("h1") == "Whom do we call before their money is gone?"
    page.wait_for(TOTAL, calls(tables).height)
    assert f"calls {calls(tables).height} customers" in page.text(".crmlab-lead .told p")
    assert len(page.figures()) == 1
    box = page.page.locator(".crmlab-table").first.bounding_box()
    assert box["y"] < 768


def test_deep_links_open_it(show, served):
    show("voila/render/retention.ipynb", base=served, until="text=Whom do we call before their money is gone?")


def test_the_sliders_reorder_the_list_at_once(page, tables):
    slider = (
        page.page.get_by_label("Calls a manager")
        .locator("[role=slider]")
        .or_(page.page.locator(".is-short [role=slider]").nth(1))
    )
    slider.first.focus()
    for _ in range(10):
        page.page.keyboard.press("ArrowLeft")
    page.wait_for(TOTAL, calls(tables, 10).height)
    page.wait_for(LISTED, calls(tables, 10)["customer_no"].head(SIZE).to_list())
    page.page.locator(".is-short [role=slider]").first.focus()
    page.page.keyboard.press("ArrowLeft")
    sooner = behind.calls(tables, "called", 3, 10, 0)
    page.wait_for(TOTAL, sooner.height)
    page.wait_for(LISTED, sooner["customer_no"].head(SIZE).to_list())
    assert sooner["customer_no"].head(SIZE).to_list() != calls(tables, 10)["customer_no"].head(SIZE).to_list()
    page.page.wait_for_function("() => document.querySelector('.told p').innerText.startsWith('Within 3 months')")


def test_a_row_tells_why_and_a_button_opens_the_customer(page, tables):
    number = calls(tables)["customer_no"][2]
    why = page.page.locator(".crmlab-figure[aria-label^='Why this']")
    before = why.get_attribute("data-draws")
    page.page.locator(f"tr[data-key='{number}']").click()
    page.wait_for("n => document.querySelector('.crmlab-figure').dataset.draws !== n", before)
    strongest = draw.reasons(tables, number).layout.annotations[0].text
    assert strongest in why.inner_text()
    page.page.get_by_role("button", name="Open the sheet").click()
    page.page.wait_for_url(f"**page=customer&customer={number}**")
    page.page.go_back()
    page.wait_for(TOTAL, calls(tables).height)


def test_the_list_is_a_file_in_its_order(page, tables):
    page.wait_for(TOTAL, calls(tables).height)
    with page.page.expect_download() as got:
        page.page.locator(".crmlab-table").first.get_by_role("button", name="CSV").click()
    assert got.value.suggested_filename == "call-list.csv"
    rows = pl.read_csv(got.value.path())
    assert rows["Customer"].to_list() == calls(tables)["customer_no"].to_list()
    assert rows["Gain"].round(2).to_list() == (calls(tables)["amount_gain"] / 100).round(2).to_list()


def test_who_is_not_called_is_listed_by_the_reason(page, tables):
    page.page.get_by_label("Show").select_option(label="Going already")
    page.wait_for(TOTAL, behind.calls(tables, "going", 6, 20, 0).height)


def test_everything_below_the_fold_is_drawn_when_it_is_scrolled_to(page, tables):
    unfolded(page)
    page.wait_for(DRAWN, FIGURES)
    bars = draw.calendar(tables).data[0]
    page.click_mark(page.page.locator(".crmlab-figure[aria-label^='What matures']"), ".point")
    n = behind.coming(tables, ("calendar", bars.customdata[0])).height
    page.wait_for("n => document.querySelectorAll('.crmlab-table')[2].dataset.total === String(n)", n)
    page.page.get_by_role("button", name="Show all that matures").click()
    page.wait_for(
        "n => document.querySelectorAll('.crmlab-table')[2].dataset.total === String(n)", tables.coming().height
    )


def test_a_curve_follows_what_it_is_told_apart_by(page, tables):
    unfolded(page)
    page.page.get_by_label("By", exact=True).select_option(label="Tier")
    page.wait_for(
        "n => document.querySelectorAll(\".crmlab-figure[aria-label^='How long'] .legend .traces\").length === n",
        len(tables.orders["tier"]),
    )


def test_a_list_is_issued_once_it_is_asked_for_twice(page, folder, tables):
    """The last of this file: what is issued changes the list."""
    n = calls(tables).height
    page.page.get_by_role("button", name="Issue this list").click()
    page.page.get_by_role("button", name="Not now").click()
    assert ledger.lists(folder).height == 0
    page.page.get_by_role("button", name="Issue this list").click()
    page.page.get_by_role("button", name="Yes, issue it").click()
    page.page.get_by_text("Issued as “All branches").wait_for()
    made = ledger.issued(folder)
    assert made.height == n
    page.wait_for(TOTAL, calls(tables).height)
    assert not set(made.filter("is_control")["customer_no"]) & set(calls(tables)["customer_no"])
    unfolded(page)
    page.wait_for("n => document.querySelectorAll('.crmlab-table')[1].dataset.total === String(n)", made.height)
    assert made.filter(pl.col("is_control")).height > 0
    with page.page.expect_download() as got:
        page.page.locator(".crmlab-table").nth(1).get_by_role("button", name="CSV").click()
    assert pl.read_csv(got.value.path()).height == made.height
