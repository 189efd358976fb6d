"""Who leaves: hazards that are known are found again, parts add up, and what cannot be told is said."""

from dataclasses import replace
from datetime import date
from math import log

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmlab import policy as rules
from crmlab.errors import InputError
from crmlab.measures import churn
from crmlab.measures.churn import training
from crmlab.measures.churn.covariates import COVARIATES
from crmlab.measures.churn.hazards import incidence
from crmlab.measures.churn.model import centred
from crmlab.measures.churn.phrases import PHRASES, texts
from crmlab.measures.churn.recalibration import calibrate
from crmlab.policy.departing import CAUSES
from tests.drawn_leavers import BETAS, ENDS, HAZARDS, landmarks

POLICY = rules.load()
NAMES = ("change", "idle", "complaint")
END = ENDS[35]


def with_least(n: int, **more) -> rules.Policy:
    return replace(POLICY, leaving=replace(POLICY.leaving, least_events=n, **more))


@pytest.fixture(scope="module")
def drawn() -> pl.DataFrame:
    return landmarks(seed=5, n=2_500)


@pytest.fixture(scope="module")
def fitted(drawn: pl.DataFrame):
    return churn.fit(drawn, END, POLICY, covariates=NAMES)


@pytest.fixture(scope="module")
def today(drawn: pl.DataFrame) -> pl.DataFrame:
    return drawn.filter(pl.col("month") == END)


def test_causes_add_to_the_probability_and_with_staying_to_one(fitted, today):
    for horizon in (3, 6, 12):
        found = churn.probability(fitted, today, horizon)
        parts = found.select(pl.sum_horizontal(CAUSES)).to_series()
        assert np.allclose(parts, found["probability"], atol=1e-12)
        assert (found["probability"] + found["exit"]).max() < 1
        assert found.select(CAUSES).min_horizontal().min() >= 0
        assert found["customer_id"].equals(today["customer_id"])


def test_incidence_and_staying_come_from_the_hazards(fitted, today):
    """Staying is exp(−Σ hazards), whatever the causes take of the rest."""
    x, values, stratum = centred(fitted, today)
    found = incidence(fitted.hazards, x, values, stratum, (1, 7))
    for months in (1, 7):
        total = sum(of.baseline[stratum, :months].sum(axis=1) * of.relative(x, values)[0] for of in fitted.hazards)
        assert np.allclose(found[months].sum(axis=1), -np.expm1(-total), atol=1e-12)
    first = [of.baseline[stratum, 0] * of.relative(x, values)[0] for of in fitted.hazards]
    assert np.allclose(found[1] * sum(first)[:, None], np.array(first).T * found[1].sum(axis=1)[:, None])


def test_probability_rises_with_the_horizon(fitted, today):
    three, six, twelve = (churn.probability(fitted, today, horizon)["probability"] for horizon in (3, 6, 12))
    assert (three <= six).all()
    assert (six <= twelve).all()
    assert three.mean() < six.mean() < twelve.mean()


def test_a_customer_is_scored_alike_alone_and_among_others(fitted, today):
    whole = churn.probability(fitted, today, 6)
    assert_frame_equal(churn.probability(fitted, today[17:18], 6), whole[17:18])
    assert churn.probability(fitted, today.clear(), 6).schema == whole.schema


def test_reasons_add_to_the_log_hazard_against_the_mean(fitted, today):
    found = churn.reasons(fitted, today)
    assert len(found) == len(today) * len(NAMES)
    sums = found.group_by("customer_id", maintain_order=True).agg(pl.col("contribution").sum())
    parts = churn.probability(fitted, today, 12).select(CAUSES).to_numpy()
    stratum = 1 + (today["kind"] == "small business").to_numpy()
    x = np.clip(today.select(NAMES).to_numpy(), fitted.lowest, fitted.highest)
    log_hazards = np.array([(x - fitted.means[stratum]) @ of.effects.beta[0] for of in fitted.hazards[:-1]]).T
    due = (log_hazards * parts).sum(axis=1) / parts.sum(axis=1)
    assert np.allclose(sums["contribution"], due, atol=1e-9)
    assert all(of.effects.split == 12 for of in fitted.hazards)
    assert fitted.kinds == ("retail", "small business")
    kind = today.filter(kind="retail").select(NAMES).mean().to_numpy()[0]
    assert np.allclose(fitted.means[1], kind, atol=1e-2)


