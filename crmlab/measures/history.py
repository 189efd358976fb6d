"""A history month by month, each customer always at the same place of an array.

Windows over months are then sums of whole arrays: no row is sorted or looked up, which is what 24 million rows need.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import LARGEST, in_order, required
from crmlab.measures.months import complete

KEY = ["month", "customer_id"]


class Month(NamedTuple):
    """The rows of one month, in order of customers."""

    month: date  # its end
    on: date  # the last day known of it: its end, but in a month that is not over
    days: int  # of it that are known
    rows: pl.DataFrame
    at: np.ndarray  # the place of each row's customer: customer_id less the lowest there is

    def column(self, name: str) -> np.ndarray:
        """The values of a column that has no nulls."""
        return self.rows[name].to_numpy()

    def idle_days(self) -> np.ndarray:
        """Days since the last thing each customer did themselves; where there is none, more than any history has."""
        last = self.rows["last_active_on"].to_physical().fill_null(-(10**6))
        return (self.on - date(1970, 1, 1)).days - last.to_numpy()


class History(NamedTuple):
    """Standing, checked and in order."""

    rows: pl.DataFrame
    months: list[date]
    heights: list[int]  # rows of each month
    first_id: int  # the lowest customer_id
    size: int  # places there are: customer_id is a number that landing gave, so few are empty

    def __iter__(self) -> Iterator[Month]:
        begin = 0
        for month, height in zip(self.months, self.heights, strict=True):
            rows = self.rows.slice(begin, height)
            days = rows["days"].max()
            on = month if begin == 0 else month.replace(day=1) + timedelta(days - 1)
            yield Month(month, on, days, rows, rows["customer_id"].to_numpy() - self.first_id)
            begin += height


def history(standing: pl.DataFrame, columns: list[str], measure: str) -> History:
    """Standing in order of months and customers, once it has the columns, no gap and no row twice.

    Parameters
    ----------
    standing
        As `standing.table` gives it, of one month or of several.
    columns
        Those that may have no null, beside customer_id, month and days.
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
    >>> [(month.on.day, month.at.tolist()) for month in history(rows, [], "segments.assign")]
    [(31, [0, 2]), (29, [0])]
    """
    required(standing, ["customer_id", "month", "days", *columns], measure)
    rows = standing if standing["month"].is_sorted() else standing.sort(KEY)
    runs = rows["month"].rle().struct.unnest()
    months = complete(runs.select(month="value"))
    ids = rows["customer_id"]
    found = History(rows, months, runs["len"].to_list(), ids.min(), ids.max() - ids.min() + 1)
    if all((np.diff(month.at) > 0).all() for month in found):
        return found
    return found._replace(rows=in_order(rows, KEY, measure))


class Window:
    """Sums over the last so many months, by place."""

    def __init__(self, months: int, size: int):
        self.months = months
        self.parts: list[np.ndarray] = []
        self.total = np.zeros(size, np.int64)

    def add(self, at: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The sums once one more month is in; who is not there counts as 0. It is overwritten by the next call."""
        if max(abs(int(values.min())), abs(int(values.max()))) * self.months > LARGEST:
            raise InputError(
                f"{np.abs(values).max():.3g} over {self.months} months is too much for 64 bits. Check its unit."
            )
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
