"""The page `managers` without a browser: what it lists, draws and says, and what its controls do."""

from datetime import date

import ipywidgets
import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.measures.managers.bridging import BARS
from crmlab.policy import load
from crmlab.views.managers import controls, dealing, draw, listed, peers, say
from crmlab.views.managers.tables import Tables
from crmlab.views.pages import managers
from crmlab.views.parts import Reader
from crmlab.views.sight import Sight
from crmlab.views.widgets import download
from crmlab.views.words import WORDS, word
from tests.managers_mart import FEW, LEAVER, POOR, RICH, WHY, written


@pytest.fixture(scope="module")
def mart(tmp_path_factory):
    return snapshot.open(written(tmp_path_factory.mktemp("drawn") / "mart"))


@pytest.fixture(scope="module")
def tables(mart):
    return Tables(mart)


@pytest.fixture(scope="module")
def untold(tmp_path_factory):
    """The tables of a bank of which nothing can be told."""
    return Tables(snapshot.open(written(tmp_path_factory.mktemp("untold") / "mart", is_told=False)))


def test_the_rules_are_the_same_after_they_were_written_down(tables):
    assert tables.cards == load().scorecards
    assert tables.plans == load().pay


def test_the_finding_counts_every_manager_once(tables):
    told = say.finding(tables, "retention")
    assert "Retention, 24 managers: <b>1</b> clearly above" in told
    assert "<b>1</b> clearly below, 21 as expected, 1 of whom" in told
    assert "Above: Manager 0." in told
    assert "Below: Manager 1." in told
    assert "Achievement follows the starting book" in told
    assert "Retention, 12 managers" in say.finding(tables, "retention", "B1")


def test_a_book_that_grew_by_what_was_handed_in_alone_is_no_growth_of_its_manager(tables):
    told = say.bridged(tables, manager=RICH)
    assert "Own: <b>CNY −2.00 m</b>" in told
    assert "Handed over: <b>CNY +50.0 m</b>" in told
    grew_by_hand = tables.page("book_bridges").filter(
        pl.col("level") == "manager", pl.col("manager_id").is_not_null(), pl.col("closing") > pl.col("opening"),
        pl.col("new") + pl.col("net_new_money") - pl.col("lost") <= 0, pl.col("handed_in") > pl.col("handed_out"),
    )  # fmt: skip
    assert RICH in grew_by_hand["manager_id"]
    assert f"{grew_by_hand.height} books grew by nothing but customers handed in" in say.finding(tables, "retention")


def test_of_whom_too_little_is_known_nothing_is_said_but_why(tables):
    told = say.one(tables, "retention", FEW)
    assert "too few to say" in told
    assert "fewer than 20" in told
    assert "rank" not in told
    row = listed.peers(tables, "retention").filter(pl.col("manager_id") == FEW).row(0, named=True)
    assert row["rank_told"] is None
    assert row["lasting_told"] is None


def test_no_rank_stands_without_its_interval_and_the_order_is_that_of_names(tables):
    rows = listed.peers(tables, "retention")
    known = rows.filter(pl.col("rank_told").is_not_null())
    assert known.height == 23
    assert known["rank_told"].str.contains(r"^\d+–\d+$").all()
    assert rows["manager"].is_sorted()
    assert "rank" not in rows.columns


@pytest.mark.parametrize("measure", ["retention", "net_new_money"])
def test_differences_are_those_of_the_table(tables, measure):
    rows = tables.differences(measure).filter(pl.col("manager_id") == RICH).row(0, named=True)
    size = rows["n"] if measure == "retention" else rows["n_customers"] * 100
    assert rows["away"] == pytest.approx((rows["observed"] - rows["expected"]) / size)
    assert rows["limit_upper"] < rows["away"]
    assert rows["lower"] < rows["lasting"] < rows["away"]


def test_peers_have_the_grade_and_the_group_of_the_manager_and_are_named(tables):
    staff = tables.staff()
    own = staff.filter(pl.col("manager_id") == RICH).row(0, named=True)
    found = peers.whom(tables, RICH)
    alike = staff.filter(grade=own["grade"], peer_group="small")["manager_id"].to_list()
    assert len(found.others) >= peers.LEAST
    assert sorted([*found.others, RICH]) == sorted(alike)
    told = peers.said(tables, RICH)
    assert (
        f"compared with {len(found.others)} others, of the grade {own['grade']} in branches of the group small" in told
    )
    assert all(tables.manager(one) in told for one in found.others)
    assert "<b>Clearly above</b>: Retention" in told
    assert peers.said(tables) == ""  # the figure says to choose somebody


