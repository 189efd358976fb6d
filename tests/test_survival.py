"""Curves, incidences and means: six customers in fractions, lifelines on their rows, and what must always hold."""

from datetime import date
from fractions import Fraction
from math import exp, log, sqrt

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter, NelsonAalenFitter
from polars.testing import assert_frame_equal

from crmlab.errors import InputError
from crmlab.measures import survival
from crmlab.measures.uncertainty import Z

SOME = settings(deadline=None, max_examples=25)
# entry, duration, cause: F comes late and is at risk from 2 on.
SIX = pl.DataFrame(
    [(0, 1, "closure"), (0, 2, "run-off"), (0, 3, None), (1, 3, "closure"), (1, 4, "run-off"), (2, 5, None)],
    schema=["entry", "duration", "cause"],
    orient="row",
).with_columns(event=pl.col("cause").is_not_null())
# What is at risk at 1, 2, 3, 4, 5, and leaves: 3 of whom 1; 4, 1; 4, 1; 2, 1; 1, 0.
AT_RISK = [3, 4, 4, 2, 1]
STAYS = [Fraction(2, 3), Fraction(1, 2), Fraction(3, 8), Fraction(3, 16), Fraction(3, 16)]
CLOSED = [Fraction(1, 3), Fraction(1, 3), Fraction(1, 3) + Fraction(1, 8), Fraction(11, 24), Fraction(11, 24)]
RUN_OFF = [Fraction(0), Fraction(1, 6), Fraction(1, 6), Fraction(1, 6) + Fraction(3, 16), Fraction(17, 48)]

EPISODES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 8), st.sampled_from([None, None, "closure", "run-off", "death"])),
    min_size=1,
    max_size=25,
)


def frame(rows: list[tuple]) -> pl.DataFrame:
    """Episodes from entry, length and cause."""
    given_rows = [(entry, entry + length, cause) for entry, length, cause in rows]
    schema = {"entry": pl.Int64, "duration": pl.Int64, "cause": pl.String}
    rows = pl.DataFrame(given_rows, schema=schema, orient="row")
    return rows.with_columns(event=pl.col("cause").is_not_null())


def is_whole(curve: pl.DataFrame, rows: pl.DataFrame) -> bool:
    """Whether the curve is one stretch, with nobody left out and no end cut off."""
    return curve["n_left_out"].sum() == 0 and curve["time"][-1] == rows["duration"].max()


def test_six_customers_in_fractions():
    curve = survival.curves(SIX)
    assert curve["time"].to_list() == [0, 1, 2, 3, 4, 5]
    assert curve["at_risk"].to_list() == [3, *AT_RISK]
    assert curve["n_events"].to_list() == [0, 1, 1, 1, 1, 0]
    assert curve["survival"].to_list() == pytest.approx([1, *map(float, STAYS)], abs=1e-15)
    hazard = Fraction(1, 3) + Fraction(1, 4) + Fraction(1, 4) + Fraction(1, 2)
    assert curve["hazard"][-1] == pytest.approx(float(hazard), abs=1e-15)
    greenwood = Fraction(1, 6) + Fraction(1, 12) + Fraction(1, 12) + Fraction(1, 2)
    assert curve["variance"][-1] == pytest.approx(float(greenwood), abs=1e-15)
    assert curve.select("n", "since", "n_left_out").unique().rows() == [(6, 0, 0)]


def test_greenwood_on_the_scale_of_log_minus_log():
    time_2 = survival.curves(SIX).row(2, named=True)
    half = Z * sqrt(1 / 6 + 1 / 12) / log(1 / 2)
    ends = [exp(-exp(log(-log(1 / 2)) + sign * half)) for sign in (-1, 1)]
    assert [time_2["lower"], time_2["upper"]] == pytest.approx(sorted(ends), abs=1e-12)


def test_six_customers_by_cause_in_fractions():
    found = survival.incidence(SIX).filter(pl.col("time") > 0)
    for cause, expected in (("closure", CLOSED), ("run-off", RUN_OFF)):
        part = found.filter(pl.col("cause") == cause)
        assert part["incidence"].to_list() == pytest.approx(list(map(float, expected)), abs=1e-15), cause
        assert part["survival"].to_list() == pytest.approx(list(map(float, STAYS)), abs=1e-15)
        assert part["at_risk"].to_list() == AT_RISK
    # Closing until 2: at 1 one of 3 with nobody gone before, and at 2 one of 4 leaves another way.
    at_2 = found.filter(pl.col("cause") == "closure", pl.col("time") == 2)["variance"].item()
    assert at_2 == pytest.approx(float(Fraction(1, 3) * Fraction(2, 3) / 3), abs=1e-15)
    # Run-off at 2: a half closes or not before, (Fraction(t) − Fraction(1))² d/(n(n − d)), then its own step.
    at_2 = found.filter(pl.col("cause") == "run-off", pl.col("time") == 2)["variance"].item()
    assert at_2 == pytest.approx(
        float(Fraction(1, 6) ** 2 * Fraction(1, 6) + Fraction(2, 3) ** 2 * Fraction(1 * 3, 4**3)), abs=1e-15
    )


