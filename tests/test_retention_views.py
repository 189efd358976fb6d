"""The page `retention` without a browser: whom it lists, what it says, and what it writes."""

import csv
from dataclasses import replace
from datetime import date

import ipywidgets
import polars as pl
import pytest

from crmlab.errors import InputError
from crmlab.mart import ledger, snapshot
from crmlab.measures.churn import worklist
from crmlab.policy import Campaigns
from crmlab.views import theme
from crmlab.views.pages import retention
from crmlab.views.parts import Reader
from crmlab.views.retention import behind, draw, fate, maturing, say, trial
from crmlab.views.retention.tables import BYS, Tables
from crmlab.views.widgets import download
from crmlab.views.words import word
from tests.retention_mart import AS_OF, MANAGERS, WHY, written

ASKED = {"horizon": 6, "capacity": 5, "n_lists": 0}
SELECTIONS = [{}, {"branch": "B1"}, {"manager": "M2"}, {"manager": "(public)"}, {"kind": "retail"}]
NOBODY = {"kind": "nobody"}
VERDICTS = [  # better, difference, lower, upper, what is said
    (True, 0.12, 0.05, 0.19, "the list beats the simple rule"),
    (None, 0.01, -0.04, 0.06, "the list is not shown to beat the simple rule"),
    (None, 0.03, -1.0, 1.0, "all of it the money of one customer"),
    (False, -0.1, -0.2, -0.01, "the list does worse than the simple rule"),
    (None, None, None, None, "cannot be told"),
]


@pytest.fixture(scope="module")
def mart(tmp_path_factory):
    return snapshot.open(written(tmp_path_factory.mktemp("drawn") / "mart"))


@pytest.fixture(scope="module")
def tables(mart):
    return Tables(mart)


@pytest.fixture
def folder(tmp_path):
    """A mart on disk, beside which lists can be issued."""
    return written(tmp_path / "mart")


@pytest.mark.parametrize("chosen", SELECTIONS)
def test_the_list_is_that_of_the_measure_and_with_those_left_out_is_everybody(tables, mart, chosen):
    scores = tables.scores(**chosen)
    expected = worklist.call_list(scores, tables.rules, 6, 5)
    found = {one: behind.calls(tables, one, **ASKED, **chosen) for one in behind.SHOWN}
    assert found["called"]["customer_no"].to_list() == expected.calls["customer_no"].to_list()
    assert found["called"]["amount_gain"].to_list() == expected.calls["expected"].to_list()
    everybody = pl.concat(rows.select("customer_no") for rows in found.values())["customer_no"]
    watched = scores.filter(pl.col("state_of_watch") != "not yet")
    assert sorted(everybody) == sorted(watched["customer_no"])
    counts = dict(expected.left_out.with_columns(pl.col("reason").cast(pl.String)).select("reason", "n").rows())
    assert found["going"].height == counts["money already going"]
    assert found["capacity"].height == counts["no call left"]
    assert found["gain"].height == counts["not worth the call"] + counts["earns nothing"] + counts["cannot tell"]


def test_the_capacity_and_the_horizon_reorder_the_list(tables):
    few, many = (behind.calls(tables, "called", 6, capacity, 0) for capacity in (2, 40))
    assert few.group_by("manager", "branch").len()["len"].max() == 2
    assert few.height < many.height
    assert few["rank"].to_list() == list(range(1, few.height + 1))
    odds = {horizon: behind.calls(tables, "called", horizon, 5, 0)["probability"].max() for horizon in (3, 6)}
    assert odds[3] < odds[6]


