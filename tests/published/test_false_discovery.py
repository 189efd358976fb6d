"""False discovery rates against Benjamini Y, Hochberg Y (1995), Controlling the false discovery rate: a practical and
powerful approach to multiple testing, Journal of the Royal Statistical Society B 57, 289-300, section 3.2: fifteen
comparisons of two treatments of heart attacks.
"""

import polars as pl
import pytest

from crmlab.measures.uncertainty import discovery_rates

P = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1]


def rates(p: list) -> list:
    return pl.DataFrame({"p": p}, {"p": pl.Float64}).select(discovery_rates(pl.col("p"))).to_series().to_list()


@pytest.mark.parametrize("order", [P, P[::-1], P[7:] + P[:7]])
def test_of_fifteen_hypotheses_four_are_rejected_as_in_benjamini_and_hochberg_1995(order):
    told = dict(zip(order, rates(order), strict=True))
    assert [p for p in P if told[p] <= 0.05] == [0.0001, 0.0004, 0.0019, 0.0095]
    assert told[0.0095] == pytest.approx(0.0095 * 15 / 4)  # 0.0095 <= 4/15 * 0.05 = 0.013, and 0.0201 > 5/15 * 0.05
    assert sum(p <= 0.05 / 15 for p in P) == 3  # by Bonferroni