def test_mean_life_of_six_customers():
    mean = survival.mean_life(survival.curves(SIX), 3).row(0, named=True)
    assert mean["mean_months"] == pytest.approx(float(1 + Fraction(2, 3) + Fraction(1, 2)), abs=1e-15)
    # What is left of the area after 1 is 2/3 + 1/2, after 2 it is 1/2.
    error = Z * sqrt(float(Fraction(7, 6) ** 2 * Fraction(1, 6) + Fraction(1, 2) ** 2 * Fraction(1, 12)))
    assert mean["mean_months"] - mean["lower"] == pytest.approx(error, abs=1e-12)
    assert (mean["upper"], mean["months_told"], mean["n"]) == (min(3, 13 / 6 + error), 3, 6)


@given(EPISODES)
@SOME
def test_counts_give_what_lifelines_gives_on_rows(rows):
    rows = frame(rows)
    curve = survival.curves(rows)
    assume(is_whole(curve, rows))
    asked = [rows[name].to_numpy() for name in ("duration", "event", "entry")]
    with np.errstate():
        asked = dict(zip(("durations", "event_observed", "entry"), asked, strict=True))
        stays = KaplanMeierFitter().fit(**asked, timeline=curve["time"].to_numpy())
        leaves = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(**asked, timeline=curve["time"].to_numpy())
    assert curve["survival"].to_numpy() == pytest.approx(stays.survival_function_.to_numpy()[:, 0], abs=1e-12)
    assert curve["hazard"].to_numpy() == pytest.approx(leaves.cumulative_hazard_.to_numpy()[:, 0], abs=1e-12)
    told = curve.filter(pl.col("survival").is_between(0, 1, closed="none")).with_row_index()
    kept = curve["survival"].is_between(0, 1, closed="none").to_numpy()
    for names, fit in ((("lower", "upper"), stays), (("hazard_lower", "hazard_upper"), leaves)):
        ends = fit.confidence_interval_.to_numpy()[kept]
        assert told.select(names).to_numpy() == pytest.approx(ends, abs=1e-12)


@given(EPISODES)
@SOME
def test_weights_are_rows(rows):
    rows = frame(rows)
    counted = rows.group_by("entry", "duration", "cause", "event").agg(weight=pl.len())
    assert_frame_equal(survival.curves(counted), survival.curves(rows), abs_tol=1e-12)
    if rows["event"].any():
        assert_frame_equal(survival.incidence(counted), survival.incidence(rows), abs_tol=1e-12)


@given(EPISODES)
@SOME
def test_causes_and_staying_add_to_one_and_lie_in_their_intervals(rows):
    rows = frame(rows)
    assume(rows["event"].any())
    found = survival.incidence(rows)
    sums = found.group_by("time").agg(pl.col("incidence").sum(), pl.col("survival").first())
    assert (sums["incidence"] + sums["survival"] - 1).abs().max() <= 1e-12
    for name, told in (("incidence", found), ("survival", survival.curves(rows))):
        low, middle, high = (told[column] for column in ("lower", name, "upper"))
        assert ((low >= 0) & (low <= middle + 1e-12) & (middle <= high + 1e-12) & (high <= 1)).all(), name


@given(EPISODES)
@SOME
def test_variance_is_the_sum_it_stands_for(rows):
    rows = frame(rows)
    assume(rows["event"].any())
    found = survival.incidence(rows)
    left = found.group_by("time").agg(d=pl.col("n_events").sum())
    for part in found.join(left, on="time", how="left").sort("cause", "time").partition_by("cause"):
        share, before, n, d, own = (
            part[name].to_numpy().astype(float) for name in ("incidence", "survival", "at_risk", "d", "n_events")
        )
        before = np.append(1.0, before[:-1])
        for t in range(len(part)):
            rest = share[t] - share[: t + 1]
            n_, d_, own_, before_ = (values[: t + 1] for values in (n, d, own, before))
            others = np.where(d_ < n_, rest**2 * d_ / (n_ * np.maximum(n_ - d_, 1)), 0)
            terms = others + before_**2 * own_ * (n_ - own_) / n_**3 - 2 * rest * before_ * own_ / n_**2
            assert part["variance"][t] == pytest.approx(max(terms.sum(), 0), abs=1e-12)


