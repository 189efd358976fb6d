"""The page of one customer in a real browser: found, read, its household opened, and back to where one came from."""

import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.views.customer.sheet import found

pytestmark = pytest.mark.browser

ALL = """async () => {
  for (let top = 0; top < document.body.scrollHeight; top += 300) {
    scrollTo(0, top);
    await new Promise((go) => setTimeout(go, 60));
  }
}"""


@pytest.fixture(scope="module")
def opened(mart):
    return snapshot.open(mart)


@pytest.fixture(scope="module")
def pair(opened):
    """Two customers of one household, by number."""
    members = opened.page("members").filter(pl.col("n_household") == 2).sort("household_id", "customer_id")
    ids = members["customer_id"].head(2).to_list()
    return opened.of("people", *ids)["customer_no"].to_list()


def sheet(show, number: str):
    return show(f"?page=customer&customer={number}", until=f".crmlab-who:has-text('{number}')")


def test_deep_links_open_a_sheet_and_its_identity_is_masked_until_asked_for(show, opened, pair):
    shown = sheet(show, pair[0])
    identity = found(opened, pair[0]).identity
    assert shown.page.title() == f"{pair[0]} · Customer · crmlab"
    assert shown.page.locator(".crmlab-tile").count() == 5
    assert identity["name"] not in shown.page.content()
    shown.page.get_by_role("button", name="Show name and contact").click()
    shown.page.locator(".crmlab-identity").get_by_text(identity["name"]).wait_for()
    shown.page.get_by_role("button", name="Hide name and contact").click()
    shown.wait_for("name => !document.body.innerText.includes(name)", identity["name"])
    show("voila/render/customer.ipynb", until="text=Find a customer by number")


def test_everything_below_the_fold_is_drawn_when_it_is_scrolled_to(show, opened, pair):
    shown = sheet(show, pair[0])
    shown.page.evaluate(ALL)
    shown.wait_for("() => document.querySelectorAll('.crmlab-figure .main-svg').length >= 4")
    events = found(opened, pair[0]).events.height
    shown.wait_for("n => [...document.querySelectorAll('.crmlab-table')].at(-1).dataset.total === String(n)", events)


def test_the_household_opens_and_back_comes_to_the_customer_before(show, pair):
    shown = sheet(show, pair[0])
    shown.page.evaluate(ALL)
    shown.page.locator(f".crmlab-short tr[data-key='{pair[1]}']").click()
    shown.page.get_by_role("heading", name=pair[1]).wait_for()
    shown.wait_for("() => scrollY === 0")
    shown.page.go_back()
    shown.page.get_by_role("heading", name=pair[0]).wait_for()
    shown.page.get_by_role("button", name="Back to the list").click()
    shown.page.get_by_role("heading", name="How is the bank’s book doing?").wait_for()


def test_a_customer_is_found_by_number_and_by_what_is_shown_of_the_name(show, opened, pair):
    shown = show("?page=customer", until="text=Find a customer by number")
    field = shown.page.get_by_placeholder("Number, or what a list shows")
    field.fill(pair[1])
    field.press("Enter")
    shown.page.get_by_role("heading", name=pair[1]).wait_for()
    field.fill("9" + pair[1])
    field.press("Enter")
    shown.page.get_by_text(f"There is no customer “9{pair[1]}”").wait_for()
    name = opened.page("people").filter(pl.col("customer_no") == pair[0])["name"][0]
    alike = opened.page("people").filter(pl.col("name") == name)
    field.fill(name)
    shown.wait_for("n => document.querySelector('.crmlab-finder').dataset.total === String(n)", alike.height)
    first = shown.page.locator(".crmlab-finder tbody tr").first
    number = first.get_attribute("data-key")
    assert number == alike["customer_no"][0]
    first.click()
    shown.page.get_by_role("heading", name=number).wait_for()
    shown.wait_for("() => !document.querySelector('.crmlab-finder .scroll').offsetHeight")


def test_an_unknown_number_is_told_with_those_that_may_have_been_meant(show, pair):
    shown = show(f"?page=customer&customer=9{pair[0]}", until="text=There is no customer")
    assert pair[0] in shown.text(".crmlab-sentence")
    assert not shown.page.locator(".crmlab-who").count()


def test_who_is_gone_has_a_sheet_too(show, opened):
    gone = opened.page("people").join(opened.page("roster"), on="customer_id", how="anti")["customer_no"][0]
    shown = sheet(show, gone)
    shown.page.get_by_text("No account of theirs is open.").wait_for()
    assert not shown.page.locator(".crmlab-tile").count()
