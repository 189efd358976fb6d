"""Published figures: Hanley and McNeil's CT ratings of 109 patients, with DeLong's standard error."""

import numpy as np
import pytest

from crmlab.measures.churn import ranking

# Hanley, McNeil (1982): The meaning and use of the area under a receiver operating characteristic (ROC) curve.
# Radiology 143: 29-36, table I. How often a rating of 1 (definitely normal) to 5 (definitely abnormal) was given.
NORMAL = [33, 6, 6, 11, 2]
ABNORMAL = [3, 2, 2, 11, 33]


@pytest.fixture
def ratings() -> tuple[np.ndarray, np.ndarray]:
    rating = np.concatenate([np.repeat(np.arange(5), NORMAL), np.repeat(np.arange(5), ABNORMAL)])
    return rating, np.arange(len(rating)) >= sum(NORMAL)


def test_the_area_against_hanley_and_mcneil(ratings):
    assert ranking.auc(*ratings).auc == pytest.approx(0.893, abs=5e-4)


def test_the_standard_error_against_stata_roctab(ratings):
    """Stata Base Reference Manual, roctab, example 1: area 0.8932, standard error 0.0307 (DeLong 1988)."""
    found = ranking.auc(*ratings)
    assert found.auc == pytest.approx(0.8932, abs=5e-5)
    assert found.error == pytest.approx(0.0307, abs=5e-5)


def test_concordance_of_one_time_is_the_area(ratings):
    rating, is_abnormal = ratings
    assert ranking.concordance(np.ones(len(rating), int), is_abnormal, rating) == pytest.approx(0.8932, abs=5e-5)
