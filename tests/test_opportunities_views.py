"""The page `opportunities` without a browser: what it lists, previews, settles, says and writes."""

import json
from dataclasses import replace
from datetime import date, timedelta

import ipywidgets
import polars as pl
import pytest

from crmlab.mart import ledger, snapshot
from crmlab.measures.campaigns import Limits, settle
from crmlab.measures.campaigns.limits import PAIRS
from crmlab.views import theme
from crmlab.views.issuing import Issued
from crmlab.views.opportunities import builder, draw, issue, listed, past, say
from crmlab.views.opportunities.controls import FREE, Terms
from crmlab.views.opportunities.controls import terms as term_controls
from crmlab.views.opportunities.issue import asking, settling
from crmlab.views.opportunities.solving import Solving
from crmlab.views.opportunities.tables import Tables
from crmlab.views.pages import opportunities
from crmlab.views.parts import Reader
from crmlab.views.sight import Sight
from crmlab.views.widgets import download
from crmlab.views.words import WORDS, word
from tests.opportunities_mart import NAMES, PRODUCTS, WHY, written
from tests.retention_mart import AS_OF

FREELY = {"budget": FREE, "minutes": 600, "most": FREE, "least": 0, "n_lists": 0}
SELECTIONS = [{}, {"branch": "B1"}, {"manager": "M2"}, {"manager": "(public)"}, {"kind": "retail"}]
NOBODY = {"kind": "nobody"}


@pytest.fixture(scope="module")
def mart(tmp_path_factory):
    return snapshot.open(written(tmp_path_factory.mktemp("drawn") / "mart"))


@pytest.fixture(scope="module")
def tables(mart):
    return Tables(mart)


@pytest.fixture(scope="module")
def untold(tmp_path_factory):
    """The tables of a bank with too short a history."""
    return Tables(snapshot.open(written(tmp_path_factory.mktemp("untold") / "mart", is_told=False)))


@pytest.fixture
def folder(tmp_path):
    """A mart on disk, beside which lists can be issued."""
    return written(tmp_path / "mart")


@pytest.mark.parametrize("chosen", SELECTIONS)
def test_the_offers_are_those_of_the_customers_chosen_the_dearest_first(tables, mart, chosen):
    rows = listed.next_best(tables, **chosen)
    who = tables.page("roster", **chosen)
    assert set(rows["customer_no"]) <= set(who["customer_no"])
    assert rows["amount_expected"].is_sorted(descending=True)
    assert rows.height == mart.page("next_best").join(who, on="customer_id", how="semi").height


def test_the_finding_adds_up(tables):
    told = say.finding(tables)
    best = tables.next_best().filter(pl.col("rank") == 1)
    assert f"<b>{best.height} customers</b> may be offered" in told
    assert f"about <b>{best['probability'].sum():.0f}</b>" in told
    assert f"<b>CNY {theme.money(best['value'].sum(), 2)}</b>" in told
    assert f"hazards of taking for {best.filter(pl.col('source') == 'hazards').height}" in told
    assert "better." in told


def test_a_life_event_is_told_as_the_worked_example_has_it(tables):
    n = tables.page("occasions", manager="M2").filter(pl.col("trigger") == "Large inflow that stays").height
    inflow, maturing, salary = say.occasions(tables, manager="M2")
    assert inflow.startswith(
        f"<b>{n} customers of yours</b> received more than 3 × their usual month and still hold it; in the last two "
        "years "
    )
    assert "11.0 % <small>8.0–14.5 %</small></span> of such customers (44 of 400) took a term deposit within" in inflow
    assert "2.0 % <small>1.0–3.0 %</small></span> of customers alike without it (5,000 looked at)" in inflow
    assert word("opportunities.event_unsure") not in inflow
    assert "took Term deposit within 60 days" in maturing
    assert maturing.endswith(word("opportunities.event_unsure"))
    assert "not been seen long enough" in salary