def test_the_finding_adds_up(tables):
    told = say.finding(tables, **ASKED)
    rows = tables.mart.page("leaving").filter(pl.col("state_of_watch") == "at risk")
    called = behind.calls(tables, "called", **ASKED)
    money = (rows["p6"] * rows["aum"]).sum()
    share = (called["probability"] * called["aum"]).sum() / money
    is_known = pl.col("ends_on").is_between(date(2025, 5, 1), date(2025, 10, 31))
    left = tables.mart.page("departures").filter("event", is_known)
    for text in (
        f"about <b>{round(rows['p6'].sum())} of {rows.height} customers</b>",
        f"calls {called.height} customers, about <b>{called['probability'].sum():.1f}</b>",
        f"is <b>CNY {theme.money(round(money), 2)}</b>; {theme.share(share)} of it",
        f"to 31 Oct 2025, the last that are known, {left.height} left with CNY {theme.money(left['lost'].sum(), 2)}",
        "assumed, 20.0 %",
        "Not offered: 12 months",
    ):
        assert text in told
    assert WHY in told


def test_what_is_at_stake_stands_beside_what_went(mart):
    gone = mart.page("departures")
    few, many = (gone.with_columns(lost=pl.col("lost") * times) for times in (0, 1_000_000))
    assert "That is far less" in say.finding(Tables(_with(mart, departures=few)), **ASKED)
    assert "That is far less" not in say.finding(Tables(_with(mart, departures=many)), **ASKED)
    nobody = say.finding(Tables(_with(mart, departures=gone.clear())), **ASKED)
    assert "31 Oct 2025, the last that are known, nobody left. That is far less" in nobody


@pytest.mark.parametrize(("is_better", "difference", "lower", "upper", "expected"), VERDICTS)
def test_the_verdict_is_told_in_plain_words(mart, is_better, difference, lower, upper, expected):
    row = mart.page("trial_verdict").filter(pl.col("horizon") == 6)
    numbers = {"difference": difference, "lower": lower, "upper": upper}
    row = row.with_columns(is_better=pl.lit(is_better), **{name: pl.lit(one) for name, one in numbers.items()})
    told = trial.verdict(Tables(_with(mart, trial_verdict=row)), 6)
    assert expected in told
    if difference is not None:
        assert "balance fell most" in told
        assert theme.points(difference) in told


def test_who_may_be_gone_already_is_told_apart(tables):
    going = tables.mart.page("leaving").filter(pl.col("state_of_watch") == "unconfirmed")
    assert not set(going["customer_no"]) & set(behind.calls(tables, "called", **ASKED)["customer_no"])
    assert f"<b>{going.height}</b> going already" in say.left_out(tables, **ASKED)
    assert f"{going.height} more with CNY" in say.finding(tables, **ASKED)


def test_reasons_are_those_of_the_customer_the_strongest_on_top(tables, mart):
    number = mart.page("leaving")["customer_no"][7]
    (bars,) = draw.reasons(tables, number).data
    own = mart.page("reasons").filter(pl.col("customer_id") == 7)
    strongest = own.sort(pl.col("contribution").abs(), descending=True)["contribution"].head(draw.MOST_REASONS)
    assert list(bars.x) == strongest.to_list()
    assert bars.y[0] == max(bars.y)
    assert draw.reasons(tables, None).layout.annotations[0].text == word("retention.no_reasons")
    told = say.chosen_one(tables, number, 6)
    assert number in told
    assert "Over the next 60 months, a customer of this kind" in told


def test_a_click_chooses_and_the_button_opens(mart):
    reader = Reader(page="retention")
    page = retention.page(mart, reader)
    list_ = _found(page, "Table")[0]
    assert list_.value == list_.page["keys"][0]
    bars = _found(page, "PlotlyView")[0]
    before = bars.figure
    list_._handle_custom_msg({"open": list_.page["keys"][3]}, [])
    assert bars.figure != before
    assert reader.page == "retention"
    _button(page, "open", "retention").click()
    assert (reader.page, reader.customer) == ("customer", list_.page["keys"][3])


