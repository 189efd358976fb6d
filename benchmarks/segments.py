"""Segments, life cycle and one transition matrix, timed on a large bank's standing, and the bare pass beside them."""

from datetime import date

import numpy as np
import polars as pl

from crmlab import policy
from crmlab.measures import lifecycle, segments, transitions
from crmlab.panel.calendar import month_ends

FIRST, LAST = date(2023, 1, 31), date(2024, 12, 31)
KINDS = {"retail": 0.9, "small business": 0.08, "corporate": 0.015, "institution": 0.005}


def standing(customers: int) -> pl.DataFrame:
    """The columns of `standing.table` that are asked for, a chunk a month, as a build has it.

    Of the customers, one in three comes within the history, one in ten leaves in it, half as many come back.
    """
    rng = np.random.default_rng(4)
    ids, ends = np.arange(customers, dtype=np.int32), month_ends(FIRST, LAST)
    kind = pl.Series(list(KINDS)).gather(rng.choice(len(KINDS), customers, p=list(KINDS.values())))
    comes = rng.integers(-2 * len(ends), len(ends), customers)  # numbers of months
    leaves = np.where(rng.random(customers) < 0.1, rng.integers(1, len(ends), customers), len(ends))
    returns = np.where(rng.random(customers) < 0.5, leaves + rng.integers(2, 9, customers), len(ends))
    first_on = pl.Series(_epoch(FIRST) + 30 * comes.astype(np.int32)).cast(pl.Date)
    balance = rng.lognormal(12, 2, customers).astype(np.int64)
    habit, acted = rng.beta(1, 1, customers), np.full(customers, _epoch(FIRST) - 200, np.int32)
    found = []
    for n, month in enumerate(ends):
        balance = (balance * rng.lognormal(0, 0.1, customers)).astype(np.int64)
        acted = np.where(rng.random(customers) < habit, _epoch(month) - rng.integers(0, 28, customers), acted)
        here = np.flatnonzero((comes <= n) & ((n <= leaves) | (n >= returns)))
        rows = {
            "customer_id": ids[here],
            "month": pl.repeat(month, len(here), dtype=pl.Date, eager=True),
            "kind": kind.gather(here),
            "first_on": first_on.gather(here),
            "is_open": (leaves != n)[here],
            "balance_days": balance[here] * month.day,
            "days": pl.repeat(month.day, len(here), dtype=pl.Int32, eager=True),
            "n_without_average": (rng.random(len(here)) < 0.001).astype(np.int32),
            "contribution": rng.normal(1_000, 20_000, len(here)).astype(np.int64),
            "last_active_on": pl.Series(acted[here].astype(np.int32)).cast(pl.Date),
        }
        found.append(pl.DataFrame(rows))
    return pl.concat(found)


def movers(rows: pl.DataFrame) -> None:
    """`segments.assign`, `lifecycle.states`, and `transitions.matrix` over all months that have segments."""
    rules = policy.load()
    found = segments.assign(rows, rules)
    lifecycle.states(rows, rules)
    transitions.matrix(transitions.pairs(found, found["month"][0], LAST))


def bare_movers(rows: pl.DataFrame) -> None:
    """The same columns grouped by customer and summed, of dates the last; kind, a text, is a key of the groups."""
    _pass(rows, ["customer_id", "kind"])


def bare_numbers(rows: pl.DataFrame) -> None:
    """The same, but kind is not read."""
    _pass(rows, ["customer_id"])


def _pass(rows: pl.DataFrame, keys: list[str]) -> None:
    sums = pl.col("balance_days", "days", "n_without_average", "contribution", "is_open").sum()
    dates = pl.col("month", "first_on", "last_active_on").max()
    rows.lazy().group_by(keys).agg(sums, dates).collect(engine="streaming")


def _epoch(day: date) -> int:
    return (day - date(1970, 1, 1)).days
