"""Intervals and effects against the tables of those who published them.

Newcombe RG (1998), Two-sided confidence intervals for the single proportion: comparison of seven methods, and Interval
estimation for the difference between independent proportions: comparison of eleven methods, Statistics in Medicine 17,
857-872 and 873-890: table I, methods 3 and 4 (Wilson's score, without and with correction for continuity) there, table
II, method 10 (hybrid score) here. Cohen J (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed.,
table 6.2.2 (φ = 2 arcsin √P).
"""

import polars as pl
import pytest

from crmlab.measures.uncertainty import _corrected, cliff_delta, cohen_h, difference, wilson


@pytest.mark.parametrize(
    ("k", "n", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_against_newcombe_1998(k, n, lower, upper):
    ends = pl.DataFrame({"k": [k], "n": [n]}).select(wilson(pl.col("k"), pl.col("n")))
    assert ends.row(0) == pytest.approx((lower, upper), abs=5e-5)


@pytest.mark.parametrize(
    ("k", "n", "lower", "upper"),
    [(81, 263, 0.2535, 0.3682), (15, 148, 0.0598, 0.1644), (0, 20, 0.0000, 0.2005), (1, 29, 0.0018, 0.1963)],
)
def test_wilson_with_a_correction_against_newcombe_1998(k, n, lower, upper):
    of, all_ = pl.col("k"), pl.col("n")
    told = _corrected(of, all_).alias("lower"), 1 - _corrected(all_ - of, all_)
    ends = pl.DataFrame({"k": [k], "n": [n]}).select(told)
    assert ends.row(0) == pytest.approx((lower, upper), abs=5e-5)


@pytest.mark.parametrize(
    ("k1", "n1", "k2", "n2", "lower", "upper"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0000),
        (10, 10, 0, 10, 0.6075, 1.0000),
    ],
)
def test_difference_against_newcombe_1998(k1, n1, k2, n2, lower, upper):
    counts = pl.DataFrame({"k1": [k1], "n1": [n1], "k2": [k2], "n2": [n2]})
    ends = counts.select(difference(*(pl.col(name) for name in counts.columns)))
    assert ends.row(0) == pytest.approx((lower, upper), abs=5e-5)


@pytest.mark.parametrize(
    ("rate", "phi"), [(0.05, 0.451), (0.10, 0.644), (0.25, 1.047), (0.50, 1.571), (0.90, 2.498), (0.95, 2.691)]
)
def test_h_against_cohen_1988(rate, phi):
    effect = pl.DataFrame({"p": [rate], "none": [0.0]}).select(cohen_h(pl.col("p"), pl.col("none")))
    assert effect.item() == pytest.approx(phi, abs=5e-4)


def test_delta_of_the_tortoises_and_the_hares():
    # T H H H H H T T T T T H from first to last: a tortoise beats 11 times out of 36 (U = 11, the hares' 25).
    order = "THHHHHTTTTTH"
    tortoises, hares = ([-place for place, animal in enumerate(order) if animal == name] for name in "TH")
    assert cliff_delta(pl.Series(tortoises), pl.Series(hares)) == (11 - 25) / 36