def test_a_list_is_issued_in_two_steps_and_its_control_is_not_called(folder):
    page = retention.page(snapshot.open(folder))
    list_ = _found(page, "Table")[0]
    n = list_.page["total"]
    assert not (folder / "ledger").exists()
    _button(page, "issue").click()
    asked = " ".join(one.value for one in _found(page, "HTML"))
    assert "Who leaves in 3 months counts; it is told 2 months later" in asked
    _button(page, "issue_not").click()
    assert ledger.lists(folder).height == 0
    _button(page, "issue").click()
    _button(page, "issue_sure").click()
    made = ledger.issued(folder)
    held = made.filter("is_control")["customer_no"]
    assert made.height == n
    assert held.len() > 0
    said = " ".join(one.value for one in _found(page, "HTML"))
    assert f"{n - held.len()} to call, {held.len()} held out as control. Read-out on 31 May 2026" in said
    tables = Tables(snapshot.open(folder))
    rows = behind.calls(tables, "called", 6, 20, 1)
    assert not set(held) & set(rows["customer_no"])
    assert set(behind.calls(tables, "held", 6, 20, 1)["customer_no"]) == set(held)
    assert rows.filter(pl.col("listed_on") == AS_OF)["customer_no"].to_list()
    assert list_.page["total"] <= n
    assert f"<b>{held.len()}</b> held out as control" in say.left_out(tables, 6, 20, 1)


def test_a_control_that_moves_asks_anew_and_an_error_is_a_sentence(folder, monkeypatch):
    page = retention.page(snapshot.open(folder))
    _button(page, "issue").click()
    assert _button(page, "issue").layout.display == "none"
    _found(page, "IntSlider")[0].value = 3
    assert _button(page, "issue").layout.display is None
    assert ledger.lists(folder).height == 0
    monkeypatch.setattr(ledger, "issue", _fails)
    _button(page, "issue").click()
    _button(page, "issue_sure").click()
    assert any("The disk is full" in one.value for one in _found(page, "HTML"))


def test_what_became_of_a_list_is_told_once_it_is_over(folder):
    mart = snapshot.open(folder)
    tables = Tables(mart)
    assert word("retention.fate_none") in fate.table(tables, 0)
    assert fate.last(tables, 0) == ""
    rows = worklist.call_list(mart.page("leaving"), tables.rules, 6, 100).calls
    ledger.issue(folder, rows, name="March calls", on=date(2025, 3, 31))
    ledger.issue(folder, rows.head(30), name="Latest calls", on=date(2025, 12, 1))
    told = fate.table(tables, 2)
    assert "“Latest calls”, issued 1 Dec 2025, is read out on" in fate.last(tables, 2)
    assert "“March calls”: " in told
    arms = tables.fate(2)
    assert arms["n"].sum() == rows.height + 30
    left = arms.filter("is_over")["n_left"].sum()
    departures = mart.page("departures").filter(
        "event", pl.col("ends_on").is_between(date(2025, 4, 1), date(2025, 6, 30)), pl.col("known_on") <= AS_OF
    )
    assert left == departures.filter(pl.col("customer_no").is_in(rows["customer_no"].implode())).height > 0
    people = fate.people(tables, 2, branch="B1")
    assert people["list_name"].unique().len() == 2
    assert 0 < people.height < rows.height + 30


def test_a_ledger_that_cannot_be_read_stops_the_page(folder):
    (folder / "ledger").mkdir()
    (folder / "ledger" / "2025-01-01-broken.parquet").write_bytes(b"no list")
    with pytest.raises(InputError, match="no list that can be read"):
        retention.page(snapshot.open(folder))


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("kind", ["", "retail"])
def test_a_curve_has_a_band_and_numbers_at_risk(tables, by, kind):
    figure = draw.curves(tables, by, kind)
    rows = tables.curves(by, kind)
    lines = [trace for trace in figure.data if trace.showlegend]
    assert len(lines) == rows["group"].n_unique() > 0
    assert len(figure.data) == 2 * len(lines)
    assert len(figure.layout.annotations) == 1 + 7 * len(lines)
    assert {line.name for line in lines} < {note.text for note in figure.layout.annotations if note.xref == "paper"}
    assert [round(line.y[-1], 6) for line in lines] == [
        round(rows.filter(pl.col("group") == group, pl.col("time") == 60)["survival"].item(), 6)
        for group in (tables.orders.get(by) or [""])
    ]


