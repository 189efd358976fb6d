"""Rows put beside rows by account number. Account numbers are dense, so a place in a list serves where a hash join
would be the slowest step of a month."""

import numpy as np
import polars as pl


def by_account(numbers: pl.Series, values: pl.Series, size: int) -> pl.Series:
    """A list of `size` places whose n-th holds the value of account n, null where there is none.

    Examples
    --------
    >>> by_account(pl.Series([3, 0]), pl.Series([30, 10]), 4).to_list()
    [10, None, None, 30]
    """
    return pl.repeat(None, size, dtype=values.dtype, eager=True).scatter(numbers, values)


def beside(frame: pl.DataFrame, other: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """`frame` in its own order with the columns of `other`, whose rows are unique in `by`; null where it has none.

    Examples
    --------
    >>> left = pl.DataFrame({"account_id": [5, 2]})
    >>> beside(left, pl.DataFrame({"account_id": [2], "n": [7]}), ["account_id"]).rows()
    [(5, None), (2, 7)]
    """
    if by != ["account_id"] or other.is_empty():
        return frame.join(other, on=by, how="left", maintain_order="left")
    size = max(frame["account_id"].max() or 0, other["account_id"].max()) + 1
    places = by_account(other["account_id"], pl.int_range(other.height, dtype=pl.UInt32, eager=True), size)
    return frame.hstack(other.drop(by).select(pl.all().gather(places.gather(frame["account_id"]))))


def sums_by(number: str, frame: pl.DataFrame, columns: list[str], latest: str | None = None) -> pl.DataFrame:
    """Whole-number columns summed, and the latest of a date if one is named, by a column of dense numbers, in order.

    Examples
    --------
    >>> from datetime import date
    >>> frame = pl.DataFrame({"pair": [1, 0, 1], "n": [5, 7, 6], "on": [date(2024, 1, 2), None, date(2024, 1, 1)]})
    >>> sums_by("pair", frame, ["n"], latest="on").rows()
    [(0, 7, None), (1, 11, datetime.date(2024, 1, 2))]
    """
    place = frame[number].to_numpy().astype(np.intp)
    size = int(place.max(initial=-1)) + 1
    is_there = np.zeros(size, bool)
    is_there[place] = True
    there = np.flatnonzero(is_there)

    def gathered(ufunc: np.ufunc, values: np.ndarray, start: int) -> np.ndarray:
        found = np.full(size, start, values.dtype)
        ufunc.at(found, place, values)
        return found[there]

    sums = {
        name: pl.Series(gathered(np.add, frame[name].to_numpy().astype(np.int64), 0), dtype=frame.schema[name])
        for name in columns
    }
    keys = {number: pl.Series(there, dtype=frame.schema[number])}
    if latest is None:
        return pl.DataFrame(keys | sums)
    never = np.iinfo(np.int32).min
    days = gathered(np.maximum, frame[latest].to_physical().fill_null(never).to_numpy(), never)
    return pl.DataFrame(keys | sums | {latest: pl.Series(days).replace(never, None).cast(pl.Date)})
