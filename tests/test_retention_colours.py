"""The curves of retention are told apart by their colours."""

from itertools import combinations

import pytest

from crmlab.mart import snapshot
from crmlab.views.retention import draw
from crmlab.views.retention.tables import BYS, Tables
from tests.retention_mart import written

APART = 40  # of red, green and blue together: a blue beside the next lighter one is not


@pytest.mark.parametrize("by", [by for by in BYS if by])
def test_no_two_curves_look_alike(by, tmp_path):
    lines = [one for one in draw.curves(Tables(snapshot.open(written(tmp_path))), by).data if one.showlegend]
    shades = [bytes.fromhex(line.line.color[1:]) for line in lines]
    assert len(shades) > 1
    for one, other in combinations(shades, 2):
        assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) > APART
