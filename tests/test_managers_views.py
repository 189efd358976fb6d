"""The page `managers` without a browser: what it lists, draws, says, and what moves when a rule does."""

import ipywidgets
import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.measures.managers import whatif
from crmlab.measures.managers.bridging import BARS
from crmlab.policy import load
from crmlab.views import theme
from crmlab.views.managers import controls, dealing, draw, listed, rules, say
from crmlab.views.managers.changing import Change, changed, with_change, with_targets
from crmlab.views.managers.tables import Tables
from crmlab.views.pages import managers
from crmlab.views.parts import Reader
from crmlab.views.sight import Sight
from crmlab.views.widgets import download
from crmlab.views.words import WORDS, word
from tests.managers_mart import FEW, LEAVER, POOR, RICH, WHY, written

RULES = [Change("Managers", "Deposits", 150), Change("Managers", "Net new money", asked=80),
         Change("Managers", "Complaints", 200), Change("Associates", "Contacts on schedule", 0)]  # fmt: skip


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


def test_a_manager_is_drawn_among_their_peers_and_many_by_their_two_ends(tables):
    rows = tables.differences("retention")
    assert set(draw.peers_of(tables, rows, RICH)["peer_group"]) == {"small"}
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


def test_rules_that_do_not_change_move_nobody(tables):
    found = tables.if_so(())
    assert found.people.is_empty()
    assert found.pay_before == found.pay_after == tables.before()["pay"].sum()
    assert "Move a control" in rules.told(tables, ())
    for card, rule, *_ in RULES:
        assert with_change((), Change(card, rule)) == ()


def test_points_that_nobody_has_moved_are_those_of_the_mart(tables):
    last = tables.page("totals").filter(pl.col("period") == pl.col("period").max())
    both = last.join(tables.before(), on="manager_id", suffix="_again")
    assert both.height == 24
    assert both.select((pl.col("points") == pl.col("points_again")).all()).item()
    assert both.select((pl.col("pay") == pl.col("pay_again")).all()).item()


@pytest.mark.parametrize("changes", [*([one] for one in RULES), RULES], ids=str)
def test_who_moves_is_scored_by_a_changed_card_and_pay_adds_up(tables, changes):
    changes = tuple(changes)
    found = tables.if_so(changes)
    moved = found.people.filter(pl.col("points_change") != 0)
    of_card = tables.before().filter(pl.col("card").is_in([one.card for one in changes]))["manager_id"]
    assert moved.height > 0
    assert set(moved["manager_id"]) <= set(of_card)
    assert found.pay_after - found.pay_before == found.people["pay_change"].sum()
    told = rules.told(tables, changes)
    assert f"<b>{found.people.height} of 24 managers move</b>" in told
    assert theme.full(found.pay_after / 100) in told
    rows = listed.movers(tables, changes)
    assert rows.height == found.people.height
    assert rows["amount_pay_change"].sum() == found.pay_after - found.pay_before


def test_everybody_stands_on_one_line_before_and_after_and_who_crosses_one_is_named(tables):
    changes = (Change("Managers", "Integrity", 0), Change("Managers", "Contacts on schedule", 200, 60))
    found = tables.if_so(changes)
    rows = rules.lines(tables, found)
    assert rows["n_before"].sum() == rows["n_after"].sum() == 24
    assert rows["line"].to_list() == ["elite", "model", "lifeline", "danger", None]
    after = whatif.outcome(
        *with_targets(tables.scored_by("Managers"), changed(card_of(tables), changes), changes), tables.plans
    )
    others = tables.before().filter(pl.col("card") != "Managers")
    for line, n_after in rows.select("line", "n_after").iter_rows():
        assert n_after == after["line"].eq_missing(line).sum() + others["line"].eq_missing(line).sum()
    crossed = found.people.filter(pl.col("line_before").ne_missing(pl.col("line_after")))
    assert crossed.height == rows["n_rose"].sum() + rows["n_fell"].sum() > 0
    assert f"<b>{rows['n_rose'].sum()}</b> rise: Manager" in rules.told(tables, changes)


def test_weights_add_up_to_a_hundred_whatever_the_controls_say(tables):
    card = card_of(tables)
    for part in (0, 55, 200):
        made = changed(card, [Change("Managers", "Deposits", part), Change("Managers", "Retention", 110)])
        weights = {rule.name: rule.weight for rule in made.rules if rule.weight is not None}
        assert sum(weights.values()) == 100_000
        assert (weights["Deposits"], weights["Retention"]) == (15_000 * part // 100, 11_000)
    assert changed(card, []) == card


def test_weights_that_cannot_be_made_up_for_are_said_and_move_nobody(tables):
    names = [rule.name for rule in card_of(tables).rules if rule.weight is not None]
    changes = tuple(Change("Managers", name, 200) for name in names)
    assert "add up to 200" in rules.told(tables, changes)
    assert listed.movers(tables, changes).is_empty()


@pytest.mark.parametrize(
    "rule", ["Retention", "Net new money", "Quarter-end money", "Overdue loans", "Identified in time"]
)
def test_more_can_be_asked_for_by_every_rule_that_has_something_to_ask_more_of(tables, rule):
    lower, higher = (tables.if_so((Change("Managers", rule, asked=one),)).people for one in (60, 140))
    assert lower.height + higher.height > 0
    sign = -1 if rule in ("Quarter-end money", "Overdue loans") else 1  # what is taken away is counted from later on
    assert all(change * sign >= 0 for change in lower["points_change"])
    assert all(change * sign <= 0 for change in higher["points_change"])


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
    assert "<b>3</b> × gap (3 customers)" in say.findings(tables)
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
    see_all(managers.page(untold.mart))


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


def test_changes_stand_together_until_they_are_undone(tables):
    wanted = rules.Wanted()
    box = rules.controls(tables, wanted)
    (card, rule, part, asked), changes = box.children[0].children, box.children[1]
    assert (card.value, rule.value) == ("Managers", "Deposits")  # most are scored by it
    assert changes.children == ()
    part.value = 150
    rule.value = "Complaints"
    assert (part.value, part.description, asked.disabled) == (100, "Points for each", True)
    part.value = 200
    card.value = "Associates"
    assert (rule.value, part.value) == ("Contribution", 100)
    asked.value = 110
    assert [one.description for one in changes.children[1:]] == [
        "Managers, Deposits: weight 22.5 ×", "Managers, Complaints: points for each 4 ×",
        "Associates, Contribution: what is asked for 110 % of today ×", "Undo all",
    ]  # fmt: skip
    card.value = "Managers"
    assert (rule.value, part.value) == ("Deposits", 150)
    changes.children[1].click()
    assert part.value == 100
    assert [one.rule for one in wanted.value] == ["Complaints", "Contribution"]
    changes.children[-1].click()
    assert wanted.value == changes.children == ()


def card_of(tables: Tables):
    return next(one for one in tables.cards if one.name == "Managers")


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
