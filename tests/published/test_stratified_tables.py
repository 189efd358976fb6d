"""Groups compared within strata against the tables of those who published them.

Rothman KJ, Greenland S, Lash TL (2008), Modern Epidemiology, 3rd ed., table 15-1: deaths below and above 55 under
tolbutamide and under placebo; 90 % intervals as R's metafor tells them. Agresti A (1990), Categorical Data Analysis,
pages 231-237: rabbits cured by penicillin; and the admissions of Berkeley in 1973, both as the examples of R's
mantelhaen.test tell them.
"""

import numpy as np
import pytest
from scipy import stats

from crmlab.measures.crosssell import stratified


def test_tolbutamide_against_rothman_and_greenland_2008():
    told = stratified.compared(np.array([8, 22]), np.array([106, 98]), np.array([5, 16]), np.array([120, 85]))
    narrower = stats.norm.ppf(0.95) / stats.norm.ppf(0.975)
    half = narrower * (told.upper - told.difference)
    of_log = narrower * np.log(told.ratio_upper / told.ratio)
    ends = [told.difference, told.difference - half, told.difference + half]
    assert ends == pytest.approx([0.0349, -0.0176, 0.0874], abs=1e-4)
    assert np.log(told.ratio) + of_log * np.array([0, -1, 1]) == pytest.approx([0.2818, -0.1442, 0.7078], abs=1e-4)


def test_rabbits_against_agresti_1990():
    """Cured at once or after 1.5 hours at five levels of penicillin: the exact one-sided p."""
    cured, died = np.array([[0, 3, 6, 5, 2], [0, 0, 2, 6, 5]]), np.array([[6, 3, 0, 1, 0], [5, 6, 4, 0, 0]])
    told = stratified.compared(cured[0], (cured + died)[0], cured[1], (cured + died)[1])
    assert told.p == pytest.approx(0.020, abs=5e-4)


def test_admissions_of_berkeley_against_r_mantelhaen(monkeypatch):
    """Women and men in six departments: chi-square 1.4269 on one degree of freedom, p = 0.2323 of either side."""
    monkeypatch.setattr(stratified, "NORMAL", 0)
    women, men = [89, 17, 202, 131, 94, 24], [512, 353, 120, 138, 53, 22]
    n_women, n_men = [108, 25, 593, 375, 393, 341], [825, 560, 325, 417, 191, 373]
    told = stratified.compared(*(np.array(counts) for counts in (women, n_women, men, n_men)))
    assert 2 * told.p == pytest.approx(0.2323, abs=5e-5)
    assert stats.norm.isf(told.p) ** 2 == pytest.approx(1.4269, abs=5e-4)
