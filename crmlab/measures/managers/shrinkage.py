"""Empirical Bayes: what each of many would show in the long run, told from all of them together."""

from typing import NamedTuple

import numpy as np

from crmlab.errors import InputError
from crmlab.measures.uncertainty import Z

STEPS = 400  # of the integral over the variance between true values
LEAST = 4  # estimates: of fewer nothing is learned of how much they differ


class Shrunk(NamedTuple):
    """Long-run values with what is known of them, in the unit of the estimates."""

    value: np.ndarray
    error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    weight: np.ndarray  # how far each is drawn to the middle, 0 to 1
    middle: float
    between: float  # standard deviation of true values


def shrunk(estimate: np.ndarray, error: np.ndarray, towards: float | None = None) -> Shrunk:
    """Draw estimates to their middle, the less sure the more (Morris 1983), with 95 % intervals.

    The model is normal on both levels: estimates around true values with known errors, true values around the middle.
    With equal errors the values are James and Stein's. Errors allow for how little is known of how much true values
    differ, and of the middle: they are what such a value misses on average if every variance between true values is as
    likely as any other (Morris and Lysy 2012). Intervals hold 95 % of true values that are drawn anew, more where these
    hardly differ; of a single one far out they hold less.

    Parameters
    ----------
    estimate, error
        One each, errors above 0.
    towards
        The middle, where it is known; else it is estimated.

    Returns
    -------
    Shrunk
        In the order given.

    Raises
    ------
    InputError
        When there are fewer than four, or an error is not above 0.

    References
    ----------
    Morris CN (1983), Parametric empirical Bayes inference: theory and applications, JASA 78, 47-55.
    Morris CN, Lysy M (2012), Shrinkage estimation in multilevel normal models, Statistical Science 27, 115-134.

    Examples
    --------
    >>> found = shrunk(np.array([2.0, -1, 0, 1, -3, 1]), np.ones(6), towards=0.0)
    >>> found.value.round(2).tolist(), round(found.between, 2)
    ([1.5, -0.75, 0.0, 0.75, -2.25, 0.75], 1.29)
    """
    y, v = np.asarray(estimate, float), np.asarray(error, float) ** 2
    k, r = len(y), 0 if towards is not None else 1
    if k < LEAST:
        raise InputError(f"{k} estimates say too little of how much they differ. Give {LEAST} or more.")
    if n := int((~(v > 0)).sum()):
        raise InputError(f"{n} of {k} estimates have no error above 0. Leave them out.")
    between = _between(y, v, towards)
    middle = _middle(y, v + between) if towards is None else towards
    weight = (k - r - 2) / (k - r) * v / (v + between)
    value = y - weight * (y - middle)
    spread = np.sqrt(_missed(y, v, towards, value))
    return Shrunk(value, spread, value - Z * spread, value + Z * spread, weight, float(middle), float(np.sqrt(between)))


def _between(y: np.ndarray, v: np.ndarray, towards: float | None) -> float:
    """The variance between true values at which weighted squares are just what they should be; 0 where too small."""
    degrees = len(y) - (towards is None)

    def squares(between: float) -> float:
        middle = _middle(y, v + between) if towards is None else towards
        return float(((y - middle) ** 2 / (v + between)).sum())

    away = y - (y.mean() if towards is None else towards)
    return bisected(lambda between: squares(between) - degrees, float((away**2).sum()))


def bisected(falling, high: float) -> float:
    """Where a falling function of 0 to `high` crosses 0; 0 where it is below from the start.

    Examples
    --------
    >>> round(bisected(lambda x: 2 - x * x, 9.0), 6)
    1.414214
    """
    if falling(0.0) <= 0:
        return 0.0
    low = 0.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
        if high - low <= 1e-12 * high:
            break
    return (low + high) / 2


def _missed(y: np.ndarray, v: np.ndarray, towards: float | None, value: np.ndarray) -> np.ndarray:
    """The mean square by which values miss true ones, averaged over what the variance between those may be."""
    usual = 1 / (1 / v).mean()
    steps = (np.arange(STEPS) + 0.5) / STEPS
    weights, missed = np.empty(STEPS), np.empty((STEPS, len(y)))
    for i, step in enumerate(steps):
        between = usual * step / (1 - step)
        total = v + between
        middle, of_middle = (towards, 0.0) if towards is not None else (_middle(y, total), 1 / (1 / total).sum())
        away = y - middle
        weights[i] = -(np.log(total) + away**2 / total).sum() / 2 - 2 * np.log(1 - step)
        weights[i] += np.log(of_middle) / 2 if of_middle else 0.0
        drawn = v / total
        missed[i] = v * (1 - drawn) + drawn**2 * of_middle + (y - drawn * away - value) ** 2
    weights = np.exp(weights - weights.max())
    return weights @ missed / weights.sum()


def _middle(y: np.ndarray, total: np.ndarray) -> float:
    return float((y / total).sum() / (1 / total).sum())
