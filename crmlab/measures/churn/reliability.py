"""Reliability: when a tenth was told to leave, did a tenth leave?"""

from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.bands import band
from crmlab.measures.churn.ranking import clusters, outcome
from crmlab.measures.uncertainty import Z, wilson

GROUPS = 10
# Where the curve of observed against predicted may bend: quantiles of the predicted (Harrell, Regression Modeling
# Strategies, table 2.3, five knots; three where fewer than 100 left).
KNOTS, FEW_KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95), (0.1, 0.5, 0.9)
FEW = 100
SURE = 1e-6  # a probability nearer to 0 or 1 counts as so near: one of 0 would outweigh all others
STEPS, CLOSE = 50, 1e-9


class Curve(NamedTuple):
    """What was told against what came."""

    groups: pl.DataFrame
    ici: float | None
    slope: float | None
    slope_lower: float | None
    slope_upper: float | None
    intercept: float | None
    intercept_lower: float | None
    intercept_upper: float | None


def calibration(scored: pl.DataFrame, horizon: int) -> Curve:
    """What was told against what came: by tenths of the customers, as slope and intercept, and how far off on average.

    Answers: when we say 10 %, do 10 % leave?

    Slope b and intercept a are those of ``logit P(left) = b · logit p`` and ``logit P(left) = a + logit p`` (Cox 1958),
    by maximum likelihood with intervals that take a customer's rows together. A slope below 1: told too far apart; an
    intercept below 0: told too high. The slope's model has its own intercept beside. ICI, the integrated calibration
    index (Austin and Steyerberg 2019), is the mean distance of p from the share that left of those told the same,
    smoothed by logistic regression on a restricted cubic spline of logit p with five knots (three where fewer than 100
    left). Who leaves for another reason (death, merger, a loan repaid) counts as one who did not leave.

    Parameters
    ----------
    scored
        A row a customer, or a customer and landmark: customer_id, probability (0 to 1), event, duration.
    horizon
        Months within which leaving counts.

    Returns
    -------
    Curve
        groups, by tenth of the probability, equal ones together: group (1 the least likely to 10; fewer where many are
        equal), n, n_events, predicted (mean), observed (share), lower, upper (Wilson, 95 %). Then ici (0 to 1), slope
        and intercept with 95 % intervals; None where all were told the same, or those who left were all told more, and
        of the ends where all rows are of one customer.

    Raises
    ------
    InputError
        When a column or a value is missing, a probability is none, or nobody or everybody left.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": range(300), "probability": [0.1] * 200 + [0.4] * 100, "duration": 3})
    >>> rows = rows.with_columns(event=pl.col("customer_id").is_in([*range(20), *range(200, 240)]))
    >>> found = calibration(rows, 3)
    >>> found.groups.select("n", "n_events", "predicted", "observed").rows()
    [(200, 20, 0.1, 0.1), (100, 40, 0.4, 0.4)]
    >>> round(found.slope, 6), abs(round(found.intercept, 6)), abs(round(found.ici, 6))
    (1.0, 0.0, 0.0)
    """
    rows = outcome(scored, horizon, "churn.calibration", [])
    told, left = rows["probability"].to_numpy(), rows["event"].to_numpy().astype(float)
    logit = _logit(told)
    return Curve(_groups(rows), _ici(told, logit, left), *_recalibrated(logit, left, clusters(rows)))


def _groups(rows: pl.DataFrame) -> pl.DataFrame:
    grouped = (
        rows.group_by(group=band(pl.col("probability"), GROUPS))
        .agg(
            n=pl.len().cast(pl.Int64),
            n_events=pl.col("event").sum().cast(pl.Int64),
            predicted=pl.col("probability").mean(),
        )
        .sort("group")
    )
    observed = pl.col("n_events") / pl.col("n")
    return grouped.with_columns(observed.alias("observed"), *wilson(pl.col("n_events"), pl.col("n")))


def _logit(told: np.ndarray) -> np.ndarray:
    told = np.clip(told, SURE, 1 - SURE)
    return np.log(told / (1 - told))


