"""Managers with rich and poor books, drawn with what each adds: for tests of fairness."""

import numpy as np
import polars as pl

RATES = np.array([0.1, 0.3, 0.5])  # of tiers 0 to 2
MONEY = np.array([10_000, 100_000, 1_000_000])


def drawn(
    rng: np.random.Generator, n: int = 40, *, kind: str = "rate", added: float = 0.0, heavy: bool = False
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Customers of `n` managers, and of each manager what the book brings in the long run.

    `added` is by how much managers differ, in standard deviations of a customer; `heavy` tails are log-normal.
    """
    n_customers = rng.integers(100, 240, n)
    manager, richness = np.repeat(np.arange(n), n_customers), rng.random(n)
    size = len(manager)
    tier = rng.binomial(2, richness[manager])
    adds = rng.normal(0, added, n)[manager]
    if kind == "rate":
        mean = np.clip(RATES[tier] + adds * np.sqrt(RATES[tier] * (1 - RATES[tier])), 0, 1)
        value = (rng.random(size) < mean).astype(int)
    else:
        mean = MONEY[tier] * (0.2 + adds)
        noise = (
            (np.exp(rng.normal(size=size)) - np.exp(0.5)) / np.sqrt(np.e * (np.e - 1))
            if heavy
            else rng.normal(size=size)
        )
        value = np.round(mean + MONEY[tier] * noise).astype(int)
    rows = pl.DataFrame({"manager_id": manager, "customer_id": range(size), "tier": tier, "n": 1, "value": value})
    of_each = rows.with_columns(mean=mean).group_by("manager_id").agg(truth=pl.col("mean").sum())
    return rows, of_each.sort("manager_id")
