"""Two groups drawn by lot, compared: means, means adjusted for what was known before, and what could have been seen."""

from math import erfc, sqrt
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.uncertainty import Z

POWER = 0.8416212335729143  # the 80 % quantile of the standard normal distribution: seen 4 times in 5
DRAWS = 999  # of groups by lot: of as many ends are whole places
ROWS_A_COVARIATE = 10  # customers of the smaller group for each covariate; adjusted for more, errors are told too small


class Effect(NamedTuple):
    """How much more the first group has than the second."""

    difference: float | None
    lower: float | None
    upper: float | None
    p: float | None  # two-sided
    error: float | None


UNKNOWN = Effect(None, None, None, None, None)


def means(first: np.ndarray, second: np.ndarray) -> Effect:
    """The difference of two means with Welch's interval (95 %): neither equal spread nor equal size is asked for.

    Examples
    --------
    >>> found = means(np.array([3.0, 5, 7, 9]), np.array([1.0, 2, 3]))
    >>> [round(number, 2) for number in found[:3]]
    [4.0, 0.08, 7.92]
    """
    if min(len(first), len(second)) < 2:
        return UNKNOWN
    parts = first.var(ddof=1) / len(first), second.var(ddof=1) / len(second)
    error, difference = sqrt(sum(parts)), float(first.mean() - second.mean())
    if error == 0:  # nobody differs from the others of a group: no error can be told
        return UNKNOWN
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (len(first) - 1) + parts[1] ** 2 / (len(second) - 1))
    return _told(difference, error, degrees)


def by_lot(first: np.ndarray, second: np.ndarray) -> Effect:
    """The difference of two means with the interval (95 %) that drawing the groups anew tells.

    Money has a long tail: of a small group the few large amounts are missing more often than not, and its mean and its
    spread are both too small. Student's t says "more" of the larger group then up to six times oftener than told. So
    Welch's t is held against itself in groups drawn by lot as these were (Janssen 1997), which is right whatever the
    tail where there is no effect.

    Examples
    --------
    >>> found = by_lot(np.array([3.0, 5, 7, 9, 8]), np.array([1.0, 2, 3, 2]))
    >>> [round(number, 2) for number in found[:3]], found.p < 0.05
    ([4.4, 0.98, 7.63], True)
    """
    found = means(first, second)
    if found.error is None:
        return found
    fewer, more, sign = (first, second, 1) if len(first) <= len(second) else (second, first, -1)
    both = np.concatenate([fewer, more])
    t = sign * _drawn(both - both.mean(), len(fewer))
    low, high = (sorted(t)[round(share * (DRAWS + 1)) - 1] for share in (0.025, 0.975))
    beyond = 1 + min((t >= found.difference / found.error).sum(), (t <= found.difference / found.error).sum())
    lower, upper = (float(found.difference - end * found.error) for end in (max(high, 0), min(low, 0)))
    return Effect(found.difference, lower, upper, min(2 * float(beyond) / (DRAWS + 1), 1.0), found.error)


def adjusted(outcome: np.ndarray, is_first: np.ndarray, before: np.ndarray) -> Effect:
    """The difference of two means among customers who were alike before, with a robust interval (95 %).

    Each group has its own regression on what was known before, compared at the mean of both (Lin 2013); errors are
    HC3, which are not too small in small samples, with that of the mean itself. Covariates that do not vary, or say
    nothing that the others do not, are left out.

    Parameters
    ----------
    outcome
        A number a customer.
    is_first
        Which of them are of the first group.
    before
        Customers × covariates, all known before the groups were drawn.

    Returns
    -------
    Effect
        Nothing where a group has too few customers, or all the same outcome, or no covariate varies.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> before, is_first = rng.normal(size=(400, 1)), np.arange(400) % 4 > 0
    >>> outcome = 5 * before[:, 0] + is_first + rng.normal(size=400)
    >>> [round(number, 2) for number in adjusted(outcome, is_first, before)[:3]]
    [1.04, 0.81, 1.27]
    """
    known = _independent(before, is_first)
    k, fewest = known.shape[1], min(is_first.sum(), (~is_first).sum())
    if not k or fewest < ROWS_A_COVARIATE * k or fewest < k + 3:
        return UNKNOWN
    if any(np.ptp(outcome[group]) == 0 for group in (is_first, ~is_first)):
        return UNKNOWN  # what did not vary is not sure for that: 0 of 30 may as well be 1 of 10
    middle = known - known.mean(axis=0)
    at, slopes, spread, degrees = [], [], 0.0, []
    for group in (is_first, ~is_first):
        design = np.column_stack([np.ones(group.sum()), middle[group]])
        basis, triangle = np.linalg.qr(design)
        found = np.linalg.solve(triangle, basis.T @ outcome[group])
        leverage = np.minimum((basis**2).sum(axis=1), 1 - 1e-9)
        residual = (outcome[group] - design @ found) / (1 - leverage)
        weight = np.linalg.solve(triangle, basis.T)[0]  # of each customer in the group's adjusted mean
        part = float(((weight * residual) ** 2).sum())
        at.append(found[0])
        slopes.append(found[1:])
        spread += part
        degrees.append((part, len(residual) - k - 1))
    apart = slopes[0] - slopes[1]
    spread += float(apart @ np.atleast_2d(np.cov(middle.T)) @ apart) / len(outcome)
    if spread <= 0:
        return UNKNOWN
    return _told(at[0] - at[1], sqrt(spread), spread**2 / sum(part**2 / n for part, n in degrees))


