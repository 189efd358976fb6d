"""The page tables of managers, as a build makes them of the sample bank."""

import polars as pl
import pytest

import crmlab as crm
from crmlab.measures.managers.bridging import BARS
from crmlab.policy import MEASURES, load

KEY = ["manager_id", "period"]


@pytest.fixture(scope="module")
def mart(sample_mart):
    return crm.mart.open(sample_mart)


def test_the_trace_of_everybody_adds_to_their_total(mart):
    sums = mart.page("scores").group_by(KEY).agg(pl.col("points").sum())
    both = sums.join(mart.page("totals"), on=KEY, suffix="_total")
    assert both.height == sums.height > 0
    assert (both["points"] == both["points_total"]).all()
    assert mart.page("scores")["sentence"].null_count() == 0
    assert mart.page("totals")["pay"].min() >= 0


def test_everybody_scored_has_every_measure_once(mart):
    rows = mart.page("assessed")
    assert rows.group_by(*KEY, "every").len()["len"].unique().to_list() == [len(MEASURES)]
    assert rows.select(*KEY, "measure").is_unique().all()
    assert rows.select(KEY).unique().height == mart.page("totals").height
    assert set(mart.page("totals")["card"]) <= {card.name for card in load().scorecards}


def test_every_book_adds_up_and_managers_add_to_branches_and_the_bank(mart):
    rows = mart.page("book_bridges")
    assert (rows.select(pl.sum_horizontal(sign * pl.col(name) for name, sign in BARS.items())).to_series()
            == rows["closing"]).all()  # fmt: skip
    sums = rows.group_by("level").agg(pl.col("opening", "closing", "interest", "lost").sum())
    assert sums.drop("level").unique().height == 1
    bank = rows.filter(pl.col("level") == "bank").row(0, named=True)
    assert bank["handed_in"] == bank["handed_out"]


def test_the_closing_of_the_bank_is_that_of_its_books(mart):
    lines = load().lines_of("deposits", "investments")
    last = mart.books.filter(pl.col("month") == pl.col("month").max(), pl.col("line").is_in(lines)).collect()
    assert mart.page("book_bridges").filter(pl.col("level") == "bank")["closing"][0] == last["closing"].sum()


def test_whoever_is_judged_has_limits_and_whoever_is_not_has_a_reason(mart):
    rows = mart.page("fairness")
    if rows.is_empty():  # a bank so small that nobody can be compared says why
        assert mart.manifest["managers"]["without"]["fairness"]
        return
    assert rows.select("manager_id", "measure").is_unique().all()
    few = rows.filter(pl.col("verdict") == "too few to say")
    assert (few["why"] != "").all()
    sure = rows.filter(pl.col("verdict") != "too few to say")
    known = sure.select("limit_lower", "limit_upper", "lower", "upper", "rank_lower")
    assert known.null_count().row(0) == (0,) * 5


def test_whom_to_contact_is_looked_after_and_comes_within_the_month(mart):
    rows = mart.page("due")
    ours = mart.page("roster").select("customer_id", "manager_id")
    assert rows.height > 0
    assert rows.join(ours, on=["customer_id", "manager_id"], how="anti").is_empty()
    assert (rows["overdue_days"] == (mart.as_of - rows["due_on"]).dt.total_days().clip(lower_bound=0)).all()
    assert (rows["due_on"] - mart.as_of).dt.total_days().max() <= 30


def test_every_book_can_be_dealt_to_managers_who_are_here(mart):
    rows, here = mart.page("to_deal"), mart.page("receivers")
    assert rows["customer_id"].is_unique().all()
    assert rows.select("branch_id", "kind", "contribution", "contacts", "manager_id").null_count().row(0) == (0,) * 5
    found = crm.managers.proposal(rows, here, here["manager_id"][0])
    assert set(found.lines["to_id"]) <= set(here["manager_id"])


def test_the_manifest_says_the_rules_and_why_anything_is_missing(mart):
    told = mart.manifest["managers"]
    assert [card["name"] for card in told["scorecards"]] == [card.name for card in load().scorecards]
    assert told["from_on"] < told["to_on"] <= str(mart.as_of)
    assert all(isinstance(why, str) and why for why in told["without"].values())
