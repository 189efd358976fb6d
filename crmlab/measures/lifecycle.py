"""The life cycle: new, growing, mature, declining, dormant, left, won back; a customer is in one state every month."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import polars as pl

from crmlab.measures.given import in_order, required
from crmlab.measures.growth import FALLING, NEEDED, RISING, Averages
from crmlab.measures.history import NEVER, Block, Month, day_number, history
from crmlab.measures.months import complete
from crmlab.policy import Policy

STATES = ("new", "growing", "mature", "declining", "dormant", "left", "won back")
NEW, GROWING, MATURE, DECLINING, DORMANT, LEFT, WON_BACK = range(len(STATES))
NOBODY = len(STATES)  # not yet a customer
STAYING = {"growing", "mature", "declining", "dormant", "left"}
# What may follow a state in the next month. A customer begins as new, or as won back where their first account is older
# than history; in the first month of history, as anything but won back.
MOVES = {
    "new": {"new", *STAYING},
    **dict.fromkeys(("growing", "mature", "declining", "dormant"), STAYING),
    "left": {"left", "won back"},
    "won back": {"won back", *STAYING},
}
STATE = pl.Enum(STATES)


def states(standing: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The state of every customer in every month, from their first one on, months after leaving included.

    Answers: who is coming, who is settled, and who is on the way out?

    The first that holds: *left*, no account is open at the month's end; *won back*, for some months from the return on;
    *new*, for some months from the first account ever on; *dormant*, too long without anything they did themselves;
    *growing* or *declining*, AUM rises or falls; *mature*, all others and those whose growth is not known. The month in
    which a customer is first seen is *new*, even if they are gone by its end, or *won back* where their first account
    is older than history; in the first month of history they are what they are, since most came before it. Nobody is
    dormant before history is long enough to tell.

    Parameters
    ----------
    standing
        As `standing.table` gives it: customer × month, every month of a history.
    policy
        ``policy.life_cycle``, ``policy.growth`` and ``policy.activity_window_days``.

    Returns
    -------
    pl.DataFrame
        customer_id, month, state (Enum of `STATES`), ordered by month and customer. Only what `MOVES` allows follows a
        state in the next month.

    Raises
    ------
    InputError
        When nobody is given, a column or a value is missing, a month is missing, a customer has a month twice, or a sum
        does not fit into 64 bits.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> ends = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
    >>> rows = pl.DataFrame({"customer_id": [1, 2, 2, 1], "month": ends, "days": [31, 29, 31, 30], "balance_days": 0,
    ...     "first_on": [date(2020, 1, 1), date(2024, 2, 3), date(2024, 2, 3), date(2020, 1, 1)], "is_open": True,
    ...     "n_without_average": 0, "last_active_on": ends})
    >>> states(rows, policy.load()).select("customer_id", "state").rows()
    [(1, 'mature'), (1, 'left'), (2, 'new'), (1, 'left'), (2, 'new'), (1, 'won back'), (2, 'left')]
    """
    past = history(standing, ["is_open", *NEEDED], ["first_on", "last_active_on"], "lifecycle.states")
    paths = past.each(lambda block: _paths(block, policy))
    return pl.concat(
        pl.DataFrame({"customer_id": ids, "state": state}).select(
            "customer_id", pl.lit(month).alias("month"), pl.col("state").cat.to(STATE)
        )
        for month, (ids, state) in zip(past.ends, paths, strict=True)
    )


def flow(states: pl.DataFrame) -> pl.DataFrame:
    """How many customers went from which state to which, month by month.

    Answers: how many settle, fall asleep, leave or come back in a month?

    Parameters
    ----------
    states
        As `states` gives them.

    Returns
    -------
    pl.DataFrame
        month (that of `state`), origin (Enum; null: first seen this month), state, n; from the second month on, ordered
        by month, origin and state. Those first seen in the first month of a history are not known to have come then.

    Raises
    ------
    InputError
        When nobody is given, a column or a value is missing, a month is missing, or a customer has a month twice.

    Examples
    --------
    >>> from datetime import date
    >>> rows = pl.DataFrame({"customer_id": [1, 1, 2], "month": [date(2024, 1, 31), *[date(2024, 2, 29)] * 2],
    ...     "state": pl.Series(["new", "mature", "new"], dtype=STATE)})
    >>> flow(rows).select("origin", "state", "n").rows()
    [(None, 'new', 1), ('new', 'mature', 1)]
    """
    required(states, ["customer_id", "month", "state"], "lifecycle.flow")
    first, *_ = complete(states.select("month"))
    rows = in_order(states, ["customer_id", "month"], "lifecycle.flow")
    before = pl.when(pl.col("customer_id") == pl.col("customer_id").shift()).then(pl.col("state").shift())
    counts = (
        rows.with_columns(origin=before).filter(pl.col("month") > first).group_by("month", "origin", "state").len("n")
    )
    return counts.with_columns(pl.col("n").cast(pl.Int64)).sort("month", "origin", "state")


def _paths(block: Block, policy: Policy) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The numbers and states of the customers seen so far, month by month."""
    averages, path = Averages(len(block.ids), policy.growth), _Path(len(block.ids), policy)
    for month in block.months:
        state = path.add(month, averages.add(month))
        seen = np.flatnonzero(state < NOBODY)
        yield block.ids[seen], state[seen]


class _Path:
    """The state of each place, month by month."""

    def __init__(self, size: int, policy: Policy):
        self.rules = policy.life_cycle
        self.window_days = policy.activity_window_days
        self.state = np.full(size, NOBODY, np.uint8)
        self.returned = np.full(size, -1, np.int32)  # the number of the month of the last return
        self.number = -1

    def add(self, month: Month, growth: np.ndarray) -> np.ndarray:
        """The states of one more month, of those seen so far; `growth` is that of the month's rows."""
        self.number += 1
        before = self.state[month.at]
        now = _STATE_OF[growth]
        np.putmask(now, month.idle_days() >= self.window_days, DORMANT)
        is_young = self._is_young(month)
        np.putmask(now, (before == NEW) & is_young if self.number else is_young, NEW)
        np.putmask(now, self._is_won_back(month.at, before), WON_BACK)
        np.putmask(now, ~month.values["is_open"], LEFT)
        if self.number:
            self._enter(now, before == NOBODY, month)
        # Who has no row has no account: they have left, if they ever were with us.
        np.putmask(self.state, self.state < NOBODY, LEFT)
        self.state[month.at] = now
        return self.state

    def _enter(self, now: np.ndarray, is_first: np.ndarray, month: Month) -> None:
        first_on = month.values["first_on"]
        came_back = is_first & (first_on < month.begins) & (first_on != NEVER)
        self.returned[month.at[came_back]] = self.number
        np.putmask(now, is_first, NEW)
        np.putmask(now, came_back, WON_BACK)

    def _is_young(self, month: Month) -> np.ndarray:
        """Whose first account was opened in this month or the `new_months` − 1 before."""
        begins = month.on.year * 12 + month.on.month - self.rules.new_months
        first = date(begins // 12, begins % 12 + 1, 1)
        return month.values["first_on"] >= day_number(first)

    def _is_won_back(self, at: np.ndarray, before: np.ndarray) -> np.ndarray:
        self.returned[at[before == LEFT]] = self.number
        is_recent = self.number - self.returned[at] < self.rules.won_back_months
        return (before == LEFT) | (before == WON_BACK) & is_recent


_STATE_OF = np.full(4, MATURE, np.uint8)
_STATE_OF[[FALLING, RISING]] = DECLINING, GROWING
