"""What the intervals of curves promise: of 1,000 simulated books, 93 to 97 % must hold the truth.

Customers are seen in a window of 24 months; those who came before it enter late, those who left before it are never
seen. Settled before looking, as are the seeds.
"""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from crmlab.measures import survival
from crmlab.measures.churn.value import life_value

N, REPLICATIONS, WINDOW, LONGEST = 600, 1000, 24, 61
AT = [6, 12, 24, 48]
HORIZON, MONTHS, DISCOUNT, TENURES = 36, 24, 50_000, [0, 12, 30]
CAUSES = ["closure", "run-off"]
# The chance to leave in each month of tenure for each cause: closing wanes, run-off waxes.
MONTH = np.arange(1, LONGEST)
HAZARD = np.column_stack([0.01 + 0.03 * np.exp(-MONTH / 12), 0.004 + 0.0004 * MONTH])
STAYS = np.append(1.0, np.cumprod(1 - HAZARD.sum(axis=1)))


def book(rng: np.random.Generator) -> pl.DataFrame:
    """Customers of a window: months of tenure at its start (before: late entry; negative: yet to come)."""
    found = []
    while sum(map(len, found)) < N:
        entry = rng.integers(-WINDOW + 1, 37, N)
        draws = rng.random((N, LONGEST - 1))
        leaves = draws < HAZARD.sum(axis=1)
        month = np.where(leaves.any(axis=1), leaves.argmax(axis=1) + 1, LONGEST + 1)
        end = entry + WINDOW
        draw = draws[np.arange(N), np.minimum(month, LONGEST - 1) - 1]
        closes = draw < HAZARD[np.minimum(month, LONGEST - 1) - 1, 0]
        frame = pl.DataFrame({"entry": np.maximum(entry, 0), "duration": np.minimum(month, end), "event": month <= end})
        cause = pl.when("event").then(
            pl.when(pl.lit(pl.Series(closes))).then(pl.lit(CAUSES[0])).otherwise(pl.lit(CAUSES[1]))
        )
        found.append(frame.with_columns(cause=cause).filter(pl.col("duration") > pl.col("entry")))
    return pl.concat(found).head(N)


def truths() -> dict[str, float]:
    """What each measure should find, by its name in `told`."""
    known = {f"stays {t}": STAYS[t] for t in AT}
    for place, cause in enumerate(CAUSES):
        share = np.cumsum(STAYS[:-1] * HAZARD[:, place])
        known |= {f"{cause} {t}": share[t - 1] for t in AT}
    known["mean"] = STAYS[:HORIZON].sum()
    ahead = np.arange(1, MONTHS + 1)
    paid = (1 + DISCOUNT / 1e6) ** (-ahead / 12) / 12
    return known | {f"value {t}": 1e9 * (STAYS[t + ahead] / STAYS[t] * paid).sum() for t in TENURES}


def at(frame: pl.DataFrame, time: int) -> tuple[float, float]:
    return frame.filter(pl.col("time") <= time).sort("time").select("lower", "upper").row(-1)


def told(rows: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """The intervals that one book gives."""
    curve = survival.curves(rows.with_columns(kind=pl.lit("retail")), "kind")
    ends = {f"stays {t}": at(curve, t) for t in AT}
    for (cause,), part in survival.incidence(rows).group_by("cause"):
        ends |= {f"{cause} {t}": at(part, t) for t in AT}
    ends["mean"] = survival.mean_life(curve, HORIZON, "kind").select("lower", "upper").row(0)
    asked = pl.DataFrame({
        "customer_id": TENURES, "kind": "retail", "tenure_months": TENURES, "contribution_year": 10**9
    })  # fmt: skip
    rules = SimpleNamespace(life_value=SimpleNamespace(months=MONTHS, discount=DISCOUNT))
    values = life_value(curve, asked, rules)
    return ends | {
        f"value {t}": (lower, upper) for t, lower, upper in values.select("customer_id", "lower", "upper").rows()
    }


@pytest.mark.slow
def test_intervals_of_curves_hold_the_truth_under_late_entry():
    rng = np.random.default_rng(1958)
    known = truths()
    held = dict.fromkeys(known, 0)
    for _ in range(REPLICATIONS):
        for name, (lower, upper) in told(book(rng)).items():
            held[name] += lower <= known[name] <= upper
    shares = {name: n / REPLICATIONS for name, n in held.items()}
    assert {name: share for name, share in shares.items() if not 0.93 <= share <= 0.97} == {}


def test_who_is_not_at_risk_before_entry_must_not_count():
    """Over 20 books the curve is near the truth; late customers taken for seen from the start hide who left."""
    rng = np.random.default_rng(1994)
    rows = pl.concat([book(rng) for _ in range(20)])
    stays = {
        name: survival.curves(frame).filter(pl.col("time") == 24)["survival"].item()
        for name, frame in {"at risk from entry": rows, "from the start": rows.drop("entry")}.items()
    }
    assert stays["at risk from entry"] == pytest.approx(STAYS[24], abs=0.02)
    assert stays["from the start"] > STAYS[24] + 0.15
