"""Landmarks of customers whose hazards are known: each cause takes its own share, month after month."""

from datetime import date

import numpy as np
import polars as pl

from crmlab import policy as rules
from crmlab.policy.departing import CAUSES

K = rules.load().churn.confirm_months
ENDS = pl.date_range(date(2021, 1, 1), date(2026, 12, 1), "1mo", eager=True).dt.month_end()
HAZARDS = {"closure": 0.004, "run-off": 0.003, "maturity": 0.003, "salary": 0.003, "death": 0.001}  # a month
BETAS = {
    "closure": {"change": -0.8, "complaint": 0.9},
    "run-off": {"change": -0.5, "idle": 0.4},
    "maturity": {"complaint": 0.6, "idle": 0.3},
    "salary": {"change": -0.3, "idle": 0.2},
}


def landmarks(
    seed: int,
    n: int = 2_000,
    months: int = 36,
    hazards: dict[str, float] = HAZARDS,
    betas: dict[str, dict[str, float]] = BETAS,
    kinds: tuple[str, ...] = ("retail", "small business"),
) -> pl.DataFrame:
    """Customers at risk from the first month on, known at the end of the last; covariates stay as they are."""
    rng = np.random.default_rng(seed)
    x = {"change": rng.normal(0, 1, n), "idle": rng.normal(2, 1, n), "complaint": rng.random(n) < 0.3}
    raised = {
        cause: np.exp(sum((beta * x[name] for name, beta in betas.get(cause, {}).items()), np.zeros(n)))
        for cause in hazards
    }
    gone = [rng.exponential(1 / (hazard * raised[cause])) for cause, hazard in hazards.items()]
    cause, month = np.argmin(gone, axis=0), np.ceil(np.min(gone, axis=0)).astype(int)
    last = months - 1 - K
    month = np.where(month > last, 10**6, month)
    who, at = np.nonzero(np.arange(months) < month[:, None])
    is_ended = (month[who] <= last) & (at < last)
    kind = rng.integers(0, len(kinds), n)
    known = np.where(is_ended, np.minimum(month[who] + K, months - 1), 0)
    names = pl.Series(list(hazards), dtype=pl.String)
    return pl.DataFrame(
        {
            "customer_id": who.astype(np.int32),
            "month": ENDS[at],
            "kind": pl.Series(kinds)[kind[who]],
            **{name: pl.Series(of[who]).cast(pl.Float32) for name, of in x.items()},
            "aum": np.full(len(who), 5_000_00),
            "aum_change": np.full(len(who), 0),
            "duration": np.clip(np.where(is_ended, month[who], last) - at, 0, None).astype(np.int32),
            "event": is_ended,
            "cause": names[cause[who]],
            "known_on": ENDS[known],
            "lost": np.full(len(who), 5_000_00),
        }
    ).with_columns(
        event=pl.col("event") & pl.col("cause").is_in(CAUSES),
        **{name: pl.when(pl.Series(is_ended)).then(name) for name in ("cause", "known_on", "lost")},
    ).sort("month", "customer_id")  # fmt: skip
