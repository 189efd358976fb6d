"""The curves of retention are told apart by their colours."""

import pytest

from crmlab.mart import snapshot
from crmlab.views.retention import draw
from crmlab.views.retention.tables import BYS, Tables
from tests.retention_mart import written


@pytest.mark.parametrize("by", [by for by in BYS if by])
def test_no_two_curves_look_alike(by, tmp_path):
    lines = [one for one in draw.curves(Tables(snapshot.open(written(tmp_path))), by).data if one.showlegend]
    assert len(lines) > 1
    assert len({line.line.color for line in lines}) == len(lines)
