"""The page of one customer without a browser: on a mart small enough to check in the head, and on the sample."""

from datetime import date

import polars as pl
import pytest

import crmlab as crm
from crmlab.mart import snapshot
from crmlab.views.customer import around, draw, say
from crmlab.views.customer.sheet import found, near
from crmlab.views.customer.steps import steps
from crmlab.views.pages import customer
from crmlab.views.parts import Reader
from crmlab.views.words import word
from tests import banks

AS_OF = date(2024, 3, 31)
JAN, FEB, MAR = date(2024, 1, 31), date(2024, 2, 29), AS_OF
STATES = pl.Enum(["new", "mature", "left"])
PEOPLE = pl.DataFrame(  # 2 is gone, 3 has a household with 1, 4 nobody looks after
    {
        "customer_id": [1, 2, 3, 4], "customer_no": ["C0001", "C0002", "C0003", "D0004"], "kind": "retail",
        "branch_id": ["B1", "B1", "B2", "B2"], "name": ["W…", "L…", "W…", None], "since": date(2020, 5, 1),
        "first_on": date(2020, 5, 1), "manager_id": ["M1", "M1", "M2", None],
    },
    schema_overrides={"customer_id": pl.Int32},
)  # fmt: skip
ROSTER = PEOPLE.filter(pl.col("customer_id") != 2).select(
    "customer_id", "customer_no", tenure_months=pl.lit(46), aum=pl.Series([900_00, 500_00, 0]), loans=pl.lit(0),
    aum_change_year=pl.Series([-100_00, None, 0]), recency_days=pl.Series([0, 12, None]),
)  # fmt: skip
WORTH = ROSTER.select(
    "customer_id", grade=pl.lit("B"), contribution=pl.Series([30_00, -5_00, 0]), contribution_before=pl.lit(20_00),
    next_tier=pl.lit("gold"), missing=pl.Series([70_00, 400_00, None]), above=pl.lit(5_00),
    is_near_up=pl.Series([True, False, False]), is_near_down=pl.Series([False, False, False]),
)  # fmt: skip
PATHS = PEOPLE.select("customer_id").with_columns(
    **{f"state {JAN}": pl.Series(["new", "mature", "mature", "mature"], dtype=STATES),
       f"state {FEB}": pl.Series(["mature", "mature", "mature", "mature"], dtype=STATES),
       f"state {MAR}": pl.Series(["mature", "left", "mature", "mature"], dtype=STATES)},
    **{f"tier {month}": pl.Series(["silver", None, "silver", "silver"]) for month in (JAN, FEB, MAR)},
    **{f"segment {MAR}": pl.Series(["Gold", None, "Gold", None])},
)  # fmt: skip
ACCOUNTS = pl.DataFrame(
    {
        "account_id": [0, 1, 2, 3], "customer_id": [1, 1, 1, 2], "line": ["deposits", "loans", "deposits", "deposits"],
        "product": ["Term <1>", "Home loan", "Old", "Current"], "currency": ["CNY", "CNY", "JPY", "CNY"],
        "opened_on": date(2023, 4, 1), "closed_on": [None, None, date(2024, 2, 1), date(2024, 3, 1)],
        "rate": [21_500, 39_000, 0, 0], "matures_on": [date(2024, 4, 30), date(2024, 5, 1), None, None],
    },
    schema_overrides={"account_id": pl.Int32, "customer_id": pl.Int32},
)  # fmt: skip
FACTS = pl.DataFrame(  # the first account was cut within the month
    {
        "account_id": [0, 0, 1], "month": MAR, "ends_on": [date(2024, 3, 10), MAR, MAR],
        "closing": [1_00, 1_234_00, -5_678_00],
    },
    schema_overrides={"account_id": pl.Int32},
)  # fmt: skip
HELD = pl.DataFrame(
    {
        "customer_id": [1, 1, 1, 1], "month": [JAN, FEB, MAR, MAR], "line": ["deposits"] * 3 + ["loans"],
        "closing": [800_00, 850_00, 900_00, -5_678_00], "balance_days": [310_00, 29_000_00, 31_000_00, -31_000_00],
        "days": [31, 29, 31, 31], "n_without_balance": [1, 0, 0, 0], "n_without_average": 0,
    },
    schema_overrides={"customer_id": pl.Int32},
)  # fmt: skip
EARNED = HELD.select("customer_id", "month", "line", margin=pl.Series([0, 7_00, 8_00, 3_00]), fee=pl.lit(1_00))
EVENTS = pl.DataFrame(
    {
        "customer_id": [1, 1, 1, 1], "on": [date(2020, 5, 1), date(2024, 2, 3), date(2024, 2, 3), date(2024, 3, 9)],
        "kind": ["opened", "contact", "manager_change", "offer"], "account_id": [0, None, None, None],
        "amount": [None, None, None, None], "detail": ["Term", "call, review", "M1", "K7"],
    },
    schema_overrides={"customer_id": pl.Int32, "amount": pl.Int64},
)  # fmt: skip
PAGES = {
    "people": PEOPLE,
    "roster": ROSTER,
    "worth": WORTH,
    "paths": PATHS,
    "branches": pl.DataFrame({"branch_id": ["B1", "B2"], "name": ["Market", None]}),
    "managers": pl.DataFrame({"manager_id": ["M1", "M2"], "name": ["Li Na", None]}),
    "segments": pl.DataFrame({"name": ["Gold"], "means": ["They <earn>."], "do": ["Call."]}),
    "worth_tiers": pl.DataFrame({"rule": "tier", "name": ["silver", "gold"], "rank": [0, 1]}),
    "trend": pl.DataFrame({"line": ["deposits", "loans"], "class": ["deposits", "loans"]}),
    "completeness": pl.DataFrame({"customer_id": [1], "missing": ["mobile, birth_on"]}),
    "complaints": pl.DataFrame(
        {"customer_id": [1, 1], "on": [date(2024, 1, 2), date(2024, 3, 1)], "topic": ["fees", "queue"],
         "resolved_on": [date(2024, 1, 5), None]}
    ),
    "offers": pl.DataFrame(
        {"customer_id": [1], "on": [date(2024, 3, 9)], "name": ["Spring"], "product": ["Fund"],
         "responded_on": [None], "opened_on": [None]},
        schema_overrides={"responded_on": pl.Date, "opened_on": pl.Date},
    ),
    "members": PEOPLE.select(
        "customer_id", household_id=pl.Series([1, 2, 1, 4]), n_household=pl.Series([2, 1, 2, 1]),
        group_id=pl.lit(None, pl.Int32), n_group=pl.lit(None, pl.Int32),
    ),
    "jointly": pl.DataFrame(
        {"customer_id": [3], "account_id": [0], "share": [400_000]},
        schema_overrides={"customer_id": pl.Int32, "account_id": pl.Int32},
    ),
    "links": pl.DataFrame({"customer_id": [1, 1, 1], "other_id": [2, 3, 4], "via": ["brought", "kin", "brought"]}),
}  # fmt: skip
MANIFEST = {
    "as_of": str(AS_OF), "base_currency": "CNY", "minor_digits": 2, "digits_of_currencies": {"JPY": 0},
    "history_from": "2024-01-01", "contribution": {"components": ["margin", "fee"], "missing": {}},
}  # fmt: skip