def test_a_side_that_rules_a_cause_out_is_a_reason_of_its_own():
    """Whose complaint opens a cause to them, is told so although it lowers the hazard of the other causes."""
    betas = {cause: {"complaint": -0.4, "change": -0.5} for cause in ("closure", "maturity", "salary")}
    rows = landmarks(2, n=3_000, hazards=HAZARDS | {"run-off": 0.012}, betas=betas)
    few = rows.filter(pl.col("cause") == "run-off", pl.col("complaint") == 0)["customer_id"]
    rows = rows.filter(~pl.col("customer_id").is_in(few.implode()))
    found = churn.fit(rows, END, POLICY, covariates=NAMES)
    now = rows.filter(month=END)
    yes, no = (
        churn.probability(found, now.with_columns(complaint=pl.lit(n, pl.Float32)), 12)["probability"].log().to_numpy()
        for n in (1, 0)
    )
    told = churn.reasons(found, now).filter(covariate="complaint")
    is_yes = (told["value"] == 1).to_numpy()
    difference = np.where(is_yes, yes - no, no - yes)
    by = told["contribution"].to_numpy()
    assert np.corrcoef(by, difference)[0, 1] > 0.95
    assert (by * difference > 0)[np.abs(difference) > 0.2].all()


def test_what_soon_fades_counts_early_and_late_by_itself(drawn):
    """Half of those who leave within three months gave a sign, and few others: it says little of the months after."""
    rng = np.random.default_rng(4)
    soon = (drawn["event"] & (drawn["duration"] <= 3)).to_numpy()
    rows = drawn.with_columns(closed=pl.Series(rng.random(len(drawn)) < np.where(soon, 0.5, 0.05)).cast(pl.Float32))
    found = churn.fit(rows, END, POLICY, covariates=(*NAMES, "closed"))
    told = churn.coefficients(found).filter(covariate="closed")
    assert told["is_proportional"].eq(False).all()
    assert (told["early"] > 5).all()
    assert (told["late"] < 1.5).all()
    split = told["split_at"].unique().to_list()
    assert set(split) == {of.effects.split for of in found.hazards[:-1]} <= set(range(2, 9))
    assert told["advice"].str.contains(r"^early holds up to \d months, late from then on$").all()
    now = rows.filter(pl.col("month") == END)
    x, values, stratum = centred(found, now)
    parts = incidence(found.hazards, x, values, stratum, tuple(range(1, 13)))
    due = np.zeros(len(now))
    for n, of in enumerate(found.hazards[:-1]):
        early = parts[of.effects.split][:, n]
        for beta, share in zip(of.effects.beta, (early, parts[12][:, n] - early), strict=True):
            due += share * ((values - found.means[stratum]) @ beta)
    sums = churn.reasons(found, now).group_by("customer_id", maintain_order=True).agg(pl.col("contribution").sum())
    assert np.allclose(sums["contribution"], due / parts[12][:, :-1].sum(axis=1), atol=1e-9)
    assert churn.quality(found)["slope"].is_between(0.8, 1.25).all()


def test_the_furthest_reasons_come_first(fitted, today):
    whole = churn.reasons(fitted, today)
    size = whole["contribution"].abs()
    same = whole["customer_id"] == whole["customer_id"].shift()
    assert (size <= size.shift() + 1e-12).filter(same.fill_null(False)).all()
    assert_frame_equal(churn.reasons(fitted, today, top=1), whole.gather_every(3))