def test_the_size_of_an_event_is_not_made_up_where_the_mart_does_not_tell_it(mart):
    offers = {"offers": mart.manifest["offers"] | {"triggers": []}}
    told = say.occasions(Tables(replace(mart, manifest=mart.manifest | offers)))
    assert "received far more than their usual month" in told[0]
    assert "3 ×" not in told[0]


def test_a_preview_keeps_within_its_limits_and_below_its_bound(tables):
    asked = FREELY | {"budget": 90_000, "minutes": 120, "most": 10}
    made = builder.shown(tables, None, **asked)
    rows = made.rows
    assert 0 < rows["cost"].sum() <= 90_000
    assert rows.group_by("manager_id").agg(pl.col("minutes").sum())["minutes"].max() <= 120
    assert rows.group_by("product_id").len()["len"].max() <= 10
    assert rows["customer_id"].is_unique().all()
    best = settle(tables.pairs(0).select(PAIRS), Limits(90_000, 120, 10))
    assert made.value <= best.value <= made.bound
    assert made.gap == pytest.approx(1 - made.value / made.bound)
    told = builder.told(tables, Solving(), 0, **asked)
    assert f"About <b>{rows.height} offers</b> worth <b>CNY {theme.money(made.value, 2)}</b>" in told
    assert word("opportunities.prices_build") in told


def test_a_limit_that_is_moved_prices_nothing_again(tables):
    tables.priced.cache_clear()
    for minutes in (600, 570, 540):
        builder.told(tables, Solving(), 0, **(FREELY | {"minutes": minutes}))
    assert tables.priced.cache_info().misses == 1


def test_a_limit_that_is_lifted_has_no_price_any_more(tables):
    """Else the bound would lie below what the list is worth."""
    prices = [("budget", None, 90.0), ("product", "D13", 50_000.0), ("manager", "M1", 20.0)]
    made = tables.preview(0, Terms(None, 600, None, 0), tuple(prices))
    best = settle(tables.pairs(0).select(PAIRS), Limits(minutes=600))
    assert made.value <= best.value <= made.bound


def test_a_list_stands_in_its_order(tables):
    rows = builder.listed(tables, Solving(), 0, **(FREELY | {"minutes": 120}))
    assert rows["rank"].to_list() == list(range(1, rows.height + 1))


def test_limits_into_which_nothing_fits_are_said_to_be_so(tables):
    told = builder.told(tables, Solving(), 0, **(FREELY | {"minutes": 0}))
    assert "No offer fits into these limits." in told
    assert "100" not in told


def test_a_branch_below_its_least_is_named(tables):
    told = builder.told(tables, Solving(), 0, **(FREELY | {"minutes": 30, "least": 15}))
    assert "Too few at " in told
    assert "of 15" in told


def test_who_has_no_manager_is_called_by_the_branch(tables):
    rows = tables.pairs(0, manager="(public)")
    assert set(rows["manager_id"]) == {"of B1", "of B2"}
    assert builder.listed(tables, Solving(), 0, **FREELY, manager="(public)")["manager"].null_count() > 0


def test_prices_are_told_by_name(tables):
    told = builder.prices(tables, Solving(), 0)
    assert "one more hour of Li is worth CNY 12" in told
    assert word("opportunities.prices_of_build") in told


