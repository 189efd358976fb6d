"""What is known of a customer at a month's end that bears on leaving; nothing that came later.

Each covariate is one function of the `Past`, which runs through the history month by month and holds, for each place
of `measures/history.py`, what has happened so far.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.history import NEVER, History, Month, Window, day_number

STANDING = [
    "balance_days", "n_without_average", "maturing", "n_lines", "contribution", "n_acts", "n_card", "aum", "loans",
]  # fmt: skip
MAY_LACK = ["aum", "loans"]  # where a balance is not known
DATES = ["first_on", "last_active_on"]
KINDS = ("salary", "outflow_other_bank", "complaint", "manager_change")
QUARTER, YEAR = 3, 12
HALF = 2 * QUARTER
COMPLAINT_DAYS, MANAGER_DAYS = 90, 180
SMALL = 100.0  # units added to both sides of a ratio of balances: what happens to less is no news
FURTHEST = 3.0  # a balance twenty times as large, or a twentieth, counts as that far


class Past:
    """What had happened to the customers asked for, up to the end of one month."""

    def __init__(self, found: History, events: pl.DataFrame, unit: int):
        size = found.last_id - found.first_id + 1
        self.months = found.months  # all of them: whoever looks at a later one than `number` sees the future
        self.number = -1
        self.first_id, self.size, self.unit = found.first_id, size, unit
        self.asked = self.rows = np.zeros(0, np.int64)  # places, and where this month's rows have them
        self.series = {name: deque(maxlen=HALF) for name in ("average", "n_lines", "n_acts", "salary", "away")}
        self.last = {name: np.full(size, NEVER, np.int32) for name in ("card", "complaint", "manager_change")}
        self.contribution = Window(YEAR, size)
        self.events = _by_month(events)

    @property
    def month(self) -> Month:
        """The month that has been added last."""
        return self.months[self.number]

    def add(self) -> None:
        """Take one more month."""
        self.number += 1
        month = self.month
        average = month.values["balance_days"] / month.days
        average[month.values["n_without_average"] > 0] = np.nan
        self._keep("average", month.at, average)
        for name in ("n_lines", "n_acts"):
            self._keep(name, month.at, month.values[name])
        self.contribution.add(month.at, month.values["contribution"])
        self.last["card"][month.at[month.values["n_card"] > 0]] = self.number
        self._keep("salary", self._told("salary")[0], 1.0)
        self._keep("away", *self._told("outflow_other_bank")[:2])
        for name in ("complaint", "manager_change"):
            who, _, on = self._told(name)
            self.last[name][who] = on

    def ask(self, places: np.ndarray) -> np.ndarray:
        """Say whose covariates are wanted; who has no row this month is left out. Gives where the others' rows are."""
        rows = np.searchsorted(self.month.at, places)
        rows[rows == len(self.month.at)] = 0
        is_here = self.month.at[rows] == places
        self.asked, self.rows = places[is_here], rows[is_here]
        return self.rows

    def now(self, name: str) -> np.ndarray:
        """A column of standing this month."""
        return self.month.values[name][self.rows]

    def back(self, name: str, months: int = 0) -> np.ndarray:
        """One of `series` so many months ago; 0 where there was nothing, or no history yet."""
        kept = self.series[name]
        return kept[-1 - months][self.asked] if months < len(kept) else np.zeros(len(self.asked))

    def total(self, name: str, months: range) -> np.ndarray:
        """The sum of one of `series` over some months, counted back from this one."""
        return sum((self.back(name, n) for n in months), np.zeros(len(self.asked)))

    def days_since(self, name: str) -> np.ndarray:
        """Days since the last complaint or change of manager; a great many where there was none."""
        return day_number(self.month.on) - self.last[name][self.asked]

    def average(self, months: int = 0) -> np.ndarray:
        """Average AUM so many months ago in major units, never below 0; not a number where it is not known."""
        return np.maximum(self.back("average", months), 0) / self.unit

    def _keep(self, name: str, at: np.ndarray, values: np.ndarray | float) -> None:
        part = np.zeros(self.size)
        part[at] = values
        self.series[name].append(part)

    def _told(self, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places, amounts and last days of this month's events of a kind."""
        on = self.month.on
        rows = self.events.get((kind, on.year * 12 + on.month))
        if rows is None:
            return (np.zeros(0, np.int64),) * 3
        at = rows["customer_id"].to_numpy().astype(np.int64) - self.first_id
        is_known = (at >= 0) & (at < self.size)
        return at[is_known], rows["amount"].to_numpy()[is_known], rows["day"].to_numpy()[is_known]


class Covariate(NamedTuple):
    """One thing that is known of a customer at a month's end."""

    means: str
    value: Callable[[Past], np.ndarray]


def _tenure(past: Past) -> np.ndarray:
    first = past.now("first_on")
    days = day_number(past.month.on) - np.where(first == NEVER, past.month.begins, first)
    return np.log1p(np.maximum(days, 0) // 30.4375)


def _change(past: Past) -> np.ndarray:
    ratio = np.log((past.average() + SMALL) / (past.average(QUARTER) + SMALL))
    return np.clip(np.nan_to_num(ratio), -FURTHEST, FURTHEST)


def _idle(past: Past) -> np.ndarray:
    return np.log1p(np.maximum(past.month.idle_days()[past.rows], 0))


def _acts(past: Past) -> np.ndarray:
    """By average months, since early in history fewer than three came before."""
    n_before = min(QUARTER, past.number + 1 - QUARTER)
    if n_before < 1:
        return np.zeros(len(past.asked))
    now = past.total("n_acts", range(QUARTER)) / QUARTER
    return np.log((now + 1) / (past.total("n_acts", range(QUARTER, QUARTER + n_before)) / n_before + 1))


def _no_card(past: Past) -> np.ndarray:
    months = past.number - past.last["card"][past.asked]
    return np.log1p(np.where(months < YEAR, months, 0))


def _salary(past: Past) -> np.ndarray:
    return past.total("salary", range(2)) > 0


def _salary_missed(past: Past) -> np.ndarray:
    return (past.back("salary") == 0) & (past.total("salary", range(1, 1 + QUARTER)) >= QUARTER - 1)


def _away(past: Past) -> np.ndarray:
    sent = past.total("away", range(QUARTER)) / past.unit
    had = np.nan_to_num(past.average(QUARTER))
    return sent / np.maximum(sent + had, 1)


def _maturing(past: Past) -> np.ndarray:
    due = np.maximum(past.now("maturing"), 0)
    return due / np.maximum(np.maximum(past.now("aum"), due), 1)


COVARIATES = {
    "tenure": Covariate("months since the first account, as log(1 + months)", _tenure),
    "size": Covariate("average AUM, as log(1 + units)", lambda past: np.log1p(np.nan_to_num(past.average()))),
    "change": Covariate("average AUM against that three months before, as the log of the ratio", _change),
    "idle": Covariate("days since the last thing they did themselves, as log(1 + days)", _idle),
    "acts": Covariate("transactions of three months against the three before, as the log of the ratio", _acts),
    "no_card": Covariate("who paid by card within a year: months since, as log(1 + months)", _no_card),
    "salary": Covariate("a salary came this month or the last", _salary),
    "salary_missed": Covariate("no salary this month, but in two of the three before", _salary_missed),
    "away": Covariate("sent to other banks in three months, of what was there and of what was sent", _away),
    "maturing": Covariate("share of AUM that matures within 90 days", _maturing),
    "lines": Covariate("product lines in use", lambda past: past.now("n_lines")),
    "closed": Covariate(
        "fewer lines than three months before", lambda past: past.now("n_lines") < past.back("n_lines", QUARTER)
    ),
    "complaint": Covariate("a complaint within 90 days", lambda past: past.days_since("complaint") < COMPLAINT_DAYS),
    "new_manager": Covariate(
        "another manager within 180 days", lambda past: past.days_since("manager_change") < MANAGER_DAYS
    ),
    "loan": Covariate("a loan is running", lambda past: past.now("loans") > 0),
}


def _by_month(events: pl.DataFrame) -> dict[tuple[str, int], pl.DataFrame]:
    """Of each kind and month, one row a customer: what it came to and its last day."""
    of = pl.col("kind").cast(pl.String)
    month = pl.col("on").dt.year().cast(pl.Int32) * 12 + pl.col("on").dt.month()
    rows = (
        events.lazy()
        .filter(of.is_in(KINDS))
        .group_by(of.alias("kind"), month.alias("month"), "customer_id")
        .agg(pl.col("amount").sum(), day=pl.col("on").max().to_physical())
        .collect()
    )
    return rows.partition_by("kind", "month", as_dict=True)