def test_reasons_on_one_line(fitted, today):
    rows = churn.reasons(fitted, today, top=2)[:2]
    line = churn.told(fitted, today, top=2, least=0)["text"][0]
    sign = {True: "+", False: "−"}
    due = [f"{text} ({sign[by >= 0]}{abs(by):.2f})" for text, by in rows.select("text", "contribution").rows()]
    assert line == " · ".join(due)
    assert set(churn.told(fitted, today, least=99)["text"]) == {"like most others"}


SAID = [
    ("tenure", log(8), {}, "customer for 7 months"),
    ("tenure", log(51), {}, "customer for 4 years"),
    ("tenure", 0, {}, "customer for less than a month"),
    ("size", log(12_346), {}, "balance 12,000 on average"),
    ("size", 0, {}, "hardly any balance"),
    ("change", -0.5, {"aum": 58_00, "aum_change": -42_00}, "balance down 42 % in three months"),
    ("change", 0.1, {"aum": 110_00, "aum_change": 10_00}, "balance up 10 % in three months"),
    ("change", 0, {"aum": 100_00, "aum_change": 0}, "balance as three months before"),
    ("change", 1.5, {"aum": 500_00, "aum_change": 400_00}, "balance 5 times that of three months before"),
    ("change", 1.5, {"aum": 500_00, "aum_change": 500_00}, "balance 4 times that of three months before"),
    ("change", log(0.6), {"aum": None, "aum_change": None}, "balance down 40 % in three months"),
    ("change", log(4.9), {"aum": 490_00, "aum_change": 390_00}, "balance 5 times that of three months before"),
    ("idle", log(4), {}, "active this week"),
    ("idle", log(13), {}, "nothing of their own done for 12 days"),
    ("idle", log(64), {}, "nothing of their own done for 9 weeks"),
    ("idle", log(245), {}, "nothing of their own done for 8 months"),
    ("acts", log(0.4), {}, "transactions down 60 %"),
    ("acts", log(1.2), {}, "transactions up 20 %"),
    ("acts", 0, {}, "as many transactions as before"),
    ("no_card", log(3), {}, "no card payment for 2 months"),
    ("no_card", 0, {}, "no gap in card payments"),
    ("salary", 1, {}, "salary still comes in"),
    ("salary", 0, {}, "no salary comes in"),
    ("salary_missed", 1, {}, "salary missing this month"),
    ("salary_missed", 0, {}, "no salary missed"),
    ("away", 0.32, {}, "32 % of the money sent to other banks in three months"),
    ("away", 0.004, {}, "less than 1 % of the money sent to other banks in three months"),
    ("away", 0, {}, "nothing sent to other banks"),
    ("maturing", 0.4, {}, "40 % of the balance matures within 90 days"),
    ("maturing", 0.001, {}, "less than 1 % of the balance matures within 90 days"),
    ("maturing", 0, {}, "nothing matures within 90 days"),
    ("lines", 1, {}, "only one product line"),
    ("lines", 3, {}, "3 product lines"),
    ("closed", 1, {}, "a product line given up in three months"),
    ("closed", 0, {}, "no product line given up"),
    ("complaint", 1, {}, "complained within 90 days"),
    ("complaint", 0, {}, "no complaint"),
    ("new_manager", 1, {}, "new manager within six months"),
    ("new_manager", 0, {}, "no change of manager"),
    ("loan", 1, {}, "has a loan"),
    ("loan", 0, {}, "no loan"),
    ("rainfall", 0.5, {}, "rainfall 0.50"),
    ("rainfall", 1e300, {}, "rainfall 10000000000000.00"),
    ("size", 1e30, {}, "balance 1,000,000,000,000,000 on average"),
]


def test_what_covariates_say():
    rows = pl.DataFrame([{"covariate": name, "value": float(value), **more} for name, value, more, _ in SAID])
    assert texts(rows).to_list() == [text for *_, text in SAID]
    assert set(PHRASES) == set(COVARIATES)


