"""Cox's hazards: against lifelines, against sums written out, where rows may change nothing, and where none can be."""

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures import cox

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifelines import CoxPHFitter

NAMES = ["x0", "x1", "x2"]
KEYS = ["stratum", "time", "hazard"]


def lives(n: int, seed: int, in_months: bool = True) -> pl.DataFrame:
    """Spells with late entry, three strata, weights and customers with several of them."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, 2, n), rng.normal(size=n), rng.lognormal(size=n)])
    end, until = rng.exponential(20 * np.exp(-x @ [0.5, -0.4, 0.1])) + 0.01, rng.uniform(1, 40, n)
    entry = rng.uniform(0, 15, n) * (rng.random(n) < 0.6)
    duration, event = np.minimum(end, until), end <= until
    if in_months:
        entry, duration = np.floor(entry).astype(int), np.ceil(duration).astype(int)
    rows = {name: x[:, j] for j, name in enumerate(NAMES)} | {
        "entry": entry, "duration": duration, "event": event, "kind": rng.choice(["a", "b", "c"], n),
        "weight": rng.uniform(0.5, 3, n), "customer_id": rng.integers(0, n // 3, n),
    }  # fmt: skip
    return pl.DataFrame(rows).filter(pl.col("duration") > pl.col("entry"))


def by_lifelines(rows: pl.DataFrame, entry=None, strata=None, weight=None, cluster=None):
    columns = [*NAMES, "duration", "event", *(name for name in (entry, strata, weight, cluster) if name)]
    with warnings.catch_warnings():  # it stops at 1e-7 of the likelihood, some 1e-6 before the top, unless it is told
        warnings.simplefilter("ignore")
        return CoxPHFitter().fit(
            rows.select(columns).to_pandas(), "duration", "event", entry_col=entry, strata=strata, weights_col=weight,
            cluster_col=cluster, fit_options={"precision": 1e-10},
        )  # fmt: skip


@pytest.mark.parametrize("in_months", [True, False], ids=["months", "days"])
@pytest.mark.parametrize("entry", [None, "entry"])
@pytest.mark.parametrize("strata", [None, "kind"])
@pytest.mark.parametrize("weight", [None, "weight"])
def test_coefficients_and_standard_errors_against_lifelines(in_months, entry, strata, weight):
    rows = lives(500, 3, in_months)
    found = cox.fit(rows, NAMES, entry=entry, strata=strata, weight=weight)
    theirs = by_lifelines(rows, entry, strata, weight)
    assert found.beta == pytest.approx(theirs.params_.to_numpy(), abs=1e-6)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(theirs.standard_errors_.to_numpy(), abs=1e-6)
    assert found.log_likelihood == pytest.approx(theirs.log_likelihood_, rel=1e-9)


@pytest.mark.parametrize("strata", [None, "kind"])
@pytest.mark.parametrize("weight", [None, "weight"])
def test_clustered_standard_errors_against_lifelines(strata, weight):
    # Neither ties nor late entry, which lifelines' residuals do not heed.
    rows = lives(500, 4, in_months=False)
    found = cox.fit(rows, NAMES, strata=strata, weight=weight, cluster="customer_id")
    theirs = by_lifelines(rows, strata=strata, weight=weight, cluster="customer_id")
    assert np.sqrt(np.diag(found.robust)) == pytest.approx(theirs.standard_errors_.to_numpy(), abs=1e-6)


def written_out(rows: pl.DataFrame, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict]:
    """Gradient, weighted score residuals of each row, and hazards by stratum and time, term by term as in R's coxph."""
    x, theta = rows.select(NAMES).to_numpy(), np.exp(rows.select(NAMES).to_numpy() @ beta)
    entry, end, left, kind, weight = (
        rows[name].to_numpy() for name in ("entry", "duration", "event", "kind", "weight")
    )
    score, hazards = np.zeros(x.shape), {}
    for stratum in np.unique(kind):
        for time in np.unique(end[left & (kind == stratum)]):
            here = (kind == stratum) & (entry < time) & (time <= end)
            gone = here & left & (end == time)
            n, mean_weight = gone.sum(), weight[gone].mean()
            for k in range(n):
                stays = here - k / n * gone
                total = (weight * theta * stays).sum()
                centre = (weight * theta * stays) @ x / total
                hazards[stratum, time] = hazards.get((stratum, time), 0.0) + mean_weight / total
                score += gone[:, None] * (x - centre) / n
                score -= (theta * stays)[:, None] * (x - centre) * mean_weight / total
    score *= weight[:, None]
    return score.sum(axis=0), score, hazards


