"""What the intervals promise: of 1,000 simulated banks whose truth is known, 95 % must hold it (93 to 97 % pass)."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from crmlab.measures import transitions

STATES = ["asleep", "base", "gold"]
# Where a customer of each state is a month later; the last column is gone. Settled before looking, as are the seeds.
CHAIN = np.array([[0.70, 0.15, 0.05, 0.10], [0.20, 0.60, 0.15, 0.05], [0.05, 0.30, 0.60, 0.05]])
LATER = np.array([[0.60, 0.22, 0.08, 0.10], [0.20, 0.60, 0.15, 0.05], [0.15, 0.30, 0.45, 0.10]])
COMING = np.array([0.2, 0.5, 0.3])
START = np.array([0.3, 0.4, 0.3])
N, N_COMING, REPLICATIONS = 1200, 200, 1000
MONTHS = pl.date_range(date(2024, 1, 31), date(2024, 4, 30), "1mo", eager=True).dt.month_end().to_list()
NAMES = [*STATES, "gone"]


def bank(rng: np.random.Generator, chain: np.ndarray) -> pl.DataFrame:
    """Customers who go their ways from month to month, some gone for good, some coming."""
    places = rng.choice(3, N, p=START)
    ids = np.arange(N)
    frames = []
    for month in MONTHS:
        frames.append(pl.DataFrame({"customer_id": ids, "segment": np.array(NAMES)[places]}).with_columns(month=month))
        draws = rng.random(len(places))
        places = (draws[:, None] > chain.cumsum(axis=1)[places]).sum(axis=1).clip(0, 3)
        ids, places = ids[places < 3], places[places < 3]
        ids = np.append(ids, ids.max() + 1 + np.arange(N_COMING))
        places = np.append(places, rng.choice(3, N_COMING, p=COMING))
    return pl.concat(frames)


def truth(chain: np.ndarray) -> pl.DataFrame:
    """The probability of each way within the last of the months; who comes is drawn anew."""
    ways = [(*pair, p) for pair, p in zip([(a, b) for a in STATES for b in NAMES], chain.ravel(), strict=True)]
    ways += [("came", name, p) for name, p in zip(STATES, COMING, strict=True)]
    return pl.DataFrame(ways, schema=["origin", "destination", "p"], orient="row")


def covered(found: pl.DataFrame, truths: pl.DataFrame) -> pl.DataFrame:
    """How often each way's interval held the truth; one that nobody went in a bank counts as a miss."""
    held = truths.join(found, on=["origin", "destination"], how="left")
    hit = ((pl.col("lower") <= pl.col("p")) & (pl.col("p") <= pl.col("upper"))).fill_null(False)
    shares = held.group_by("origin", "destination").agg(n=pl.len(), share=hit.sum() / REPLICATIONS)
    return shares.with_columns(is_well=pl.col("share").is_between(0.93, 0.97))


@pytest.mark.slow
def test_wilson_covers_the_chain_of_a_simulated_bank():
    rng = np.random.default_rng(1927)
    pairs = (transitions.pairs(bank(rng, CHAIN), *MONTHS[-2:]) for _ in range(REPLICATIONS))
    found = covered(pl.concat(transitions.matrix(rows) for rows in pairs), truth(CHAIN))
    assert found["n"].to_list() == [REPLICATIONS] * (len(STATES) * len(NAMES) + len(STATES))
    assert found.filter(~pl.col("is_well")).rows() == []


@pytest.mark.slow
def test_newcombe_covers_the_change_between_two_simulated_years():
    rng = np.random.default_rng(1998)
    changes = []
    for _ in range(REPLICATIONS):
        now, before = (
            transitions.matrix(transitions.pairs(bank(rng, chain), *MONTHS[-2:])) for chain in (LATER, CHAIN)
        )
        changes.append(transitions.change(now, before, 0.2))
    truths = truth(LATER).with_columns(p=pl.col("p") - truth(CHAIN)["p"])
    found = covered(pl.concat(changes), truths)
    assert found["n"].to_list() == [REPLICATIONS] * (len(STATES) * len(NAMES) + len(STATES))
    assert found.filter(~pl.col("is_well")).rows() == []
