"""Two groups compared within strata (Mantel and Haenszel): how much oftener one does it, among customers alike.

The difference of rates is put together over strata with Mantel–Haenszel weights; its variance is Sato's (1989), which
holds both for a few large strata and for many small ones. The ratio is Greenland and Robins's (1985). The p-value is
that of the exact conditional test, where it decides anything and can be counted, and else of the normal distribution
with the same mean and variance.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, ndtr

from crmlab.measures.uncertainty import Z

# A sum of whole numbers that varies so much (variance) is as good as normal; counting it out would take long.
NORMAL = 400.0


class Compared(NamedTuple):
    """The first group against the second, of customers who have others like them in the other group."""

    n: int  # customers of the first group in strata that both are in
    n_others: int
    taken: int  # customers of both, in these strata, who did it
    p: float  # one-sided: the first group does it no oftener
    difference: float
    lower: float
    upper: float
    ratio: float
    ratio_lower: float
    ratio_upper: float


def compared(k1: np.ndarray, n1: np.ndarray, k0: np.ndarray, n0: np.ndarray) -> Compared:
    """Compare two groups over strata.

    Parameters
    ----------
    k1, n1
        How many did it, out of how many, in the first group, stratum by stratum.
    k0, n0
        The same of the second group.

    Returns
    -------
    Compared
        Counts and p (0 to 1; 1 where no stratum has both groups); difference (first less second, −1 to 1) and ratio of
        the two rates with their 95 % intervals, not a number where they cannot be told.

    Examples
    --------
    >>> told = compared(np.array([8, 22]), np.array([106, 98]), np.array([5, 16]), np.array([120, 85]))
    >>> round(told.difference, 3), round(told.ratio, 2), round(told.p, 2)
    (0.035, 1.33, 0.17)
    """
    both = (n1 > 0) & (n0 > 0)
    k1, n1, k0, n0 = (counts[both].astype(float) for counts in (k1, n1, k0, n0))
    counts = int(n1.sum()), int(n0.sum()), int((k1 + k0).sum())
    if not both.any():
        return Compared(*counts, 1.0, *[np.nan] * 6)
    return Compared(*counts, _p(k1, n1, k0, n0), *_difference(k1, n1, k0, n0), *_ratio(k1, n1, k0, n0))


def _difference(k1: np.ndarray, n1: np.ndarray, k0: np.ndarray, n0: np.ndarray) -> tuple[float, float, float]:
    n = n1 + n0
    weight = (n1 * n0 / n).sum()
    found = ((k1 * n0 - k0 * n1) / n).sum() / weight
    of_large = ((n1**2 * k0 - n0**2 * k1 + n1 * n0 * (n0 - n1) / 2) / n**2).sum()
    of_small = ((k1 * (n0 - k0) + k0 * (n1 - k1)) / (2 * n)).sum()
    error = np.sqrt(max(found * of_large + of_small, 0.0)) / weight
    return float(found), float(max(found - Z * error, -1.0)), float(min(found + Z * error, 1.0))


def _ratio(k1: np.ndarray, n1: np.ndarray, k0: np.ndarray, n0: np.ndarray) -> tuple[float, float, float]:
    n, k = n1 + n0, k1 + k0
    first, second = (k1 * n0 / n).sum(), (k0 * n1 / n).sum()
    if not first or not second:
        return (0.0 if second else np.nan), np.nan, np.nan
    error = np.sqrt(((k * n1 * n0 - k1 * k0 * n) / n**2).sum() / (first * second))
    ratio = first / second
    return float(ratio), float(ratio * np.exp(-Z * error)), float(ratio * np.exp(Z * error))


def _p(k1: np.ndarray, n1: np.ndarray, k0: np.ndarray, n0: np.ndarray) -> float:
    """How likely the first group would hold so many of those who did it, or more, if these were drawn from both."""
    n, k, seen = n1 + n0, k1 + k0, k1.sum()
    mean = (n1 * k / n).sum()
    variance = (n1 * n0 * k * (n - k) / (n**2 * np.maximum(n - 1, 1))).sum()
    # Where the first group does it no oftener, it matters little how likely that is.
    if variance > NORMAL or seen <= mean:
        return float(ndtr((mean - seen + 0.5) / np.sqrt(variance))) if variance else 1.0
    lowest, chances = 0.0, np.ones(1)
    for one in np.flatnonzero((k > 0) & (k < n)):
        low, of_stratum = _drawn(n1[one], n0[one], k[one])
        lowest, chances = lowest + low, np.convolve(chances, of_stratum)
    lowest += n1[k == n].sum()  # all did it: no other way to draw them
    return float(min(chances[max(round(seen - lowest), 0) :].sum(), 1.0))


def _drawn(n1: float, n0: float, k: float) -> tuple[float, np.ndarray]:
    """The fewest of `k` drawn from both groups that are of the first, and the chance of so many and of each more."""
    low = max(0.0, k - n0)
    x = np.arange(low, min(k, n1) + 1)

    def ways(of: float, some: np.ndarray | float) -> np.ndarray:
        return gammaln(of + 1) - gammaln(some + 1) - gammaln(of - some + 1)

    return low, np.exp(ways(n1, x) + ways(n0, k - x) - ways(n1 + n0, k))
