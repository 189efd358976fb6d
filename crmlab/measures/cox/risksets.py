"""Who was at risk when somebody left: Efron's partial likelihood and its derivatives, as sums over risk sets.

A risk set is a difference of two sums, of those who have not left yet and of those who have not entered yet. Rows that
enter and leave between the same event times make a cell; everything that is not a plain sum over rows is done on cells,
of which whole months have few. A term of Efron's ties is a number each event, so that no step costs more than rows
times covariates squared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

CHUNK = 1 << 15  # rows at a time: the copy that is multiplied stays in the processor's cache


@dataclass(frozen=True)
class RiskSets:
    """Rows in the order of the event times they are at risk at; the k-th is counted through all strata.

    `x` (covariates × rows), `weight` (or None), `order` (their places among the rows given). A row of a cell is at risk
    at the event times `low` to `high` − 1 and left at the last one where `died`. `stratum`: place of the first event
    time of each stratum, and their number; `stratum_of`, `times`: code and time of each event time.
    """

    x: np.ndarray
    weight: np.ndarray | None
    order: np.ndarray
    starts: np.ndarray
    low: np.ndarray
    high: np.ndarray
    died: np.ndarray
    stratum: np.ndarray
    stratum_of: np.ndarray
    times: np.ndarray

    @cached_property
    def sizes(self) -> np.ndarray:
        """How many rows a cell has."""
        return np.diff(self.starts, append=len(self.order))

    @cached_property
    def left(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of the rows that left, and the event time of each."""
        return np.flatnonzero(np.repeat(self.died, self.sizes)), np.repeat(self.high - 1, self.sizes * self.died)

    @cached_property
    def told(self) -> np.ndarray:
        """Sums of weight × covariate of those who left."""
        left = self.left[0]
        return self.x[:, left].sum(axis=1) if self.weight is None else self.x[:, left] @ self.weight[left]

    @cached_property
    def entering(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cells that enter after the first event time of their stratum, by event time; where each begins, and which."""
        own_start = self.stratum[np.searchsorted(self.stratum, self.high - 1, "right") - 1]
        late = np.flatnonzero(self.low > own_start)
        late = late[np.argsort(self.low[late], kind="stable")]
        first = np.flatnonzero(np.diff(self.low[late], prepend=0))
        return late, first, self.low[late[first]]


@dataclass(frozen=True)
class Point:
    """The likelihood at some coefficients: what comes of it, and the sums by event time it is made of.

    `theta` weight × relative hazard of each row; `s`, `d` sums of theta, and of theta × covariate, of all at risk and
    of those who left (covariates + 1 × event times); `terms` see `_terms`; `mean_weight` of those who left.
    """

    log_likelihood: float
    gradient: np.ndarray
    theta: np.ndarray
    s: np.ndarray
    d: np.ndarray
    terms: dict[str, np.ndarray]
    n_left: np.ndarray
    mean_weight: np.ndarray


def risk_sets(
    columns: Iterator[np.ndarray],
    p: int,
    entry: np.ndarray | None,
    duration: np.ndarray,
    event: np.ndarray,
    stratum: np.ndarray | None,
    weight: np.ndarray | None,
) -> RiskSets:
    """Sort the rows; who is never there when somebody of the same stratum leaves, is left out.

    `columns` are asked for one at a time, so that only one of them is in memory twice. Clock values are compared, never
    computed with: how large they are does not matter.

    Examples
    --------
    >>> made = risk_sets(iter([np.array([5.0, 6, 7])]), 1, None, np.array([2, 1, 3]), np.array([True, False, True]),
    ...     None, None)
    >>> made.x, made.times
    (array([[5., 7.]]), array([2, 3]))
    """
    known = np.unique(duration[event])
    base = 0 if stratum is None else stratum.astype(np.int64) * (len(known) + 1)
    last = base + np.searchsorted(known, duration, "right") - 1
    at = np.unique(last[event])
    high = np.searchsorted(at, last, "right")
    before = base - 1 if entry is None else base + np.searchsorted(known, entry, "right") - 1
    low = np.searchsorted(at, before, "right")
    places = np.flatnonzero(high > low)
    low = np.broadcast_to(low, high.shape)[places]
    high, died = high[places], event[places]
    key = (high * 2 + died) * (len(at) + 1) + low
    sort = np.argsort(key.astype(np.min_scalar_type(int(key.max()))), kind="stable")
    key, order = key[sort], places[sort]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    x = np.empty((p, len(order)))
    for j, column in enumerate(columns):
        x[j] = column[order]
    stratum_of, place = at // (len(known) + 1), at % (len(known) + 1)
    first = np.append(np.flatnonzero(np.diff(stratum_of, prepend=-1)), len(at))
    of_cell = sort[starts]
    return RiskSets(
        x, None if weight is None else weight[order].astype(np.float64), order, starts,
        low[of_cell], high[of_cell], died[of_cell], first, stratum_of, known[place],
    )  # fmt: skip


def likelihood(rows: RiskSets, beta: np.ndarray) -> Point:
    """Log partial likelihood and its gradient; minus infinity where a hazard is too large for a number."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        theta, cells = _summed(rows, beta)
        s = np.array([_at_risk(rows, values) for values in cells])
        left = np.flatnonzero(rows.died)
        first_left = np.flatnonzero(np.diff(rows.high[left], prepend=0))
        d = np.add.reduceat(cells[:, left], first_left, axis=1)
        s[0] = np.maximum(s[0], d[0])  # what left was there, whatever was rounded away
        n_left, mean_weight = np.add.reduceat(rows.sizes[left], first_left), np.ones(len(first_left))
        if rows.weight is not None:
            places, time = rows.left
            mean_weight = np.bincount(time, rows.weight[places]) / n_left
        terms = _terms(s[0], d[0], n_left)
        value = rows.told @ beta - mean_weight @ terms["log"]
        gradient = rows.told - (s[1:] * terms["a"] - d[1:] * terms["b"]) @ mean_weight
    value = float(value) if np.isfinite(value) else -np.inf
    return Point(value, gradient, theta, s, d, terms, n_left, mean_weight)


def information(rows: RiskSets, at: Point) -> np.ndarray:
    """Minus the second derivative: the sum over event times of Efron's covariances."""
    p = len(rows.x)
    found = np.zeros((p, p))
    factor = np.repeat(_exposure(rows, *_increments(at)[0]), rows.sizes)
    for a, b in _chunks(len(rows.order)):
        part = rows.x[:, a:b]
        found += (part * (at.theta[a:b] * factor[a:b])) @ part.T
    m, s, d, t = at.mean_weight, at.s[1:], at.d[1:], at.terms
    crossed = (s * (m * t["e"])) @ d.T
    found -= (s * (m * t["c"])) @ s.T - crossed - crossed.T + (d * (m * t["f"])) @ d.T
    return (found + found.T) / 2


def residuals(rows: RiskSets, at: Point, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Score residuals times weight, summed by group (covariates × groups); `group` of each row as it was given."""
    hazard, moments = _increments(at)
    group, (left, time) = group[rows.order], rows.left
    expected = at.theta * np.repeat(_exposure(rows, *hazard), rows.sizes)
    t = at.terms
    centre = (at.s[1:] * t["a"] - at.d[1:] * t["b"]) / at.n_left
    weight = 1.0 if rows.weight is None else rows.weight[left]
    found = np.empty((len(rows.x), n_groups))
    for j, x in enumerate(rows.x):
        moment = np.repeat(_exposure(rows, moments[0][j], moments[1][j]), rows.sizes)
        moment *= at.theta
        moment -= x * expected
        moment[left] += weight * (x[left] - centre[j, time])
        found[j] = np.bincount(group, moment, n_groups)
    return found


def hazard(at: Point) -> np.ndarray:
    """Efron's increment of the cumulative hazard at each event time, where all covariates are 0."""
    return _increments(at)[0][0]


def _increments(at: Point) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """By event time: hazard, and the part of it that who left is spared; the same times the mean covariates."""
    m, s, d, t = at.mean_weight, at.s[1:], at.d[1:], at.terms
    moments = m * (t["c"] * s - t["e"] * d), m * (t["e"] * s - t["f"] * d)
    return (m * t["a"], m * t["b"]), moments


def _exposure(rows: RiskSets, increments: np.ndarray, spared: np.ndarray) -> np.ndarray:
    """Of each cell, the sum of increments while at risk, less what those who left are spared."""
    sums = np.concatenate([[0.0], np.cumsum(increments)])
    return sums[rows.high] - sums[rows.low] - np.where(rows.died, spared[rows.high - 1], 0.0)


def _summed(rows: RiskSets, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Theta of each row; its sum, and those of theta times covariates, by cell."""
    theta = np.empty(len(rows.order))
    cells = np.zeros((len(rows.x) + 1, len(rows.starts)))
    for a, b in _chunks(len(theta)):
        part = rows.x[:, a:b]
        np.exp(beta @ part, out=theta[a:b])
        if rows.weight is not None:
            theta[a:b] *= rows.weight[a:b]
        first, last = np.searchsorted(rows.starts, a, "right") - 1, np.searchsorted(rows.starts, b)
        at = np.maximum(rows.starts[first:last], a) - a
        cells[0, first:last] += np.add.reduceat(theta[a:b], at)
        cells[1:, first:last] += np.add.reduceat(part * theta[a:b], at, axis=1)
    return theta, cells


def _at_risk(rows: RiskSets, values: np.ndarray) -> np.ndarray:
    """Sums over risk sets: of cells that leave at an event time or later, less those that enter at it or later.

    Both sums hold the very same numbers and are made in more digits than these have, so that what is subtracted leaves
    nothing behind.
    """
    exact = values.astype(np.longdouble)
    flow = np.add.reduceat(exact, np.flatnonzero(np.diff(rows.high, prepend=0)))
    late, first, low = rows.entering
    if len(late):
        flow[low - 1] -= np.add.reduceat(exact[late], first)
    sums = np.empty(len(flow))
    for a, b in zip(rows.stratum[:-1], rows.stratum[1:], strict=True):
        sums[a:b] = np.cumsum(flow[a:b][::-1])[::-1]
    return sums


def _terms(s: np.ndarray, d: np.ndarray, n_left: np.ndarray) -> dict[str, np.ndarray]:
    """Sums over Efron's terms of an event time: l of n who left count as gone already, r = l / n, c = 1 / (s − r d).

    a = Σ c, b = Σ r c, c = Σ c², e = Σ r c², f = Σ r² c², log = Σ log (s − r d).
    """
    first = np.concatenate([[0], np.cumsum(n_left)[:-1]])
    share = (np.arange(n_left.sum()) - np.repeat(first, n_left)) / np.repeat(n_left, n_left)
    left = np.repeat(s, n_left) - share * np.repeat(d, n_left)
    inverse = 1 / left
    square = inverse * inverse
    each = {
        "a": inverse, "b": share * inverse, "c": square, "e": share * square, "f": share * share * square,
        "log": np.log(left),
    }  # fmt: skip
    return {name: np.add.reduceat(values, first) for name, values in each.items()}


def _chunks(n: int) -> Iterator[tuple[int, int]]:
    return ((a, min(a + CHUNK, n)) for a in range(0, n, CHUNK))
