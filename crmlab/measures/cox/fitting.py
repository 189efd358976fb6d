"""The fit of a Cox model, and what is told by it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.cox.ascent import Untold, top
from crmlab.measures.cox.checks import Columns, checked, codes, events, finite
from crmlab.measures.cox.risksets import Point, RiskSets, hazard, likelihood, residuals, risk_sets
from crmlab.measures.given import named
from crmlab.measures.uncertainty import Z


@dataclass(frozen=True)
class Cox:
    """A fitted model.

    `covariates`; `beta` their coefficients (log hazard ratio for a difference of 1), `covariance` of these, `robust`
    the same by cluster (None without a cluster); `means` of the covariates, weighted; `baseline`: stratum ("" without
    strata), time, hazard (Efron's increment of the cumulative hazard where all covariates are 0), mean_hazard (the same
    where they are at their means, which is a number even if 0 is far off), of strata in which somebody left;
    `log_likelihood`, `log_likelihood_null` (all coefficients 0); `n` rows, `n_events`, `iterations`; `columns` it was
    made of; `strata` it knows (None without).
    """

    covariates: tuple[str, ...]
    beta: np.ndarray
    covariance: np.ndarray
    robust: np.ndarray | None
    baseline: pl.DataFrame
    means: np.ndarray
    log_likelihood: float
    log_likelihood_null: float
    n: int
    n_events: int
    iterations: int
    columns: Columns
    strata: pl.Series | None


def fit(
    rows: pl.DataFrame,
    covariates: list[str],
    *,
    duration: str = "duration",
    event: str = "event",
    entry: str | None = None,
    strata: str | None = None,
    weight: str | None = None,
    cluster: str | None = None,
) -> Cox:
    """Fit Cox's model by partial likelihood with Efron's ties.

    Answers: what goes along with leaving sooner, by how much, and how sure is that?

    Parameters
    ----------
    rows
        A row each spell at risk. Who has several (pieces of a life, landmarks) needs a `cluster`.
    covariates
        Columns of numbers or booleans, as they were at the start of the spell; none gives the baseline alone.
    duration, event
        End of the spell, above 0; whether it ended in leaving.
    entry
        Start of the spell (late entry): at risk after it, until and at `duration`. Without it, from the beginning.
    strata
        Each of its values has a baseline hazard of its own; the coefficients are shared.
    weight
        Above 0. A row counts so many times, but is one event among those at the same time, as in R and lifelines:
        2 does not quite mean two such rows where it is of one who left.
    cluster
        Rows of the same value hang together, such as those of a customer; asks for `robust`. That is the sandwich of
        R's `coxph`, made of dfbeta residuals that heed ties and late entry. That of lifelines is the same without
        either; it knows no entry, and puts ties in the order of the rows. Of fewer than about a hundred clusters,
        such intervals are too narrow.

    Returns
    -------
    Cox
        See there. Takes rows × covariates in Float64 once, beside what it is given.

    Raises
    ------
    InputError
        When a column is missing, empty, not a number or not finite; a time, event or weight cannot be one; entry is not
        before duration; nobody left, or fewer than there are covariates; a covariate has one value only, is told by
        others, or separates those who left from those who stayed.

    Examples
    --------
    >>> rows = pl.DataFrame({"duration": [1, 2, 3, 4, 5, 6], "event": [True] * 5 + [False], "debt": [3, 0, 2, 3, 1, 0]})
    >>> found = fit(rows, ["debt"])
    >>> found.beta.round(3), found.baseline.select("time", pl.col("hazard").round(3)).head(2).rows()
    (array([0.513]), [(1, 0.063), (2, 0.09)])
    """
    columns = Columns(duration, event, entry, strata, weight, cluster)
    checked(rows, covariates, columns)
    groups, known = (None, []) if cluster is None else codes(rows[cluster])
    return fitted(rows, covariates, columns, groups, len(known))[0]


def coefficients(fit: Cox) -> pl.DataFrame:
    """Hazard ratios with intervals, by cluster where the fit has one.

    Returns
    -------
    pl.DataFrame
        covariate, coefficient, se (of the coefficient), hazard_ratio, lower, upper (95 %, of the hazard ratio; above 1
        is sooner).

    Examples
    --------
    >>> rows = pl.DataFrame({"duration": [1, 2, 3, 4, 5, 6], "event": [True] * 5 + [False], "debt": [3, 0, 2, 3, 1, 0]})
    >>> [round(value, 2) for value in coefficients(fit(rows, ["debt"])).row(0)[3:]]
    [1.67, 0.7, 3.99]
    """
    se = np.sqrt(np.diag(fit.covariance if fit.robust is None else fit.robust))
    ends = {"hazard_ratio": fit.beta, "lower": fit.beta - Z * se, "upper": fit.beta + Z * se}
    told = {"covariate": list(fit.covariates), "coefficient": fit.beta, "se": se}
    schema = {"covariate": pl.String} | dict.fromkeys(("coefficient", "se", *ends), pl.Float64)
    with np.errstate(over="ignore"):
        return pl.DataFrame(told | {name: np.exp(end) for name, end in ends.items()}, schema)


def log_hazards(fit: Cox, rows: pl.DataFrame) -> pl.Series:
    """Log hazard of each row against one whose covariates are all 0: Σ coefficient × covariate.

    Examples
    --------
    >>> rows = pl.DataFrame({"duration": [1, 2, 3, 4, 5, 6], "event": [True] * 5 + [False], "debt": [3, 0, 2, 3, 1, 0]})
    >>> log_hazards(fit(rows, ["debt"]), pl.DataFrame({"debt": [0, 1]})).round(3).to_list()
    [0.0, 0.513]
    """
    names = list(fit.covariates)
    named(rows.columns, names, "cox.log_hazards")
    total = np.zeros(len(rows))
    for name, beta in zip(names, fit.beta, strict=True):
        total += beta * finite(rows, name, "cox.log_hazards")
    return pl.Series("log_hazard", total)


def hazards(fit: Cox, rows: pl.DataFrame, until: float) -> pl.Series:
    """Cumulative hazard of each row from the start of the clock until a time, that time included.

    Answers: how likely is leaving by then? 1 − exp(−hazard), where leaving is all that can happen.

    Parameters
    ----------
    rows
        The covariates, and the strata if the fit has them; a stratum in which nobody left has hazard 0.

    Raises
    ------
    InputError
        When a column is missing or not a number, or a stratum is none of the fit's.

    Examples
    --------
    >>> rows = pl.DataFrame({"duration": [1, 2, 3, 4, 5, 6], "event": [True] * 5 + [False], "debt": [3, 0, 2, 3, 1, 0]})
    >>> hazards(fit(rows, ["debt"]), pl.DataFrame({"debt": [0, 3]}), 2).round(3).to_list()
    [0.153, 0.715]
    """
    known = fit.baseline.filter(pl.col("time") <= until).group_by("stratum").agg(pl.col("mean_hazard").sum())
    if fit.columns.strata is None:
        total = pl.Series([known["mean_hazard"].sum()]).new_from_index(0, len(rows))
    else:
        named(rows.columns, [fit.columns.strata], "cox.hazards")
        own = rows.select(stratum=pl.col(fit.columns.strata).cast(fit.strata.dtype, strict=False))
        if n := len(unknown := rows.filter(~own["stratum"].is_in(fit.strata.implode()).fill_null(False))):
            raise InputError(
                f"{n} of {len(rows)} rows given to cox.hazards are of a stratum that the fit does not know (first: "
                f"{unknown[fit.columns.strata][0]}). Fit with such rows, too, or leave these out."
            )
        total = own.join(known, on="stratum", how="left", maintain_order="left")["mean_hazard"].fill_null(0.0)
    return (total * (log_hazards(fit, rows) - fit.beta @ fit.means).exp()).alias("hazard")


def baseline(fit: Cox, rows: pl.DataFrame, event: str) -> pl.DataFrame:
    """The baseline hazard of another event at the coefficients of a fit, as for a cause too rare for its own.

    Returns
    -------
    pl.DataFrame
        stratum, time, hazard, mean_hazard, as in `Cox`; no row where nobody left.

    Examples
    --------
    >>> rows = pl.DataFrame({"duration": [1, 2, 3, 4, 5, 6], "event": [True] * 5 + [False], "debt": [3, 0, 2, 3, 1, 0]})
    >>> rare = rows.with_columns(moved=pl.col("duration") == 4)
    >>> baseline(fit(rows, ["debt"]), rare, "moved").select("time", pl.col("hazard").round(3)).rows()
    [(4, 0.136)]
    """
    columns = replace(fit.columns, event=event)
    names = list(fit.covariates)
    checked(rows, names, columns, counts=False)
    if not events(rows, event).any():
        return fit.baseline.clear()
    sets = _sets(rows, names, columns, fit.means, np.ones(len(names)))
    return _hazards(rows, columns, sets, likelihood(sets, fit.beta), fit.beta @ fit.means)


def fitted(
    rows: pl.DataFrame, covariates: list[str], columns: Columns, groups: np.ndarray | None, n_groups: int
) -> tuple[Cox, np.ndarray | None]:
    """A fit, and how far each group draws each coefficient (covariates × groups)."""
    weight = None if columns.weight is None else rows[columns.weight].cast(pl.Float64).to_numpy()
    scales = np.array([_scale(rows, name, weight) for name in covariates]).reshape(-1, 2)
    means, spread = scales[:, 0], scales[:, 1]
    sets = _sets(rows, covariates, columns, means, spread)
    scaled, at, found, iterations, null = top(sets, covariates)
    inverse = np.linalg.inv(found) / spread[:, None]
    beta, covariance, drawn, robust = scaled / spread, inverse / spread, None, None
    if groups is not None:
        drawn = inverse @ residuals(sets, at, groups, n_groups)
        robust = drawn @ drawn.T
    hazards = _hazards(rows, columns, sets, at, float(beta @ means))
    told = Cox(
        tuple(covariates), beta, covariance, robust, hazards, means, at.log_likelihood, null, len(rows),
        int(at.n_left.sum()), iterations, columns, None if columns.strata is None else rows[columns.strata].unique(),
    )  # fmt: skip
    return told, drawn


def _scale(rows: pl.DataFrame, name: str, weight: np.ndarray | None) -> tuple[float, float]:
    """Mean and standard deviation of a covariate."""
    values = finite(rows, name, "cox.fit")
    if values.min() == values.max():
        raise Untold(
            [name],
            f"{name} is {values[0]:g} in all {len(rows)} rows given to cox.fit, so nothing goes along with it. "
            "Leave it out.",
        )
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = float(np.average(values, weights=weight))
        spread = float(np.sqrt(np.average((values - mean) ** 2, weights=weight)))
    if not (0 < spread < np.inf):
        raise Untold(
            [name],
            f"{name} lies between {values.min():g} and {values.max():g} in the rows given to cox.fit, which is more "
            "than numbers can tell apart. Give it in another unit, or leave it out.",
        )
    return mean, spread


def _sets(
    rows: pl.DataFrame, covariates: list[str], columns: Columns, means: np.ndarray, spread: np.ndarray
) -> RiskSets:
    def scaled() -> Iterator[np.ndarray]:
        for name, mean, one in zip(covariates, means, spread, strict=True):
            values = rows[name].cast(pl.Float64).to_numpy() - mean
            values /= one
            yield values

    entry, strata, weight = (
        None if name is None else rows[name].to_numpy() for name in (columns.entry, None, columns.weight)
    )
    if columns.strata is not None:
        strata = codes(rows[columns.strata])[0]
    duration = rows[columns.duration].to_numpy()
    return risk_sets(scaled(), len(covariates), entry, duration, events(rows, columns.event), strata, weight)


def _hazards(rows: pl.DataFrame, columns: Columns, sets: RiskSets, at: Point, at_means: float) -> pl.DataFrame:
    """The baseline where covariates are 0, told where they are at their means."""
    if columns.strata is None:
        stratum = pl.Series([""]).new_from_index(0, len(sets.times))
    else:
        stratum = codes(rows[columns.strata])[1].gather(sets.stratum_of)
    told = hazard(at)
    with np.errstate(over="ignore"):
        at_zero = told * np.exp(-at_means)
    return pl.DataFrame({"stratum": stratum, "time": sets.times, "hazard": at_zero, "mean_hazard": told})