def detectable(n_offered: pl.Expr, n_control: pl.Expr, rate: pl.Expr) -> pl.Expr:
    """The least rise of a rate that two groups of this size would show 4 times in 5, at 95 %.

    Answers: is the control group large enough to see what we hope for?

    Parameters
    ----------
    n_offered, n_control
        Customers in either group.
    rate
        How many would do it anyway, 0 to 1.

    Returns
    -------
    pl.Expr
        0 to 1 − `rate`, in points of the rate; null where no rise would be seen, or a group is empty.

    Examples
    --------
    >>> rows = pl.DataFrame({"n_offered": [900, 90], "n_control": [100, 10], "rate": 0.03})
    >>> rows.select(detectable(*(pl.col(name) for name in rows.columns)).round(3)).to_series().to_list()
    [0.079, 0.378]
    """
    given = [one.cast(pl.Float64).alias(name) for one, name in zip((n_offered, n_control, rate), "mnr", strict=True)]
    return pl.struct(given).map_batches(_least_rise, pl.Float64)


def rates_p(k1: int, n1: int, k0: int, n0: int) -> float:
    """How likely two equal rates would lie so far apart (two-sided score test); 1 where nobody or everybody did it.

    Examples
    --------
    >>> round(rates_p(50, 900, 1, 100), 3), rates_p(0, 9, 0, 9)
    (0.049, 1.0)
    """
    mean = (k1 + k0) / (n1 + n0)
    error = sqrt(mean * (1 - mean) * (1 / n1 + 1 / n0))
    return erfc(abs(k1 / n1 - k0 / n0) / error / sqrt(2)) if error else 1.0


def rank_p(first: np.ndarray, second: np.ndarray) -> float:
    """How likely two groups drawn by lot differ so much in the order of their values, whatever their tails.

    Examples
    --------
    >>> rank_p(np.arange(50.0), np.arange(50.0)) > 0.99, rank_p(np.arange(50.0), np.arange(25.0, 75.0)) < 0.001
    (True, True)
    """
    ranks = pl.Series(np.concatenate([first, second])).rank().to_numpy()
    first, second = ranks[: len(first)], ranks[len(first) :]
    p = means(first, second).p
    if p is not None:
        return p
    # Nobody differs from the others of a group: the groups are one and the same, or have nothing in common.
    return 0.0 if min(len(first), len(second)) > 1 and first[0] != second[0] else 1.0


def _least_rise(given: pl.Series) -> pl.Series:
    n1, n0, rate = (column.to_numpy() for column in given.struct.unnest())
    can_be = (n1 > 0) & (n0 > 0) & (rate >= 0) & (rate <= 1)
    n1, n0, rate = (np.where(can_be, one, 0.5) for one in (n1, n0, rate))
    low, high = np.zeros(len(rate)), 1 - rate
    for _ in range(50):  # halved so often nothing is left of it
        rise = (low + high) / 2
        is_seen = rise >= _seen(rise, n1, n0, rate)
        low, high = np.where(is_seen, low, rise), np.where(is_seen, rise, high)
    # The end itself is left out: where it takes everybody, no rise would be seen for sure.
    return pl.Series(np.where(can_be & (high < 1 - rate), high, np.nan)).fill_nan(None)


def _seen(rise: np.ndarray, n1: np.ndarray, n0: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """How large a rise has to be to be seen, were the spread that of this one."""
    raised = rate + rise
    mean = (n1 * raised + n0 * rate) / (n1 + n0)
    by_chance = np.sqrt(mean * (1 - mean) * (1 / n1 + 1 / n0))
    return Z * by_chance + POWER * np.sqrt(raised * (1 - raised) / n1 + rate * (1 - rate) / n0)


def _drawn(values: np.ndarray, few: int) -> np.ndarray:
    """Welch's t of groups drawn by lot, the first of so many."""
    rng, n, rest = np.random.default_rng(few), len(values), len(values) - few
    squares = values**2
    sums = np.empty((2, DRAWS))
    for draw in range(DRAWS):
        whose = rng.choice(n, few, replace=False, shuffle=False)
        sums[:, draw] = values[whose].sum(), squares[whose].sum()
    others = np.array([[values.sum()], [squares.sum()]]) - sums
    (one, spread), (other, spread_of_others) = (
        (total / size, (squared - total**2 / size) / (size - 1) / size)
        for (total, squared), size in ((sums, few), (others, rest))
    )
    return (one - other) / np.sqrt(np.maximum(spread + spread_of_others, np.finfo(float).tiny))


def _told(difference: float, error: float, degrees: float) -> Effect:
    half = _t(degrees) * error
    t = abs(difference) / error
    p = erfc((8 * degrees + 1) / (8 * degrees + 3) * sqrt(degrees * np.log1p(t * t / degrees)) / sqrt(2))
    return Effect(float(difference), float(difference - half), float(difference + half), p, error)


def _t(degrees: float) -> float:
    """Student's 97.5 % quantile (Wallace 1959), at most half a percent too wide from 5 degrees of freedom on."""
    return sqrt(degrees * np.expm1((Z * (8 * degrees + 3) / (8 * degrees + 1)) ** 2 / degrees))


def _independent(before: np.ndarray, is_first: np.ndarray) -> np.ndarray:
    """The covariates that vary in both groups and are no sum of those before them, in like units."""
    kept, basis = [], []
    for column in before.T.astype(np.float64):
        own = column - column.mean()
        size = np.linalg.norm(own)
        if size == 0 or column[is_first].std() == 0 or column[~is_first].std() == 0:
            continue
        own = own / size
        rest = own - sum((part * (part @ own) for part in basis), np.zeros(len(own)))
        if np.linalg.norm(rest) > 1e-6:
            kept.append(own)
            basis.append(rest / np.linalg.norm(rest))
    return np.column_stack(kept) if kept else np.empty((len(before), 0))