def test_where_few_are_alike_the_circle_is_drawn_wider(tables):
    few = Tables(tables.mart)
    grades = pl.when(pl.col("manager_id").is_in([RICH, POOR])).then(pl.lit("senior")).otherwise("grade").alias("grade")
    few.staff = lambda: tables.staff().with_columns(grades)
    found = peers.whom(few, RICH)
    assert len(found.others) == 11
    assert found.alike == "branches of the group small, of any grade"


def test_a_manager_stands_among_peers_in_every_measure_with_an_interval(tables):
    figure = peers.figure(tables, RICH)
    others, own = figure.data
    assert len(own.x) == 2
    assert set(others.customdata) == set(peers.whom(tables, RICH).others) - {FEW}
    reach = max(abs(x) + max(own.error_x.array[i], own.error_x.arrayminus[i]) for i, x in enumerate(own.x))
    assert reach <= 1 + 1e-9
    assert max(map(abs, others.x)) <= 1
    rows = peers.by_measure(tables, RICH)
    assert rows["measure"].to_list() == tables.measures()
    assert rows["ratio_told"].is_null().to_list() == [False, True]  # of a net amount a ratio says nothing
    few = peers.figure(tables, FEW)
    assert all("too few to say: 4 customers can be compared" in note.text for note in few.layout.annotations)


def test_who_stands_out_is_named_and_every_dot_says_what_was_done_and_expected(tables):
    figure = draw.funnel(tables, "retention", manager=FEW)
    assert {note.text for note in figure.layout.annotations} == {
        "Manager 0",
        "Manager 1",
        "Manager 5",
        "<b>Manager 2</b>",
    }
    texts = [text for trace in figure.data if trace.hovertext for text in trace.hovertext]
    assert len(texts) == 24
    assert all("where such a book does 95.0 %" in text for text in texts)
    row = tables.differences("retention").filter(manager_id=RICH).row(0, named=True)
    assert f"{row['observed'] / row['n'] * 100:.1f} % of cases" in row["text"]
    assert f"{row['observed'] / row['expected']:.2f} times as much" in row["text"]


def test_beside_a_bridge_stand_the_branches_and_then_the_managers_of_one(tables):
    bank, branch = draw.apart(tables), draw.apart(tables, manager=RICH)
    assert sorted(bank.data[-1].customdata) == ["B1", "B2"]
    assert set(branch.data[-1].customdata) == {None, *(f"M{i:03}" for i in range(0, 24, 2))}
    assert sum(bank.data[-1].x) == pytest.approx(sum(sum(draw.apart(tables, one).data[-1].x) for one in ("B1", "B2")))
    handed = next(trace for trace in branch.data if trace.name == "Handed over")
    assert handed.x[list(handed.customdata).index(RICH)] == 50_000_000
    chosen = controls.chosen(tables)
    controls.show_apart(chosen, "B2")
    controls.show_apart(chosen, POOR)
    assert [one.value for one in chosen.values()] == ["B2", POOR, "retention"]


def test_a_long_name_is_cut_beside_a_row_and_no_name_is_markup(tables):
    named = Tables(tables.mart)
    named.managers = tables.managers | {RICH: "Manager <i>of</i> " + "many words " * 6}
    shown = draw.apart(named, manager=RICH).layout.yaxis.ticktext
    assert "<b>Manager &lt;i&gt;of&lt;/i&gt; many wo…</b>" in shown


def test_who_has_left_is_marked_and_who_left_long_ago_comes_last(tables):
    offered = [label for label, _ in controls.chosen(tables)["manager"].options]
    assert "Manager 3 (left 2025-11)" in offered[:-1]
    gone = Tables(tables.mart)
    gone.left = {LEAVER: date(2024, 5, 2)}
    assert [label for label, _ in controls.chosen(gone)["manager"].options][-1] == "Manager 3 (left 2024-05)"
    assert "<b>23</b> managers, 1 more have left" in say.count(tables)
    assert LEAVER not in set(gone.staff()["manager_id"])


