"""Empirical Bayes against the batting averages of Efron and Morris.

Efron B, Morris C (1975), Data analysis using Stein's estimator and its generalizations, JASA 70, 311-319: 18 players of
1970 by their first 45 times at bat, and how they did in the remainder of the season; on the scale √45 asin(2p − 1) they
are drawn by 0.791 to their mean, and miss by 5.01 in squares where the averages themselves miss by 17.56. The
estimates without that scale are those of their article in Scientific American 236 (1977), 119-127: drawn by 1 − 0.212
to 0.265.
"""

import numpy as np
import pytest

from crmlab.measures.managers.shrinkage import shrunk

HITS = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7])  # Clemente to Alvis
REMAINDER = np.array([
    0.346, 0.298, 0.276, 0.222, 0.273, 0.270, 0.263, 0.210, 0.269, 0.230, 0.264, 0.256, 0.303, 0.264, 0.226, 0.286,
    0.316, 0.200,
])  # fmt: skip
ESTIMATES_1977 = [
    0.294, 0.289, 0.285, 0.280, 0.275, 0.275, 0.270, 0.266, 0.261, 0.261, 0.256, 0.256, 0.256, 0.256, 0.256, 0.252,
    0.247, 0.242,
]  # fmt: skip


def stabilised(rate: np.ndarray) -> np.ndarray:
    return np.sqrt(45) * np.arcsin(2 * rate - 1)


def test_batting_averages_against_efron_and_morris_1975():
    x, theta = stabilised(HITS / 45), stabilised(REMAINDER)
    found = shrunk(x, np.ones(18))
    assert found.weight == pytest.approx(np.full(18, 0.791), abs=0.0005)
    assert ((x - theta) ** 2).sum() == pytest.approx(17.56, abs=0.1)
    assert ((found.value - theta) ** 2).sum() == pytest.approx(5.01, abs=0.01)
    # The intervals hold every average to come, in three quarters of the width.
    assert ((found.lower <= theta) & (theta <= found.upper)).all()
    assert (found.error < 0.75).all()


def test_batting_averages_against_efron_and_morris_1977():
    rate = HITS / 45
    found = shrunk(rate, np.full(18, np.sqrt(rate.mean() * (1 - rate.mean()) / 45)))
    assert found.weight == pytest.approx(np.full(18, 1 - 0.212), abs=0.01)
    assert found.value == pytest.approx(ESTIMATES_1977, abs=0.001)