def test_incidence_without_ties_is_that_of_lifelines():
    rng = np.random.default_rng(1978)
    times, codes = rng.permutation(np.arange(1, 201)), rng.integers(0, 3, 200)
    found = survival.incidence(pl.DataFrame({"duration": times, "cause": codes}).with_columns(
        pl.when(pl.col("cause") > 0).then("cause")
    ))  # fmt: skip
    for cause in (1, 2):
        with np.errstate():
            fitted = AalenJohansenFitter().fit(times, codes, event_of_interest=cause)
        part = found.filter(pl.col("cause") == cause)
        assert part["incidence"].to_numpy() == pytest.approx(fitted.cumulative_density_.to_numpy()[:, 0], abs=1e-12)
        # Where the last one leaves, lifelines divides by zero.
        some = (part["incidence"].to_numpy() > 0) & np.isfinite(fitted.variance_.to_numpy())
        assert part["variance"].to_numpy()[some] == pytest.approx(fitted.variance_.to_numpy()[some], abs=1e-12)
        ends = np.sort(fitted.confidence_interval_.to_numpy()[some], axis=1)
        assert part.select("lower", "upper").to_numpy()[some] == pytest.approx(ends, abs=1e-12)


@given(EPISODES, st.integers(1, 5))
@SOME
def test_another_unit_of_time_changes_nothing_but_time(rows, unit):
    rows = frame(rows)
    curve, scaled = survival.curves(rows), survival.curves(rows.with_columns(pl.col("entry", "duration") * unit / 2))
    assert_frame_equal(scaled.drop("time", "since"), curve.drop("time", "since"), abs_tol=1e-12)
    assert scaled["time"].to_list() == (curve["time"] * unit / 2).to_list()


@given(st.lists(st.tuples(st.sampled_from(["retail", "corporate", None]), EPISODES), min_size=1, max_size=3))
@SOME
def test_groups_stand_alone_and_none_is_one_of_them(parts):
    rows = pl.concat([frame(part).with_columns(kind=pl.lit(kind, pl.String), size=pl.lit("s")) for kind, part in parts])
    together = survival.curves(rows, ["kind", "size"])
    for (kind,), part in rows.group_by("kind"):
        own = together.filter(pl.col("kind").eq_missing(pl.lit(kind, pl.String)))
        assert_frame_equal(own.drop("kind", "size"), survival.curves(part))
    assert together["kind"].unique().len() == rows["kind"].unique().len()


