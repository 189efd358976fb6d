"""Days and months of the simulated calendar; a day is the number of days since 1970-01-01."""

from dataclasses import dataclass
from datetime import date

import numpy as np

NEVER = np.iinfo(np.int32).min


@dataclass(frozen=True)
class Month:
    """One calendar month; `index` counts from the first month of the extract."""

    index: int
    first: int
    last: int
    number: int
    name: str

    @property
    def n_days(self) -> int:
        return self.last - self.first + 1

    @property
    def ends_quarter(self) -> bool:
        return self.number % 3 == 0

    @property
    def starts_quarter(self) -> bool:
        return self.number % 3 == 1

    def days(self, rng: np.random.Generator, n: int, low: int = 1, high: int = 31) -> np.ndarray:
        """`n` random days of the month, from its day `low` to its day `high` or its end."""
        return self.first + rng.integers(low - 1, min(high, self.n_days), n).astype(np.int32)

    def before_end(self, days_before: np.ndarray | int) -> np.ndarray | int:
        """The day so many days before the month's last."""
        return self.last - days_before

    def within(self, day: np.ndarray) -> np.ndarray:
        """Days moved back to the month's end where they lie behind it."""
        return np.minimum(day, self.last)


def calendar(start: date, n: int) -> list[Month]:
    """The `n` months from the month of `start` on.

    Examples
    --------
    >>> [month.name for month in calendar(date(2023, 11, 1), 3)]
    ['2023-11', '2023-12', '2024-01']
    """
    edges = np.datetime64(start, "M") + np.arange(n + 1)
    firsts = edges.astype("M8[D]").astype(int)
    numbers = edges.astype(int) % 12 + 1
    return [Month(i, int(firsts[i]), int(firsts[i + 1]) - 1, int(numbers[i]), str(edges[i])) for i in range(n)]


def day_number(on: date) -> int:
    """A date as the number of days since 1970-01-01."""
    return int(np.datetime64(on, "D").astype(int))


def add_months(days: np.ndarray, n: np.ndarray | int) -> np.ndarray:
    """The same day of the month `n` months on, or that month's last day.

    Examples
    --------
    >>> add_months(np.array([day_number(date(2024, 1, 31))]), 1).astype("M8[D]")
    array(['2024-02-29'], dtype='datetime64[D]')
    """
    dates = np.asarray(days).astype("M8[D]")
    month = dates.astype("M8[M]")
    of_month = (dates - month.astype("M8[D]")).astype(int)
    target = month + n
    length = ((target + 1).astype("M8[D]") - target.astype("M8[D]")).astype(int)
    return (target.astype("M8[D]").astype(int) + np.minimum(of_month, length - 1)).astype(np.int32)
