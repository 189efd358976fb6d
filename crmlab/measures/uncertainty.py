"""Uncertainty: what a rate, or a difference between two groups, could as well be, and how large a difference is.

Intervals hold 95 % and say how sure a rate is; effects say whether a difference is worth a second look. Over many
customers every difference is sure, so what is told first is the effect.
"""

import numpy as np
import polars as pl

# The 97.5 % quantile of the standard normal distribution: intervals leave out 2.5 % at each end.
Z = 1.959963984540054


def wilson(k: pl.Expr, n: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The 95 % score interval of a rate (Wilson 1927): between which true rates `k` of `n` is nothing unusual.

    It stays within 0 and 1, reaches 0 at none and 1 at all of them, and says something of small groups, too.

    Parameters
    ----------
    k
        How many did it, 0 to `n`.
    n
        Out of how many.

    Returns
    -------
    tuple[pl.Expr, pl.Expr]
        lower, upper (0 to 1), under these names; null where `n` is 0, or `k` is not within 0 and `n`.

    Examples
    --------
    >>> rows = pl.DataFrame({"k": [8, 0, 0], "n": [10, 10, 0]})
    >>> rows.select(end.round(3) for end in wilson(pl.col("k"), pl.col("n"))).rows()
    [(0.49, 0.943), (0.0, 0.278), (None, None)]
    """
    can_be_told = (n > 0) & k.is_between(0, n)
    lower, upper = _lower(k, n), 1 - _lower(n - k, n)
    return pl.when(can_be_told).then(lower).alias("lower"), pl.when(can_be_told).then(upper).alias("upper")


def difference(k1: pl.Expr, n1: pl.Expr, k2: pl.Expr, n2: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The 95 % interval of the difference ``k1/n1 − k2/n2`` between two groups of different customers.

    Newcombe's hybrid score interval (1998, method 10): how far each rate's own Wilson interval reaches towards the
    other's, put together as the sides of a right angle.

    Parameters
    ----------
    k1, n1, k2, n2
        How many did it, out of how many, in each group; as for `wilson`.

    Returns
    -------
    tuple[pl.Expr, pl.Expr]
        lower, upper (−1 to 1), under these names; null where a rate of the two cannot be told.

    Examples
    --------
    >>> rows = pl.DataFrame({"k1": [56], "n1": [70], "k2": [48], "n2": [80]})
    >>> ends = difference(pl.col("k1"), pl.col("n1"), pl.col("k2"), pl.col("n2"))
    >>> rows.select(end.round(4) for end in ends).rows()
    [(0.0524, 0.3339)]
    """
    (lower1, upper1), (lower2, upper2) = wilson(k1, n1), wilson(k2, n2)
    rate1, rate2 = k1 / n1, k2 / n2
    down = ((rate1 - lower1).pow(2) + (upper2 - rate2).pow(2)).sqrt()
    up = ((upper1 - rate1).pow(2) + (rate2 - lower2).pow(2)).sqrt()
    middle = rate1 - rate2
    # Each end lies within −1 and 1 but for rounding.
    return (middle - down).clip(-1, 1).alias("lower"), (middle + up).clip(-1, 1).alias("upper")


def ratio(k1: pl.Expr, n1: pl.Expr, k2: pl.Expr, n2: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """An interval of the ratio ``(k1/n1) / (k2/n2)`` that holds 95 % at least, however few `n1` are.

    Both rates' own intervals put together (Donner and Zou 2012, MOVER-R): that of the second Wilson's, that of the
    first with a correction for counts being whole (Newcombe 1998, method 4), which Wilson's lacks among a handful.

    Parameters
    ----------
    k1, n1, k2, n2
        How many did it, out of how many, in each group; as for `wilson`. `k2` is not 0.

    Returns
    -------
    tuple[pl.Expr, pl.Expr]
        lower, upper (0 or more), under these names.

    Examples
    --------
    >>> rows = pl.DataFrame({"k1": [1, 13], "n1": [1, 56], "k2": [298, 161], "n2": [3394, 3394]})
    >>> ends = ratio(pl.col("k1"), pl.col("n1"), pl.col("k2"), pl.col("n2"))
    >>> rows.select(end.round(2) for end in ends).rows()  # one of one is not sure to be more than 298 of 3,394
    [(0.62, 12.7), (2.78, 7.95)]
    """
    rate1, rate2 = k1 / n1, k2 / n2
    lower1, upper1 = _corrected(k1, n1), 1 - _corrected(n1 - k1, n1)
    lower2, upper2 = wilson(k2, n2)
    middle = rate1 * rate2

    def end(of: pl.Expr, over: pl.Expr, side: int) -> pl.Expr:
        most = over * (2 * rate2 - over)
        far = (middle.pow(2) - of * (2 * rate1 - of) * most).clip(lower_bound=0).sqrt()
        return (middle + side * far) / most

    return end(lower1, upper2, -1).alias("lower"), end(upper1, lower2, 1).alias("upper")


def discovery_rates(p: pl.Expr) -> pl.Expr:
    """The false discovery rate at which each of several p-values would be told (Benjamini and Hochberg 1995).

    Who tells all whose rate is at most 0.05 is wrong, over many such families, in 5 of 100 that are told: of tests
    that do not depend on each other, or that lean the same way.

    Parameters
    ----------
    p
        The p-values of one family; null: not tested, which counts for none.

    Returns
    -------
    pl.Expr
        0 to 1, not below `p`; null where that is.

    Examples
    --------
    >>> rows = pl.DataFrame({"p": [0.01, 0.04, None, 0.03, 0.2]})
    >>> rows.select(discovery_rates(pl.col("p")).round(4)).to_series().to_list()
    [0.04, 0.0533, None, 0.0533, 0.2]
    """
    n = p.count()
    rates = (p.drop_nulls().sort(descending=True) * n / (n - pl.int_range(n))).cum_min()
    return rates.gather(p.rank("ordinal", descending=True) - 1)


def cohen_h(p1: pl.Expr, p2: pl.Expr) -> pl.Expr:
    """How far apart two rates are (Cohen's h): ``2 asin √p1 − 2 asin √p2``, positive where the first is higher.

    The same step counts more near 0 and near 1, where 1 % and 3 % are far apart. By Cohen's word 0.2 is small, 0.5
    medium, 0.8 large.

    Parameters
    ----------
    p1, p2
        Two rates, 0 to 1.

    Returns
    -------
    pl.Expr
        −π to π; 0 where the rates are equal, null where one is.

    Examples
    --------
    >>> rows = pl.DataFrame({"p1": [0.03, 0.52, 0.2, None], "p2": [0.01, 0.5, 0.2, 0.5]})
    >>> rows.select(cohen_h(pl.col("p1"), pl.col("p2")).round(3)).to_series().to_list()
    [0.148, 0.04, 0.0, None]
    """
    return 2 * p1.sqrt().arcsin() - 2 * p2.sqrt().arcsin()


def cliff_delta(of_group: pl.Series, of_rest: pl.Series) -> float | None:
    """How often a member of one group has more than one of another, less how often less (Cliff's delta).

    ``P(x > y) − P(x < y)`` over all pairs, equal values counting for neither: what the mid-ranks of both together tell.
    It asks for the order of the values only, so one huge balance counts as one customer. By common word 0.15 is
    small, 0.33 medium, 0.47 large.

    Parameters
    ----------
    of_group, of_rest
        Numbers of the same type; what is null or not a number is not known and left out. Sorted ones are not sorted
        again.

    Returns
    -------
    float | None
        −1 (all in the group have less) to 1 (all have more); 0 where neither has; None where a side has no value.

    Examples
    --------
    >>> cliff_delta(pl.Series([3, 3, 9]), pl.Series([3, 1, None]))
    0.6666666666666666
    """
    mine, theirs = _sorted(of_group), _sorted(of_rest)
    if not (n_pairs := len(mine) * len(theirs)):
        return None
    # Looking up the fewer in the many is quick, equal values once; which of the two they are turns the sign.
    few, many, sign = (mine, theirs, 1) if len(mine) <= len(theirs) else (theirs, mine, -1)
    first = np.flatnonzero(np.concatenate([[True], few[1:] != few[:-1]]))
    few, n_equal = few[first], np.diff(first, append=len(few))
    below = np.searchsorted(many, few, "left")
    not_above = below.copy()
    # Only a value that the other side has too can lie higher among its equals.
    is_tied = many[np.minimum(below, len(many) - 1)] == few
    not_above[is_tied] = np.searchsorted(many, few[is_tied], "right")
    return sign * int(n_equal @ (below + not_above) - n_pairs) / n_pairs


def size(effect: pl.Expr) -> pl.Expr:
    """How large an effect is, up or down, to nine digits: effects that are equal but for rounding have one size.

    Examples
    --------
    >>> pl.DataFrame({"effect": [0.1 + 0.2, -0.3]}).select(size(pl.col("effect"))).to_series().to_list()
    [0.3, 0.3]
    """
    return effect.abs().round(9)


def _lower(k: pl.Expr, n: pl.Expr) -> pl.Expr:
    """The lower end of the score interval, as the quotient that is 0 for none without any rounding."""
    k, n = k.cast(pl.Float64), n.cast(pl.Float64)
    return 2 * k * k / n / (2 * k + Z * Z + Z * (Z * Z + 4 * k * (n - k) / n).sqrt())


def _corrected(k: pl.Expr, n: pl.Expr) -> pl.Expr:
    """The lower end of Wilson's interval with a correction for continuity; 0 where nobody did it."""
    far = Z * (Z * Z - 2 - 1 / n + 4 * k / n * (n - k + 1)).clip(lower_bound=0).sqrt()
    return pl.when(k > 0).then((2 * k + Z * Z - 1 - far) / (2 * (n + Z * Z))).otherwise(0.0)


def _sorted(values: pl.Series) -> np.ndarray:
    known = values.drop_nulls() if values.null_count() else values
    ordered = (known if known.flags["SORTED_ASC"] else known.sort()).to_numpy()
    # What is not a number stands behind the largest one.
    return ordered[: np.searchsorted(ordered, np.inf, "right")] if values.dtype.is_float() else ordered