def test_a_list_is_settled_in_a_process_of_its_own_shown_and_issued(folder):
    tables, solving, issued = Tables(snapshot.open(folder)), Solving(), Issued()
    controls = term_controls(tables) | {"n_lists": issued}
    settle_box, issue_box = (
        settling(tables, solving, controls), asking(tables, solving, issued, controls),
    )  # fmt: skip
    buttons = {one.description: one for box in (settle_box, issue_box) for one in box.children[1].children}
    controls["minutes"].value = 240
    assert buttons["Issue this list"].disabled
    assert buttons["Issue this list"].layout.display == "none"  # and no room is left for it
    steps = []
    solving.observe(lambda change: steps.append(change.new), "step")
    buttons["Settle the list"].click()
    assert buttons["Settle the list"].disabled
    solving.wait()
    assert steps == ["reading", "solving", "done"]
    best = settle(tables.pairs(0).select(PAIRS), Limits(minutes=240))
    assert (solving.found.value, solving.found.bound) == (best.value, best.bound)
    asked = FREELY | {"minutes": 240}
    rows = builder.listed(tables, solving, 1, **asked)
    assert rows["reason"].null_count() == 0
    assert rows["amount_expected"].sum() == best.value
    assert "Settled:" in builder.told(tables, solving, 1, **asked)
    moved = builder.told(tables, solving, 1, **(asked | {"minutes": 270}))
    assert word("opportunities.prices_settled") in moved
    assert not buttons["Issue this list"].disabled
    buttons["Issue this list"].click()
    assert "It cannot be taken back" in issue_box.children[0].value
    assert "nothing will be told of what offering does" in issue_box.children[0].value  # of so few
    assert ledger.lists(folder).height == 0
    buttons["Yes, issue it"].click()
    assert "Issued as “Offers, All branches, 240 minutes a manager”" in issue_box.children[0].value
    made = ledger.issued(folder)
    assert sorted(made["customer_no"]) == sorted(rows["customer_no"])
    assert set(made["product_id"]) <= set(PRODUCTS)
    assert not made["manager_id"].str.starts_with("of ").any()
    assert made["read_out_on"].unique().to_list() == [AS_OF + timedelta(90)]
    told = json.loads(ledger.lists(folder)["made_with"][0])
    assert told["asked"]["minutes"] == 240
    assert told["value"] == best.value
    assert told["rule"]["control_share"] == 200_000
    assert issued.value == 1
    assert not set(tables.pairs(1)["customer_no"]) & set(made["customer_no"])
    assert "on a list of offers that is not read out" in builder.told(tables, solving, 1, **(asked | {"n_lists": 1}))
    assert "not yet" in past.issued(tables, 1).lower()


def test_limits_that_clash_are_said_by_name_and_the_page_goes_on(tables):
    solving = Solving()
    asked = FREELY | {"minutes": 0, "least": 5}
    solving.start(tables.pairs(0).select(PAIRS), {"minutes": 0, "least": 5}, 2, asked)
    solving.wait()
    assert solving.step == "failed"
    assert solving.why.endswith(".")
    assert "branch B1 " in solving.why
    told = tables.by_name(solving.why)
    assert f"branch {tables.names['branch_id']['B1']} is to have 5 offers and can have 0" in told
    assert not any(number in told for number in ("B1", "B2", "M1", "M2"))
    assert not solving.is_busy
    assert solving.found is None


def test_a_solver_can_be_stopped(tables):
    solving = Solving()
    solving.start(tables.pairs(0).select(PAIRS), {"minutes": 60}, 2, {})
    solving.stop()
    solving.wait()
    assert (solving.step, solving.found, solving.is_busy) == ("stopped", None, False)


def test_what_campaigns_did_is_told_with_what_cannot_be(tables):
    assert "Of 2 campaigns of the bank, by response: 1 it worked, 1 cannot tell." in past.summary(tables)
    told = past.campaigns(tables)
    assert '+6.0 pp<br><small class="is-whole">+3.0 to +9.0</small>' in told
    assert "fewer than 30" in told
    assert "Term deposit" in told
    assert past.names(tables) == [("Plan G2", "G2"), ("Plan G1", "G1")]
    assert past.by_segment(tables, "G1").count("<tr>") == 5
    assert word("opportunities.no_segments") in past.by_segment(tables, "G9")


