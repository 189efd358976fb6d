"""Whether a history has every month between its first and its last one."""

from datetime import date

import polars as pl

from crmlab.errors import InputError


def complete(rows: pl.LazyFrame | pl.DataFrame, by: str | None = None) -> list[date]:
    """The months of a frame, in order, once none is missing: of all rows and of each group.

    Parameters
    ----------
    rows
        month (month ends), and the column `by`.
    by
        A column within whose groups to look too, such as branch_id.

    Raises
    ------
    InputError
        When there is no row, or a month is missing between the first and the last one; it and the group are named.

    Examples
    --------
    >>> days = [date(2024, 2, 29), date(2024, 1, 31), date(2024, 3, 31), date(2024, 1, 31)]
    >>> rows = pl.DataFrame({"month": days, "branch_id": ["B1", "B1", "B1", "B2"]})
    >>> [f"{month:%b}" for month in complete(rows, by="branch_id")]
    ['Jan', 'Feb', 'Mar']
    """
    seen = rows.lazy().select("month", *([by] if by else [])).unique().collect(engine="streaming")
    if seen.is_empty():
        raise InputError("There is no month to look at: no row is left. Choose a wider selection.")
    months = seen.select("month").unique().sort("month")
    _without_gap(months, [])
    if by:
        _without_gap(seen, [by])
    return months["month"].to_list()


def _without_gap(seen: pl.DataFrame, by: list[str]) -> None:
    first, last = pl.col("month").min(), pl.col("month").max()
    ranges = seen.group_by(by).agg(first=first, last=last) if by else seen.select(first=first, last=last)
    due = ranges.select(*by, month=pl.date_ranges(pl.col("first").dt.month_start(), "last", "1mo"))
    due = due.explode("month").with_columns(pl.col("month").dt.month_end())
    gaps = due.join(seen, on=["month", *by], how="anti", nulls_equal=True).sort("month", *by)
    if not gaps.is_empty():
        group = f" for {by[0].removesuffix('_id')} {gaps[by[0]][0]}" if by else ""
        missing = "" if gaps.height == 1 else f" ({gaps.height} are missing in all)"
        raise InputError(
            f"The books hold no rows of {gaps['month'][0]:%Y-%m}{group}, though there are rows before and after"
            f"{missing}. Put them into the extract and read it again."
        )
