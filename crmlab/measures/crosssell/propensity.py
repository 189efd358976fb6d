"""Who takes a product next, told from what is known of a customer: hazards of taking it, and a bent logistic curve."""

from typing import NamedTuple

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from crmlab.errors import InputError
from crmlab.measures import cox
from crmlab.measures.churn.training import LEAST_LEAVERS, usable, usual
from crmlab.measures.cox.ascent import Untold
from crmlab.measures.crosssell.popularity import Seen

PER_COVARIATE = 10  # takers a covariate of the hazards (Peduzzi 1995): of more covariates, those that tell most
KNOTS = (0.25, 0.5, 0.75)  # quantiles at which a curve may bend
PENALTY = (
    0.1  # C of the logistic regression: a standard deviation moves the log odds by a third, before anything is seen
)
STEPS = 300
FEW = 8  # one in so many finds most of the way
FURTHEST = 20.0  # log of a hazard against the average: beyond, a number says no more
COEFFICIENTS = {
    "covariate": pl.String, "hazard_ratio": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
}  # fmt: skip


class Basis(NamedTuple):
    """How covariates are brought to one scale, and where they may bend."""

    names: tuple[str, ...]
    lowest: np.ndarray  # what lies further counts as that far
    highest: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    knots: tuple[tuple[int, float], ...]  # place of a covariate, and its value
    bends: np.ndarray  # standard deviation of what lies beyond each knot
    n_kinds: int

    def seen(self, rows: pl.DataFrame, kind: np.ndarray, held: np.ndarray, is_bent: bool = True) -> Seen:
        """Rows as models see them."""
        values = np.empty((len(rows), len(self.names)), np.float32)
        for n, name in enumerate(self.names):
            values[:, n] = rows[name].cast(pl.Float32).to_numpy()
        np.clip(values, self.lowest, self.highest, out=values)
        bent = None
        if is_bent:
            bent = np.zeros((len(rows), len(self.names) + len(self.knots) + self.n_kinds), np.float32)
            for n, (place, value) in enumerate(self.knots):
                bent[:, len(self.names) + n] = np.maximum(values[:, place] - value, 0) / self.bends[n]
            is_known = kind > 0
            bent[is_known, len(self.names) + len(self.knots) + kind[is_known] - 1] = 1
        values -= self.mean
        values /= self.spread
        if is_bent:
            bent[:, : len(self.names)] = values
        return Seen(kind, held, values, bent)


class Hazards(NamedTuple):
    """Cox's hazard of taking a product over the horizon: of an average customer of each kind, and what raises it."""

    at: np.ndarray  # places of its covariates
    beta: np.ndarray
    level: np.ndarray  # cumulative hazard of each kind, everyone's first

    def told(self, seen: Seen) -> np.ndarray:
        """How likely each is to take it."""
        return -np.expm1(-self.level[seen.kind] * _relative(seen.x[:, self.at] @ self.beta))


class Curve(NamedTuple):
    """Logistic regression on covariates that may bend."""

    beta: np.ndarray
    constant: float

    def told(self, seen: Seen) -> np.ndarray:
        """How likely each is to take it."""
        return 1 / (1 + np.exp(-np.clip(seen.bent @ self.beta + self.constant, -30, 30)))


def basis(rows: pl.DataFrame, names: tuple[str, ...], n_kinds: int) -> Basis:
    """Scales and knots of covariates, from rows of landmarks."""
    x = np.column_stack([rows[name].cast(pl.Float64).to_numpy() for name in names])
    spread = x.std(axis=0)
    knots, bends = [], []
    for n in range(len(names)):
        low, high = x[:, n].min(), x[:, n].max()
        for value in np.unique(np.quantile(x[:, n], KNOTS)) if len(np.unique(x[:, n])) > 2 else ():
            if low < value < high:
                knots.append((n, float(value)))
                bends.append(np.maximum(x[:, n] - value, 0).std())
    ends = (end.astype(np.float32) for end in (x.min(axis=0), x.max(axis=0)))
    scale = (x.mean(axis=0).astype(np.float32), np.where(spread > 0, spread, 1).astype(np.float32))
    return Basis(names, *ends, *scale, tuple(knots), np.array(bends, np.float32), n_kinds)