def test_rules_are_told_with_why_not(tables):
    told = say.rules(tables)
    assert "<b>1 of 3</b> rules found in who held what on 31 Dec 2024 held up" in told
    assert "1 did not surely hold up; 1 cannot be told" in told
    rows = listed.rules(tables)
    assert rows["when_held"].to_list()[2] == "Bond plan + Credit card"
    assert rows["rate_holders"][0] == "25.0 % (16.8–35.5) of 80"
    assert rows["rule_verdict"][:2].to_list() == [
        "held up", "did not surely hold up: not surely more often than others like them",
    ]  # fmt: skip
    assert rows["points_more"][0] == "+20.0 pp (+10.0 to +30.0)"


def test_the_matrix_is_pale_where_nothing_is_sure(tables):
    figure = draw.matrix(tables, "retail")
    bars = figure.data[0]
    assert len(bars.x) == len(NAMES) * (len(NAMES) - 1)
    sides = {text: set() for text in ("3.0", "0.4", "1.1")}
    for text, colour in zip(bars.text, bars.marker.color, strict=True):
        sides[text].add(colour)
    assert [len(one) for one in sides.values()] == [1, 1, 1]
    assert len(set.union(*sides.values())) == 3
    assert "may as well be chance" in " ".join(bars.hovertext)


def test_what_goes_together_most_is_told_with_its_interval(tables):
    told = say.together(tables, "retail")
    assert "10 customers hold both, 3.0 × as many as by chance (2.0 to 4.5)" in told
    assert say.together(tables, "nobody") == ""


def test_what_surely_follows_an_event_is_told_first(tables):
    told = say.followed(tables)
    assert "<b>1 of 3</b> are surely taken more often" in told
    assert "Large inflow that stays → a term deposit, +9.0 pp (+5.0 to +12.0)" in told


def test_quarters_of_few_customers_are_pale_with_their_intervals_and_break_the_line(tables, mart):
    rates = mart.page("attach_rates")
    is_few = (pl.col("group") == "retail") & (pl.col("month") < date(2024, 4, 1))
    few = rates.with_columns(
        n=pl.when(is_few).then(9).otherwise("n"), n_taken=pl.when(is_few).then(1).otherwise("n_taken")
    )
    figure = draw.attached(Tables(replace(mart, _pages={"attach_rates": few})), "kind", "Credit card")
    assert len(figure.data) == len(draw.attached(tables, "kind", "Credit card").data) + 1
    line, pale = (one for one in figure.data if one.name == "Retail")
    assert line.y[0] is None
    assert (pale.marker.color, len(pale.x)) == (theme.FAINT, 1)
    assert pale.error_y.color == theme.faded(theme.FAINT, 0.4)


def test_who_takes_a_product_is_told_of_the_last_quarter_and_the_year_before(tables):
    rows = draw.attach_rates(tables, "kind", "Credit card")
    told = draw.attached_told(tables, "kind", "Credit card")
    assert "took it in Q4 2025" in told
    assert f"of {rows['n'][-1]})" in told
    assert ", a year before " in told
    assert draw.attached_told(tables, "kind", None) == ""


def test_money_that_matures_is_told_with_its_amount(tables, mart):
    due = mart.page("maturing").row(0, named=True)
    now = mart.page("occasions").with_columns(
        account_id=pl.lit(due["account_id"], pl.Int32), amount=pl.lit(None, pl.Int64)
    )
    pages = {"occasions": now, "maturing": mart.page("maturing")}
    found = listed.occasions(Tables(replace(mart, _pages=pages)))
    assert found["amount_event"].unique().to_list() == [due["amount"]]
    assert listed.occasions(tables)["amount_event"].null_count() == 0


def test_attach_rates_of_a_quarter_are_those_of_its_months(tables, mart):
    found = draw.attach_rates(tables, "segment", "Credit card")
    assert found["n"].unique().to_list() == [300]
    months = mart.page("attach_rates").filter(pl.col("by") == "segment", pl.col("item") == "Credit card")
    assert found["k"].sum() == months["n_taken"].sum()
    assert (found["lower"] <= found["rate"]).all()
    assert (found["rate"] <= found["upper"]).all()
    assert len(draw.attached(tables, "segment", "Credit card").data) == 4


