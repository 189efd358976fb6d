"""Concentration against numbers worked by hand, against brute force, and against its own rules."""

from fractions import Fraction
from itertools import accumulate

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures import concentration

VALUES = st.lists(st.integers(-1000, 1000), min_size=1, max_size=40)
BALANCES = st.lists(st.integers(0, 10**12), min_size=1, max_size=40)
SOME = settings(deadline=None, max_examples=80)


def of(values: list, kind: str = "retail") -> pl.DataFrame:
    return pl.DataFrame({"kind": kind, "value": values}, schema={"kind": pl.String, "value": pl.Int64})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 5, 5, 5], 0.0),
        ([0, 0, 0, 8], 0.75),  # one holds everything: 1 − 1/n
        ([1, 2, 3, 4], 0.25),
        ([20, 20, 20, 20, 20], 0.0),
        ([1, 1, 2, 6, 10], 0.46),  # Σ (2i − 6) x = −4 − 2 + 0 + 12 + 40 = 46, over 5 · 20
        ([-30, 0, 0, 8], 0.75),  # who is overdrawn owns nothing
        ([0, 0], None),
        ([-1], None),
        ([7], 0.0),
    ],
)
def test_gini_of_known_vectors(values, expected):
    assert concentration.gini(of(values))["gini"].item() == pytest.approx(expected)


def test_gini_of_one_to_n_is_a_third_of_one_less_a_nth():
    assert concentration.gini(of(list(range(1, 1001))))["gini"].item() == pytest.approx((1000 - 1) / (3 * 1000))


# 20 customers: four earn 137 of 100, twelve nothing much, four give back 37.
WHALE = [80, 30, 17, 10] + [0] * 12 + [-2, -5, -10, -20]


def test_the_whale_curve_worked_by_hand():
    assert concentration.peak(of(WHALE)).rows() == [("retail", 20, 0.2, 1.37, 0.2, 0.37)]
    curve = concentration.curve(of(WHALE))
    assert curve.filter("is_peak").drop("is_peak").rows() == [("retail", 20, 0.2, 1.37)]
    assert curve["value_share"].to_list()[:5] == pytest.approx([0, 0.8, 1.1, 1.27, 1.37])
    assert curve["value_share"].to_list()[-5:] == pytest.approx([1.37, 1.35, 1.3, 1.2, 1])
    # 1 % of 20 customers is a fifth of the best one
    assert concentration.shares(of(WHALE)).rows() == [("retail", 20, pytest.approx(0.16), pytest.approx(0.64), 1.37)]


@pytest.mark.parametrize("values", [[-5, 3], [0, 0], [5, -5]])
def test_of_nothing_no_share_can_be_told(values):
    n = len(values)
    assert concentration.shares(of(values)).rows() == [("retail", n, None, None, None)]
    assert concentration.peak(of(values)).select("n", "earned_share", "given_back_share").row(0) == (n, None, None)
    curve = concentration.curve(of(values))
    assert curve["value_share"].null_count() == curve.height
    assert curve["n"].unique().item() == n


def test_within_kind_and_month_and_of_all():
    frame = pl.concat([of([1, 3]), of([None, 100, 0, 0], "corporate")]).with_columns(month=pl.lit("2024-01"))
    found = concentration.shares(frame, tops=(0.5,), by=["month", "kind"])
    assert found.rows() == [("2024-01", "corporate", 3, 1.0), ("2024-01", "retail", 2, 0.75)]
    assert concentration.shares(frame, tops=(0.2,), by=None).rows() == [(5, 100 / 104)]
    assert concentration.curve(frame, by=None).filter("is_peak")["customers_share"].item() == pytest.approx(0.6)


@SOME
@given(BALANCES)
def test_gini_is_half_the_mean_difference_over_the_mean(values):
    n, whole = len(values), sum(values)
    differences = sum(abs(a - b) for a in values for b in values)
    expected = float(Fraction(differences, 2 * n * whole)) if whole else None
    assert concentration.gini(of(values))["gini"].item() == pytest.approx(expected, abs=1e-12)


@SOME
@given(VALUES, st.sampled_from([0.01, 0.04, 0.2, 0.5, 1.0]), st.randoms())
def test_shares_by_brute_force_whatever_the_order(values, top, random):
    n, whole = len(values), sum(values)
    cumulated = [0, *accumulate(sorted(values, reverse=True))]
    place = Fraction(str(top)) * n
    k = int(place)
    at = cumulated[k] + (place - k) * (cumulated[k + 1] - cumulated[k] if k < n else 0)
    shuffled = random.sample(values, n)
    found = concentration.shares(of(shuffled), tops=(top,)).to_series(2).item()
    assert found == pytest.approx(float(at / whole) if whole > 0 else None, abs=1e-9)


@SOME
@given(VALUES, st.integers(1, 30))
def test_the_curve_lies_on_the_brute_force_one_and_keeps_its_ends_and_peak(values, points):
    n, whole = len(values), sum(values)
    cumulated = [0, *accumulate(sorted(values, reverse=True))]
    curve = concentration.curve(of(values), points=points)
    assert curve.height <= points + 2
    if whole <= 0:
        assert curve["value_share"].null_count() == curve.height
        return
    places = [round(share * n) for share in curve["customers_share"]]
    assert places == sorted(set(places))
    assert (places[0], places[-1]) == (0, n)
    assert curve["value_share"].to_list() == pytest.approx([cumulated[place] / whole for place in places], abs=1e-12)
    assert curve.filter("is_peak")["value_share"].item() == pytest.approx(max(cumulated) / whole)
    gained = concentration.peak(of(values)).row(0, named=True)
    assert gained["earned_share"] - gained["given_back_share"] == pytest.approx(1)


def test_what_concentration_refuses():
    with pytest.raises(InputError, match=r"concentration.gini needs a column kind\."):
        concentration.gini(of([1]).drop("kind"))
    with pytest.raises(InputError, match="no customer with a known value"):
        concentration.curve(of([None]))
    with pytest.raises(InputError, match="The best 20 of the customers is no share"):
        concentration.shares(of([1]), tops=(20,))
