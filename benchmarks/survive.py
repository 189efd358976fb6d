"""Cox's hazards beside lifelines: a million spells on whole months with late entry, and standard errors by customer."""

import numpy as np
import polars as pl

from crmlab.measures import cox

COVARIATES = [f"x{i}" for i in range(8)]
SPELL = ["duration", "event", "entry"]


def spells(n: int) -> pl.DataFrame:
    """Spells of 1 to 36 months, a third of which end in leaving, most of them with late entry; four a customer."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(n, len(COVARIATES)))
    x[:, ::2] = x[:, ::2] > 0.5
    end = np.ceil(rng.exponential(60 * np.exp(-x @ np.linspace(0.4, -0.4, len(COVARIATES)))))
    entry = np.floor(rng.uniform(0, 24, n)) * (rng.random(n) < 0.7)
    until = entry + np.ceil(rng.uniform(0, 36 - entry))
    rows = {name: x[:, i] for i, name in enumerate(COVARIATES)} | {
        "duration": np.minimum(end, until).astype(np.int32), "event": end <= until, "entry": entry.astype(np.int32),
        "customer_id": rng.integers(0, n // 4, n),
    }  # fmt: skip
    return pl.DataFrame(rows).filter(pl.col("duration") > pl.col("entry"))


def hazards(rows: pl.DataFrame) -> None:
    """`cox.fit` with late entry."""
    cox.fit(rows, COVARIATES, entry="entry")


def clustered_hazards(rows: pl.DataFrame) -> None:
    """The same with standard errors by customer."""
    cox.fit(rows, COVARIATES, entry="entry", cluster="customer_id")


def lifelines_hazards(rows: pl.DataFrame) -> None:
    """`CoxPHFitter` of the same; what it takes to hand it a pandas frame is little, and counted."""
    _by_lifelines(rows.select(*COVARIATES, *SPELL), entry_col="entry")


def own_hazards(rows: pl.DataFrame) -> None:
    """`cox.fit` without late entry, each row its own cluster, as `robust=True` means it."""
    cox.fit(rows.with_row_index("row"), COVARIATES, cluster="row")


def lifelines_own_hazards(rows: pl.DataFrame) -> None:
    """`CoxPHFitter` with `robust=True`, which knows no late entry."""
    _by_lifelines(rows.select(*COVARIATES, *SPELL[:2]), robust=True)


def _by_lifelines(rows: pl.DataFrame, **options) -> None:
    from lifelines import CoxPHFitter

    CoxPHFitter().fit(rows.to_pandas(), "duration", "event", **options)
