"""The picture of hazards: whatever is told is seen."""

import math

import polars as pl
import pytest

from crmlab.views.figures import hazards


@pytest.mark.parametrize("ratio", [0.01, 0.9, 47.0])
def test_every_dot_is_in_the_picture(ratio):
    frame = pl.DataFrame({
        "covariate": ["away", "size"], "hazard_ratio": [ratio, 1.1], "lower": [ratio / 3, 1.0], "n_events": 80,
        "upper": [ratio * 3, 1.2], "is_shared": False, "is_proportional": True, "advice": "none needed",
    })  # fmt: skip
    figure = hazards.dots(frame)
    low, high = figure.layout.xaxis.range
    assert all(low < math.log10(x) < high for x in figure.data[0].x)
    assert high < 2  # a wide interval does not press the others together
