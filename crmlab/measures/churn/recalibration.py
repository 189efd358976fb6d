"""Calibration: probabilities brought to what happened in months of their own, and how good they were there."""

from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.uncertainty import Z, wilson

LEAST = 10  # leavers: fewer calibrate nothing
LIKELIEST = 20  # rows of the highest probabilities: what became of them says how high any can be
FAINT = 1e-6  # a probability nearer to 0 or 1 counts as so near
STEPS, CLOSE = 50, 1e-10


class Calibration(NamedTuple):
    """logit p′ = level + slope · logit p."""

    level: float
    slope: float
    found: float  # the slope as it was found, whether it is used or not; not a number where none was looked for
    lower: float
    upper: float
    intercept: float  # that belongs to `found`
    uses: str  # "slope and level", "level" or "nothing"
    most: float = 1.0  # no probability is told above it


def calibrate(probability: np.ndarray, left: np.ndarray, customer: np.ndarray, least: int) -> Calibration:
    """What brings probabilities to what happened: slope and level of a logistic regression (Cox 1958).

    Answers: when we said 10 %, how many left?

    A slope of 1 and an intercept of 0 say that nothing is to be corrected; a slope below 1, that the probabilities lie
    too far apart. The interval of the slope takes the months of one customer together. Where fewer than `least`
    customers left, or the slope cannot be told from 0, or nobody who left was told less than one who stayed (no slope
    is steep enough then), only the level is brought to what happened; below ten, nothing. Hazards multiply and
    probabilities do not go on for ever: none is told above Wilson's upper end of what the twenty likeliest rows did.

    Examples
    --------
    >>> p = np.repeat([0.1, 0.4], 1_000)
    >>> left = np.concatenate([np.arange(1_000) < 100, np.arange(1_000) < 400])
    >>> found = calibrate(p, left, np.arange(2_000), least=50)
    >>> abs(found.slope - 1) < 1e-6, abs(found.level) < 1e-6, found.uses
    (True, True, 'slope and level')
    """
    # Not the hazard's own log scale: there, a few told nearly 1 who stay outweigh all others, and flatten the slope.
    told = _logit(np.clip(probability, FAINT, 1 - FAINT))
    n_leavers = len(np.unique(customer[left]))
    nothing = Calibration(0.0, 1.0, np.nan, np.nan, np.nan, np.nan, "nothing")
    # Everyone or nobody: no level is the likeliest.
    if n_leavers < LEAST or left.all():
        return nothing
    middle = told.mean()
    level = float(_fitted(np.ones((len(left), 1)), told, left)[0])
    only = nothing._replace(level=level, uses="level", most=_most(told, left))
    if n_leavers < least or np.ptp(told) < 1e-6 or _are_apart(told, left):
        return only
    x = np.column_stack([np.ones(len(left)), told - middle])
    beta = _fitted(x, np.zeros(len(left)), left, np.array([level + middle, 1.0]))
    if not np.isfinite(beta).all():
        return only
    reach = Z * float(np.sqrt(_covariance(x, beta, left, customer)[1, 1]))
    slope, intercept = float(beta[1]), float(beta[0] - beta[1] * middle)
    found = only._replace(found=slope, lower=slope - reach, upper=slope + reach, intercept=intercept)
    return found._replace(level=intercept, slope=slope, uses="slope and level") if slope > reach else found


def calibrated(probability: np.ndarray, by: Calibration) -> np.ndarray:
    """Probabilities brought to what happened.

    Examples
    --------
    >>> half = Calibration(np.log(0.5), 1.0, 1.0, 1.0, 1.0, 0.0, "level")
    >>> calibrated(np.array([0.2, 0.0]), half).round(3).tolist()
    [0.111, 0.0]
    """
    with np.errstate(divide="ignore"):
        return np.minimum(_expit(by.level + by.slope * _logit(probability)), by.most)


def concordance(probability: np.ndarray, left: np.ndarray) -> float:
    """Of all pairs of one who left and one who stayed, in how many the first had the higher probability; ties half.

    Examples
    --------
    >>> concordance(np.array([0.1, 0.2, 0.2, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    n_left = int(left.sum())
    if n_left in (0, len(left)):
        return float("nan")
    _, which, n_each = np.unique(probability, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(n_each) - (n_each - 1) / 2)[which]
    return float((ranks[left].sum() - n_left * (n_left + 1) / 2) / (n_left * (len(left) - n_left)))


def _most(told: np.ndarray, left: np.ndarray) -> float:
    """How many of the likeliest left, at most; equal ones belong to them."""
    n = min(LIKELIEST, len(told))
    top = told >= np.partition(told, -n)[-n]
    _, upper = wilson(pl.lit(int(left[top].sum())), pl.lit(int(top.sum())))
    return pl.select(upper).item()


def _are_apart(told: np.ndarray, left: np.ndarray) -> bool:
    ours, theirs = told[left], told[~left]
    return ours.min() >= theirs.max() or ours.max() <= theirs.min()


def _fitted(x: np.ndarray, offset: np.ndarray, left: np.ndarray, beta: np.ndarray | None = None) -> np.ndarray:
    """Fisher scoring; a step that makes things worse is halved."""
    beta = np.zeros(x.shape[1]) if beta is None else beta
    best = _likelihood(x @ beta + offset, left)
    for _ in range(STEPS):
        score, weight = _derivatives(x @ beta + offset, left)
        step = np.linalg.solve((x * weight[:, None]).T @ x, x.T @ score)
        while (now := _likelihood(x @ (beta + step) + offset, left)) < best and np.abs(step).max() > CLOSE:
            step /= 2
        beta, best = beta + step, now
        if np.abs(step).max() < CLOSE:
            break
    return beta


def _likelihood(eta: np.ndarray, left: np.ndarray) -> float:
    return float(eta[left].sum() - np.logaddexp(0, eta).sum())


def _derivatives(eta: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the log-likelihood after eta: the first, and the second without its sign."""
    p = _expit(eta)
    return left - p, p * (1 - p)


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def _expit(eta: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-eta))


def _covariance(x: np.ndarray, beta: np.ndarray, left: np.ndarray, customer: np.ndarray) -> np.ndarray:
    score, weight = _derivatives(x @ beta, left)
    bread = np.linalg.inv((x * weight[:, None]).T @ x)
    _, which = np.unique(customer, return_inverse=True)
    sums = np.column_stack([np.bincount(which, column) for column in (x * score[:, None]).T])
    return bread @ (sums.T @ sums) @ bread
