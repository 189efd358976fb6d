"""Leaving on a large simulated bank: the model out of time, and what intervals and verdicts promise there.

Settled before looking, as is the seed: 1,000 draws of customers from the bank, of whose intervals 93 to 97 % must hold
what is true of the whole bank; and where nothing is to be found, no more findings than the 99.9 % quantile.
"""

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

import crmlab as crm
from crmlab import simulate
from crmlab.mart import ledger
from crmlab.mart.people import held
from crmlab.measures import churn, standing, survival
from crmlab.measures.churn import ranking
from crmlab.measures.churn.backtest import Trial

pytestmark = pytest.mark.slow

POLICY = crm.policy.load()
AS_OF = date(2025, 12, 31)
CUSTOMERS, REPLICATIONS, MAIN = 120_000, 1000, 6
HOLDS = (0.93 * REPLICATIONS, 0.97 * REPLICATIONS)
MOST_OF_BOTH, MOST_OF_ONE = (binom.ppf(0.999, REPLICATIONS, rate) for rate in (0.05, 0.025))
TENURES, UNTIL = [36, 120, 180], 120  # months


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> dict[str, pl.DataFrame]:
    """Three years of so many customers that 100,000 are at risk at the end: episodes and landmarks."""
    folder = tmp_path_factory.mktemp("leaving")
    extracts = simulate.bank(folder / "extracts", customers=CUSTOMERS, months=36, seed=5, start=date(2023, 1, 1))
    known = crm.read(extracts, as_of=AS_OF, landed=folder / "landed")
    rows = _standing(known, folder / "facts")
    events = crm.panel.events(known).collect()
    maturities = crm.panel.maturities(pl.scan_parquet(folder / "facts"), known).collect()
    given = (rows, events, POLICY.churn, maturities)
    episodes = churn.episodes(*given)
    return {
        "episodes": episodes,
        "landmarks": churn.landmarks(rows, events, episodes, churn.watch(*given), POLICY),
    }


def _standing(known, facts) -> pl.DataFrame:
    """`standing.table` of all months without what customers earn; facts are written beside, a file a month."""
    facts.mkdir()
    first = held(known).group_by("customer_id").agg(first_on=pl.col("opened_on").min())
    people = known.table("customers").select("customer_id", pl.col("kind").cast(pl.String))
    people = people.join(first, on="customer_id", how="left").collect()
    money = dict.fromkeys([*POLICY.contribution.components, "points"], pl.Int64)
    unearned = pl.DataFrame(schema={"customer_id": pl.Int32, "month": pl.Date} | money)
    seen, found = pl.DataFrame(schema={"customer_id": pl.Int32, "last_active_on": pl.Date}), []
    for month, of_accounts, customers, _ in crm.panel.monthly(known):
        of_accounts.write_parquet(facts / f"{month:%Y-%m}.parquet")
        rows = standing.table(customers, unearned, people, POLICY, seen)
        now = rows.select("customer_id", "last_active_on")
        seen = pl.concat([seen.join(now, on="customer_id", how="anti"), now])
        found.append(rows)
    return pl.concat(found)


@pytest.fixture(scope="module")
def trials(bank) -> dict[int, Trial]:
    return {horizon: churn.trial(bank["landmarks"], POLICY, horizon) for horizon in (3, MAIN)}


@pytest.mark.parametrize("horizon", [3, MAIN])
def test_the_calibration_slope_is_one_out_of_time(trials, horizon):
    trial = trials[horizon]
    assert trial.scored["customer_id"].n_unique() == len(trial.scored) >= 100_000
    last = trial.fit.quality.filter(horizon=horizon)["to"].item()
    assert last.month + 12 * last.year + horizon <= trial.at.month + 12 * trial.at.year
    found = churn.calibration(trial.scored, horizon)
    assert found.slope_lower <= 1 <= found.slope_upper
    assert found.slope_upper - found.slope_lower <= 0.2
    assert found.ici < 0.005
    assert churn.verdict(trial.scored, horizon, POLICY.leaving.budget / 1e6).is_better


def draws(rows: pl.DataFrame, n: int, seed: int, times: int = REPLICATIONS):
    """So many times the rows of `n` customers, none of them twice."""
    rng = np.random.default_rng(seed)
    who, place = np.unique(rows["customer_id"].to_numpy(), return_inverse=True)
    rows = rows[np.argsort(place, kind="stable")]
    ends = np.cumsum(np.bincount(place))
    starts = np.append(0, ends[:-1])
    for _ in range(times):
        drawn = rng.choice(len(who), n, replace=False)
        sizes = ends[drawn] - starts[drawn]
        yield rows[np.repeat(starts[drawn] - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())]


