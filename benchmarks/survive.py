"""Cox's hazards beside lifelines: a million spells on whole months with late entry, and standard errors by customer.

And who may leave, of a million customers: fitted, calibrated, back-tested and scored.
"""

import numpy as np
import polars as pl

from crmlab import policy
from crmlab.measures import churn, cox
from crmlab.measures.churn.covariates import COVARIATES as KNOWN
from tests import drawn_leavers

HORIZON = 6  # months
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


def landmarks(n: int) -> pl.DataFrame:
    """Customers month by month over three years; what no hazard depends on is noise."""
    rows, rng = drawn_leavers.landmarks(6, n, months=36), np.random.default_rng(6)
    noise = [name for name in KNOWN if name not in rows.columns]
    return rows.with_columns(pl.Series(name, rng.standard_normal(len(rows), np.float32)) for name in noise)


def leaving(rows: pl.DataFrame) -> None:
    """Try the model of half a year ago, then fit, calibrate and score as of today, with reasons."""
    rules, today = policy.load(), rows["month"].max()
    tried = churn.trial(rows, rules, HORIZON).scored
    churn.calibration(tried, HORIZON)
    churn.verdict(tried, HORIZON, 0.05)
    now = rows.filter(month=today)
    model = churn.fit(rows, today, rules)
    churn.probability(model, now, HORIZON)
    churn.told(model, now)


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
