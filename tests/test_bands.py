"""Bands: ties, order, scale, size, and the mass at the bottom that other tools score 5."""

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from crmlab.measures.bands import band

VALUES = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=60)
BANDS = st.integers(2, 9)


def bands(values: list, n: int) -> list[int]:
    return pl.DataFrame({"x": values}, schema={"x": pl.Int64}).select(band(pl.col("x"), n)).to_series().to_list()


@given(VALUES, BANDS)
def test_equal_values_share_a_band_and_order_is_kept(values, n):
    pairs = sorted(zip(values, bands(values, n), strict=True))
    assert all(b <= d and (a != c or b == d) for (a, b), (c, d) in pairwise(pairs))
    assert pairs[0][1] == 1
    assert all(1 <= found <= n for _, found in pairs)


@given(VALUES, BANDS, st.integers(1, 10**6))
def test_scaling_changes_nothing(values, n, factor):
    assert bands([value * factor for value in values], n) == bands(values, n)


@given(st.sets(st.integers(), min_size=1, max_size=60).map(list), BANDS)
def test_without_ties_bands_differ_by_at_most_one_customer(values, n):
    values = list(range(len(values)))
    sizes = [bands(values, n).count(b) for b in range(1, n + 1)]
    assert max(sizes) - min(sizes) <= 1


def test_85_percent_inactive_are_band_1_and_not_5():
    assert bands([0] * 85 + list(range(1, 16)), 5)[:85] == [1] * 85


def test_five_customers_of_equal_frequency_share_a_score_against_OpenRetailScience():  # noqa: N802 - the name of the peer
    assert bands([7] * 5, 5) == [1] * 5


def test_amounts_in_millions_are_told_apart_against_R_rfm():  # noqa: N802 - the name of the peer
    assert bands([1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000], 5) == [1, 2, 3, 4, 5]


def test_nulls_rank_below_everything():
    assert bands([None, None, -5, 3], 4) == [1, 1, 3, 4]


def test_within_groups():
    frame = pl.DataFrame({"kind": ["a", "a", "b", "b"], "x": [1, 2, 100, 200]})
    assert frame.select(band(pl.col("x"), 2, "kind")).to_series().to_list() == [1, 2, 1, 2]
