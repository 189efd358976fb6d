"""Rankings of products: of the first k told to each customer, how many were taken, and what a list of pairs held."""

from collections.abc import Sequence

import numpy as np

from crmlab.measures.churn.capture import n_called
from crmlab.measures.uncertainty import Z


def places(told: np.ndarray, is_free: np.ndarray) -> np.ndarray:
    """The place of each product among those a customer does not hold, 1 the likeliest; 0 where it is held.

    Equal ones stand in the order of the columns.

    Examples
    --------
    >>> places(np.array([[0.2, 0.5, 0.9]]), np.array([[True, True, False]])).tolist()
    [[2, 1, 0]]
    """
    order = np.argsort(np.where(is_free, -told, np.inf), axis=1, kind="stable")
    found = np.empty(told.shape, np.int32)
    np.put_along_axis(found, order, np.arange(1, told.shape[1] + 1, dtype=np.int32)[None, :], axis=1)
    return np.where(is_free, found, 0)


def precision(place: np.ndarray, has_taken: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """By customer, how many of the first k were taken, and of how many: of fewer than k where most are held.

    Examples
    --------
    >>> [part.tolist() for part in precision(np.array([[2, 1, 0]]), np.array([[False, True, False]]), 3)]
    [[1.0], [2.0]]
    """
    on = (place > 0) & (place <= k)
    return (on & has_taken).sum(axis=1).astype(float), on.sum(axis=1).astype(float)


def recall(place: np.ndarray, has_taken: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """By customer, how many of the products taken stood among the first k, and how many were taken.

    Examples
    --------
    >>> [part.tolist() for part in recall(np.array([[2, 1, 0]]), np.array([[True, True, False]]), 1)]
    [[1.0], [2.0]]
    """
    return precision(place, has_taken, k)[0], has_taken.sum(axis=1).astype(float)


def average_precision(place: np.ndarray, has_taken: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """By customer, the mean over the first k of those taken of the share taken down to there, and 1 if anything was.

    The mean is over as many as could be found: the products taken, but k at most.

    Examples
    --------
    >>> average_precision(np.array([[1, 2, 3]]), np.array([[True, False, True]]), 3)[0].round(3).tolist()
    [0.833]
    """
    n_taken = has_taken.sum(axis=1)
    found = np.zeros(len(place))
    hits = np.zeros(len(place))
    for n in range(1, k + 1):
        hit = (has_taken & (place == n)).any(axis=1)
        hits += hit
        found += hit * hits / n
    most = np.minimum(n_taken, k)
    return np.divide(found, most, out=found, where=most > 0), (n_taken > 0).astype(float)


def on_list(told: np.ndarray, budgets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many pairs a list of the likeliest holds, and how much of each pair stands on it: of equal ones a part.

    Examples
    --------
    >>> n, parts = on_list(np.array([0.9, 0.4, 0.4, 0.1]), np.array([0.5]))
    >>> n.tolist(), parts.tolist()
    ([2], [[1.0, 0.5, 0.5, 0.0]])
    """
    called = n_called(len(told), budgets)
    _, code, count = np.unique(-told, return_inverse=True, return_counts=True)
    before = np.cumsum(count) - count
    return called, np.stack([np.clip((n - before) / count, 0, 1)[code] for n in called])


def shared(
    part: np.ndarray, whole: np.ndarray, customer: np.ndarray
) -> tuple[float | None, float | None, float | None]:
    """Σ part / Σ whole with its 95 % interval, a customer's rows taken together; None of nothing.

    Customers are whole numbers from 0. The interval is that of a ratio of sums (linearised), kept within 0 and 1.

    Examples
    --------
    >>> shared(np.array([1.0, 0.0]), np.array([1.0, 3.0]), np.array([1, 2]))[0]
    0.25
    """
    total = float(whole.sum())
    if not total:
        return None, None, None
    rate = float(part.sum()) / total
    reach = _reach(part - rate * whole, customer, total)
    return (rate, None, None) if reach is None else (rate, max(rate - reach, 0.0), min(rate + reach, 1.0))


def apart(
    parts: Sequence[np.ndarray], whole: np.ndarray, customer: np.ndarray
) -> tuple[float | None, float | None, float | None]:
    """By how much the share of the first exceeds that of the second, of one whole, with its 95 % interval.

    Examples
    --------
    >>> apart((np.array([1.0, 1.0]), np.array([1.0, 0.0])), np.ones(2), np.array([1, 2]))[0]
    0.5
    """
    total, gap = float(whole.sum()), parts[0] - parts[1]
    if not total:
        return None, None, None
    rate = float(gap.sum()) / total
    reach = _reach(gap - rate * whole, customer, total)
    return (rate, None, None) if reach is None else (rate, rate - reach, rate + reach)


def _reach(off: np.ndarray, customer: np.ndarray, total: float) -> float | None:
    sums, n = np.bincount(customer, off), np.count_nonzero(np.bincount(customer))
    return Z * float(np.sqrt(sums @ sums * n / (n - 1))) / total if n > 1 else None
