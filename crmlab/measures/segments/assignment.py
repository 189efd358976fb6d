"""Which segment each customer is in, month by month: activity × earning × growth, within kind."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import required
from crmlab.measures.growth import NEEDED, Averages
from crmlab.measures.history import WORKERS, Block, Window, history
from crmlab.policy import GROWTH, KINDS, Level, Policy, Segmentation
from crmlab.policy.source import MILLION

AXES = ("activity", "earning", "growth")
COLUMNS = ["customer_id", "month", "kind", *AXES, "segment"]


def assign(standing: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The segment of every customer with an open account, month by month.

    Answers: who is this customer to us this month, and what is to be done about it?

    `activity` is by the days since the last thing a customer did themselves, up to the month's end. `earning` is by the
    contribution of the last months, months without a row counting as 0: by amount, or by the share of the customers of
    the same kind and month with less, equal values sharing a level (the lower one, so a level is never overfull).
    `growth` holds the average AUM of some months against that of as many before them.

    Parameters
    ----------
    standing
        As `standing.table` gives it: customer × month, every month of a history.
    policy
        ``policy.segmentation`` and ``policy.growth``.

    Returns
    -------
    pl.DataFrame
        customer_id, month, kind, activity, earning, growth, segment (Enums in the policy's order, activity, earning and
        growth the lowest first), a row for each customer open at the month's end; ordered by month and customer. From
        the first month on for which history holds all months looked back at; none where it never does. `growth` and
        `segment` are null where an average is not known.

    Raises
    ------
    InputError
        When nobody is given, a column or a value is missing, a month is missing, a customer has a month twice, or a sum
        does not fit into 64 bits.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> ends = pl.date_range(date(2024, 1, 1), date(2024, 6, 1), "1mo", eager=True).dt.month_end()
    >>> rows = pl.DataFrame({"customer_id": 1, "month": ends, "days": ends.dt.day(), "kind": "retail", "is_open": True,
    ...     "balance_days": 9_000_000, "n_without_average": 0, "contribution": 70, "last_active_on": ends})
    >>> assign(rows, policy.load()).row(0)[3:]
    ('active', 'low', 'steady', 'Everyday')
    """
    rules = policy.segmentation
    past = history(standing, ["is_open", "contribution", *NEEDED], ["last_active_on"], "segments.assign")
    required(standing, ["kind"], "segments.assign")
    skipped = max(2 * policy.growth.months, rules.contribution_months) - 1
    months = past.each(lambda block: _measured(block, policy))
    segment_of = _by_cell(rules)
    with ThreadPoolExecutor(WORKERS) as pool:
        told = list(pool.map(lambda *of: _told(*of, segment_of, rules), past.rows[skipped:], months[skipped:]))
    return pl.concat(told) if told else pl.DataFrame(schema={**standing.select(COLUMNS[:3]).schema, **_types(rules)})


def cells(policy: Policy) -> pl.DataFrame:
    """Every cell of activity, earning and growth with its segment.

    Answers: which segments are there, and what puts a customer into each?

    Returns
    -------
    pl.DataFrame
        activity, earning, growth, segment: Enums as `assign` gives them, a row a cell, the lowest first.

    Examples
    --------
    >>> from crmlab import policy
    >>> cells(policy.load()).row(-1)
    ('active', 'high', 'rising', 'Gold')
    """
    rules = policy.segmentation
    rows = [(*cell, row.name) for row in rules.rows for cell in row.cells()]
    return pl.DataFrame(rows, schema=_types(rules), orient="row").sort(AXES)


def _types(rules: Segmentation) -> dict[str, pl.Enum]:
    names = [[one.name for one in level] for level in (rules.activity, rules.earning)]
    return {
        **dict(zip(AXES, map(pl.Enum, (*names, GROWTH)), strict=True)),
        "segment": pl.Enum([row.name for row in rules.rows]),
    }


def _by_cell(rules: Segmentation) -> np.ndarray:
    """The number of the segment of each cell; where growth is not known, one that no segment has."""
    found = np.full((len(rules.activity), len(rules.earning), len(GROWTH) + 1), len(rules.rows), np.uint8)
    places = [{name: n for n, name in enumerate(kind.categories)} for kind in _types(rules).values()]
    for number, row in enumerate(rules.rows):
        for cell in row.cells():
            found[tuple(place[name] for place, name in zip(places, cell, strict=False))] = number
    return found


def _measured(block: Block, policy: Policy) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Activity, contribution and growth of the customers open at a month's end, month by month."""
    rules = policy.segmentation
    earned, averages = Window(rules.contribution_months, len(block.ids)), Averages(len(block.ids), policy.growth)
    for month in block.months:
        here, idle = np.flatnonzero(month.values["is_open"]), month.idle_days()
        activity = sum((idle < level.within for level in rules.activity[1:]), np.zeros(len(idle), np.uint8))
        contribution = earned.add(month.at, month.values["contribution"])
        yield activity[here], contribution[month.at[here]], averages.add(month)[here]


def _told(rows: pl.DataFrame, measured: list[np.ndarray], segment_of: np.ndarray, rules: Segmentation) -> pl.DataFrame:
    """One month's rows of those open, with what was measured of them put into levels and segments."""
    activity, contribution, growth = measured
    rows = rows.lazy().filter("is_open").select(COLUMNS[:3]).collect()
    earning = _earning(contribution, rows["kind"], rules.earning)
    _, n_earning, n_growth = segment_of.shape
    cell = (activity.astype(np.int32) * n_earning + earning) * n_growth + growth
    numbers = (activity, earning, growth, segment_of.ravel().take(cell))
    types, known = _types(rules), pl.when(pl.col("growth") < len(GROWTH))
    return rows.with_columns(**dict(zip(types, numbers, strict=True))).with_columns(
        *(pl.col(name).cat.to(types[name]) for name in AXES[:2]),
        *(known.then(pl.col(name)).cat.to(types[name]) for name in ("growth", "segment")),
    )


def _earning(values: np.ndarray, kinds: pl.Series, levels: tuple[Level, ...]) -> np.ndarray:
    if levels[-1].top is None:
        return sum((values >= level.lower for level in levels[1:]), np.zeros(len(values), np.uint8))
    found, amounts, n = np.zeros(len(values), np.uint8), pl.Series(values), 0
    for kind in KINDS:  # looking for the kinds there are would take longer than asking for each there may be
        here = kinds == kind
        some = amounts.filter(here).to_numpy()
        if len(some):
            found[here.to_numpy()] = _ranked(some, [level.top for level in levels[1:]])
            n += len(some)
    if n < len(values):
        others = kinds.filter(~kinds.is_in(KINDS))
        raise InputError(
            f"{len(others)} customers are of no known kind (first: {others[0]}). {near_miss(others[0], KINDS)}"
        )
    return found


def _ranked(values: np.ndarray, tops: list[int]) -> np.ndarray:
    """How many of the top shares each value is in: those with at least 1 − top of the values below them."""
    # At least n values are below x exactly where the n-th lowest is: a selection, where ranks would ask for sorting.
    below = [-(-(MILLION - top) * len(values) // MILLION) for top in tops]
    lowest = np.partition(values, np.array([n - 1 for n in below if n], np.intp))  # of a kind with nobody: none
    return sum((values > lowest[n - 1] if n else True for n in below), np.zeros(len(values), np.uint8))
