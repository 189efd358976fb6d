"""Curves and incidences against the tables of those who published them; each test says where its numbers stand."""

import polars as pl
import pytest
from lifelines.datasets import load_multicenter_aids_cohort_study

from crmlab.measures import survival

# Klein JP, Moeschberger ML (2003), Survival Analysis, 2nd ed., section 1.2: weeks of remission of 21 children on 6-MP
# (Freireich and others 1963, Blood 21, 699-716); + was still in remission.
WEEKS_6MP = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
# Its tables 4.1B and 4.2: week, at risk, left, product-limit estimate, its standard error, Nelson-Aalen estimate.
TABLE_6MP = [
    (6, 21, 3, 0.857, 0.0764, 0.1428),
    (7, 17, 1, 0.807, 0.0869, 0.2017),
    (10, 15, 1, 0.753, 0.0963, 0.2683),
    (13, 12, 1, 0.690, 0.1068, 0.3517),
    (16, 11, 1, 0.627, 0.1141, 0.4426),
    (22, 7, 1, 0.538, 0.1282, 0.5854),
    (23, 6, 1, 0.448, 0.1346, 0.7521),
]


@pytest.fixture(scope="module")
def remissions() -> pl.DataFrame:
    weeks = pl.Series("weeks", WEEKS_6MP.split())
    return pl.select(duration=weeks.str.strip_suffix("+").cast(pl.Int64), event=~weeks.str.ends_with("+"))


def at_events(curve: pl.DataFrame) -> pl.DataFrame:
    return curve.filter(pl.col("n_events") > 0).with_columns(se=pl.col("survival") * pl.col("variance").sqrt())


def test_remissions_against_klein_and_moeschberger_tables_4_1_and_4_2(remissions):
    found = at_events(survival.curves(remissions))
    assert found.select("time", "at_risk", "n_events").rows() == [row[:3] for row in TABLE_6MP]
    for name, place, digits in (("survival", 3, 5e-4), ("se", 4, 5.1e-5), ("hazard", 5, 1.1e-4)):
        assert found[name].to_list() == pytest.approx([row[place] for row in TABLE_6MP], abs=digits), name


def test_mean_remission_against_klein_and_moeschberger_section_4_5(remissions):
    """The mean restricted to 35 weeks, and its standard error: 23.29 and 2.83."""
    mean, lower, upper, told = (
        survival.mean_life(survival.curves(remissions), 35)
        .select("mean_months", "lower", "upper", "months_told")
        .row(0)
    )
    assert (mean, told) == (pytest.approx(23.29, abs=5e-3), 35)
    assert (upper - lower) / 2 / 1.96 == pytest.approx(2.83, abs=5e-3)


def test_left_truncation_against_cole_and_hudgens():
    """Cole SR, Hudgens MG (2010), Survival analysis in infectious disease research, AIDS 24, 2423-2431.

    Years from AIDS to death in the Multicenter AIDS Cohort, W from AIDS to entry into the study. The data, and the
    numbers of the paper's table and its median of 3 years, as lifelines keeps them in its own tests.
    """
    cohort = pl.from_pandas(load_multicenter_aids_cohort_study())
    curve = survival.curves(cohort.select(entry="W", duration="T", event="D"))
    found = at_events(curve)
    assert len(found) == 26
    at_risk = dict(found.select(pl.col("time").round(3), "at_risk").iter_rows())
    assert (at_risk[0.269], at_risk[0.791], at_risk[4.688]) == (42, 44, 11)
    assert found["survival"][1] == pytest.approx(41 / 42 * 43 / 44, abs=1e-12)
    assert found.filter(pl.col("survival") <= 0.5)["time"][0] == pytest.approx(3, abs=0.1)
    assert curve["n_left_out"][0] == 0


