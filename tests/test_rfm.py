"""RFM on frames that can be checked in the head, on both engines, and on every cell of the map."""

from collections import Counter
from datetime import date
from itertools import product

import duckdb
import narwhals.stable.v2 as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm

AS_OF = date(2024, 6, 30)
ROWS = pl.DataFrame(
    [
        (1, date(2024, 6, 30), 500, "payment", "customer"),
        (1, date(2024, 6, 30), -200, "card", "customer"),  # the same day: one active day
        (1, date(2024, 6, 1), 900, "salary", "counterparty"),  # turnover, but not the customer's act
        (2, date(2024, 6, 10), 70, "own_transfer", "customer"),  # neither
        (2, date(2024, 5, 1), -70, "payment", "mandate"),  # a standing order keeps nobody alive
        (3, date(2023, 1, 31), 10, "payment", "customer"),  # before the window
        (4, date(2024, 7, 1), 10, "payment", "customer"),  # after as_of: unknown
        (5, date(2024, 6, 20), 80, "payment", "customer"),
        (5, date(2024, 6, 21), -80, "reversal", "bank"),
    ],
    schema=["customer_id", "booked_on", "amount", "kind", "initiated_by"],
    orient="row",
)


def test_summary_worked_by_hand():
    found = crm.rfm.summary(ROWS, AS_OF, 365).sort("customer_id")
    assert found.columns == ["customer_id", "recency_days", "frequency", "monetary"]
    assert found.rows() == [(1, 0, 1, 1600), (2, None, 0, 70), (3, 516, 0, 0), (5, 10, 1, 80)]


def test_the_window_counts_its_first_day_and_not_the_day_before():
    found = [
        crm.rfm.summary(ROWS, date(2024, 1, 30), days).select("frequency", "monetary").row(0) for days in (365, 364)
    ]
    assert found == [(1, 10), (0, 0)]


def test_without_kind_every_row_is_the_customers_own_act():
    found = crm.rfm.summary(ROWS.select("customer_id", "booked_on", "amount"), AS_OF, 365).sort("customer_id")
    assert found["frequency"].to_list() == [2, 2, 0, 2]


def test_times_of_day_do_not_matter():
    times = ROWS.with_columns(pl.col("booked_on").cast(pl.Datetime) + pl.duration(hours=pl.int_range(pl.len())))
    expected = crm.rfm.summary(ROWS, AS_OF, 365).sort("customer_id").rows()
    assert crm.rfm.summary(times, AS_OF, 365).sort("customer_id").rows() == expected


DAYS = st.dates(date(2023, 1, 1), date(2024, 12, 31))
KIND = st.sampled_from(["payment", "salary", "own_transfer", "reversal", "interest"])
BY = st.sampled_from(["customer", "bank"])
DRAWN = st.lists(st.tuples(st.integers(1, 5), DAYS, st.integers(-(10**9), 10**9), KIND, BY), min_size=1, max_size=40)


def frame(rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ROWS.schema, orient="row")


@settings(deadline=None)
@given(DRAWN, DAYS, st.integers(1, 400))
def test_engines_give_equal_summaries(rows, as_of, days):
    rows = frame(rows)
    one = crm.rfm.summary(rows.lazy(), as_of, days).collect().sort("customer_id")
    other = crm.rfm.summary(duckdb.sql("from rows"), as_of, days)
    other = nw.from_native(other).lazy().collect("polars").to_native().sort("customer_id")
    assert_frame_equal(one, other.with_columns(pl.col("monetary").cast(pl.Int64)))


@settings(deadline=None)
@given(DRAWN, DRAWN, DAYS)
def test_the_wall_later_rows_change_nothing(rows, later, as_of):
    known = frame(rows).filter(pl.col("booked_on") <= as_of)
    if known.is_empty():
        return
    after = frame(later).filter(pl.col("booked_on") > as_of)
    assert_frame_equal(
        crm.rfm.summary(pl.concat([known, after]), as_of, 200),
        crm.rfm.summary(known, as_of, 200),
        check_row_order=False,
    )


def test_the_segment_map_covers_all_125_cells_exactly_once_against_pymc_marketing():
    cells = Counter(cell for segment in crm.policy.load().rfm_segments for cell in segment.cells())
    assert cells == Counter(product(range(1, 6), repeat=3))


def test_every_customer_has_a_segment_and_inactive_ones_are_there():
    summary = pl.DataFrame(
        {
            "customer_id": range(10),
            "recency_days": [None] * 8 + [1, 2],
            "frequency": [0] * 8 + [5, 6],
            "monetary": [0] * 8 + [7, 8],
        }
    )
    found = crm.rfm.segments(crm.rfm.scores(summary))
    assert found["segment"].to_list() == ["Quiet and rare"] * 8 + ["Champions"] * 2


def test_scores_are_within_kind_and_come_with_their_thresholds():
    summary = pl.DataFrame(
        {
            "customer_id": [1, 2, 3, 4],
            "kind": ["retail", "retail", "corporate", "corporate"],
            "recency_days": [1, 9, 1, 9],
            "frequency": [9, 1, 90, 10],
            "monetary": [900, 100, 90_000, 10_000],
        }
    )
    scores = crm.rfm.scores(summary, n=2)
    assert scores.customers.select("r", "f", "m").rows() == [(2, 2, 2), (1, 1, 1), (2, 2, 2), (1, 1, 1)]
    corporate = scores.thresholds.filter(pl.col("kind") == "corporate", pl.col("measure") == "f")
    assert corporate.select("band", "lower", "upper", "n").rows() == [(1, 10, 10, 1), (2, 90, 90, 1)]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: crm.rfm.summary(ROWS.rename({"booked_on": "booked"}), AS_OF, 30),
            "needs a column booked_on. Did you mean",
        ),
        (lambda: crm.rfm.summary(ROWS, AS_OF, 0), "A window of 0 days holds nothing"),
        (lambda: crm.rfm.summary(ROWS, date(2020, 1, 1), 30), "before the first transaction"),
        (lambda: crm.rfm.scores(ROWS.head(0).rename({"amount": "monetary"})), "needs a column recency_days"),
        (lambda: crm.rfm.scores(crm.rfm.summary(ROWS, AS_OF, 365), n=1), "1 bands tell nobody apart"),
        (lambda: crm.rfm.scores(crm.rfm.summary(ROWS, AS_OF, 365).head(0)), "There is no customer to score"),
        (
            lambda: crm.rfm.segments(crm.rfm.scores(crm.rfm.summary(ROWS, AS_OF, 365), n=3)),
            "have 3 bands, the segment map",
        ),
        (lambda: crm.rfm.summary(ROWS.with_columns(amount=pl.lit(6 * 10**18)), AS_OF, 365), "too much for 64 bits"),
        (lambda: crm.rfm.summary(ROWS.to_pandas(), AS_OF, 365), "Hand a pandas frame over as"),
    ],
)
def test_bad_input_is_a_sentence(call, says):
    with pytest.raises(crm.InputError, match=says):
        call()
