"""Attach rates: how many of those without a product take it, month by month."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_order, named, required
from crmlab.measures.uncertainty import wilson

NEVER = 2**31 - 1  # a day after all others


class Coded(NamedTuple):
    """Spells as numbers: whose, of which item, from which day up to which (not included)."""

    customer: np.ndarray
    item: np.ndarray
    start: np.ndarray
    end: np.ndarray
    names: pl.Series  # of the items
    first: np.ndarray  # the day on which somebody first took each


def attached(
    holdings: pl.DataFrame, months: Sequence[date], by: str = "kind", item: str = "product",
    standing: pl.DataFrame | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Of the customers without a product at the start of a month, how many took it in the month.

    Answers: what are customers taking, who, and is it more than it was?

    Asked are those who hold something at the start; who comes in the month is an acquisition, and not among them.

    Parameters
    ----------
    holdings
        As `panel.holdings` gives them.
    months
        Month ends, each of them not after their `as_of`.
    by
        What to tell apart, as it was at the start: a column of `holdings`, or of `standing` if that is given.
    item
        product, product_id or line.
    standing
        customer_id, month (a month end), and the column `by`, such as the segment; who has no row at the month end
        before is told under null.

    Returns
    -------
    pl.DataFrame
        month, the column `by`, item, n (customers without it at the start), n_taken, rate (a month, 0 to 1), lower,
        upper (Wilson, 95 %). A row each month, group and item, from the month on in which somebody first took it;
        in order. The rate is null where all of a group hold it.

    Raises
    ------
    InputError
        When no month is given, a column is missing, or nobody holds anything at the start of a month.

    Examples
    --------
    >>> held = pl.DataFrame({"customer_id": [1, 1, 2], "kind": "retail", "product": ["card", "salary", "card"],
    ...     "opened_on": [date(2024, 1, 5), date(2024, 2, 1), date(2023, 7, 1)], "closed_on": None})
    >>> attached(held, [date(2024, 2, 29)]).select("item", "n", "n_taken").rows()
    [('card', 0, 0), ('salary', 2, 1)]
    """
    own = [by] if standing is None else []
    named(holdings.columns, ["customer_id", item, "opened_on", "closed_on", *own], "crosssell.attached")
    if standing is not None:
        required(standing, ["customer_id", "month"], "crosssell.attached")
        named(standing.columns, [by], "crosssell.attached")
    if not months:
        raise InputError("crosssell.attached has been given no month. Give the month ends to tell.")
    spells = _merged(holdings.select("customer_id", "opened_on", "closed_on", *own, item=pl.col(item).cast(pl.String)))
    people = spells.select("customer_id", *own).unique("customer_id").sort("customer_id")
    coded = _coded(spells, people["customer_id"])
    ways = _ways(people[by]) if standing is None else None
    parts = []
    for month in sorted(set(months)):
        start = month.replace(day=1) - timedelta(days=1)
        parts.append(_of_month(coded, start, month, *(ways or _ways(_standing(people, standing, start, by)))))
    n, k = pl.col("n"), pl.col("n_taken")
    return pl.concat(parts).with_columns(pl.when(n > 0).then(k / n).alias("rate"), *wilson(k, n))


def _merged(spells: pl.DataFrame) -> pl.DataFrame:
    """Spells of an item that meet or overlap, such as two deposits of one line, as one; days as numbers."""
    pair = ["customer_id", "item"]
    start, end = pl.col("opened_on").to_physical(), pl.col("closed_on").to_physical().fill_null(NEVER)
    is_new = (pl.col("start") > pl.col("end").cum_max().shift().over(pair)).fill_null(True)
    return (
        spells.with_columns(pl.col("item").cast(pl.Enum(spells["item"].unique().sort())), start=start, end=end)
        .sort(*pair, "start")
        .with_columns(spell=is_new.cum_sum())
        .group_by("spell", maintain_order=True)
        .agg(pl.exclude("start", "end", "opened_on", "closed_on").first(), pl.col("start").first(), pl.col("end").max())
    )


def _coded(spells: pl.DataFrame, people: pl.Series) -> Coded:
    item = spells["item"].to_physical().to_numpy().astype(np.int64)
    start, end = (spells[name].to_numpy() for name in ("start", "end"))
    names = pl.Series(spells["item"].dtype.categories)
    first = np.full(len(names), NEVER)
    np.minimum.at(first, item, start)
    return Coded(people.search_sorted(spells["customer_id"]).to_numpy(), item, start, end, names, first)


def _standing(people: pl.DataFrame, standing: pl.DataFrame, on: date, by: str) -> pl.Series:
    """Where each customer stood at a month end."""
    known = in_order(standing.filter(pl.col("month") == on).select("customer_id", by), ["customer_id"], "standing")
    return people.join(known, on="customer_id", how="left", maintain_order="left")[by]


def _ways(groups: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """The groups there are, and the place among them of each customer's."""
    ways = groups.unique().sort(nulls_last=True)
    at = groups.to_frame("way").join(
        ways.to_frame("way").with_row_index("at"), on="way", how="left", nulls_equal=True, maintain_order="left"
    )
    return ways, at["at"].to_numpy().astype(np.int64)


def _of_month(coded: Coded, before: date, month: date, ways: pl.Series, group: np.ndarray) -> pl.DataFrame:
    """Who could take each item in a month, and who did."""
    eve, last = ((day - date(1970, 1, 1)).days for day in (before, month))
    is_held = (coded.start <= eve) & (coded.end > eve)
    if not is_held.any():
        raise InputError(f"Nobody holds anything on {before}, before the month {month}. Leave that month out.")
    n_items = len(coded.names)
    pair = coded.customer * n_items + coded.item
    held = np.zeros(len(group) * n_items, bool)
    held[pair[is_held]] = True
    is_there = held.reshape(-1, n_items).any(axis=1)
    taken = np.unique(pair[(coded.start > eve) & (coded.start <= last)])
    taken = taken[~held[taken] & is_there[taken // n_items]]

    def counted(pairs: np.ndarray) -> np.ndarray:
        cell = group[pairs // n_items] * n_items + pairs % n_items
        return np.bincount(cell, minlength=len(ways) * n_items)

    n_there = np.repeat(np.bincount(group[is_there], minlength=len(ways)), n_items)
    is_told = np.tile(coded.first <= last, len(ways)) & (n_there > 0)
    return pl.DataFrame({
        "month": pl.repeat(month, len(is_told), eager=True),
        ways.name: ways.gather(np.repeat(np.arange(len(ways)), n_items)),
        "item": coded.names.gather(np.tile(np.arange(n_items), len(ways))),
        "n": n_there - counted(np.flatnonzero(held)),
        "n_taken": counted(taken),
    }).filter(is_told)  # fmt: skip