def test_a_manager_is_drawn_among_their_peers_and_many_by_their_two_ends(tables):
    rows = tables.differences("retention")
    assert set(draw.peers_of(tables, rows, RICH)["manager_id"]) == {RICH, *peers.whom(tables, RICH).others}
    assert draw.peers_of(tables, rows, "").height == 24
    many = pl.DataFrame({"lasting": range(100)})
    assert draw.ends(many)["lasting"].to_list() == [*range(99, 79, -1), *range(19, -1, -1)]


def test_every_book_adds_up_and_managers_add_to_branches_and_the_bank(tables):
    signs = [sign * pl.col(name) for name, sign in BARS.items()]
    rows = tables.page("book_bridges")
    assert rows.select((pl.sum_horizontal(signs) == pl.col("closing")).all()).item()
    listing = listed.books(tables)
    parts = [name for name in listing.columns if name.startswith("amount_") and name != "amount_closing"]
    assert listing.select((pl.sum_horizontal(parts) == pl.col("amount_closing")).all()).item()
    assert listing["amount_closing"].sum() == draw.bars(tables, "bank")["closing"]
    assert draw.bars(tables, "branch", "", RICH)["branch_id"] == "B1"


def test_the_trace_adds_to_the_total_and_every_point_is_explained(tables):
    rows = draw.trace(tables, RICH)
    total = tables.page("totals").filter(pl.col("manager_id") == RICH).sort("period")["points"][-1] / 1000
    assert rows["points"].sum() == pytest.approx(total)
    told = say.traced(tables, RICH)
    assert all(sentence.split("→")[0].split("<")[0][:20] in told for sentence in rows["sentence"])
    assert f"<b>{total:.1f} points</b>" in say.scorecard(tables, RICH)


def test_a_click_on_a_rule_shows_its_numbers(tables):
    row = draw.trace(tables, RICH).filter(pl.col("rule") == "Retention").row(0, named=True)
    told = say.traced(tables, RICH, [row["place"]])
    assert row["sentence"].split("→")[0].strip() in told
    assert f"{row['n_events']} / {row['n']}" in told
    assert "Deposits" not in told


def test_contacts_are_told_beside_what_can_be_made(tables):
    load_ = draw.load(tables)
    over = load_.filter(pl.col("n_over") > 0).height
    told = say.contacts(tables)
    assert f"<b>{load_['n_overdue'].sum()}</b> customers are overdue" in told
    assert f"of 24 managers {over} have more" in told
    assert "Of 1 it is not known" in told
    rows = listed.due(tables)
    assert rows["due_on"].is_sorted()
    assert rows["days_overdue"].drop_nulls().min() > 0
    assert listed.due(tables, manager=RICH)["manager"].unique().to_list() == ["Manager 0"]


def test_a_book_is_dealt_in_a_process_of_its_own_to_others_with_a_reason_each(tables):
    solving = dealing.solver()
    box = dealing.dealing(tables, solving, ipywidgets.Dropdown(options=["", RICH, FEW], value=""))
    picker, deal, stop = box.children[0].children
    assert picker.options[0] == ("Manager 3 (left 2025-11)", LEAVER)
    assert dealing.proposed(tables, solving, 0).is_empty()
    deal.click()
    assert stop.disabled is False
    solving.wait()
    assert solving.step == "done", solving.why
    rows = dealing.proposed(tables, solving, 1)
    mine = tables.mart.page("to_deal").filter(pl.col("manager_id") == LEAVER)
    assert rows.height == mine.height
    assert LEAVER not in rows["to_id"]
    assert rows["why_them"].str.len_chars().min() > 0
    assert not rows["why_them"].str.contains(r"M\d{3}|B\d").any()
    assert "No re-cut costs less than" in dealing.loads(tables, solving, 1)
    content, _ = download(rows, "csv", 2)
    assert content.decode("utf-8-sig").splitlines()[0].endswith("Contacts a year,Why them")


def test_a_book_that_cannot_be_dealt_is_said_to_be_so(tables):
    solving = dealing.solver()
    box = dealing.dealing(tables, solving, ipywidgets.Dropdown(options=["", RICH, FEW], value=""))
    staff = tables.mart.page("receivers").with_columns(n_contacts=pl.lit(0, pl.Int64)).rows(named=True)
    solving.ask({"leaving": LEAVER, "staff": staff}, tables.mart.page("to_deal"), 1, LEAVER)
    solving.wait()
    assert solving.step == "failed"
    assert "It cannot be dealt." in box.children[1].value


