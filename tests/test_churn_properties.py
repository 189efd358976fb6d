"""Leaving on any bank: by brute force, behind the wall, each month in one state, whatever the order and the numbers."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.measures import history
from tests import brute_churn
from tests.leavers import banks, cut, told


def months(ends: pl.Expr) -> pl.Expr:
    return ends.dt.year().cast(pl.Int32) * 12 + ends.dt.month()


@settings(max_examples=100, deadline=None)
@given(banks())
def test_equals_brute_force(bank):
    found = crm.churn.episodes(*bank)
    names = ("customer_id", "episode", "entry", "duration", "event", "cause", "ends_on", "lost")
    assert told(found, *names) == brute_churn.episodes(*bank)


@settings(max_examples=50, deadline=None)
@given(banks(), st.integers(0, 10))
def test_what_is_said_at_a_month_end_stays_so(bank, n):
    """Episodes known at T, from data cut at T, are those of all data with what came after T − k taken for unknown."""
    ends = bank[0]["month"].unique().sort().to_list()
    then, k = ends[min(n, len(ends) - 1)], bank[2].confirm_months
    found = crm.churn.episodes(*cut(bank, then))
    place = ends.index(then) - k
    if place < 0:
        assert found.is_empty()
        return
    last, whole = ends[place], crm.churn.episodes(*bank)
    late = pl.col("ends_on") > last
    assert whole.filter(pl.col("cause").is_not_null(), late == (pl.col("known_on") <= then)).is_empty()
    expected = whole.filter(pl.col("starts_on") <= last).with_columns(
        duration=pl.when(late).then(pl.col("duration") - months(pl.col("ends_on")) + months(pl.lit(last)))
        .otherwise("duration"),
        event=pl.col("event") & ~late,
        ends_on=pl.min_horizontal("ends_on", pl.lit(last)),
        **{name: pl.when(~late).then(name) for name in ("cause", "known_on", "lost")},
    )  # fmt: skip
    assert_frame_equal(found, expected, check_dtypes=False)
    until = pl.col("month") <= then
    assert_frame_equal(crm.churn.watch(*cut(bank, then)), crm.churn.watch(*bank).filter(until))


@settings(max_examples=50, deadline=None)
@given(banks())
def test_each_month_is_in_one_state_and_who_is_at_risk_has_not_left(bank):
    found, watched = crm.churn.episodes(*bank), crm.churn.watch(*bank)
    assert watched.select("month", "customer_id").rows() == bank[0].select("month", "customer_id").rows()
    assert watched["state"].null_count() == 0
    assert (found["entry"] < found["duration"]).all()
    assert (found["starts_on"] <= found["ends_on"]).all()
    assert found.filter("event")["cause"].null_count() == 0
    again = found.with_columns(before=pl.col("ends_on").shift().over("customer_id"))
    assert (again["starts_on"] > again["before"]).all(ignore_nulls=True)
    assert (again["episode"] == pl.int_range(1, pl.len() + 1).over("customer_id").pipe(again.select).to_series()).all()
    # At risk, or not sure, within an episode only, or after the last month that can be told; before the first not yet.
    both = watched.join(found, on="customer_id", how="left")
    inside = pl.col("month").is_between("starts_on", "ends_on")
    k, ends = bank[2].confirm_months, bank[0]["month"].unique().sort()
    told_until = ends[-1 - k] if len(ends) > k else date(2023, 12, 31)
    within = both.group_by("customer_id", "month", "state").agg(inside.fill_null(False).any().alias("inside"))
    past = within.filter(pl.col("month") <= told_until)
    assert past.filter(pl.col("state") == "at risk", ~pl.col("inside")).is_empty()
    assert past.filter(pl.col("state") == "not yet", "inside").is_empty()
    left = both.filter("event", pl.col("month") == pl.col("ends_on"))
    assert left.filter(pl.col("state") == "at risk").is_empty()


@settings(max_examples=20, deadline=None)
@given(banks(), st.randoms(use_true_random=False), st.integers(1, 30))
def test_no_order_no_number_and_no_size_of_blocks_matters(bank, random, block):
    rows, happened, rule, known = bank
    expected = crm.churn.episodes(*bank)
    mixed = [frame[random.sample(range(len(frame)), len(frame))] for frame in (rows, happened, known)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "BLOCK", block)
        assert_frame_equal(crm.churn.episodes(mixed[0], mixed[1], rule, mixed[2]), expected)
        assert_frame_equal(crm.churn.watch(mixed[0], mixed[1], rule, mixed[2]), crm.churn.watch(*bank))
    other = [frame.with_columns(customer_id=1000 - 7 * pl.col("customer_id")) for frame in (rows, happened, known)]
    found = crm.churn.episodes(other[0], other[1], rule, other[2])
    assert_frame_equal(
        found.sort("customer_id", "episode", descending=[True, False]).drop("customer_id"), expected.drop("customer_id")
    )
