"""Intervals and effects: their ends worked out otherwise, their edges, and what must hold of them whatever the data."""

from math import pi, sqrt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crmlab.measures import uncertainty

SOME = settings(deadline=None, max_examples=60)
COUNTS = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
NUMBERS = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


def wilson(k, n) -> tuple:
    rows = pl.DataFrame({"k": [k], "n": [n]}, schema={"k": pl.Int64, "n": pl.Int64})
    return rows.select(uncertainty.wilson(pl.col("k"), pl.col("n"))).row(0)


def difference(k1, n1, k2, n2) -> tuple:
    rows = pl.DataFrame({"k1": [k1], "n1": [n1], "k2": [k2], "n2": [n2]})
    return rows.select(uncertainty.difference(*(pl.col(name) for name in rows.columns))).row(0)


def h(p1, p2) -> float | None:
    rows = pl.DataFrame({"p1": [p1], "p2": [p2]}, schema={"p1": pl.Float64, "p2": pl.Float64})
    return rows.select(uncertainty.cohen_h(pl.col("p1"), pl.col("p2"))).item()


@pytest.mark.parametrize(
    ("k", "n", "expected"),
    [
        (0, 0, (None, None)),
        (None, 5, (None, None)),
        (2, None, (None, None)),
        (6, 5, (None, None)),  # no rate
        (-1, 5, (None, None)),
        (0, 1, (0.0, 0.7935)),
        (1, 1, (0.2065, 1.0)),
        (5, 10, (0.2366, 0.7634)),
    ],
)
def test_wilson_at_its_edges(k, n, expected):
    assert wilson(k, n) == pytest.approx(expected, abs=5e-5)


@given(COUNTS)
@SOME
def test_wilson_ends_where_the_rate_lies_z_deviations_off(count):
    k, n = count
    lower, upper = wilson(k, n)
    assert 0 <= lower <= k / n <= upper <= 1
    assert (lower == 0) == (k == 0)
    assert (upper == 1) == (k == n)
    for end in (lower, upper):
        assert abs(k / n - end) == pytest.approx(uncertainty.Z * sqrt(end * (1 - end) / n), rel=1e-6, abs=1e-9)


@given(COUNTS)
@SOME
def test_wilson_of_those_who_did_not_is_the_mirror(count):
    k, n = count
    lower, upper = wilson(k, n)
    assert wilson(n - k, n) == pytest.approx((1 - upper, 1 - lower))


def test_more_customers_make_it_narrower():
    widths = [upper - lower for lower, upper in (wilson(3 * times, 10 * times) for times in (1, 10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


def test_intervals_of_groups_within_one_aggregation():
    rows = pl.DataFrame({"branch": ["A", "A", "B"], "won": [True, False, None]})
    ends = rows.group_by("branch").agg(uncertainty.wilson(pl.col("won").sum(), pl.col("won").count())).sort("branch")
    assert ends.row(0)[1:] == wilson(1, 2)
    assert ends.row(1)[1:] == (None, None)  # nobody of B is known


@given(COUNTS, COUNTS)
@SOME
def test_a_difference_is_within_its_interval_and_mirrored_with_its_sides(one, other):
    lower, upper = difference(*one, *other)
    assert -1 <= lower <= one[0] / one[1] - other[0] / other[1] <= upper <= 1
    assert difference(*other, *one) == pytest.approx((-upper, -lower))


@pytest.mark.parametrize("counts", [(0, 0, 1, 2), (1, 2, 0, 0), (3, 2, 1, 2)])
def test_a_difference_from_nobody_cannot_be_told(counts):
    assert difference(*counts) == (None, None)


@pytest.mark.parametrize(
    ("p1", "p2", "expected"),
    [(1, 0, pi), (0, 1, -pi), (0, 0, 0.0), (1, 1, 0.0), (0.37, 0.37, 0.0), (None, 1, None)],
)
def test_h_of_known_rates(p1, p2, expected):
    assert h(p1, p2) == expected


@given(st.floats(0, 1), st.floats(0, 1))
@SOME
def test_h_is_positive_where_the_first_rate_is_higher(p1, p2):
    assert h(p1, p2) == -h(p2, p1)
    assert h(p1, p2) >= 0 if p1 >= p2 else h(p1, p2) <= 0


@given(NUMBERS, NUMBERS)
@SOME
def test_delta_counts_the_pairs(one, other):
    pairs = [(x > y) - (x < y) for x in one for y in other]
    found = uncertainty.cliff_delta(pl.Series(one), pl.Series(other))
    assert found == sum(pairs) / len(pairs)
    assert found == -uncertainty.cliff_delta(pl.Series(other), pl.Series(one))


@given(NUMBERS, NUMBERS)
@SOME
def test_delta_is_what_mid_ranks_tell(one, other):
    ranks = pl.Series(one + other).rank("average")
    above = ranks.head(len(one)).sum() - len(one) * (len(one) + 1) / 2
    expected = 2 * above / (len(one) * len(other)) - 1
    assert uncertainty.cliff_delta(pl.Series(one), pl.Series(other)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3], [3, 2, 1], 0.0),
        ([0, 0, 0, 0], [0], 0.0),
        ([2**60 + 1], [2**60], 1.0),  # money is compared as whole numbers: as floats these two are one
        ([5, None, None], [4, 4, 4, 4], 1.0),
        ([1.0, float("nan"), None], [2.0, float("-inf")], 0.0),
        ([float("inf"), float("nan")], [float("inf"), 3.0], 0.5),
        ([], [1], None),
        ([None], [1], None),
        ([float("nan")], [1.0], None),
    ],
)
def test_delta_at_its_edges(one, other, expected):
    dtype = pl.Float64 if float in {type(value) for value in one + other} else pl.Int64
    mine, theirs = pl.Series(one, dtype=dtype), pl.Series(other, dtype=dtype)
    assert uncertainty.cliff_delta(mine, theirs) == expected
    assert uncertainty.cliff_delta(mine.sort(), theirs.sort(nulls_last=True)) == expected


@given(st.lists(st.none() | st.floats(0, 1), max_size=12))
@SOME
def test_false_discovery_rates_against_scipy(p):
    """Of the whole, and of families side by side; what was not tested counts for none."""
    rows = pl.DataFrame({"p": p, "of": "a"}, {"p": pl.Float64, "of": pl.String})
    rows = rows.vstack(pl.DataFrame({"p": [0.04, 0.5], "of": "b"}))
    told = rows.with_columns(uncertainty.discovery_rates(pl.col("p")).over("of"))
    known = rows.filter(pl.col("of") == "a", pl.col("p").is_not_null())["p"].to_list()
    expected = iter(stats.false_discovery_control(known)) if known else iter(())
    assert told["p"][:-2].to_list() == [None if one is None else pytest.approx(next(expected)) for one in p]
    assert told["p"][-2:].to_list() == [0.08, 0.5]