def test_every_figure_draws_and_each_says_when_it_has_nothing(tables, untold):
    for name, asked in (("matrix", {}), ("penetration", {}), ("attached", {"by": "kind", "product": NAMES[0]}),
                        ("followed", {}), ("gains", {})):  # fmt: skip
        assert getattr(draw, name)(tables, **asked).data
    empty = (draw.gains(untold), draw.matrix(tables, "nobody"), draw.penetration(tables, "nobody"),
             draw.attached(tables, "kind", None))  # fmt: skip
    for figure in empty:
        assert figure.data == ()
        assert figure.layout.annotations[0].text.endswith(".")


def test_an_empty_selection_is_told_in_sentences(tables):
    assert word("opportunities.lead_none") in say.finding(tables, **NOBODY)
    assert word("filter.none") in say.count(tables, **NOBODY)
    assert word("opportunities.nobody_to_offer") in builder.told(tables, Solving(), 0, **FREELY, **NOBODY)
    assert builder.listed(tables, Solving(), 0, **FREELY, **NOBODY).columns == list(builder.LISTED)
    assert listed.next_best(tables, **NOBODY).height == listed.occasions(tables, **NOBODY).height == 0


def test_a_history_too_short_is_said_and_the_page_stands(untold):
    assert WHY in say.finding(untold)
    assert word("opportunities.lead_untold") in say.finding(untold)
    assert WHY in builder.told(untold, Solving(), 0, **FREELY)
    assert WHY in say.rules(untold)
    assert word("opportunities.no_choices") in say.choices(untold)
    seen(opportunities.page(untold.mart))


def test_all_of_the_page_is_made_and_at_most_five_controls_stand_on_top(mart):
    reader = Reader(page="opportunities")
    page = opportunities.page(mart, reader)
    widgets = seen(page)
    top = page.children[1].children
    assert len([one for one in top if isinstance(one, ipywidgets.Dropdown)]) == 3
    lists = [one for one in widgets if type(one).__name__ == "Table"]
    assert len(lists) == 4
    lists[0]._handle_custom_msg({"open": lists[0].page["keys"][0]}, [])
    assert reader.page == "customer"


def test_what_a_list_could_show_is_said_before_it_is_issued():
    assert issue._power(0.03, 900, 100) == "If 3.0 % take it anyway, a rise of 7.9 pp or more is seen 4 times in 5."
    assert "fewer than 30" in issue._power(0.03, 900, 29)


def test_a_file_holds_money_in_major_units_and_probabilities_in_per_cent(tables):
    content, _ = download(builder.listed(tables, Solving(), 0, **FREELY), "csv", 2)
    rows, found = pl.read_csv(content), builder.listed(tables, Solving(), 0, **FREELY)
    assert rows["Expected"].round(2).to_list() == (found["amount_expected"] / 100).round(2).to_list()
    assert rows["Takes it, %"][0] == pytest.approx(found["probability_taken"][0] * 100, abs=0.01)
    for made in (listed.next_best(tables), listed.occasions(tables), listed.rules(tables)):
        assert download(made, "xlsx", 2)[0][:2] == b"PK"


def test_terms_are_the_limits_of_the_solver():
    assert Limits(**Terms(None, 600, None, 0)._asdict()) == Limits(minutes=600)
    assert all(key.split(".")[0] != "opportunities" or text for key, text in WORDS["en"].items())


def seen(page: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """All widgets of a page once all of it has been in sight."""
    for one in walked(page):
        if isinstance(one, Sight):
            one.is_seen = True
    return walked(page)


def walked(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    return [widget, *(one for child in getattr(widget, "children", ()) for one in walked(child))]