def test_ties_late_entry_strata_and_clusters_against_sums_written_out():
    rows = lives(200, 5)
    found = cox.fit(rows, NAMES, entry="entry", strata="kind", weight="weight", cluster="customer_id")
    gradient, score, hazards = written_out(rows, found.beta)
    assert gradient == pytest.approx(np.zeros(3), abs=1e-9)
    assert found.baseline.select(KEYS).rows() == [
        (*key, pytest.approx(hazard, rel=1e-9)) for key, hazard in sorted(hazards.items())
    ]
    drawn = pl.DataFrame(score @ found.covariance).with_columns(rows["customer_id"])
    by_customer = drawn.group_by("customer_id").sum().drop("customer_id").to_numpy()
    assert found.robust == pytest.approx(by_customer.T @ by_customer, rel=1e-7)


def test_hazards_are_those_of_strata_and_covariates():
    rows = lives(200, 6)
    stayed = rows.head(5).with_columns(kind=pl.lit("z"), event=pl.lit(False).cast(rows["event"].dtype))
    found = cox.fit(pl.concat([rows, stayed]), NAMES, entry="entry", strata="kind")
    who = pl.DataFrame({"x0": [1.0, 0.0], "x1": [0.5, 0.0], "x2": [2.0, 0.0], "kind": ["b", "z"]})
    known = found.baseline.filter(pl.col("stratum") == "b", pl.col("time") <= 6)["hazard"].sum()
    expected = known * np.exp(found.beta @ [1.0, 0.5, 2.0])
    assert cox.hazards(found, who, 6).to_list() == [pytest.approx(expected), 0.0]
    assert cox.log_hazards(found, who)[0] == pytest.approx(found.beta @ [1.0, 0.5, 2.0])


@pytest.mark.parametrize("other", ["no such", None])
def test_a_stratum_that_the_fit_does_not_know_has_no_hazard_of_zero(other):
    rows = pl.DataFrame({"duration": [1, 2, 3, 4], "event": [True] * 4, "x": [1, 0, 0, 1], "kind": [*"aabb"]})
    found = cox.fit(rows, ["x"], strata="kind")
    with pytest.raises(InputError, match=rf"1 of 2 rows .* stratum .* does not know \(first: {other}\)"):
        cox.hazards(found, pl.DataFrame({"x": [0, 0], "kind": ["a", other]}), 3)


@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_a_unit_beyond_numbers_is_told(unit):
    rows = pl.DataFrame({"duration": [1, 2, 3, 4], "event": [True] * 4, "x": [1 * unit, 0.0, 0.5 * unit, 2 * unit]})
    with pytest.raises(InputError, match=r"^x lies between 0 and 2e.* another unit"):
        cox.fit(rows, ["x"])


def test_without_covariates_the_baseline_is_that_of_Fleming_and_Harrington():  # noqa: N802, names
    rows = pl.DataFrame({"duration": [1, 1, 2, 3], "event": [True, True, False, True]})
    assert cox.fit(rows, []).baseline.select(KEYS).rows() == [("", 1, pytest.approx(1 / 4 + 1 / 3)), ("", 3, 1.0)]
    assert cox.coefficients(cox.fit(rows, [])).is_empty()


