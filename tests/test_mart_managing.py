"""The page tables of managers, as a build makes them of the sample bank."""

from datetime import date

import polars as pl
import pytest

import crmlab as crm
from crmlab.mart.managing import audited
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


def test_the_rows_behind_points_add_up_to_every_rule_of_the_year(mart):
    periods, measures = (mart.page("scores")[name].unique().implode() for name in ("period", "measure"))
    asked = pl.col("period").is_in(periods) & pl.col("measure").is_in(measures)
    told = mart.page("assessed").filter(asked).drop_nulls("value")
    keys = [*KEY, "every", "measure"]
    sums = mart.behind.group_by(keys).agg(pl.col("value", "n", "n_events", "base").sum()).collect()
    assert sums.join(told, on=keys, how="anti").is_empty()
    both = told.join(sums, on=keys, how="left", suffix="_rows")
    both = both.with_columns(pl.col("value_rows", "n_rows", "n_events_rows").fill_null(0))
    of_rates = both.drop_nulls("n")
    assert of_rates.height > 0
    assert of_rates.select("n", "n_events").equals(of_rates.select(n="n_rows", n_events="n_events_rows"))
    others = both.filter(pl.col("n").is_null())
    assert others.height > 0
    assert others["value"].equals(others["value_rows"])
    money = others.drop_nulls("base").filter(pl.col("measure").is_in(["deposits_average", "contribution"]))
    assert (money["base"] == money["base_rows"].fill_null(0)).all()


def test_a_file_of_rows_is_in_the_order_of_managers(mart):
    files = sorted((mart.folder / "behind").glob("quarter-*.parquet"))
    assert len(files) == mart.page("scores")["period"].n_unique() > 0
    assert all(pl.read_parquet(file)["manager_id"].is_sorted() for file in files)


def quarters(manager: int, start: int | None, achieved: float, ends: list[date], every: str = "quarter") -> list[dict]:
    """A manager's rows of some periods: the book's base, and what was achieved of a target of 100."""
    of = {"manager_id": f"M{manager:02}", "every": every}
    return [
        of | {"period": end, "measure": measure, "value": value, "base": base, "target": target}
        for end in ends
        for measure, value, base, target in (
            ("deposits_average", start, start, None), ("net_new_money", round(100 * achieved), None, 100)
        )
    ]  # fmt: skip


ENDS = [date(2025, month, day) for month, day in ((3, 31), (6, 30), (9, 30), (12, 31))]


def test_who_came_within_the_year_is_counted_as_left_out_of_the_audit():
    rows = [row for n in range(12) for row in quarters(n, 1000 * 2**n, 0.8 + n / 20, ENDS)]
    rows += [row for n in (12, 13) for row in quarters(n, 500, 1.0, ENDS[2:])]
    told, why = audited(pl.DataFrame(rows, infer_schema_length=None))
    assert (why, told.select("measure", "n_managers", "n_without", "finding").rows()) == (
        None, [("net_new_money", 12, 2, "follows the book")]
    )  # fmt: skip


def test_who_is_scored_by_the_quarter_and_by_the_year_counts_once():
    rows = [row for n in range(12) for row in quarters(n, 1000 * 2**n, 0.8 + n / 20, ENDS)]
    once, _ = audited(pl.DataFrame(rows, infer_schema_length=None))
    rows += [row for n in range(6) for row in quarters(n, 1000 * 2**n, 5.0, ENDS[3:], every="year")]
    rows += [row for n in (12, 13) for row in quarters(n, 1000 * 2**n, 0.8 + n / 20, ENDS[3:], every="year")]
    told, _ = audited(pl.DataFrame(rows, infer_schema_length=None))
    assert told["n_managers"].item() == 14
    assert (told["slope"] - once["slope"]).abs().item() < 0.001