# Who is at risk, and what of it is told: entry, duration, left.
STRETCHES = {
    "one leaves alone before the rest come": (
        [(0, 1, True), (1, 3, True), (1, 4, False), (2, 5, False)], [1, 3, 4, 5], [1, 2 / 3, 2 / 3, 2 / 3], 1),
    "nobody is at risk for a while": (
        [(0, 1, False), (2, 4, True), (3, 6, False)], [2, 4, 6], [1, 1 / 2, 1 / 2], 1),
    "all leave, and few come later": (
        [(0, 3, True), (0, 4, True), (0, 5, True), (5, 6, False)], [0, 3, 4], [1, 2 / 3, 1 / 3], 1),
    "all leave, and nobody comes later": ([(0, 3, True), (0, 5, True)], [0, 3, 5], [1, 1 / 2, 0], 0),
    "one is seen out as the next comes": ([(0, 2, False), (2, 4, True), (2, 5, False)], [0, 2, 4, 5],
        [1, 1, 1 / 2, 1 / 2], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", STRETCHES)
def test_an_empty_risk_set_does_not_make_survival_zero(name):
    rows, times, stays, n_left_out = STRETCHES[name]
    curve = survival.curves(pl.DataFrame(rows, schema=["entry", "duration", "event"], orient="row"))
    assert curve["time"].to_list() == times
    assert curve["survival"].to_list() == pytest.approx(stays)
    assert curve.select("since", "n", "n_left_out").unique().rows() == [(times[0], len(rows) - n_left_out, n_left_out)]


def test_nobody_left_is_no_certainty():
    """Five customers, none gone: the true share may be as low as Wilson's end for five of five, 0.566."""
    curve = survival.curves(pl.DataFrame({"duration": [12] * 5, "event": False}))
    assert curve.select("time", "survival", "upper").rows() == [(0, 1.0, 1.0), (12, 1.0, 1.0)]
    assert curve["lower"].to_list() == pytest.approx([1, 5 / (5 + Z**2)])
    assert curve["hazard_upper"].to_list() == pytest.approx([0, log(1 + Z**2 / 5)])
    mean = survival.mean_life(curve, 24).row(0, named=True)
    assert (mean["mean_months"], mean["months_told"], mean["upper"]) == (12, 12, 12)
    assert mean["lower"] < 12


def test_everybody_left_keeps_the_upper_end_of_the_time_before():
    curve = survival.curves(pl.DataFrame({"duration": [1, 2, 3], "event": True}))
    assert curve["survival"][-1] == curve["lower"][-1] == 0
    assert curve["upper"][-1] == curve["upper"][-2] > 0
    mean = survival.mean_life(curve, 12).row(0, named=True)
    assert (mean["mean_months"], mean["months_told"]) == (pytest.approx(2), 12)


@pytest.mark.parametrize("n", range(2, 60))
def test_all_left_for_one_cause_keeps_the_lower_end_of_the_time_before(n):
    """Tenths and their like do not add to 1: ten times 0.1 is a little less."""
    found = survival.incidence(pl.DataFrame({"duration": range(1, n + 1), "cause": "closure"}))
    assert found["incidence"][-1] == pytest.approx(1)
    assert found["incidence"].max() <= 1
    assert found["lower"][-1] == found["lower"][-2] > 0


def test_all_at_once_is_no_certainty():
    curve = survival.curves(pl.DataFrame({"duration": [3] * 5, "event": True}))
    assert curve.select("survival", "hazard", "hazard_lower", "hazard_upper").row(-1) == (0, 1, 0, 1)
    assert survival.mean_life(curve, 12).select("mean_months", "lower", "upper").row(0) == (3, 0, 12)
    later = survival.curves(pl.DataFrame({"duration": [1, 2, 4, 4], "event": True}))
    hazard, lower, upper = (later[name].to_list() for name in ("hazard", "hazard_lower", "hazard_upper"))
    assert (lower[-1], upper[-1]) == (lower[-2], upper[-2] + 1)
    assert lower[-1] < hazard[-1] < upper[-1]


def test_a_small_group_has_wide_intervals():
    small = pl.DataFrame({"kind": "few", "duration": [1, 2, 3, 4, 5], "event": [True, False] * 2 + [False]})
    many = pl.concat([small] * 100).with_columns(kind=pl.lit("many"))
    curve = survival.curves(pl.concat([small, many]), "kind").filter(pl.col("time") == 3)
    width = dict(curve.select("kind", pl.col("upper") - pl.col("lower")).iter_rows())
    assert width["few"] > 0.5 > 0.1 > width["many"]
    assert dict(curve.select("kind", "n").iter_rows()) == {"few": 5, "many": 500}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"entry": [0, 3, 0, 1, 6, 2]}, "2 of 6 episodes given to survival.curves end no later than they begin "
         r"\(first: entry 3, duration 2\). Time runs"),
        ({"entry": [0, None, 0, 1, 1, 2]}, "1 of 6 rows given to survival.curves have no entry"),
        ({"duration": [1.0, 2.0, 3.0, 3.0, 4.0, float("nan")]},
         r"1 of 6 rows .* a duration that is no number.*\(first: row 6\)"),
        ({"duration": ["1", "2", "3", "3", "4", "5"]}, "duration of rows given to survival.curves is String. Give"),
        ({"entry": [date(2020, 1, 1)] * 6}, "entry of rows given to survival.curves is Date. Give months"),
        ({"event": [0, 1, 2, 0, 0, 0]}, "event of rows given to survival.curves is Int64. Give true"),
        ({"event": [True, None, *[True] * 4]}, "1 of 6 rows given to survival.curves have no event"),
        ({"weight": [1, 2, 0, 1, 1, 1]}, r"1 of 6 rows .* no whole number above 0. .*\(first: row 3\)"),
        ({"weight": [1.5, 2, 1, 1, 1, 1]}, r"no whole number above 0. .*\(first: row 1\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_curve_is_told(change, sentence):
    with pytest.raises(InputError, match=sentence):
        survival.curves(SIX.with_columns(pl.Series(name, values) for name, values in change.items()))


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: survival.curves(SIX.clear()), "no row: nobody is selected"),
        (lambda: survival.curves(SIX, "kind"), "needs a column kind"),
        (lambda: survival.curves(SIX.rename({"cause": "time"}), "time"), "a column time of its own. Rename yours"),
        (lambda: survival.mean_life(survival.curves(SIX), 9, "group"), "a column group of its own. Rename yours"),
        (lambda: survival.incidence(SIX.with_columns(cause=pl.lit(None, pl.String), event=False)), "nobody left"),
        (lambda: survival.incidence(SIX.with_columns(event=True)), r"2 of 6 rows .* events without a cause.*row 3"),
        (
            lambda: survival.mean_life(survival.curves(SIX.rename({"cause": "kind"}), "kind"), 12),
            "several curves of one group",
        ),
        (lambda: survival.mean_life(survival.curves(SIX), 0), "a horizon of 0 months. Give one above 0"),
        (lambda: survival.mean_life(SIX, 12), "needs a column time"),
    ],
)
def test_other_questions_without_an_answer_are_told(ask, sentence):
    with pytest.raises(InputError, match=sentence):
        ask()


def test_lifelines_leaves_numpy_as_it_found_it():
    before = np.geterr()
    survival.curves(SIX)
    assert np.geterr() == before