def test_baseline_of_another_event():
    rows = lives(300, 7).with_columns(rare=pl.col("event") & (pl.col("duration") % 3 == 0), never=False)
    found = cox.fit(rows, NAMES, entry="entry", strata="kind", weight="weight")
    assert cox.baseline(found, rows, "event")["hazard"].to_list() == pytest.approx(found.baseline["hazard"].to_list())
    kept = rows.with_columns(event=pl.col("rare"))
    assert cox.baseline(found, rows, "rare").select(KEYS).rows() == [
        (*key, pytest.approx(hazard)) for key, hazard in sorted(written_out(kept, found.beta)[2].items())
    ]
    assert cox.baseline(found, rows, "never").is_empty()


def same(one: cox.Cox, other: cox.Cox, scale: float = 1.0) -> None:
    assert other.beta * scale == pytest.approx(one.beta, rel=1e-6, abs=1e-8)
    assert other.covariance * scale**2 == pytest.approx(one.covariance, rel=1e-6, abs=1e-10)
    if one.robust is not None:
        assert other.robust * scale**2 == pytest.approx(one.robust, rel=1e-6, abs=1e-10)


USUAL = {"entry": "entry", "strata": "kind", "weight": "weight", "cluster": "customer_id"}
SEEDS = st.integers(0, 10_000)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_the_order_of_rows_changes_nothing(seed):
    rows = lives(200, seed)
    same(cox.fit(rows, NAMES, **USUAL), cox.fit(rows.sample(fraction=1, shuffle=True, seed=seed), NAMES, **USUAL))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.01, 0.99))
def test_a_stay_in_two_rows_of_its_weight_changes_nothing(seed, part):
    # Of those who left, each row is an event of its own among ties, as in R.
    rows = lives(200, seed)
    stayed = ~pl.col("event")
    cut = rows.with_columns(pl.when(stayed).then(pl.col("weight") * part).otherwise("weight").alias("weight"))
    rest = rows.filter(stayed).with_columns(pl.col("weight") * (1 - part))
    same(cox.fit(rows, NAMES, **USUAL), cox.fit(pl.concat([cut, rest]), NAMES, **USUAL))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 30))
def test_follow_up_in_two_rows_changes_nothing(seed, at):
    rows = lives(200, seed)
    through = (pl.col("entry") < at) & (pl.col("duration") > at)
    before = rows.filter(through).with_columns(duration=pl.lit(at, pl.Int64), event=False)
    after = rows.with_columns(entry=pl.when(through).then(at).otherwise("entry"))
    same(cox.fit(rows, NAMES, **USUAL), cox.fit(pl.concat([after, before]), NAMES, **USUAL))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(-1e6, 1e6), st.sampled_from([1e-6, -3.0, 1e6]), st.integers(0, 10**15))
def test_units_and_the_zero_of_covariates_and_clock_change_nothing(seed, shift, scale, later):
    rows = lives(200, seed)
    moved = rows.with_columns(pl.col(NAMES) * scale + shift * abs(scale), pl.col("entry", "duration") + later)
    one, other = cox.fit(rows, NAMES, **USUAL), cox.fit(moved, NAMES, **USUAL)
    same(one, other, scale)
    who = [cox.hazards(found, frame.head(9), later * is_moved + 12).to_list()
           for is_moved, (found, frame) in enumerate([(one, rows), (other, moved)])]  # fmt: skip
    assert who[0] == pytest.approx(who[1], rel=1e-4)


def test_what_enters_with_a_large_hazard_leaves_no_trace_before():
    # A risk set of two, beside which a hazard of e^30 enters later.
    early = pl.DataFrame({"entry": 0, "duration": [1, 2, 3, 4], "event": True, "x0": [1.0, 0.0, 0.0, 1.0]})
    late = pl.DataFrame({"entry": 4, "duration": [5, 6, 7], "event": [True, True, False], "x0": [30.0, 29.0, 28.0]})
    one, both = (cox.fit(rows, ["x0"], entry="entry") for rows in (early, pl.concat([early, late])))
    x, beta = late["x0"].to_numpy(), both.beta[0]
    added = x[0] - (x * np.exp(beta * x)).sum() / np.exp(beta * x).sum()
    added += x[1] - (x[1:] * np.exp(beta * x[1:])).sum() / np.exp(beta * x[1:]).sum()
    x, beta = early["x0"].to_numpy(), both.beta[0]
    own = sum(x[i] - (x[i:] * np.exp(beta * x[i:])).sum() / np.exp(beta * x[i:]).sum() for i in range(4))
    assert added + own == pytest.approx(0, abs=1e-8)
    assert one.beta[0] != pytest.approx(beta, abs=0.1)