def test_a_curve_of_few_is_faint_and_ends_where_nearly_nobody_is_left(mart):
    rows = mart.page("curves").with_columns(
        at_risk=pl.when(pl.col("group") == "Base").then(25 - pl.col("time")).otherwise("at_risk")
    )
    lines = [one for one in draw.curves(Tables(_with(mart, curves=rows)), "segment").data if one.showlegend]
    (base,) = [line for line in lines if line.name == "Base"]
    assert base.line.color == theme.FAINT
    assert max(base.x) == 25 - draw.LEAST_AT_RISK
    assert theme.FAINT not in {line.line.color for line in lines if line is not base}


def test_causes_are_stacked_and_hazards_follow_the_cause(tables, mart):
    areas = draw.incidence(tables).data
    assert [area.name for area in areas][:2] == ["Last account closed", "Money run off"]
    assert {area.stackgroup for area in areas} == {"causes"}
    assert "Not told: Has a loan (left out" in say.hazards(tables, "closure")
    assert say.hazards(tables, "salary") == ""
    (dots,) = draw.hazards(tables, "salary").data
    rows = mart.page("hazards").filter(pl.col("cause") == "salary").sort("hazard_ratio")
    assert list(dots.x) == rows["hazard_ratio"].to_list()
    crosses = rows.select(pl.lit(1).is_between("lower", "upper")).to_series().to_list()
    assert [colour == theme.OTHER for colour in dots.marker.line.color] == crosses


def test_the_calendar_adds_up_and_a_bar_lists_what_it_shows(tables, mart):
    rows = mart.page("maturing").filter((pl.col("matures_on") - AS_OF).dt.total_days() <= 90)
    figure = draw.calendar(tables)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    scale = 10 ** {"m": 6, "k": 3, "bn": 9}[figure.layout.yaxis.title.text.split()[1]] * 100
    assert sum(y for bar in bars for y in bar.y) * scale == pytest.approx(rows["amount"].sum())
    for bar in bars:
        for key, y in zip(bar.customdata, bar.y, strict=True):
            listed = behind.coming(tables, ("calendar", key))
            assert listed["amount_maturing"].sum() / scale == pytest.approx(y)
    assert behind.coming(tables, ()).height == rows.height
    assert f"{rows.height} deals" in say.coming(tables)


def test_managers_stand_beside_what_their_mix_lets_expect(tables, mart):
    found = tables.kept()
    assert set(found["manager"]) == set(MANAGERS.values())
    matured = mart.page("matured").with_columns(kept=pl.col("retained") * 2 >= pl.col("amount"))
    usual = matured.group_by("kind", "line").agg(pl.col("kept").mean())
    mine = matured.filter(pl.col("manager_id") == "M1").join(usual, on=["kind", "line"])
    assert found.filter(manager="Li")["expected"].item() == pytest.approx(mine["kept_right"].mean())
    dots, _ = draw.kept(tables, kind="corporate").data
    small = tables.kept(kind="corporate")["n"] < maturing.SMALL
    assert set(dots.marker.color) == ({theme.FAINT} if small.all() else {theme.FAINT, theme.ACCENT})


def test_money_that_came_back_is_told_and_few_are_faint(tables, mart):
    told = say.returned(tables)
    assert "Came back within 12 months" in told
    assert told.count("is-faint") == 4
    assert told.count("12 of 60") == 8
    assert behind.left(tables, branch="B2").height == mart.page("win_back").filter(branch_id="B2").height > 0


def test_an_empty_selection_says_so(tables):
    assert word("retention.lead_none") in say.finding(tables, **ASKED, **NOBODY)
    assert behind.calls(tables, "called", **ASKED, **NOBODY).height == 0
    assert draw.calendar(tables, **NOBODY).layout.annotations[0].text == word("retention.none_matures")
    assert draw.kept(tables, **NOBODY).layout.annotations[0].text == word("retention.none_matured")
    assert draw.curves(tables, "tier", "nobody").layout.annotations[0].text == word("retention.no_curves")
    assert behind.left(tables, **NOBODY).height == 0