def _recalibrated(logit: np.ndarray, left: np.ndarray, cluster: np.ndarray | None) -> list[float | None]:
    """slope, its ends, intercept, its ends."""
    found: list[float | None] = []
    ones = np.ones((len(left), 1))
    if np.ptp(logit) > 0 and not _are_apart(logit, left > 0):
        found += _with_ends(np.column_stack([logit - logit.mean(), ones]), left, None, cluster)
    else:
        found += [None] * 3
    return found + _with_ends(ones, left, logit, cluster)


def _are_apart(logit: np.ndarray, left: np.ndarray) -> bool:
    """Whether those who left were all told more than the others, or all less: no slope is steep enough then."""
    ours, theirs = logit[left], logit[~left]
    return ours.min() >= theirs.max() or ours.max() <= theirs.min()


def _with_ends(x: np.ndarray, left: np.ndarray, offset: np.ndarray | None, cluster: np.ndarray | None) -> list:
    """The first coefficient with its interval, robust to a customer's rows going together; None where there is none."""
    offset = np.zeros(len(left)) if offset is None else offset
    beta = _fitted(x, left, offset)
    if beta is None:
        return [None] * 3
    p = _expit(x @ beta + offset)
    bread = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
    parts = x * (left - p)[:, None]
    if cluster is not None:
        parts = np.column_stack([np.bincount(cluster, part) for part in parts.T])
    n = len(parts)
    if n < 2:
        return [float(beta[0]), None, None]
    reach = Z * float(np.sqrt((bread @ (parts.T @ parts) @ bread)[0, 0] * n / (n - 1)))
    return [float(beta[0]), float(beta[0]) - reach, float(beta[0]) + reach]


def _ici(told: np.ndarray, logit: np.ndarray, left: np.ndarray) -> float | None:
    at = np.unique(np.quantile(logit, KNOTS if left.sum() >= FEW else FEW_KNOTS))
    x = _spline(logit, at) if len(at) > 2 else np.column_stack([np.ones(len(left)), logit])
    if np.ptp(logit) == 0:
        return float(abs(left.mean() - told[0]))
    x[:, 1:] = (x[:, 1:] - x[:, 1:].mean(axis=0)) / x[:, 1:].std(axis=0)
    beta = _fitted(x, left, np.zeros(len(left)))
    return None if beta is None else float(np.abs(_expit(x @ beta) - told).mean())


def _spline(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """A restricted cubic spline's columns: smooth, and straight beyond the outer knots (Stone and Koo 1985)."""
    scale = (knots[-1] - knots[0]) ** (2 / 3)
    near = [np.maximum((x - knot) / scale, 0) ** 3 for knot in knots]
    gap = knots[-1] - knots[-2]
    bends = [
        cube - near[-2] * (knots[-1] - knot) / gap + near[-1] * (knots[-2] - knot) / gap
        for cube, knot in zip(near[:-2], knots[:-2], strict=True)
    ]
    return np.column_stack([np.ones(len(x)), x, *bends])


def _fitted(x: np.ndarray, left: np.ndarray, offset: np.ndarray) -> np.ndarray | None:
    """The likeliest coefficients of a logistic regression, by Newton's steps; None where there are none."""
    beta = np.zeros(x.shape[1])
    best = _likelihood(x @ beta + offset, left)
    for _ in range(STEPS):
        p = _expit(x @ beta + offset)
        try:
            step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x, x.T @ (left - p))
        except np.linalg.LinAlgError:
            return None
        while (now := _likelihood(x @ (beta + step) + offset, left)) < best and np.abs(step).max() > CLOSE:
            step = step / 2
        beta, best = beta + step, now
        if np.abs(step).max() < CLOSE:
            return beta
    return None


def _likelihood(eta: np.ndarray, left: np.ndarray) -> float:
    return float(left @ eta - np.logaddexp(0, eta).sum())


def _expit(eta: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(eta, -700, 700)))