SIX = pl.DataFrame({
    "duration": [1, 2, 3, 4, 5, 6], "event": [True] * 5 + [False], "entry": 0, "debt": [3.0, 0, 2, 3, 1, 0],
    "kind": ["a", "b"] * 3, "weight": 1.0,
})  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "names", "options", "sentence"),
    [
        (SIX, ["dept"], {}, "cox.fit needs a column dept. Did you mean debt?"),
        (SIX.clear(), ["debt"], {}, "cox.fit has been given no row"),
        (SIX.with_columns(debt=None), ["debt"], {}, "6 of 6 rows given to cox.fit have no debt. Fill it"),
        (SIX.with_columns(pl.col("debt").replace(1.0, float("nan"))), ["debt"], {}, "1 of 6 .* debt that is no number"),
        (SIX, ["kind"], {}, "cannot compute with kind: it is String"),
        (SIX.with_columns(event=False), ["debt"], {}, "None of the 6 rows .* event is never true"),
        (SIX.with_columns(event=pl.col("duration")), ["debt"], {}, r"5 of 6 values of event .* \(first: 2\)"),
        (SIX.with_columns(pl.col("duration") - 1), ["debt"], {}, r"1 of 6 values of duration .* \(first: 0\)"),
        (SIX.with_columns(weight=pl.col("debt")), ["debt"], {"weight": "weight"}, "2 of 6 values of weight"),
        (
            SIX.with_columns(entry=pl.lit(2)), ["debt"], {"entry": "entry"},
            r"2 of 6 rows .* entry is not before duration \(first: 2 and 1\)",
        ),
        (SIX.with_columns(debt=7), ["debt"], {}, "debt is 7 in all 6 rows"),
        (SIX.with_columns(other=pl.col("debt") * 2 + 1), ["debt", "other"], {}, r"other is told by debt already"),
        (SIX.with_columns(d=pl.col("kind") == "a"), ["debt", "d"], {"strata": "kind"}, "d does not differ among those"),
        (SIX.with_columns(c=-pl.col("duration")), ["debt", "c"], {}, "coefficient of c: it separates"),
        (SIX.with_columns(c=pl.col("event")), ["c", "debt"], {}, "c: it separates those who left"),
        (SIX.head(1).vstack(SIX.tail(1)), ["debt", "entry"], {}, "1 of 2 rows .* too few to tell 2 covariates apart"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_said(rows, names, options, sentence):
    with pytest.raises(InputError, match=sentence):
        cox.fit(rows, names, **options)


@pytest.mark.parametrize("n", [2_000, 50_000])
def test_who_never_leaves_is_named_among_many(n):
    rng = np.random.default_rng(2)
    rows = pl.DataFrame({"x0": rng.normal(size=n), "paid": rng.random(n) < 5 / n, "x2": rng.normal(size=n)})
    rows = rows.with_columns(duration=pl.Series(rng.integers(1, 37, n)), event=pl.Series(rng.random(n) < 0.3))
    with pytest.raises(InputError, match="coefficient of paid: it separates"):
        cox.fit(rows.with_columns(pl.col("event") & ~pl.col("paid")), list(rows.columns[:3]))


def test_a_stratum_without_events_and_a_strong_effect_are_fine():
    rows = lives(2_000, 8).with_columns(pl.col("event") & (pl.col("kind") != "c"))
    found = cox.fit(rows, NAMES, strata="kind")
    assert found.baseline["stratum"].unique().sort().to_list() == ["a", "b"]
    same(found, cox.fit(rows.filter(pl.col("kind") != "c"), NAMES, strata="kind"))
    rng = np.random.default_rng(3)
    x = rng.normal(size=20_000)
    steep = pl.DataFrame({"x": x, "duration": rng.exponential(np.exp(-6 * x)), "event": True})
    assert cox.fit(steep, ["x"]).beta == pytest.approx([6], abs=0.2)


def changing(n: int, seed: int, late: float) -> pl.DataFrame:
    """A hazard of a month that is e times as large for half of them, until month 6; then `late` in its logarithm."""
    rng = np.random.default_rng(seed)
    x, steady = rng.integers(0, 2, n), rng.normal(size=n)
    end, left = np.full(n, 12), np.zeros(n, bool)
    for month in range(12, 0, -1):
        goes = rng.random(n) < 0.03 * np.exp((1.0 if month <= 6 else late) * x + 0.3 * steady)
        end, left = np.where(goes, month, end), goes | left
    return pl.DataFrame({"x": x, "steady": steady, "duration": end, "event": left})


def test_an_effect_that_changes_is_told_from_one_that_lasts():
    rows = changing(40_000, 1, late=0.0)
    found = cox.proportionality(cox.fit(rows, ["x", "steady"]), rows)
    assert found["is_proportional"].to_list() == [False, True]
    early, late, difference, lower, upper = found.row(0)[1:6]
    assert early == pytest.approx(1, abs=0.1)
    assert lower < difference == late - early < upper
    few = changing(100, 1, late=0.0)
    assert cox.proportionality(cox.fit(few, ["x", "steady"]), few)["is_proportional"].to_list() == [None, None]


def test_halves_are_fits_of_what_each_has_seen():
    rows = lives(600, 9)
    found = cox.proportionality(cox.fit(rows, NAMES, **USUAL), rows)
    split = found["split_at"][0]
    n_early = rows.filter(pl.col("event"), pl.col("duration") <= split).height
    assert n_early / rows["event"].sum() == pytest.approx(0.5, abs=0.1)
    early = rows.filter(pl.col("entry") < split).with_columns(
        pl.col("duration").clip(upper_bound=split), pl.col("event") & (pl.col("duration") <= split)
    )
    late = rows.filter(pl.col("duration") > split).with_columns(pl.col("entry").clip(split))
    assert found["early"].to_list() == pytest.approx(cox.fit(early, NAMES, **USUAL).beta.tolist())
    assert found["late"].to_list() == pytest.approx(cox.fit(late, NAMES, **USUAL).beta.tolist())


def test_a_covariate_that_a_half_does_not_know_is_told_apart():
    rows = lives(600, 10).with_columns(fades=(pl.col("duration") < 4) & pl.col("event") | (pl.col("duration") == 30))
    found = cox.proportionality(cox.fit(rows, ["fades", "x1"]), rows)
    assert found["early"].is_null().to_list() == [True, False]
    assert found["advice"][0].startswith("cannot tell: cox.fit finds no end for the coefficient of fades")
    with pytest.raises(InputError, match="All events are at 1, so that there is no early and late"):
        cox.proportionality(cox.fit(one := rows.with_columns(duration=1), ["x1"]), one)


@pytest.mark.slow
def test_clustered_intervals_hold_what_they_say():
    # 1,000 banks of 200 branches with luck of their own: a covariate of the branch has no effect, early or late. Of 60
    # branches the sandwich holds 92.5 %: it needs many.
    rng, held, naive, differs = np.random.default_rng(5), 0, 0, 0
    for _ in range(1_000):
        luck, x, branch = rng.gamma(4, 1 / 4, 200), rng.normal(size=200), np.repeat(np.arange(200), 8)
        end = rng.exponential(10 / luck[branch])
        rows = pl.DataFrame({"x": x[branch], "duration": np.ceil(end.clip(max=20)), "event": end < 20, "at": branch})
        found = cox.fit(rows, ["x"], cluster="at")
        naive += abs(found.beta[0]) < 1.96 * found.covariance[0, 0] ** 0.5
        held += abs(found.beta[0]) < 1.96 * found.robust[0, 0] ** 0.5
        lower, upper = cox.proportionality(found, rows).select("lower", "upper").row(0)
        differs += lower < 0 < upper
    assert naive < 930
    assert 930 <= held <= 970
    assert 930 <= differs <= 970
