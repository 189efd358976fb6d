"""One block of the simulated bank while its months pass."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from crmlab.simulate.homes import Homes
from crmlab.simulate.ledger import Ledger
from crmlab.simulate.months import NEVER, Month
from crmlab.simulate.names import PER_BLOCK, numbered
from crmlab.simulate.people import People
from crmlab.simulate.staff import Staff


@dataclass
class World:
    """Customers, accounts and staff of a block, its own random numbers, and the rows written down so far.

    A row's columns are arrays of numbers or of words; `book` turns them into the text of an extract. Tables whose name
    begins with ``truth/`` hold what was planted. The random numbers of `prospects` and `tastes` are their own, too.
    """

    people: People
    ledger: Ledger
    staff: Staff
    rng: np.random.Generator
    rates: np.ndarray
    calendar: list[Month]
    month: Month
    homes: Homes
    prospects: np.random.Generator
    tastes: np.random.Generator
    block: int = 0
    campaigns: tuple = ()
    serials: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    rows: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))

    @property
    def present(self) -> np.ndarray:
        """Customers who were here when the month began."""
        return self.people.here & (self.people.since < self.month.first)

    @property
    def steady(self) -> np.ndarray:
        """Of these, who have neither begun to leave nor fallen asleep."""
        return self.present & (self.people.cause < 0) & (self.people.dormant_from == NEVER)

    def note(self, table: str, **columns) -> None:
        """Write down rows of a table."""
        n = max(
            len(column) for column in columns.values() if hasattr(column, "__len__") and not isinstance(column, str)
        )
        if n:
            self.rows[table].append({name: _column(column, n) for name, column in columns.items()})

    def serial(self, prefix: str, n: int) -> pl.Series:
        """The next `n` ids of a table; the block's number stands in front, so that blocks never meet."""
        first = self.block * PER_BLOCK + self.serials[prefix]
        self.serials[prefix] += n
        return numbered(prefix, np.arange(first, first + n), 9)

    def chance(self, probability) -> np.ndarray:
        """For each customer, whether something of this probability happens."""
        return self.rng.random(len(self.people)) < probability


def _column(values, n: int):
    scalar = values is None or np.isscalar(values)
    return pl.repeat(values, n, eager=True) if scalar else values