def hazards(rows: pl.DataFrame, seen: Seen, of: Basis, n_takers: int) -> tuple[Hazards, pl.DataFrame]:
    """Fit the hazard of taking a product.

    Parameters
    ----------
    rows
        Of those without it: customer_id, stratum (kind, from 1), duration (months to the taking, to the end of the
        horizon or of what is known), event (taken), weight, ends (the month it ended in, as a number).
    seen
        The same rows as models see them.
    of
        Their scale.
    n_takers
        How many took it, each once.

    Returns
    -------
    tuple[Hazards, pl.DataFrame]
        And covariate, hazard_ratio (for one standard deviation more), lower, upper (95 %, a customer's months taken
        together).

    Raises
    ------
    InputError
        When no covariate tells who takes it.
    """
    told = rows.hstack([pl.Series(name, seen.x[:, n]) for n, name in enumerate(of.names)])
    kept, _ = usable(told, usual(told, of.names))
    kept = _telling(told, kept, max(n_takers // PER_COVARIATE, 1))
    weight = "weight" if rows["weight"].max() > 1 else None
    while True:
        try:
            model = cox.fit(told, kept, strata="stratum", weight=weight, cluster="customer_id")
            break
        except Untold as error:
            kept = [name for name in kept if name not in error.covariates]
    if not kept:
        raise InputError("No covariate tells who takes it.")
    at = np.array([of.names.index(name) for name in kept])
    relative = _relative(seen.x[:, at] @ model.beta)
    level = _levels(rows, relative, of.n_kinds, n_takers)
    return Hazards(at, model.beta, level), cox.coefficients(model).select(list(COEFFICIENTS))


def curve(rows: pl.DataFrame, seen: Seen) -> Curve:
    """Fit the logistic curve of taking a product within the horizon.

    Parameters
    ----------
    rows
        Of those without it who are followed through all of the horizon: taken, weight.
    seen
        The same rows as models see them.
    """
    model = LogisticRegression(C=PENALTY, solver="newton-cholesky", max_iter=STEPS, tol=1e-4, warm_start=True)
    # In single precision a million rows leave nothing of so small a penalty, and no matrix that can be solved.
    x, taken, weight = seen.bent.astype(float), rows["taken"].to_numpy(), rows["weight"].to_numpy().astype(float)
    # Most of the way is found among a few of those who do not take it, each of whom counts for the others.
    few = taken.copy()
    few[np.flatnonzero(~taken)[::FEW]] = True
    model.fit(x[few], taken[few], sample_weight=np.where(taken, weight, FEW * weight)[few])
    model.fit(x, taken, sample_weight=weight)
    return Curve(model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def _telling(rows: pl.DataFrame, names: tuple[str, ...], most: int) -> list[str]:
    """As many covariates as takers allow, those first whose mean among takers lies furthest from everyone's.

    A yes or no to which nearly all takers say the same tells little but that, in coefficients without end.
    """
    takers = rows.filter("event").unique("customer_id", keep="first", maintain_order=True)
    rare = {name for name in names if rows[name].n_unique() == 2 and _fewest(takers[name]) < LEAST_LEAVERS}
    names = tuple(name for name in names if name not in rare)
    if len(names) <= most:
        return list(names)
    gaps = rows.select(
        ((pl.col(name).filter("event").mean() - pl.col(name).mean()) / pl.col(name).std()).abs().alias(name)
        for name in names
    )
    return sorted(names, key=lambda name: -gaps[name][0])[:most]


def _fewest(values: pl.Series) -> int:
    counts = values.value_counts()["count"]
    return int(counts.min()) if len(counts) == 2 else 0


def _relative(log_hazard: np.ndarray) -> np.ndarray:
    return np.exp(np.clip(log_hazard, -FURTHEST, FURTHEST))


def _levels(rows: pl.DataFrame, relative: np.ndarray, n_kinds: int, n_takers: int) -> np.ndarray:
    """Cumulative hazard over the horizon by kind, everyone's first, of one whose relative hazard is 1.

    How often a kind takes it stands to everyone as its takers to those due at everyone's hazard, one added to both.
    What all of a kind share, such as a product made for them, is no part of what sets one of them apart: coefficients
    are told within kinds, and so relative hazards count against their mean in the kind.
    """
    duration, stratum = rows["duration"].to_numpy(), rows["stratum"].to_numpy()
    event, weight = rows["event"].to_numpy(), rows["weight"].to_numpy()
    months = int(duration.max()) + 1
    there = np.bincount(duration, weight, months)[::-1].cumsum()[::-1]
    taken = np.bincount(duration, weight * event, months)
    hazard = np.cumsum(np.divide(taken, there, out=np.zeros(months), where=there > 0))
    due = np.bincount(stratum, weight * hazard[duration], n_kinds + 1)
    due *= n_takers / due.sum()  # each taking once, not at every landmark
    each = rows.filter("event").select("stratum", "customer_id", "ends").unique()
    k = np.bincount(each["stratum"].to_numpy(), minlength=n_kinds + 1)
    time, raised = (np.bincount(stratum, weight * duration * one, n_kinds + 1) for one in (1, relative))
    mean = np.divide(raised, time, out=np.ones(n_kinds + 1), where=time > 0)
    mean[0] = raised.sum() / time.sum()
    level = (k + 1) / (due + 1)
    level[0] = 1.0
    return hazard[-1] * level / mean
