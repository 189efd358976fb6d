"""The page `managers` in a real browser: a point chooses a manager, a rule shows its numbers, a control moves pay."""

import re

import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.views.managers import behind, draw, listed, peers
from crmlab.views.managers.changing import Change
from crmlab.views.managers.tables import Tables
from tests.managers_mart import LEAVER, RICH, written

pytestmark = pytest.mark.browser

PARTS = 7
PEERS, BOOKS, CARD, WHAT_IF, PLAN, LEAVING = range(1, PARTS)
TOTAL = """([at, n]) => [...document.querySelectorAll(".crmlab-later")[at].querySelectorAll(".crmlab-table")]
  .filter((one) => one.offsetParent)[0]?.dataset.total === String(n)"""  # of the first list that is shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp("managers") / "mart")


@pytest.fixture(scope="module")
def tables(folder):
    return Tables(snapshot.open(folder))


@pytest.fixture
def page(show, served):
    return show("?page=managers", base=served, until=".crmlab-lead .told")


def choose(shown, manager: str = "Manager 0") -> None:
    shown.page.get_by_label("Manager", exact=True).select_option(label=manager)


def test_the_page_shows_its_question_its_finding_and_the_funnel_first(page):
    assert page.page.title() == "Managers · crmlab"
    assert page.text("h1") == "Who grows the business, and who was handed it?"
    assert "24 managers" in page.text(".crmlab-lead .told")
    page.page.wait_for_selector(".crmlab-figure .main-svg")
    assert page.page.locator(".crmlab-figure").first.bounding_box()["y"] < 768
    assert page.page.locator(".crmlab-filters .crmlab-choice").count() <= 5


def test_deep_links_open_it(show, served):
    show("voila/render/managers.ipynb", base=served, until="text=Who grows the business, and who was handed it?")


def test_a_measure_draws_the_funnel_again(page):
    page.page.wait_for_selector(".crmlab-figure .main-svg")
    before = page.figures()
    page.page.get_by_label("Measure").select_option(label="Net new money")
    page.wait_for("n => Number(document.querySelector('.crmlab-figure').dataset.draws) > n", int(before[0]))
    page.page.get_by_text("Net new money, 24 managers").wait_for()
    page.page.get_by_text("Above expected, CNY a customer").first.wait_for()


def test_a_row_chooses_a_manager_and_everything_follows(page, tables):
    part = page.come_to(PEERS)
    page.wait_for(TOTAL, [PEERS, 24])
    part.locator(f"tr[data-key='{RICH}']").click()
    page.page.get_by_text("Among 23 managers the rank could be anything from").wait_for()
    assert page.page.get_by_label("Manager", exact=True).input_value() != ""
    part.get_by_text(f"Manager 0 is compared with {len(peers.whom(tables, RICH).others)} others").wait_for()
    page.wait_for(TOTAL, [PEERS, 2])
    part.locator("tr[data-key='net_new_money']").click()
    page.page.get_by_text("Net new money, 24 managers").wait_for()
    page.come_to(BOOKS)
    page.page.get_by_text("Own: CNY −2.00 m").wait_for()
    page.wait_for(TOTAL, [BOOKS, listed.books(tables).height])


def test_a_click_goes_through_to_the_trace_and_back(page, tables):
    choose(page)
    part = page.come_to(CARD)
    total = tables.page("totals").filter(pl.col("manager_id") == RICH).sort("period")["points"][-1] / 1000
    page.page.get_by_text(f"{total:.1f} points").first.wait_for()
    place = draw.points(tables, RICH).data[0].customdata[0]
    row = draw.trace(tables, RICH).filter(pl.col("place") == place).row(0, named=True)
    part.locator(".crmlab-figure").focus()
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("Enter")
    part.get_by_text("Value").first.wait_for()
    assert row["sentence"].split("→")[0].strip() in part.inner_text()
    part.get_by_role("button", name="Show all rules").click()
    part.get_by_text("All of it").wait_for()
    page.click_mark(part.locator(".crmlab-figure"), ".point")
    part.get_by_text("Value").first.wait_for()


def test_a_rule_lists_the_customers_behind_it_and_one_of_them_opens(page, tables):
    choose(page)
    part = page.come_to(CARD)
    part.get_by_text("No rows. Click a rule above to see the customers behind it").wait_for()
    for at in (0, 4):  # the first rule of the card, and one of which customers are counted
        place = draw.points(tables, RICH).data[0].customdata[at]
        rows = behind.rows(tables, RICH, [place])
        page.click_mark(part.locator(".crmlab-figure"), ".point", at)
        page.wait_for(TOTAL, [CARD, rows.height])
        told = re.sub("<[^>]+>", "", behind.total(tables, RICH, [place]))
        part.get_by_text(told).wait_for()
    with page.page.expect_download() as got:
        part.get_by_role("button", name="CSV").click()
    assert got.value.suggested_filename == "behind-the-points.csv"
    assert pl.read_csv(got.value.path())["Counted"].sum() == rows["n_counted"].sum()
    number = rows["customer_no"][0]
    part.locator(f"tr[data-key='{number}']").first.click()
    page.page.wait_for_url(f"**page=customer&customer={number}**")
    page.errors.clear()  # the made-up mart has no sheet of a customer
    page.page.go_back()
    page.wait_for(TOTAL, [CARD, rows.height])