def curves_of(rows: pl.DataFrame) -> dict[str, np.ndarray]:
    """value, lower, upper by what they tell of."""
    curve = survival.curves(rows)
    found = {f"stays {time}": _at(curve, time, "survival") for time in TENURES}
    for (cause,), part in survival.incidence(rows).group_by("cause"):
        found[f"{cause} by {UNTIL}"] = _at(part, UNTIL, "incidence")
    found["mean life"] = survival.mean_life(curve, UNTIL).select("mean_months", "lower", "upper").row(0)
    return found


def _at(frame: pl.DataFrame, time: int, value: str) -> tuple[float, float, float]:
    return frame.filter(pl.col("time") <= time).sort("time").select(value, "lower", "upper").row(-1)


def test_curves_of_a_draw_hold_those_of_the_bank(bank):
    rows = bank["episodes"].with_columns(pl.col("cause").cast(pl.String))
    truth = {name: value for name, (value, *_) in curves_of(rows).items()}
    n_held = dict.fromkeys(truth, 0)
    # Of nine intervals one falls out of 93 to 97 % by chance where each is told by 1,000 draws alone.
    for drawn in draws(rows, 3000, seed=1926, times=3 * REPLICATIONS):
        for name, (_, lower, upper) in curves_of(drawn).items():
            n_held[name] += lower <= truth[name] <= upper
    assert {name: n for name, n in n_held.items() if not 3 * HOLDS[0] <= n <= 3 * HOLDS[1]} == {}


def test_slope_and_area_of_a_draw_hold_those_of_the_bank(trials):
    rows = trials[MAIN].scored
    truth, n_held = _told(rows), np.zeros(2)
    for drawn in draws(rows, 6000, seed=1958):
        n_held += [lower <= value <= upper for (_, lower, upper), (value, *_) in zip(_told(drawn), truth, strict=True)]
    assert ((n_held >= HOLDS[0]) & (n_held <= HOLDS[1])).all(), n_held


def _told(rows: pl.DataFrame) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The slope, and the area under the curve of the probability, with their ends."""
    curve = churn.calibration(rows, MAIN)
    area = ranking.auc(ranking.dense(rows["probability"].to_numpy()), rows["event"].to_numpy(), None)
    return (curve.slope, curve.slope_lower, curve.slope_upper), (area.auc, area.lower, area.upper)


def test_a_model_of_nothing_is_seldom_told_from_the_rule(trials):
    """What came of each customer is dealt out anew: no list is better than another then, and no number tells who."""
    rng, said = np.random.default_rng(1933), []
    for seed, drawn in enumerate(draws(trials[MAIN].scored, 1500, seed=1935)):
        came = drawn.select("event", "duration", "lost")[rng.permutation(len(drawn))]
        rows = drawn.drop(came.columns).hstack(came)
        found = churn.verdict(rows, MAIN, 0.1, method="probability", seed=seed)
        _, (_, lower, upper) = _told(rows)
        said.append((found.is_better is True, found.is_better is False, not lower <= 0.5 <= upper))
    better, worse, apart = np.sum(said, axis=0)
    assert better + worse <= MOST_OF_BOTH
    assert max(better, worse) <= MOST_OF_ONE
    assert apart <= MOST_OF_BOTH


def test_lists_issued_at_random_that_did_nothing_are_seldom_said_to_have_done_something(trials):
    """Nobody was called: who is on a list and who is held out leave alike, as the bank's customers did."""
    trial = trials[MAIN]
    scored = trial.scored.with_columns(customer_no=pl.col("customer_id").cast(pl.String))
    on, over = trial.at, trial.known_at
    left = scored.filter("event").select("customer_no", "event", "lost", ends_on=pl.lit(over), known_on=pl.lit(over))
    nobody = pl.DataFrame(schema={"customer_no": pl.String, "on": pl.Date})
    made = []
    for n, drawn in enumerate(draws(scored, 6000, seed=1919)):
        control = ledger.control(drawn["customer_no"], f"L{n}", POLICY.worklist.control_share)
        rows = drawn.select("customer_no", control, list_id=pl.lit(f"L{n}"), name=pl.lit("drawn"), issued_on=pl.lit(on))
        rows = rows.with_columns(ends_on=pl.lit(over), read_out_on=pl.lit(over))
        made.append(churn.effects(churn.followed_up(rows, left, nobody, over)))
    found = pl.concat(made)
    assert found["verdict"].is_in(["fewer left", "more left"]).sum() <= MOST_OF_BOTH
    assert HOLDS[0] <= ((found["lower"] <= 0) & (found["upper"] >= 0)).sum()
