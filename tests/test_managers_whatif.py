"""What if the rules were others, on the page `managers`: who moves, over which lines, and what it costs."""

import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.measures.managers import whatif
from crmlab.policy import Scorecard
from crmlab.views import theme
from crmlab.views.managers import listed, rules
from crmlab.views.managers.changing import Change, changed, with_change, with_targets
from crmlab.views.managers.tables import Tables
from tests.managers_mart import written

RULES = [Change("Managers", "Deposits", 150), Change("Managers", "Net new money", asked=80),
         Change("Managers", "Complaints", 200), Change("Associates", "Contacts on schedule", 0)]  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return Tables(snapshot.open(written(tmp_path_factory.mktemp("whatif") / "mart")))


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


def card_of(tables: Tables) -> Scorecard:
    return next(one for one in tables.cards if one.name == "Managers")