def test_a_control_moves_people_and_pay_at_once(page, tables):
    part = page.come_to(WHAT_IF)
    part.get_by_text("Move a control to see who moves.").wait_for()
    page.wait_for(TOTAL, [WHAT_IF, 0])
    slider = part.get_by_role("slider").first
    slider.focus()
    for _ in range(4):
        page.page.keyboard.press("ArrowRight")
    n = listed.movers(tables, (Change("Managers", "Deposits", 120),)).height
    assert n > 0
    page.wait_for(TOTAL, [WHAT_IF, n])
    part.get_by_text(f"{n} of 24 managers move").wait_for()
    with page.page.expect_download() as got:
        part.get_by_role("button", name="CSV").click()
    assert got.value.suggested_filename == "who-moves.csv"
    rows = pl.read_csv(got.value.path())
    assert rows.height == n
    part.get_by_label("Rule").select_option(label="Complaints")
    part.get_by_text("Points for each").wait_for()
    slider.focus()
    page.page.keyboard.press("ArrowRight")
    part.get_by_role("button", name="Managers, Complaints: points for each 2.1").wait_for()
    both = (Change("Managers", "Deposits", 120), Change("Managers", "Complaints", 105))
    page.wait_for(TOTAL, [WHAT_IF, listed.movers(tables, both).height])
    part.get_by_role("button", name="Managers, Deposits: weight 18").click()
    page.wait_for(TOTAL, [WHAT_IF, listed.movers(tables, both[1:]).height])
    part.get_by_role("button", name="Undo all").click()
    page.wait_for(TOTAL, [WHAT_IF, 0])


def test_a_bar_beside_a_bridge_chooses_a_branch_and_then_a_manager(page):
    part = page.come_to(BOOKS)
    apart = part.locator(".crmlab-figure").nth(1)
    page.click_mark(apart, ".point")
    page.wait_for("() => document.querySelectorAll('.crmlab-filters select')[0].value !== 'All branches'")
    page.wait_for("() => document.querySelectorAll('.crmlab-figure').length > 3")
    apart.get_by_text("No manager (branch-public)").wait_for()
    apart.focus()
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("Enter")
    part.locator(".crmlab-reading").get_by_text("Manager ").wait_for()


def test_what_is_wrong_opens_the_customer_of_whom_it_is(page):
    part = page.come_to(LEAVING)
    part.locator(".crmlab-table").nth(1).locator("tbody tr").first.click()
    page.page.wait_for_url("**page=customer&customer=*")
    page.errors.clear()  # the made-up mart has no sheet of a customer


def test_contacts_follow_the_manager_and_a_row_opens_the_customer(page, tables):
    choose(page)
    part = page.come_to(PLAN)
    rows = listed.due(tables, manager=RICH)
    page.wait_for(TOTAL, [PLAN, rows.height])
    number = rows["customer_no"][0]
    part.locator(f"tr[data-key='{number}']").click()
    page.page.wait_for_url(f"**page=customer&customer={number}**")
    page.errors.clear()  # the made-up mart has no sheet of a customer


def test_a_book_is_dealt_and_downloaded(page, tables):
    part = page.come_to(LEAVING)
    part.get_by_role("button", name="Deal the book").click()
    part.get_by_text("Dealt in").wait_for(timeout=60_000)
    n = tables.mart.page("to_deal").filter(pl.col("manager_id") == LEAVER).height
    page.wait_for(TOTAL, [LEAVING, n])
    for kind in ("CSV", "Excel"):
        with page.page.expect_download() as got:
            part.locator(".crmlab-table").first.get_by_role("button", name=kind).click()
        assert got.value.suggested_filename == f"recut.{'csv' if kind == 'CSV' else 'xlsx'}"
        if kind == "CSV":
            rows = pl.read_csv(got.value.path())
            assert rows.height == n
            assert LEAVER not in rows["To (number)"].to_list()


def test_everything_below_the_fold_is_drawn_when_it_is_scrolled_to(page):
    choose(page)
    for part in range(PARTS):
        page.come_to(part)
    page.wait_for("n => document.querySelectorAll('.crmlab-figure .main-svg').length >= n", 7)
    labels = page.page.eval_on_selector_all(".crmlab-figure", "all => all.map(one => one.getAttribute('aria-label'))")
    assert len(labels) == len(set(labels)) == 7