def test_a_fit_stands_on_what_was_known(drawn):
    at = ENDS[31]
    then = churn.as_known(drawn, at, POLICY)
    seen, told = (churn.fit(rows, at, POLICY, covariates=NAMES) for rows in (drawn, then))
    assert_frame_equal(churn.coefficients(seen), churn.coefficients(told))
    assert_frame_equal(churn.quality(seen), churn.quality(told))
    # As soon as there are as many months to learn from as the horizon has; no later than three before what can be told.
    assert seen.until == ENDS[12]
    # In the middle of a month the last month end counts.
    assert churn.fit(drawn, date(2023, 9, 12), POLICY, covariates=NAMES).as_of == at


def test_calibration_comes_after_what_was_learnt(fitted):
    found = churn.quality(fitted)
    assert found["horizon"].to_list() == [3, 6, 12]
    assert found["from"].to_list() == [fitted.until] * 3
    assert found["to"].to_list() == [ENDS[33 - 3], ENDS[33 - 6], ENDS[33 - 12]]
    assert found["concordance"].min() > 0.55
    assert (found["brier"] < found["brier_base"]).all()


def test_a_rare_cause_has_the_coefficients_of_all(drawn):
    few = drawn.filter(~(pl.col("cause") == "salary").fill_null(False) | (pl.col("customer_id") % 8 == 0))
    found = churn.fit(few, END, POLICY, covariates=NAMES)
    table = churn.coefficients(found)
    assert 0 < found.n_events["salary"] < POLICY.leaving.least_events
    assert table.filter("is_shared")["cause"].unique().to_list() == ["salary"]
    assert table.filter("is_shared")["advice"].str.contains("as for all causes together: only").all()
    assert churn.probability(found, few.filter(pl.col("month") == END), 12)["salary"].min() > 0


def extra(drawn: pl.DataFrame, **columns: pl.Expr) -> tuple[pl.DataFrame, str]:
    """A fit with more covariates, and why the last of them was left out."""
    found = churn.fit(drawn.with_columns(**columns), END, POLICY, covariates=(*NAMES, *columns))
    *_, last = columns
    told = churn.coefficients(found).filter(covariate=last)
    assert last not in found.covariates
    assert told["hazard_ratio"].null_count() == len(told) == len(CAUSES)
    return told["advice"].unique().item()


def test_what_tells_nobody_apart_is_left_out_and_said(drawn):
    assert extra(drawn, no_card=pl.lit(0.0)) == "left out: the same for everyone"
    two = extra(drawn, new_manager=pl.col("customer_id").is_in([3, 4]).cast(pl.Float32))
    assert two.startswith("left out: only 2 of ")
    assert extra(drawn, loan=pl.col("change") * 2 - pl.col("idle")) == "left out: follows from change, idle"


def test_a_side_on_which_nobody_left_for_a_cause_is_not_at_risk_of_it(drawn):
    """Only who has a salary can stop having it: that is no infinite coefficient."""
    paid = (pl.col("customer_id") % 2 == 0) | (pl.col("cause") == "salary").any().over("customer_id")
    rows = drawn.with_columns(salary=paid.cast(pl.Float32))
    found = churn.fit(rows, END, POLICY, covariates=(*NAMES, "salary"))
    told = churn.coefficients(found).filter(cause="salary", covariate="salary")
    assert told["advice"].item() == "only where this is 1 did anyone leave so: nobody else is expected to"
    now = rows.filter(pl.col("month") == END)
    scored = churn.probability(found, now, 12)
    assert (scored["salary"].filter(now["salary"] == 0) == 0).all()
    assert (scored["salary"].filter(now["salary"] == 1) > 0).all()
    assert churn.reasons(found, now)["contribution"].is_finite().all()


def test_a_side_on_which_few_left_for_a_cause_though_many_were_due_tells_it(drawn):
    """Half of the customers have no salary; three of many who left after theirs had none, either."""
    left = drawn.filter(pl.col("cause") == "salary", pl.col("month") == ENDS[2]).sort("duration")["customer_id"]
    assert len(left) > 40
    paid = ((pl.col("customer_id") % 2 == 0) | pl.col("customer_id").is_in(left.implode())) & ~pl.col(
        "customer_id").is_in(left.head(3).implode())  # fmt: skip
    found = churn.fit(drawn.with_columns(salary=paid.cast(pl.Float32)), END, POLICY, covariates=(*NAMES, "salary"))
    told = churn.coefficients(found).filter(cause="salary", covariate="salary")
    assert told["lower"].item() > 5