@pytest.fixture(scope="module")
def mart(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mart")
    for name, frame in {"facts": FACTS, "customers": HELD, "contribution": EARNED}.items():
        (folder / name).mkdir()
        frame.write_parquet(folder / name / "2024-03.parquet")
    identity = PEOPLE.select(
        "customer_id", name=pl.lit("Wang <Li>"), mobile=pl.lit("138"), address=None, national_id=None
    )
    for name, frame in {"accounts": ACCOUNTS, "events": EVENTS, "identity": identity}.items():
        frame.write_parquet(folder / f"{name}.parquet")
    (folder / "pages").mkdir()
    for name, frame in PAGES.items():
        frame.with_columns(pl.col("^customer_id$").cast(pl.Int32)).write_ipc(folder / "pages" / f"{name}.arrow")
    return snapshot.Mart(folder, MANIFEST)


@pytest.fixture(scope="module")
def sheet(mart):
    return found(mart, "C0001")


def test_steps_come_in_the_order_that_the_page_states(sheet):
    assert [why for why, _ in steps(sheet)] == ["complaint", "matures", "up", "file", "segment"]
    texts = dict(steps(sheet))
    assert "queue, open since 1 Mar 2024 (30 days)" in texts["complaint"]
    assert "CNY 1,234, on 30 Apr 2024 (in 30 days)" in texts["matures"]  # the loan is due a day too late to be told
    assert "CNY 70 more on average makes them gold." in texts["up"]
    assert "mobile, date of birth" in texts["file"]
    assert texts["segment"] == "Gold: Call."


def test_who_is_gone_has_a_sheet_without_numbers_of_today(mart):
    gone = found(mart, "C0002")
    assert say.tiles(gone) == ""
    assert word("customer.gone") in say.head(gone)
    assert word("customer.none_left") in say.next_step(gone)
    assert "closed 1 Mar 2024" in say.holdings(gone)
    assert [row[:2] for row in draw.runs(gone.history).rows()] == [("state", "mature"), ("state", "left")]


def test_open_accounts_stand_by_size_with_the_last_balance_of_their_month_and_closed_ones_apart(sheet):
    assert sheet.holdings.select("product", "closing").rows() == [
        ("Home loan", -5_678_00), ("Term <1>", 1_234_00), ("Old", None),
    ]  # fmt: skip
    told = say.holdings(sheet)
    assert told.index("CNY 5,678") < told.index("CNY 1,234") < told.index("Closed accounts: 1") < told.index("Old")
    assert "Term &lt;1&gt;" in told


def test_an_account_has_the_digits_of_its_currency_in_the_policy_that_the_mart_was_built_with(tmp_path):
    extracts = banks.six(tmp_path / "extracts")
    (extracts / "policy.toml").write_text("[minor_digits]\nUSD = 3\n")
    mart = crm.build(extracts, AS_OF, tmp_path / "mart")
    assert (mart.digits("USD"), mart.digits("JPY"), mart.digits("CNY")) == (3, 0, 2)
    assert "USD 1,000<" in say.holdings(found(mart, "C4"))


def test_an_account_of_another_customer_stands_where_a_part_of_it_is_held(mart):
    told = found(mart, "C0003")
    assert told.holdings.select("product", "closing", "share").rows() == [("Term <1>", 1_234_00, 400_000)]
    assert "Term &lt;1&gt;, held jointly, 40 % theirs" in say.holdings(told)


def test_identity_is_masked_until_asked_for(sheet):
    assert say.identity(sheet, is_shown=False) == ""
    assert "Wang &lt;Li&gt;" in say.identity(sheet, is_shown=True)
    everything = say.head(sheet) + say.next_step(sheet) + say.tiles(sheet) + say.holdings(sheet) + say.dealings(sheet)
    assert "Wang" not in everything
    assert "138" not in everything
    assert "They &lt;earn&gt;." in everything


def test_who_looks_after_them_is_named_or_said_to_be_nobody(mart, sheet):
    assert "kept by Li Na" in say.head(sheet)
    assert "kept by M2" in say.head(found(mart, "C0003"))
    assert word("filter.public") in say.head(found(mart, "D0004"))


def test_balances_have_gaps_where_nothing_is_known_and_contribution_adds_its_components(sheet):
    assert sheet.balances.select("month", "line", "closing", "average").rows() == [
        (FEB, "loans", None, None), (MAR, "loans", 5678.0, 1000.0),
        (FEB, "deposits", 850.0, 1000.0), (MAR, "deposits", 900.0, 1000.0),
    ]  # fmt: skip
    assert sheet.contribution.rows() == [
        (JAN, "deposits", 1_00), (FEB, "deposits", 8_00), (MAR, "deposits", 9_00), (MAR, "loans", 4_00),
    ]  # fmt: skip
    assert all(trace.customdata is None for trace in draw.contribution(sheet).data)


def test_events_bear_names_and_the_picture_begins_with_the_history(sheet):
    assert sheet.events.select("kind", "detail").rows() == [
        ("offer", "Spring"), ("contact", "call, review"), ("manager_change", "Li Na"), ("opened", "Term"),
    ]  # fmt: skip
    assert sheet.happened["event"].to_list() == ["Offer", "Contact", "New manager", "Opened"]
    assert {trace.y[0] for trace in draw.events(sheet).data} == {"Offer", "Contact", "New manager"}


def test_household_and_brought_are_added_once_each(sheet):
    totals = around.totals(sheet)
    assert totals["household"] == {"aum": 1_400_00, "loans": 0, "contribution": 25_00, "n": 2}
    assert totals["brought"] == {"aum": 0, "loans": 0, "contribution": 0, "n": 2}  # one of them is gone
    assert around.ties(sheet).select("customer_no", "tie").rows() == [
        ("C0003", "kin"), ("D0004", "brought by them"), ("C0002", "brought by them"),
    ]  # fmt: skip
    assert "Their household of 2: AUM CNY 1.40 k" in say.together(sheet)


def test_household_members_tied_through_others_and_who_is_alone(mart):
    assert around.ties(found(mart, "C0003")).select("customer_no", "tie").rows() == [("C0001", "same household")]
    assert word("customer.alone") in say.together(found(mart, "D0004"))


def test_where_nothing_is_known_pictures_say_so(mart):
    bare = found(mart, "D0004")
    for drawn in (draw.balances(bare), draw.contribution(bare), draw.events(bare)):
        assert drawn.data == ()
        assert drawn.layout.annotations[0].text.endswith(".")
        assert "selection" not in drawn.layout.annotations[0].text  # there is none on a sheet
    assert say.holdings(bare) == f'<p class="crmlab-sentence">{word("customer.no_accounts")}</p>'


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("0004", ["D0004"]), ("c0003", ["C0003"]), ("C0O01", ["C0001", "C0003", "C0002"]), ("X", []), ("  ", [])],
)
def test_an_unknown_number_is_told_with_those_that_may_have_been_meant(mart, typed, meant):
    assert sorted(near(mart, typed)) == sorted(meant)
    told = say.unknown(mart, typed)
    assert all(number in told for number in meant)