def test_what_is_wrong_with_assignments_is_counted_and_listed(tables):
    assert "<b>3</b> × gap (customers: 3)" in say.findings(tables)
    assert listed.findings(tables)["settled_by"].unique().to_list() == ["On these days the customer is the branch's."]
    assert word("managers.no_findings") in say.findings(tables, manager="M009")


def test_where_nothing_can_be_told_it_is_said_why_and_the_page_stands(untold):
    assert WHY in say.finding(untold, None)
    assert WHY in draw.points(untold, RICH).layout.annotations[0].text
    assert say.scorecard(untold, RICH) == say.scorecard(untold) == ""  # what the figure says is not said again
    assert WHY in say.contacts(untold)
    assert word("managers.bridge_none") in say.bridged(untold, manager=RICH)
    assert dealing.leavers(untold) == []
    for name in ("peers", "books", "due", "findings"):
        made, columns = listed.MADE[name]
        rows = made(untold, None) if name == "peers" else made(untold)
        assert rows.is_empty()
        assert {one.name for one in columns} <= set(rows.columns)
    told = managers.page(untold.mart).children
    assert len(told) == 2  # its title, and one sentence instead of seven empty parts
    assert WHY in told[1].value


def test_a_part_that_cannot_be_told_leaves_the_others(tmp_path, caplog):
    folder = written(tmp_path / "mart")
    for name in ("fairness", "totals", "scores", "assessed", "to_deal", "receivers"):
        [path] = folder.glob(f"snapshots/*/pages/{name}.arrow")
        pl.DataFrame().write_ipc(path, compat_level=pl.CompatLevel.oldest())
    see_all(managers.page(snapshot.open(folder)))
    assert caplog.records == []


def test_every_figure_draws_and_each_says_when_it_has_nothing(tables, untold):
    for made in (tables, untold):
        asked = {"branch": "", "manager": RICH}
        figures = [
            draw.funnel(made, "retention", **asked), draw.lasting(made, "net_new_money", **asked),
            draw.bridge(made, **asked), draw.apart(made, **asked), draw.points(made, RICH),
            draw.contacts(made, **asked),
        ]  # fmt: skip
        for figure in figures:
            assert bool(figure.data) == (made is tables)
            assert figure.data or figure.layout.annotations


def test_all_of_the_page_is_made_and_its_controls_follow_each_other(mart):
    page = managers.page(mart, Reader())
    filters = page.children[1]
    assert len([one for one in filters.children if isinstance(one, ipywidgets.Dropdown)]) == 3
    see_all(page)
    branch, manager, _ = filters.children[:3]
    branch.value = "B1"
    assert POOR not in [value for _, value in manager.options]


def test_a_manager_who_is_not_offered_is_not_chosen(tables):
    chosen = controls.chosen(tables)
    chosen["branch"].value = "B1"
    controls.show(chosen, POOR)
    assert chosen["manager"].value == ""
    controls.show(chosen, RICH)
    assert chosen["manager"].value == RICH


def test_every_column_and_measure_has_its_words(tables):
    known = WORDS["en"]
    columns = {one.name for _, columns in listed.MADE.values() for one in columns}
    assert {f"column.{one}" for one in columns} <= set(known)
    assert {f"measure.{rule.measure}" for card in tables.cards for rule in card.rules} <= set(known)


def see_all(page: ipywidgets.Box) -> None:
    """Read down to every part of a page."""
    parts = [part for part in page.children if isinstance(part, ipywidgets.Box) and part.children]
    sights = [part.children[0] for part in parts if isinstance(part.children[0], Sight)]
    assert len(sights) == 7
    for sight in sights:
        sight.is_seen = True
    assert all(len(part.children) > 1 for part in parts)


def test_amounts_that_matured_are_told_as_money(tables):
    manager = tables.before().filter(pl.col("card") == "Managers")["manager_id"][0]
    row = draw.trace(tables, manager).filter(pl.col("measure") == "maturity_retention").row(0, named=True)
    told = say.traced(tables, manager, [row["place"]])
    assert f"{row['n_events'] / 100:,.0f} / {row['n'] / 100:,.0f}" in told