def test_complete_separation_is_left_out_and_said(drawn):
    """A number that tells beforehand who leaves has no finite coefficient."""
    until = churn.fit(drawn, END, POLICY, covariates=NAMES).until
    ended = pl.col("month").dt.offset_by(pl.format("{}mo", "duration")) <= until
    left = (pl.col("event") & ended).any().over("customer_id")
    row = drawn.with_columns(size=pl.when(left).then(10.0).otherwise(pl.col("customer_id") % 7 == 0).cast(pl.Float32))
    told = churn.coefficients(churn.fit(row, END, POLICY, covariates=(*NAMES, "size"))).filter(covariate="size")
    assert told["hazard_ratio"].null_count() == len(told)
    assert told["advice"].str.contains(r"^left out: .*no end.*size").all()


def test_a_kind_of_five_is_as_everyone(drawn):
    five = drawn.with_columns(kind=pl.when(pl.col("customer_id") < 5).then(pl.lit("institution")).otherwise("kind"))
    found = churn.fit(five, END, POLICY, covariates=NAMES)
    assert found.kinds == ("institution", "retail", "small business")
    for of in found.hazards[:-1]:
        assert (of.baseline[1] >= 0.5 * of.baseline[0]).all()
        assert (of.baseline[1] <= 2 * of.baseline[0]).all()
    now = five.filter(pl.col("month") == END)
    assert churn.probability(found, now, 12).filter(now["kind"] == "institution")["probability"].min() > 0
    unknown = now.with_columns(kind=pl.lit("nobody has seen it"))
    assert churn.probability(found, unknown, 12)["probability"].min() > 0


def test_a_kind_of_which_few_left_though_many_were_due_is_told_as_little(drawn):
    """Two of many who left are firms, as is every third who stayed: they are not as likely to leave as everyone."""
    left = drawn.filter(pl.col("cause").is_in(CAUSES)).sort("month", "duration")["customer_id"].unique(
        maintain_order=True)  # fmt: skip
    is_firm = pl.col("customer_id").is_in(left.head(2).implode()) | (
        (pl.col("customer_id") % 3 == 0) & ~pl.col("customer_id").is_in(left.implode())
    )
    rows = drawn.with_columns(kind=pl.when(is_firm).then(pl.lit("corporate")).otherwise("kind"))
    found = churn.fit(rows, END, POLICY, covariates=NAMES)
    now = rows.filter(pl.col("month") == END)
    told = (
        churn.probability(found, now, 12).hstack(now.select("kind")).group_by("kind").agg(pl.col("probability").mean())
    )
    share = dict(told.rows())
    assert 0 < share["corporate"] < 0.1 * min(share["retail"], share["small business"])


def test_stayers_may_be_thinned(drawn, monkeypatch):
    whole = churn.fit(drawn, END, with_least(50), horizons=(3,), covariates=NAMES)
    monkeypatch.setattr(training, "MOST_ROWS", 24_000)
    thin = churn.fit(drawn, END, with_least(50), horizons=(3,), covariates=NAMES)
    assert thin.n_events == whole.n_events
    for one, other in zip(whole.hazards[:-1], thin.hazards[:-1], strict=True):
        assert np.allclose(one.effects.beta, other.effects.beta, atol=0.15)
    now = drawn.filter(pl.col("month") == END)
    one, other = (churn.probability(found, now, 3)["probability"] for found in (whole, thin))
    assert np.allclose(one, other, rtol=0.4)
    assert other.mean() == pytest.approx(one.mean(), rel=0.03)


