"""The app in a real browser: what a reader sees, clicks and takes away."""

import csv
import io
import re
import urllib.error
import urllib.request
import zipfile

import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.views import book, theme
from tests.pages.conftest import serving

pytestmark = pytest.mark.browser

TOTAL = "n => document.querySelector('.crmlab-table')?.dataset.total === String(n)"


@pytest.fixture(scope="module")
def opened(mart):
    return snapshot.open(mart)


@pytest.fixture(scope="module")
def roster(opened):
    return opened.page("roster")


def test_first_page_shows_tiles_figures_list_and_what_is_always_true(show, opened, roster):
    shown = show()
    assert shown.page.title() == "Overview · crmlab"
    assert shown.text("h1") == "How is the bank’s book doing?"
    assert shown.page.locator(".crmlab-tile").count() == 5
    assert shown.page.locator(".crmlab-figure .main-svg").count() >= 2
    header = shown.text(".crmlab-header")
    assert str(opened.as_of) in header
    assert opened.manifest["churn_words"] in header
    assert f"{theme.whole(roster.height)} of {theme.whole(roster.height)} customers" in shown.text(".crmlab-count")
    shown.wait_for(TOTAL, roster.height)


def test_a_control_redraws_every_figure_and_the_list(show, opened, roster):
    shown = show()
    branch, name = opened.page("branches").row(-1)
    before = shown.figures()
    shown.page.get_by_label("Branch").select_option(label=name)
    shown.wait_for(
        "old => [...document.querySelectorAll('.crmlab-figure')].every((f, i) => f.dataset.draws !== old[i])", before
    )
    shown.wait_for(TOTAL, roster.filter(pl.col("branch_id") == branch).height)
    offered = shown.page.get_by_label("Manager").locator("option").all_inner_texts()
    theirs = opened.page("managers").filter(pl.col("branch_id") == branch)["name"].sort().to_list()
    shown.page.get_by_label("Branch").select_option(label="All branches")
    shown.wait_for(TOTAL, roster.height)
    assert shown.page.get_by_label("Branch").evaluate("select => select.selectedOptions[0].text") == "All\xa0branches"
    assert [name.replace("\xa0", " ") for name in offered[2:]] == theirs  # ipywidgets keeps spaces apart


def test_a_click_on_a_cell_lists_its_customers(show, roster):
    shown = show()
    cells = book.cells(roster)
    r, f, n = cells.sort("n").select("r", "f", "n").row(-1)
    at = cells.select("r", "f").rows().index((r, f))
    shown.click_mark(shown.page.locator(".crmlab-figure").nth(1), ".point", at)
    shown.wait_for(TOTAL, n)
    shown.wait_for("text => document.querySelector('.crmlab-list-head').innerText.includes(text)", f"R{r} F{f}")
    shown.page.get_by_role("button", name="Show all cells").click()
    shown.wait_for(TOTAL, roster.height)


def test_the_grid_answers_to_the_keyboard(show, roster):
    shown = show()
    first = book.cells(roster).row(0, named=True)
    shown.page.locator(".crmlab-figure").nth(1).focus()
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press("Enter")
    shown.wait_for(TOTAL, first["n"])


def test_the_list_sorts_searches_and_turns_pages(show, roster):
    shown = show()
    first = "document.querySelector('.crmlab-table tbody tr')?.dataset.key"
    shown.wait_for(
        f"key => {first} === key", roster.sort("aum", descending=True, maintain_order=True)["customer_no"][0]
    )
    shown.page.get_by_role("button", name="Customer", exact=True).click()
    in_order = roster["customer_no"].sort()
    shown.wait_for(f"key => {first} === key", in_order[0])
    shown.page.get_by_role("button", name="Next page").click()
    shown.wait_for(f"key => {first} === key", in_order[12])
    shown.page.get_by_role("searchbox").fill(in_order[-1])
    shown.wait_for(TOTAL, 1)
    shown.page.get_by_role("searchbox").fill("nobody of this name")
    shown.page.get_by_text("No customer matches.").last.wait_for()


