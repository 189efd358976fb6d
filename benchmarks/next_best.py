"""What is taken next, of twenty products: a million customers scored, and a bank's history fitted and tried."""

from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab import policy
from crmlab.measures import crosssell
from crmlab.measures.churn.covariates import COVARIATES
from crmlab.measures.crosssell.taking import OWN
from tests import drawn_takers

MONTHS = 24
FEW = 5_000  # customers that the model is fitted on which scores the many
NOISE = tuple(name for name in (*COVARIATES, *OWN) if name not in ("size", "salary"))
RAISED = ({"size": -0.5}, {"salary": 0.7}, {"holds:p00": 0.9}, {"tenure": 0.4, "holds:p01": -0.6}, {})
PRODUCTS = {
    f"p{n:02}": (0.004, 0.05 + 0.4 * (n < 4), RAISED[n % len(RAISED)] if n > 3 else {}) for n in range(20)
}  # fmt: skip


class Asked(NamedTuple):
    """A model, and whom it is asked of."""

    fit: crosssell.Fit
    customers: pl.DataFrame


def history(n: int) -> drawn_takers.Drawn:
    """Customers month by month over two years, with all that is known of a bank's; what nothing depends on is noise."""
    return drawn_takers.drawn(6, n, MONTHS, PRODUCTS, NOISE)


def asked(n: int) -> Asked:
    """A model fitted on few, and so many customers as they stand on its last day."""
    few = history(FEW)
    today = few.landmarks["month"].max()
    now = few.landmarks.filter(month=today)
    places = np.random.default_rng(6).integers(0, len(now), n)
    many = now[places].with_columns(customer_id=pl.int_range(n, dtype=pl.Int32))
    return Asked(crosssell.fit(few.landmarks, today, policy.load(), book=few.book), many)


def scored_offers(given: Asked) -> None:
    """All pairs of customer and product that is not held."""
    crosssell.probability(given.fit, given.customers)


def fitted_offers(given: drawn_takers.Drawn) -> None:
    """Fit all ways, twice each, and choose."""
    crosssell.fit(given.landmarks, given.landmarks["month"].max(), policy.load(), book=given.book)


def tried_offers(given: drawn_takers.Drawn) -> None:
    """The same as of an earlier day, and what came of it."""
    crosssell.trial(given.landmarks, policy.load(), book=given.book)
