"""What back-tests promise: of 1,000 banks 95 % of intervals hold the truth, and equal lists are told equal."""

import numpy as np
import polars as pl
import pytest

from crmlab.measures import churn
from crmlab.measures.churn import capture, ranking

REPLICATIONS = 1000
H = 6
# The 99.9 % quantile of a binomial of 1,000 banks of which 5 %, or 2.5 %, are told apart though they are equal.
MOST_OF_BOTH, MOST_OF_ONE = 73, 42


def scored(rng: np.random.Generator, n: int, level: float = -2.5) -> pl.DataFrame:
    """Customers who leave as likely as told, with money of very different size."""
    told = 1 / (1 + np.exp(-rng.normal(level, 1, n)))
    left = rng.random(n) < told
    aum = np.exp(rng.normal(11, 1, n)).astype(int)
    return pl.DataFrame({
        "customer_id": np.arange(n), "probability": told, "event": left, "lost": np.where(left, aum, 0), "aum": aum,
        "duration": np.where(left, rng.integers(1, H + 1, n), H), "aum_change": rng.integers(-1000, 1000, n),
    })  # fmt: skip


@pytest.mark.slow
def test_slope_and_intercept_cover_one_and_none():
    rng = np.random.default_rng(1958)
    held = np.zeros(2)
    for _ in range(REPLICATIONS):
        found = churn.calibration(scored(rng, 1500), H)
        held += (
            found.slope_lower <= 1 <= found.slope_upper,
            found.intercept_lower <= 0 <= found.intercept_upper,
        )
    assert ((held >= 0.93 * REPLICATIONS) & (held <= 0.97 * REPLICATIONS)).all(), held


@pytest.mark.slow
def test_the_interval_of_the_slope_is_narrow_on_a_hundred_thousand():
    found = churn.calibration(scored(np.random.default_rng(5), 100_000, -3.5), H)
    assert found.slope_lower < 1 < found.slope_upper
    assert found.slope_upper - found.slope_lower < 0.2
    assert found.ici < 0.003


@pytest.mark.slow
@pytest.mark.parametrize("months", [1, 4])
def test_the_area_covers_that_of_two_normal_scores(months):
    """A case scores one higher on average; a customer's months share half of what else moves the score."""
    rng = np.random.default_rng(1997)
    truth = 0.7602499389  # Φ(1/√2)
    n, n_held = 300, 0
    for _ in range(REPLICATIONS):
        case = np.repeat(rng.random(n) < 0.2, months)
        own = np.repeat(rng.normal(0, np.sqrt(0.5), n), months) + rng.normal(0, np.sqrt(0.5), n * months)
        of_whom = np.repeat(np.arange(n), months) if months > 1 else None
        found = ranking.auc(ranking.dense(case + own), case, of_whom)
        n_held += found.lower <= truth <= found.upper
    assert 0.93 * REPLICATIONS <= n_held <= 0.97 * REPLICATIONS


@pytest.mark.slow
def test_intervals_of_what_a_list_held_cover_what_such_lists_hold():
    many = scored(np.random.default_rng(3), 2_000_000)
    score = many["probability"].to_numpy()
    truth = capture.held_by(score, many, capture.n_called(len(many), np.array([0.1])))[0]
    rng, held = np.random.default_rng(1979), np.zeros(2)
    for seed in range(REPLICATIONS):
        rows = scored(rng, 1500)
        drawn = capture.drawn_anew([rows["probability"].to_numpy()], rows, np.array([0.1]), seed)
        lower, upper = capture.ends(drawn)[:, 0, 0]
        held += (lower <= truth) & (truth <= upper)
    assert ((held >= 0.93 * REPLICATIONS) & (held <= 0.97 * REPLICATIONS)).all(), held


@pytest.mark.slow
def test_lists_that_are_equally_good_are_seldom_told_apart():
    """The rule's fall in money is the same hazard behind noise of the same size as the probability's."""
    rng = np.random.default_rng(1933)
    said = []
    for seed in range(REPLICATIONS):
        rows = scored(rng, 1500)
        hazard = np.log(rows["probability"] / (1 - rows["probability"]))
        model, rule = (hazard.to_numpy() + rng.normal(0, 1, len(rows)) for _ in range(2))
        rows = rows.with_columns(
            probability=pl.Series(1 / (1 + np.exp(-model))), aum_change=pl.Series((-1e6 * rule).astype(int))
        )
        found = churn.verdict(rows, H, 0.1, method="probability", seed=seed)
        said.append((found.is_better, found.auc_lower > 0 or found.auc_upper < 0))
    better, worse = (sum(one is which for one, _ in said) for which in (True, False))
    assert better + worse <= MOST_OF_BOTH
    assert max(better, worse) <= MOST_OF_ONE
    assert sum(apart for _, apart in said) <= MOST_OF_BOTH