def test_late_entry_against_the_tests_of_r_survival():
    """Therneau's ten intervals (start, stop] with their estimates worked out by hand, tests/survtest.R."""
    rows = pl.DataFrame({
        "entry": [1, 2, 5, 2, 1, 7, 3, 4, 8, 8],
        "duration": [2, 3, 6, 7, 8, 9, 9, 9, 14, 17],
        "event": [1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    })  # fmt: skip
    curve = survival.curves(rows).slice(1)
    assert curve["time"].to_list() == [2, 3, 6, 7, 8, 9, 14, 17]
    assert curve["at_risk"].to_list() == [2, 3, 5, 4, 4, 5, 2, 1]
    assert curve["n_events"].to_list() == [1, 1, 1, 1, 1, 2, 0, 0]
    estimates = [1 / 2, 1 / 3, 4 / 15, 1 / 5, 3 / 20, 9 / 100]
    assert at_events(curve)["survival"].to_list() == pytest.approx(estimates, abs=1e-12)


def test_late_entry_against_survfit():
    """What R's survfit gives for these, as kept in statsmodels' test_survfunc.py (entry_1)."""
    rows = pl.DataFrame({
        "duration": [1, 3, 3, 5, 5, 7, 7, 8, 8, 9, 10, 10],
        "event": [1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1],
        "entry": [0, 1, 1, 2, 2, 2, 3, 4, 4, 4, 4, 0],
    })  # fmt: skip
    found = at_events(survival.curves(rows))
    assert found["at_risk"].to_list() == [2, 6, 9, 7, 5, 3, 2]
    expected = [0.5000, 0.4167, 0.3241, 0.2778, 0.2222, 0.1481, 0.0741]
    assert found["survival"].to_list() == pytest.approx(expected, abs=1e-4)
    expected = [0.3536, 0.3043, 0.2436, 0.2132, 0.1776, 0.1330, 0.0846]
    assert found["se"].to_list() == pytest.approx(expected, abs=1e-4)


STCOMPET = {  # incidence and standard error at 1, 2, 4, 6, 7
    1: ([0.11111111, 0.17037037, 0.17037037, 0.17037037, 0.17037037], [0.07407407, *[0.08976251] * 4]),
    2: ([0.0, 0.0, 0.20740741, 0.20740741, 0.20740741], [0.0, 0.0, *[0.10610391] * 3]),
    3: ([0.0, 0.0, 0.0, 0.17777778, 0.26666667], [0.0, 0.0, 0.0, 0.11196147, 0.12787781]),
}


@pytest.mark.parametrize("cause", STCOMPET)
def test_incidence_against_stata_stcompet(cause):
    """Three causes with ties; Stata's estimates and standard errors, as kept in statsmodels' test_survfunc.py."""
    causes = [1, 1, 1, 2, 2, 2, 3, 3, 3, *[None] * 9]
    rows = pl.DataFrame({"duration": [1, 1, 2, 4, 4, 4, 6, 6, 7, 8, 9, 9, 9, 1, 2, 2, 4, 4], "cause": causes})
    found = survival.incidence(rows).filter(pl.col("cause") == cause, pl.col("time").is_in([1, 2, 4, 6, 7]))
    expected, errors = STCOMPET[cause]
    assert found["incidence"].to_list() == pytest.approx(expected, abs=5e-9)
    assert found["variance"].sqrt().to_list() == pytest.approx(errors, abs=5e-9)


def test_breast_cancer_incidence_against_satagopan_2004():
    """Satagopan JM and others (2004), British Journal of Cancer 91, 1229-1235, table 2: nine of 305 women, months.

    The paper adds up rounded per cents; what is rounded once is compared: survival, and what each month adds.
    """
    first = {
        7: None,
        10: "cancer",
        14: None,
        16: "cancer",
        18: "other",
        23: "cancer",
        24: None,
        26: "other",
        27: "cancer",
    }
    rows = pl.DataFrame({
        "duration": [*first, 60], "cause": [*first.values(), None], "weight": [*[1] * len(first), 305 - len(first)]
    })  # fmt: skip
    found = survival.incidence(rows).filter(pl.col("cause") == "cancer")
    alive = dict(found.select("time", (pl.col("survival") * 100).round(1)).iter_rows())
    assert {t: alive[t] for t in (10, 16, 18, 23, 26, 27)} == {
        10: 99.7,
        16: 99.3,
        18: 99.0,
        23: 98.7,
        26: 98.3,
        27: 98.0,
    }
    added = found.with_columns(added=(pl.col("incidence").diff() * 100).round(1)).filter(pl.col("n_events") > 0)
    assert added.select("time", "at_risk", "added").rows() == [
        (10, 304, 0.3),
        (16, 302, 0.3),
        (23, 300, 0.3),
        (27, 297, 0.3),
    ]