def test_the_page_follows_the_reader_and_hides_identity_from_the_next(mart):
    reader = Reader()
    page = customer.page(mart, reader)
    assert word("customer.nobody") in _text(page)
    reader.open("C0001")
    assert "W… <small>C0001" in _text(page)
    (button,) = _all(page, "ToggleButton")
    button.value = True
    assert "Wang" in _text(page)
    assert button.description == word("customer.hide")
    reader.back()
    assert "Wang" not in _text(page)
    reader.open("C0001")
    assert "Wang" not in _text(page)
    button.value = True
    reader.open("C0003")
    assert "Wang" not in _text(page)
    reader.open("C00033")
    assert "There is no customer “C00033”" in _text(page)
    assert page.children[-1].layout.display == "none"


def test_what_lies_below_the_fold_is_made_when_it_is_seen_and_opens_others(mart):
    reader = Reader(page="worth", customer="C0001")
    page = customer.page(mart, reader)
    assert [len(_all(page, kind)) for kind in ("PlotlyView", "Table")] == [0, 1]
    for sight in _all(page, "Sight"):
        sight.is_seen = True
    assert [len(_all(page, kind)) for kind in ("PlotlyView", "Table")] == [4, 3]
    _, ties, events = _all(page, "Table")
    assert ties.page["keys"] == ["C0003", "D0004", "C0002"]
    assert not events.opens
    ties._handle_custom_msg({"open": "C0003"}, [])
    assert reader.customer == "C0003"
    assert ties.page["keys"] == ["C0001"]


