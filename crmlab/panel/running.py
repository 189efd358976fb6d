"""The Polars way to sum: rows land in the order of accounts and days, so that a period is a stretch of rows."""

from datetime import date

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl

from crmlab.panel.moves import columns, is_act, sums_fit
from crmlab.policy import Policy

DAY_BITS = 5
EPOCH = date(1970, 1, 1)


def running_sums(rows: pl.DataFrame, periods: pl.DataFrame, month: date, policy: Policy) -> pl.DataFrame:
    """`panel.flows.flows` from running sums: what stands at a stretch's end less what stood at its start.

    Hashing accounts, and joining the sums back to them, would cost several times as much. A running sum that wraps at
    64 bits does no harm, since the difference is exact as long as the sum of each stretch fits.
    """
    place = _places(rows, "booked_on", month)
    if (place[1:] < place[:-1]).any():
        rows = rows.sort("account_id", "booked_on")
        place = _places(rows, "booked_on", month)
    money, numbers = columns(month)
    lazy = nw.from_native(rows.lazy()).select(**money, **numbers, is_act=is_act(policy))
    summed = lazy.to_native().collect()
    start, end = stretches(place, periods, month)
    sums_fit(_most_moved(rows["amount"], start, end), month)
    acts = place[summed["is_act"].fill_null(False).to_numpy()]
    acts = acts[np.diff(acts, prepend=-1) > 0]
    first, after = stretches(acts, periods, month)
    return periods.with_columns(
        *(pl.Series(name, _between(summed[name], start, end)) for name in money),
        pl.Series("n_transactions", (end - start).astype(np.int32)),
        *(pl.Series(name, _between(summed[name], start, end).astype(np.int32)) for name in numbers),
        pl.Series("n_active_days", (after - first).astype(np.int32)),
        last_active_on=_last_day(acts, first, after, month),
    )


def stretches(place: np.ndarray, periods: pl.DataFrame, month: date) -> tuple[np.ndarray, np.ndarray]:
    """The rows of each period, as the positions of its first row and of the one after its last.

    Parameters
    ----------
    place
        Of each row, account and day as one number (`_places`), rising.
    periods
        account_id, starts_on, ends_on.
    month
        Last day of the month.
    """
    number = periods["account_id"].to_numpy()
    counts = np.bincount(place >> DAY_BITS, minlength=int(number.max(initial=-1)) + 1)
    end = np.cumsum(counts)[number]
    start = end - counts[number]
    inner = (periods["starts_on"] > month.replace(day=1)) | (periods["ends_on"] < month)
    part = inner.arg_true()
    if len(part):
        of_parts = periods[part].select("account_id", "starts_on", "ends_on")
        start[part] = np.searchsorted(place, _places(of_parts, "starts_on", month), "left")
        end[part] = np.searchsorted(place, _places(of_parts, "ends_on", month), "right")
    return start, end


def _places(rows: pl.DataFrame, day: str, month: date) -> np.ndarray:
    account = rows["account_id"].to_numpy().astype(np.int64)
    return (account << DAY_BITS) + (rows[day].to_physical().to_numpy() - _first(month))


def _first(month: date) -> int:
    return (month.replace(day=1) - EPOCH).days


def _between(values: pl.Series, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    running = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values.to_numpy(), out=running[1:])
    return running[end] - running[start]


def _most_moved(amount: pl.Series, start: np.ndarray, end: np.ndarray) -> float:
    """The most that any stretch moves, or a bound of it that is cheaper and small enough."""
    largest = float(max(abs(amount.max() or 0), abs(amount.min() or 0)))
    bound = largest * float((end - start).max(initial=0))
    if bound < 2.0**58:
        return bound
    running = np.append(0.0, np.cumsum(np.abs(amount.to_numpy().astype(np.float64))))
    return float((running[end] - running[start]).max(initial=0.0))


def _last_day(place: np.ndarray, first: np.ndarray, after: np.ndarray, month: date) -> pl.Series:
    """The last day of each stretch, null for an empty one."""
    day = np.append(place, 0)[after - 1] & (2**DAY_BITS - 1)
    days = pl.Series((day + _first(month)).astype(np.int32))
    return pl.select(pl.when(pl.Series(after > first)).then(days)).to_series().cast(pl.Date)