def test_a_row_opens_the_customer_and_back_is_the_list_as_it_was(show, roster):
    shown = show()
    in_order = roster.sort("aum", descending=True, maintain_order=True)["customer_no"]
    shown.page.get_by_role("button", name="Next page").click()
    row = shown.page.locator(f"tr[data-key='{in_order[13]}']")
    row.scroll_into_view_if_needed()
    for back in (shown.page.go_back, shown.page.get_by_role("button", name="Back to the list").click):
        place = shown.page.evaluate("scrollY")  # figures that were still being drawn may have moved it
        assert place > 0
        row.click()
        shown.page.get_by_role("heading", name=in_order[13]).wait_for()
        assert shown.page.url.endswith(f"?page=customer&customer={in_order[13]}")
        assert shown.page.evaluate("scrollY") == 0
        back()
        row.wait_for()
        shown.wait_for("place => Math.abs(scrollY - place) <= 1", place)
        assert shown.page.url.endswith("?page=overview")
        assert row.get_attribute("aria-selected") == "true"
    assert shown.page.title() == "Overview · crmlab"


def test_forward_comes_to_the_customer_left(show, roster):
    shown = show(f"?page=customer&customer={roster['customer_no'][0]}", until=".crmlab-who h2")
    shown.page.get_by_role("link", name="Overview").click()
    shown.page.get_by_role("heading", name="How is the bank’s book doing?").wait_for()
    keys = []
    for at in (1, 2):
        row = shown.page.locator("tr[data-key]:visible").nth(at)
        keys.append(row.get_attribute("data-key"))
        row.click()
        shown.page.get_by_role("heading", name=keys[-1]).wait_for()
        shown.page.go_back()
        shown.page.get_by_role("heading", name="How is the bank’s book doing?").wait_for()
    shown.page.go_forward()
    shown.page.get_by_role("heading", name=keys[-1]).wait_for()
    shown.page.go_back()
    shown.page.go_back()
    shown.page.get_by_role("heading", name=roster["customer_no"][0]).wait_for()
    assert shown.page.title() == f"{roster['customer_no'][0]} · Customer · crmlab"


def test_downloads_hold_exactly_the_filtered_sorted_list(show, opened, roster):
    shown = show()
    branch, name = opened.page("branches").row(0)
    theirs = roster.filter(pl.col("branch_id") == branch)
    shown.page.get_by_label("Branch").select_option(label=name)
    shown.wait_for(TOTAL, theirs.height)
    shown.page.get_by_role("button", name="Customer", exact=True).click()
    shown.wait_for(
        "key => document.querySelector('.crmlab-table tbody tr')?.dataset.key === key", theirs["customer_no"].min()
    )
    rows = list(csv.DictReader(io.StringIO(_download(shown, "CSV").decode("utf-8-sig"))))
    assert [row["Customer"] for row in rows] == theirs["customer_no"].sort().to_list()
    assert sum(round(float(row["AUM"]) * 10**opened.minor_digits) for row in rows) == theirs["aum"].sum()
    with zipfile.ZipFile(io.BytesIO(_download(shown, "Excel"))) as book_file:
        sheet = book_file.read("xl/worksheets/sheet1.xml").decode()
    assert len(re.findall(r"<row ", sheet)) == theirs.height + 1


def _download(shown, button: str) -> bytes:
    with shown.page.expect_download(timeout=20_000) as waiting:
        shown.page.get_by_role("button", name=button).click()
    return waiting.value.path().read_bytes()


