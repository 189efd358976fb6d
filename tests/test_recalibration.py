"""Recalibration: probabilities are brought to what happened, and to nothing that did not."""

import numpy as np
import polars as pl
import pytest

from crmlab.measures import churn
from crmlab.measures.churn.recalibration import Calibration, calibrate, calibrated, concordance

# Said, how many of a thousand left, and what is made of it.
CALIBRATED = [
    ((0.1, 0.3), (100, 300), "slope and level", 1.0),
    ((0.1, 0.3), (146, 214), "slope and level", 0.33),
    ((0.1, 0.1), (200, 200), "level", None),
    ((0.1, 0.3), (214, 146), "level", -0.33),
    ((0.01, 0.02), (4, 5), "nothing", None),
    ((0.1, 0.3), (0, 300), "level", None),
]


@pytest.mark.parametrize(("said", "left", "uses", "slope"), CALIBRATED)
def test_calibration(said, left, uses, slope):
    p = np.repeat(said, 1_000)
    gone = np.concatenate([np.arange(1_000) < n for n in left])
    found = calibrate(p, gone, np.arange(2_000), least=50)
    assert found.uses == uses
    if slope is not None:
        assert found.found == pytest.approx(slope, abs=0.02)
        assert found.lower < found.found < found.upper
    if uses != "nothing" and found.most > 0.2:  # who was told most left least: nobody is told more than they did
        assert calibrated(p, found).mean() == pytest.approx(gone.mean(), rel=0.05)


def test_those_who_left_all_told_more_have_no_slope():
    """Any slope is too flat for them; the sandwich at the last step would be sure of 70."""
    rng = np.random.default_rng(1)
    p, gone = np.concatenate([rng.uniform(0.01, 0.2, 2_000), rng.uniform(0.3, 0.5, 100)]), np.arange(2_100) >= 2_000
    for said in (p, 1 - p):
        found = calibrate(said, gone, np.arange(2_100), least=50)
        assert (found.uses, found.slope) == ("level", 1.0)
        assert np.isnan(found.found)


def test_months_of_one_customer_count_together():
    """Each customer twenty times over says no more than once."""
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.5, 400)
    gone = rng.random(400) < p
    once = calibrate(p, gone, np.arange(400), least=50)
    often = calibrate(np.tile(p, 20), np.tile(gone, 20), np.tile(np.arange(400), 20), least=50)
    assert often.upper - often.lower == pytest.approx(once.upper - once.lower, rel=0.02)


def test_what_is_calibrated_has_the_slope_and_the_level_that_are_checked():
    """Those told most leave less often than any line says; the slope of the back-test is 1 there all the same."""
    rng = np.random.default_rng(7)
    logit = rng.normal(-3, 2, 50_000)
    left = rng.random(len(logit)) < 1 / (1 + np.exp(1 - np.minimum(logit, -2)))
    p = 1 / (1 + np.exp(-logit))
    told = calibrated(p, calibrate(p, left, np.arange(len(p)), least=50)._replace(most=1.0))
    rows = pl.DataFrame({"customer_id": np.arange(len(p)), "probability": told, "event": left, "duration": 3})
    found = churn.calibration(rows, 3)
    assert found.slope == pytest.approx(1, abs=1e-6)
    assert found.intercept == pytest.approx(0, abs=1e-6)


def test_nobody_leaves_more_often_than_always():
    by = Calibration(40.0, 1.0, 1.0, 1.0, 1.0, 40.0, "level")
    assert calibrated(np.array([0.0, 0.5, 1.0]), by).tolist() == pytest.approx([0, 1, 1])
    assert np.isnan(concordance(np.array([0.1]), np.array([True])))


def test_none_is_told_above_what_the_likeliest_did():
    """16 of the 20 likeliest left, so none is likelier than Wilson's upper end; the others are as they were."""
    p = np.append(np.repeat([0.02, 0.1], 1000), np.repeat(0.999999, 20))
    left = np.concatenate([np.arange(1000) < 20, np.arange(1000) < 100, np.arange(20) < 16])
    found = calibrate(p, left, np.arange(len(p)), least=50)
    assert found.most == pytest.approx(0.9193, abs=1e-4)
    assert calibrated(np.array([1.0]), found).item() == found.most
    assert (calibrated(np.array([0.02, 0.1]), found) < 0.3).all()