def test_an_empty_branch_and_a_manager_of_nobody_are_sentences(mart, caplog):
    branch = pl.DataFrame({"branch_id": ["B9"], "name": ["Nowhere"]})
    manager = pl.DataFrame({"manager_id": ["M9"], "name": ["Qi"], "branch_id": ["B9"]})
    pages = {"branches": branch, "managers": manager}
    page = retention.page(_with(mart, **{name: pl.concat([mart.page(name), row]) for name, row in pages.items()}))
    for sight in _found(page, "Sight"):
        sight.is_seen = True
    branches, managers = _found(page, "Dropdown")[:2]
    for chosen, value in ((branches, "B9"), (managers, "M9")):
        chosen.value = value
        assert word("retention.lead_none") in " ".join(one.value for one in _found(page, "HTML"))
        assert _button(page, "issue").disabled
    assert caplog.records == []


def test_a_history_too_short_for_any_horizon_is_told_so(tmp_path, caplog):
    page = retention.page(snapshot.open(written(tmp_path / "mart", horizons=())))
    for sight in _found(page, "Sight"):
        sight.is_seen = True
    said = " ".join(one.value for one in _found(page, "HTML"))
    assert WHY in said
    assert word("retention.issue_none") in said
    assert _button(page, "issue").disabled
    assert caplog.records == []


def test_a_page_has_five_controls_in_the_order_who_when_what(mart):
    controls = _found(retention.page(mart), "Dropdown", "SelectionSlider", "IntSlider")
    assert [one.description for one in controls][:5] == [
        "Branch", "Manager", "Customer kind", "Leaves within", "Calls a manager",
    ]  # fmt: skip
    assert controls[3].options == (("3 months", 3), ("6 months", 6))


def test_what_is_below_the_fold_waits_until_it_is_seen(mart, caplog):
    page = retention.page(mart)
    assert len(_found(page, "PlotlyView")) == 1
    for sight in _found(page, "Sight"):
        sight.is_seen = True
    assert len(_found(page, "PlotlyView")) == 9
    assert caplog.records == []


def test_a_download_holds_money_in_units_and_probabilities_in_per_cent(tables):
    rows = behind.calls(tables, "called", **ASKED).head(1)
    head, line = download(rows, "csv", 2)[0].decode("utf-8-sig").splitlines()
    told = next(csv.DictReader([head, line]))
    assert told["AUM"] == f"{rows['aum'][0] / 100:.2f}"
    assert told["Gain"] == f"{rows['amount_gain'][0] / 100:.2f}"
    assert told["Leaves, %"] == f"{rows['probability'][0] * 100:.2f}"


def _fails(*_: object, **__: object) -> None:
    raise OSError("The disk is full")


def _button(page: ipywidgets.Widget, key: str, of: str = "list") -> ipywidgets.Button:
    return next(one for one in _found(page, "Button") if one.description == word(f"{of}.{key}"))


def _with(mart: snapshot.Mart, **pages: pl.DataFrame) -> snapshot.Mart:
    return replace(mart, _pages=mart._pages | pages)


def _found(widget: ipywidgets.Widget, *names: str) -> list[ipywidgets.Widget]:
    own = [widget] if type(widget).__name__ in names else []
    return own + [one for child in getattr(widget, "children", ()) for one in _found(child, *names)]


def test_lists_of_offers_are_not_told_as_call_lists_but_leave_their_control_alone(folder):
    mart = snapshot.open(folder)
    tables = Tables(mart)
    some = behind.calls(tables, "called", **ASKED).head(20).join(
        mart.page("roster").select("customer_no", "branch_id", "manager_id"), on="customer_no"
    )  # fmt: skip
    rows = some.with_columns(expected="amount_gain", product_id=pl.lit("D13"))
    rule = Campaigns(500_000, 30, 90, 30, 3000, 0, 1000)
    made = ledger.issue(folder, rows, name="Plans", on=AS_OF, rule=rule)
    assert word("retention.fate_none") in fate.table(tables, 1)
    assert (fate.last(tables, 1), fate.people(tables, 1).height) == ("", 0)
    called = behind.calls(tables, "called", **(ASKED | {"n_lists": 1}))["customer_no"]
    assert not set(called) & set(made.filter("is_control")["customer_no"])