def test_what_cannot_be_fitted_is_told(drawn):
    with pytest.raises(
        InputError, match=r"too short for the horizon: 24 months need 54 month ends.*there are 36\. Wait"
    ):
        churn.fit(drawn, END, POLICY, horizons=(3, 24), covariates=NAMES)
    with pytest.raises(InputError, match=r"too short for the horizon: 3 months need 15 month ends.*there are 9"):
        churn.fit(drawn.filter(pl.col("month") <= ENDS[8]), ENDS[8], POLICY, covariates=NAMES)
    nobody = drawn.with_columns(event=pl.lit(False), cause=pl.lit(None, pl.String))
    with pytest.raises(InputError, match=r"^None of \d+ customers left between 2021-01 and 2022-04, too few"):
        churn.fit(nobody, END, POLICY, covariates=NAMES)
    everyone = drawn.filter(pl.col("event").any().over("customer_id"), pl.col("month") < ENDS[15]).with_columns(
        duration=pl.lit(2, pl.Int32), event=True, cause=pl.lit("closure"), known_on=pl.lit(ENDS[20]))  # fmt: skip
    everyone = pl.concat([everyone, drawn.filter(pl.col("month") == END).with_columns(pl.col("known_on"))])
    with pytest.raises(InputError, match=r"^All of the \d+ customers at risk left .*compare"):
        churn.fit(everyone, END, POLICY, covariates=NAMES)
    with pytest.raises(InputError, match=r"No covariate tells customers apart: change is the same for everyone"):
        churn.fit(drawn.with_columns(change=pl.lit(1.0)), END, POLICY, covariates=("change",))
    with pytest.raises(InputError, match=r"churn\.fit needs a column tenure"):
        churn.fit(drawn, END, POLICY)
    with pytest.raises(InputError, match=r"rows given to churn\.fit have no idle"):
        churn.fit(drawn.with_columns(idle=pl.lit(None, pl.Float32)), END, POLICY, covariates=NAMES)


def test_of_nobody_there_are_no_reasons(fitted, today):
    assert churn.reasons(fitted, today.head(0)).is_empty()
    assert churn.told(fitted, today.head(0), top=2).is_empty()
    with pytest.raises(InputError, match=r"cannot give -1 reasons\. Ask for 1 or more"):
        churn.reasons(fitted, today, top=-1)


def test_covariates_that_are_no_numbers_are_told(drawn, fitted, today):
    never, text = pl.lit(float("nan")), pl.lit("much")
    late = drawn.with_columns(idle=pl.when(pl.col("month") > ENDS[30]).then(never).otherwise("idle"))
    with pytest.raises(InputError, match=r"^\d+ of \d+ rows given to churn\.fit have a idle that is no number"):
        churn.fit(late, END, POLICY, covariates=NAMES)
    with pytest.raises(InputError, match=r"churn\.fit cannot compute with idle: it is String"):
        churn.fit(drawn.with_columns(idle=text), END, POLICY, covariates=NAMES)
    for wrong in (never, pl.lit(float("-inf"))):
        for ask in (lambda rows: churn.probability(fitted, rows, 3), lambda rows: churn.reasons(fitted, rows)):
            with pytest.raises(InputError, match=r"1 of \d+ rows given to churn\.\w+ have a idle that is no number"):
                ask(today.with_columns(idle=pl.when(pl.int_range(pl.len()) == 3).then(wrong).otherwise("idle")))


@pytest.mark.parametrize("unit", [1e-3, 1e-4, 1e-6])
def test_the_unit_of_a_covariate_changes_no_probability(drawn, fitted, today, unit):
    """In a unit so large a hazard ratio, of 1 more, is no number any more."""
    small = (pl.col("idle").cast(pl.Float64) * unit).cast(pl.Float32)
    found = churn.fit(drawn.with_columns(small), END, POLICY, covariates=NAMES)
    one, other = churn.probability(found, today.with_columns(small), 12), churn.probability(fitted, today, 12)
    assert np.allclose(one["probability"], other["probability"], rtol=1e-3)


