"""Ranks, and how little is known of them."""

import numpy as np

DRAWS = 2_000
SEED = 1975  # the same frame gives the same intervals


def rank_intervals(value: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each manager's rank by long-run value, 1 the highest, with the ranks it could as well be (95 %).

    Long-run values are drawn from what is known of each (normal), and ranked draw by draw.

    Answers: is the third really better than the tenth?

    Parameters
    ----------
    value, error
        Of `managers.shrunk`.

    Returns
    -------
    tuple[np.ndarray, np.ndarray, np.ndarray]
        rank, rank_lower, rank_upper: whole numbers, 1 to the number of managers; equal values share the better rank.

    Examples
    --------
    >>> rank, lower, upper = rank_intervals(np.array([9.0, 1.1, 1.0, 1.2]), np.ones(4))
    >>> rank.tolist(), lower.tolist(), upper.tolist()
    ([1, 3, 4, 2], [1, 2, 2, 2], [1, 4, 4, 4])
    """
    rank = 1 + np.searchsorted(np.sort(-value), -value)
    rng, n = np.random.default_rng(SEED), len(value)
    drawn = np.empty((DRAWS, n), np.int32)
    for row in drawn:  # one draw at a time: of 5,000 managers all draws at once would fill the memory
        row[np.argsort(-rng.normal(value, error))] = np.arange(1, n + 1)
    lower, upper = np.quantile(drawn, [0.025, 0.975], axis=0, method="nearest")
    return rank, np.minimum(lower, rank), np.maximum(upper, rank)
