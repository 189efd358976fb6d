"""A dealing made better step by step: one unit moved, or two swapped, as long as that lowers the cost."""

import numpy as np

LEAST = 1e-9  # what lowers the cost by less is rounding
SWEEPS = 20
WORTH = 2.0  # of all weights together: no swap of units that are dearer than this is tried


def improved(deal, who: np.ndarray, candidates: np.ndarray, penalty: float) -> np.ndarray:
    """Where no move to a candidate, and no swap between two managers, lowers the cost any more.

    Parameters
    ----------
    deal
        A `dealing.Deal`.
    who
        The manager of each unit, to begin with; may exceed rooms.
    candidates
        Units × managers: whom each may go to.
    penalty
        What each one beyond a room costs.

    Examples
    --------
    >>> from crmlab.measures.managers.dealing import Deal
    >>> two = Deal(np.array([[0.0, 1.0], [0.0, 1.0]]), np.ones((2, 1)), np.ones((2, 1)), np.ones(1) / 4,
    ...     np.array([4.0]), np.ones((2, 1)), np.full((2, 1), 2.0), np.ones(1))
    >>> improved(two, np.array([0, 0]), np.ones((2, 2), bool), 100.0).tolist()
    [1, 0]
    """
    search = _Search(deal, who.copy(), np.where(candidates, deal.cost, np.inf), penalty)
    for _ in range(SWEEPS):
        search.move()
        if not search.swap():
            break
    return search.who


class _Search:
    """What each manager has been dealt, kept up to date move by move."""

    def __init__(self, deal, who: np.ndarray, cost: np.ndarray, penalty: float):
        self.deal, self.who, self.cost, self.penalty = deal, who, cost, penalty
        self.each = np.hstack([deal.loads, deal.uses])
        self.n_loads = deal.loads.shape[1]
        self.total = np.zeros((len(deal.aim), self.each.shape[1]))
        np.add.at(self.total, who, self.each)
        self.now = self.price(self.total, np.arange(len(self.total)))
        self.version = np.zeros(len(self.total), np.int64)  # how often each manager's customers have changed
        self.seen = np.full((len(self.total), len(self.total)), -1)  # the two versions that had no swap, added

    def price(self, total: np.ndarray, manager) -> np.ndarray:
        over = np.maximum(total[..., self.n_loads :] - self.deal.room[manager] - LEAST, 0).sum(-1)
        return self.deal.imbalance(total[..., : self.n_loads], manager) + self.penalty * over

    def hand(self, unit: int, manager: int) -> None:
        self.total[self.who[unit]] -= self.each[unit]
        self.total[manager] += self.each[unit]
        self.who[unit] = manager

    def settle(self, *managers: int) -> None:
        for manager in managers:
            self.now[manager] = self.price(self.total[manager], manager)
            self.version[manager] += 1

    def move(self) -> None:
        """The move that lowers the cost most, again and again."""
        units, managers = np.arange(len(self.who)), len(self.total)
        more = np.stack([self.price(self.total[m] + self.each, m) - self.now[m] for m in range(managers)], 1)
        less = self.price(self.total[self.who] - self.each, self.who) - self.now[self.who]
        own = self.deal.cost[units, self.who]
        while True:
            change = self.cost + more + (less - own)[:, None]
            change[units, self.who] = 0
            unit, manager = divmod(int(change.argmin()), managers)
            if change[unit, manager] > -LEAST:
                return
            ends = (int(self.who[unit]), manager)
            self.hand(unit, manager)
            self.settle(*ends)
            own[unit] = self.deal.cost[unit, manager]
            for end in ends:
                more[:, end] = self.price(self.total[end] + self.each, end) - self.now[end]
                of = self.who == end
                less[of] = self.price(self.total[end] - self.each[of], end) - self.now[end]

    def swap(self) -> int:
        """Between each two managers the best swap, as long as there is one; how many there were."""
        n = 0
        for one in range(len(self.total)):
            for other in range(one + 1, len(self.total)):
                # Versions only grow: their sum is the same only where both are.
                if self.seen[one, other] == self.version[one] + self.version[other]:
                    continue
                while self._best(one, other):
                    n += 1
                self.seen[one, other] = self.version[one] + self.version[other]
        return n

    def _best(self, one: int, other: int) -> bool:
        ours, theirs = np.flatnonzero(self.who == one), np.flatnonzero(self.who == other)
        ours, theirs = ours[np.isfinite(self.cost[ours, other])], theirs[np.isfinite(self.cost[theirs, one])]
        if not len(ours) or not len(theirs):
            return False
        cost = self.deal.cost
        dearer = (cost[ours, other] - cost[ours, one])[:, None] + cost[theirs, one] - cost[theirs, other]
        is_over = self.now[one] + self.now[other] > self.penalty * LEAST * 1e3
        a, b = np.nonzero(dearer < (np.inf if is_over else WORTH * self.deal.weight.sum()))
        if not len(a):
            return False
        gain = self.each[theirs[b]] - self.each[ours[a]]
        change = (
            dearer[a, b]
            + self.price(self.total[one] + gain, one)
            + self.price(self.total[other] - gain, other)
            - self.now[one]
            - self.now[other]
        )
        best = int(change.argmin())
        if change[best] > -LEAST * 1e3:
            return False
        self.hand(ours[a[best]], other)
        self.hand(theirs[b[best]], one)
        self.settle(one, other)
        return True