def test_months_without_anybody_and_horizons_that_are_none_are_told(drawn):
    def fit(rows, **more):
        return churn.fit(rows, END, POLICY, **{"horizons": (3,), "covariates": NAMES} | more)

    with pytest.raises(InputError, match=rf"^Nobody was at risk on {ENDS[34]}"):
        churn.fit(drawn.filter(pl.col("month") != ENDS[34]), ENDS[34], POLICY, horizons=(3,), covariates=NAMES)
    gap = drawn.filter(~pl.col("month").is_between(ENDS[24], ENDS[33]))
    with pytest.raises(InputError, match=r"^Nobody was at risk in the months that 3 months are calibrated on, from"):
        fit(gap)
    for horizon in (0, -3, 2.5):
        with pytest.raises(InputError, match=rf"^A horizon of {horizon} months cannot be told\. Give whole months"):
            fit(drawn, horizons=(horizon,))
    with pytest.raises(InputError, match=r"No covariate tells customers apart: none is given\."):
        fit(drawn, covariates=())
    twice = fit(drawn, horizons=(3, 3), covariates=(*NAMES, NAMES[0]))
    assert (twice.horizons, twice.covariates) == ((3,), NAMES)


def test_what_cannot_be_scored_is_told(fitted, today):
    with pytest.raises(InputError, match=r"The model tells of 3, 6, 12 months, not of 4"):
        churn.probability(fitted, today, 4)
    with pytest.raises(InputError, match=r"churn\.probability needs a column idle"):
        churn.probability(fitted, today.drop("idle"), 3)
    with pytest.raises(InputError, match=r"churn\.reasons needs a column kind"):
        churn.reasons(fitted, today.drop("kind"))


def test_horizons_that_history_bears(drawn):
    found = churn.fit(drawn.filter(pl.col("month") <= ENDS[24]), ENDS[24], with_least(20), covariates=NAMES)
    assert found.horizons == (3, 6)


SMALL = {"closure": 0.02, "run-off": 0.02, "death": 0.004}
WITHIN = (0.93, 0.97)


@pytest.mark.slow
def test_intervals_hold_the_truth_at_their_rate():
    """A thousand small banks, each customer at many landmarks: 95 of 100 intervals of each coefficient hold it."""
    hits = {}
    for seed in range(1_000):
        rows = landmarks(seed, n=400, months=18, hazards=SMALL, kinds=("retail",))
        table = churn.coefficients(churn.fit(rows, ENDS[17], with_least(20), horizons=(3,), covariates=NAMES))
        for cause, name, lower, upper in table.filter(~pl.col("is_shared")).select(
            "cause", "covariate", "lower", "upper").drop_nulls().rows():  # fmt: skip
            truth = np.exp(BETAS[cause].get(name, 0.0))
            hits.setdefault((cause, name), []).append(lower <= truth <= upper)
    rates = {key: np.mean(of) for key, of in hits.items()}
    assert len(rates) == 6
    assert min(map(len, hits.values())) > 950
    assert all(WITHIN[0] <= rate <= WITHIN[1] for rate in rates.values()), rates


@pytest.mark.slow
def test_the_calibrated_slope_is_one_out_of_time():
    """Fitted at 24 months on one bank, and looked at where half as many more have passed, of customers never seen."""
    rows = landmarks(seed=11, n=40_000, months=36, hazards=HAZARDS)
    unseen = landmarks(seed=12, n=40_000, months=36, hazards=HAZARDS)
    found = churn.fit(rows, END, POLICY, horizons=(3, 6), covariates=NAMES)
    at = unseen.filter(pl.col("month") == ENDS[20])
    for horizon in (3, 6):
        p = churn.probability(found, at, horizon)["probability"].to_numpy()
        left = (at["event"] & (at["duration"] <= horizon)).to_numpy()
        slope = calibrate(p, left, at["customer_id"].to_numpy(), least=50)
        assert slope.lower <= 1 <= slope.upper
        assert p.mean() == pytest.approx(left.mean(), rel=0.06)
