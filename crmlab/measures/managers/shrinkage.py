"""Empirical Bayes: what each of many would show in the long run, told from all of them together."""

from typing import NamedTuple

import numpy as np

from crmlab.errors import InputError
from crmlab.measures.uncertainty import Z

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
    """Draw estimates to their middle, the less sure the more, with 95 % intervals (Morris 1983).

    The model is normal on both levels: estimates around true values with known errors, true values around the middle.
    How much true values differ is estimated; the intervals allow for that it is, and for the middle. Over those whose
    true values are drawn anew they hold 95 %; of a single one far out they hold less.

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
    Morris CN (1983), Parametric empirical Bayes inference: theory and applications, JASA 78, 47-55, section 5.

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
    total = v + between
    middle = _middle(y, total) if towards is None else towards
    weight = (k - r - 2) / (k - r) * v / total
    away = y - middle
    leverage = k / total / (1 / total).sum() if r else 0.0
    mean_v = (v / total).sum() / (1 / total).sum()
    of_weight = 2 / (k - r - 2) * weight**2 * (mean_v + between) / total
    spread = np.sqrt(v * (1 - (k - leverage) / k * weight) + of_weight * away**2)
    value = y - weight * away
    return Shrunk(value, spread, value - Z * spread, value + Z * spread, weight, float(middle), float(np.sqrt(between)))


def _between(y: np.ndarray, v: np.ndarray, towards: float | None) -> float:
    """The variance between true values at which weighted squares are just what they should be; 0 where too small."""
    degrees = len(y) - (towards is None)

    def squares(between: float) -> float:
        middle = _middle(y, v + between) if towards is None else towards
        return float(((y - middle) ** 2 / (v + between)).sum())

    return bisected(lambda between: squares(between) - degrees, float(((y - y.mean()) ** 2).sum() + (y**2).sum()))


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


def _middle(y: np.ndarray, total: np.ndarray) -> float:
    return float((y / total).sum() / (1 / total).sum())
