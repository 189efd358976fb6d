"""A history month by month, each customer always at the same place of an array.

Windows over months are then sums of whole arrays: no row is sorted or looked up, which is what 24 million rows need.
Customers are taken in blocks, each small enough for its arrays to stay in the processor's cache.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import LARGEST, in_order, named, required
from crmlab.measures.months import complete

KEY = ["month", "customer_id"]
BLOCK = 2**16
WORKERS = 2
NEVER = -(10**6)  # a day before any history


class Month(NamedTuple):
    """Some customers in one month, in their order: what a column says of them, and where their places are."""

    on: date  # the last day known of it: its end, but in a month that is not over
    days: int  # of it that are known
    at: np.ndarray  # the place of each row's customer
    values: dict[str, np.ndarray]  # of columns by name; dates as days since 1970-01-01, NEVER where there is none

    def idle_days(self) -> np.ndarray:
        """Days since the last thing each customer did themselves; where there is none, more than any history has."""
        return day_number(self.on) - self.values["last_active_on"]


class Block(NamedTuple):
    """Some customers, month by month."""

    ids: np.ndarray  # the customer_id of each place, whether there is such a customer or not
    months: list[Month]


class History(NamedTuple):
    """Standing, checked and in order."""

    rows: pl.DataFrame
    months: list[date]
    begins: list[int]  # the number of the first row of each month, and the number of rows
    values: dict[str, pl.Series | np.ndarray]  # a series where an array would be a copy

    def each(self, work: Callable[[Block], Iterable]) -> list[list]:
        """What `work` gives for the customers of each block, one thing a month: month by month, a list of all blocks.

        Things of several arrays come with the arrays of all blocks put together.
        """
        ids = self.values["customer_id"]
        firsts = np.arange(ids.min(), int(ids.max()) + 1, BLOCK, ids.dtype)
        days = [self.rows["days"][begin] for begin in self.begins[:-1]]
        # A month that is not over ends with the last day known; only the first may lack days at its beginning.
        ends = [month.replace(day=1) + timedelta(n - 1) for month, n in zip(self.months, days, strict=True)]
        ends[0] = self.months[0]
        cuts = [
            begin + np.append(np.searchsorted(ids[begin:end], firsts), end - begin)
            for begin, end in pairwise(self.begins)
        ]

        def done(n: int) -> list:
            months = []
            for on, known, cut in zip(ends, days, cuts, strict=True):
                rows = {name: np.asarray(values[cut[n] : cut[n + 1]]) for name, values in self.values.items()}
                months.append(Month(on, known, rows["customer_id"] - firsts[n], rows))
            end = min(int(firsts[n]) + BLOCK, int(ids.max()) + 1)
            return list(work(Block(np.arange(firsts[n], end, dtype=ids.dtype), months)))

        with ThreadPoolExecutor(WORKERS) as pool:
            blocks = list(pool.map(done, range(len(firsts))))
        return [[np.concatenate(arrays) for arrays in zip(*month, strict=True)] for month in zip(*blocks, strict=True)]


def history(standing: pl.DataFrame, columns: list[str], dates: list[str], measure: str) -> History:
    """Standing in order of months and customers, once it has the columns, no gap and no row twice.

    Parameters
    ----------
    standing
        As `standing.table` gives it, of one month or of several.
    columns
        Numbers and truths, which may have no null; nor may customer_id, month and days.
    dates
        Those that may.
    measure
        Who asks, as an error names it.

    Raises
    ------
    InputError
        When nobody is given, a column or a value is missing, a month is missing, or a customer has a month twice.

    Examples
    --------
    >>> day = [date(2024, 2, 29), date(2024, 1, 31), date(2024, 1, 31)]
    >>> rows = pl.DataFrame({"customer_id": [5, 7, 5], "month": day, "days": [29, 31, 31]})
    >>> history(rows, [], [], "segments.assign").each(lambda block: [(month.at,) for month in block.months])
    [[array([0, 2])], [array([0])]]
    """
    required(standing, ["customer_id", "month", "days", *columns], measure)
    named(standing.columns, dates, measure)
    rows = standing if standing["month"].is_sorted() else standing.sort(KEY)
    runs = rows["month"].rle().struct.unnest()
    months, begins = complete(runs.select(month="value")), np.append(0, runs["len"].cum_sum())
    ids = rows["customer_id"].to_numpy()
    follows = ids[1:] > ids[:-1]
    follows[begins[1:-1] - 1] = True
    if not follows.all():
        rows = in_order(rows, KEY, measure)
    values = {name: rows[name] for name in columns if rows.schema[name].is_integer()}
    values |= {name: rows[name].to_numpy() for name in ("customer_id", *columns) if name not in values}
    values |= {name: rows[name].to_physical().fill_null(NEVER).to_numpy() for name in dates}
    return History(rows, months, begins.tolist(), values)


def day_number(day: date) -> int:
    """Days since 1970-01-01, as dates are kept.

    Examples
    --------
    >>> day_number(date(1970, 2, 1))
    31
    """
    return (day - date(1970, 1, 1)).days


class Window:
    """Sums over the last so many months, by place."""

    def __init__(self, months: int, size: int):
        self.months = months
        self.parts: list[np.ndarray] = []
        self.total = np.zeros(size, np.int64)

    def add(self, at: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The sums once one more month is in; who is not there counts as 0. The next call overwrites them."""
        largest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
        if largest * self.months > LARGEST:
            raise InputError(f"{largest:.3g} over {self.months} months is too much for 64 bits. Check its unit.")
        part = np.zeros_like(self.total) if len(self.parts) < self.months else self._oldest()
        part[at] = values
        self.total += part
        self.parts.append(part)
        return self.total

    def _oldest(self) -> np.ndarray:
        part = self.parts.pop(0)
        self.total -= part
        part[:] = 0
        return part