def test_every_customer_of_the_sample_has_a_sheet(sample_mart):
    mart = snapshot.open(sample_mart)
    for number in mart.page("people")["customer_no"].gather_every(29):
        sheet = found(mart, number)
        for made in (say.head, say.next_step, say.tiles, say.holdings, say.dealings, say.together):
            assert isinstance(made(sheet), str)
        for drawn in (draw.balances, draw.contribution, draw.history, draw.events):
            drawn(sheet).to_plotly_json()
        assert around.ties(sheet).height >= 0


def test_household_totals_are_those_of_the_roster(sample_mart):
    mart = snapshot.open(sample_mart)
    members = mart.page("members").filter(pl.col("n_household") > 1)
    held = members.join(mart.page("roster"), on="customer_id").group_by("household_id").agg(pl.col("aum").sum())
    for household, aum in held.sort("household_id").head(5).iter_rows():
        head = mart.page("people").filter(pl.col("customer_id") == household)["customer_no"][0]
        assert around.totals(found(mart, head))["household"]["aum"] == aum


def _all(widget, kind: str) -> list:
    own = [widget] if type(widget).__name__ == kind else []
    return own + [one for child in getattr(widget, "children", ()) for one in _all(child, kind)]


def _text(widget) -> str:
    return " ".join(html.value for html in _all(widget, "HTML"))
