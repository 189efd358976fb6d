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
    begins: int  # the first day of history, as dates are kept
    at: np.ndarray  # the place of each row's customer
    values: dict[str, np.ndarray]  # of columns by name; dates as days since 1970-01-01, NEVER where there is none

    def idle_days(self) -> np.ndarray:
        """Days since the last thing each customer did themselves; where there is none, those that history knows of."""
        last = self.values["last_active_on"]
        return day_number(self.on) - np.where(last == NEVER, self.begins - 1, last)

    def cut(self, rows: slice, first: int) -> "Month":
        """Some of the customers, places counted from `first` on."""
        values = {name: of[rows] for name, of in self.values.items()}
        return self._replace(at=self.at[rows] - first, values=values)


class Block(NamedTuple):
    """Some customers, month by month."""

    ids: np.ndarray  # the customer_id of each place, whether there is such a customer or not
    months: list[Month]


class History(NamedTuple):
    """Standing, checked and in order, month by month."""

    ends: list[date]
    rows: list[pl.DataFrame]
    months: list[Month]  # of all customers, those of each at customer_id less `first_id`
    first_id: int
    last_id: int

    def each(self, work: Callable[[Block], Iterable]) -> list[list[np.ndarray]]:
        """What `work` gives for the customers of each block, some arrays a month: by month, of all blocks together."""
        firsts = np.arange(0, self.last_id - self.first_id + 1, BLOCK)
        cuts = [
            np.append(np.searchsorted(month.at, firsts.astype(month.at.dtype)), len(month.at)) for month in self.months
        ]

        def done(n: int) -> list:
            first, last = self.first_id + int(firsts[n]), min(self.first_id + int(firsts[n]) + BLOCK - 1, self.last_id)
            months = [
                month.cut(slice(*cut[n : n + 2]), int(firsts[n])) for month, cut in zip(self.months, cuts, strict=True)
            ]
            return list(work(Block(np.arange(first, last + 1, dtype=self.months[0].at.dtype), months)))

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
    >>> [month.at.tolist() for month in history(rows, [], [], "segments.assign").months]
    [[0, 2], [0]]
    """
    required(standing, ["customer_id", "month", "days", *columns], measure)
    named(standing.columns, dates, measure)
    rows = standing if standing["month"].is_sorted() else standing.sort(KEY)
    found = _history(rows, columns, dates)
    if all((month.at[1:] > month.at[:-1]).all() for month in found.months):
        return found
    return _history(in_order(rows, KEY, measure), columns, dates)


def _history(rows: pl.DataFrame, columns: list[str], dates: list[str]) -> History:
    runs = rows["month"].rle().struct.unnest()
    ends, firsts = complete(runs.select(month="value")), [0, *runs["len"].cum_sum()]
    first_id, last_id = rows["customer_id"].min(), rows["customer_id"].max()
    days = rows.select(pl.col(dates).to_physical().fill_null(NEVER))
    cuts = [slice(*cut) for cut in pairwise(firsts)]
    found = []
    for end, cut in zip(ends, cuts, strict=True):
        part = [*rows[cut].select(columns), *days[cut]]
        n_days = rows["days"][cut.start]
        # A month that is not over ends with the last day known; only the first may lack days at its beginning.
        on = end.replace(day=1) + timedelta(n_days - 1) if found else end
        at = rows["customer_id"][cut].to_numpy() - first_id
        begins = found[0].begins if found else day_number(end) - n_days + 1
        found.append(Month(on, n_days, begins, at, {one.name: one.to_numpy() for one in part}))
    return History(ends, [rows[cut] for cut in cuts], found, first_id, last_id)


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
        self.largest = 0  # part, up or down, so far
        self.total = np.zeros(size, np.int64)

    def add(self, at: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The sums once one more month is in; who is not there counts as 0. The next call overwrites them."""
        self.largest = max(self.largest, int(values.max(initial=0)), -int(values.min(initial=0)))
        if self.largest * self.months > LARGEST:
            raise InputError(f"{self.largest:.3g} over {self.months} months is too much for 64 bits. Check its unit.")
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