def test_pages_switch_in_place_and_the_back_button_works(show):
    shown = show()
    shown.page.get_by_role("link", name="Data").click()
    shown.page.get_by_role("heading", name="What are these pages made of?").wait_for()
    assert shown.page.url.endswith("page=landing")
    assert not shown.page.get_by_role("heading", name="How is the bank’s book doing?").is_visible()
    shown.page.go_back()
    shown.page.get_by_role("heading", name="How is the bank’s book doing?").wait_for()


def test_deep_links_open_a_page_and_a_customer(show, roster):
    customer = roster["customer_no"][roster.height // 2]
    show("?page=landing", until="text=What are these pages made of?")
    show(f"?page=customer&customer={customer}", until=f".crmlab-who:has-text('{customer}')")
    show("voila/render/overview.ipynb", until="text=How is the bank’s book doing?")


def test_unknown_pages_and_customers_get_a_sentence(show):
    show("?page=nonsense", until="text=There is no page “nonsense”.")
    show("?page=customer&customer=nobody", until="text=There is no customer “nobody”")
    show("?page=%3Cscript%3E", until="text=There is no page “<script>”.")


def test_an_empty_selection_shows_a_sentence(show, opened, roster):
    there = set(roster.select("branch_id", "manager_id").unique().rows())
    empty = [(b, m) for b, _ in opened.page("branches").iter_rows() for m in [None] if (b, m) not in there]
    shown = show()
    if empty:
        names = dict(opened.page("branches").iter_rows())
        shown.page.get_by_label("Branch").select_option(label=names[empty[0][0]])
        shown.page.get_by_label("Manager").select_option(label="No manager (branch-public)")
        shown.page.get_by_text("No customer matches. Widen the branch").wait_for()
    else:
        shown.page.get_by_role("searchbox").fill("nobody of this name")
    shown.page.get_by_text("No customer matches.").last.wait_for()


def test_twenty_loads_in_a_row_without_one_hang(browser, address):
    for _ in range(20):
        context = browser.new_context()
        page = context.new_page()
        page.goto(address, wait_until="commit")
        page.wait_for_selector(".crmlab-figure .main-svg", timeout=30_000)
        page.close(run_before_unload=True)
        context.close()


@pytest.mark.parametrize(
    "path",
    [
        "voila/files/crmlab.ipynb",
        "voila/files/overview.png",
        "voila/files/voila.json",
        "voila/files/../data/mart/CURRENT",
        "voila/files/..%2f..%2fpyproject.toml",
        "voila/tree",
        "voila/api/contents/crmlab.ipynb",
        "voila/templates/crmlab/index.html.j2",
        "voila/templates/crmlab/static/../index.html.j2",
        "voila/static/../../../../etc/passwd",
        "crmlab.ipynb",
        "overview.png",
        "crmlab/app.py",
        "crmlab/../dashboards/crmlab.ipynb",
        "api/contents/crmlab.ipynb",
        "api/kernels",
        "files/crmlab.ipynb",
    ],
)
def test_sources_data_and_images_are_refused(address, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/{path}", timeout=20)
    with refused.value as answer:
        assert answer.code in (403, 404)


def test_the_first_page_allows_no_other_host_and_no_override(address):
    with urllib.request.urlopen(f"{address}/?template=lab&theme=dark", timeout=30) as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = answer.read().decode()
    assert "http" not in policy
    assert "default-src 'none'" in policy
    assert "crmlab-loading" in text
    assert not re.search(r"https?://(?!127\.0\.0\.1)", text)
    assert "from crmlab" not in text


def test_a_foreign_host_name_is_refused(address):
    request = urllib.request.Request(address, headers={"Host": "bank.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    with refused.value as answer:
        assert answer.code == 403


def test_without_a_mart_the_page_says_what_to_do(show, tmp_path):
    absent = serving(tmp_path / "nowhere", tmp_path / "log")
    try:
        shown = show(base=next(absent), until="text=There is nothing to show yet")
        assert "crmlab build" in shown.text(".crmlab-sentence")
        assert "Traceback" not in shown.page.content()
    finally:
        absent.close()
