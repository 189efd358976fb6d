"""What `overview` computes on a control: pure Polars functions of page tables, all of them live.

The page tables are described in `crmlab.mart`. Money stays in minor units; loans are told as positive outstanding.
"""

from datetime import date

import polars as pl

ALL = ""  # asks for everyone; None would leave a drop-down without a choice
PUBLIC = "(public)"  # the manager of customers who have none


def scope(table: pl.DataFrame, branch: str = ALL, manager: str = ALL, kind: str = ALL) -> pl.DataFrame:
    """The rows of a page table that a reader asked for; `PUBLIC` asks for customers without a manager.

    Examples
    --------
    >>> rows = pl.DataFrame({"branch_id": ["B1", "B1", "B2"], "manager_id": ["M1", None, "M2"], "kind": ["retail"] * 3})
    >>> scope(rows, branch="B1").height, scope(rows, manager=PUBLIC).height, scope(rows).height
    (2, 1, 3)
    """
    asked = {"branch_id": branch, "kind": kind, "manager_id": manager}
    keep = [
        pl.col(column).is_null() if value == PUBLIC else pl.col(column) == value
        for column, value in asked.items()
        if value != ALL
    ]
    return table.filter(*keep) if keep else table


def headline(heads: pl.DataFrame, trend: pl.DataFrame) -> pl.DataFrame:
    """Customers, active customers, product lines held, AUM and loans by month.

    Examples
    --------
    >>> day = [date(2025, 9, 30)]
    >>> heads = pl.DataFrame({"month": day, "n_customers": [10], "n_active": [6], "n_lines": [14]})
    >>> trend = pl.DataFrame({"month": day * 2, "class": ["deposits", "loans"], "closing": [900, -300]})
    >>> headline(heads, trend).row(0)
    (datetime.date(2025, 9, 30), 10, 6, 14, 900, 300)
    """
    people = heads.group_by("month").agg(pl.col("n_customers", "n_active", "n_lines").cast(pl.Int64).sum())
    held = pl.col("class").is_in(["deposits", "investments"])
    money = trend.group_by("month").agg(
        aum=pl.col("closing").filter(held).sum(), loans=-pl.col("closing").filter(pl.col("class") == "loans").sum()
    )
    return people.join(money, on="month", how="left").sort("month").with_columns(pl.col("aum", "loans").fill_null(0))


def at(months: pl.DataFrame, back: int) -> dict | None:
    """The row that many months before the last, or None where history is shorter.

    Examples
    --------
    >>> months = pl.DataFrame({"month": [date(2025, 8, 31), date(2025, 9, 30)], "n": [1, 2]})
    >>> at(months, 0)["n"], at(months, 1)["n"], at(months, 12)
    (2, 1, None)
    """
    if not months.height:
        return None
    last = months["month"].max()
    found = months.filter(pl.col("month") == pl.lit(last).dt.offset_by(f"-{back}mo").dt.month_end())
    return found.row(0, named=True) if found.height else None


def movement(months: pl.DataFrame) -> list[dict]:
    """The headline of the last month and how it moved since the month and the year before.

    Counts and amounts move by a share of what they were, rates (`active_share`, `lines_each`) by a difference; a change
    is None where history is shorter or nothing was there.

    Examples
    --------
    >>> months = pl.DataFrame({
    ...     "month": [date(2025, 8, 31), date(2025, 9, 30)], "n_customers": [10, 12], "n_active": [5, 9],
    ...     "n_lines": [20, 24], "aum": [100, 150], "loans": [0, 7]})
    >>> movement(months)[0]
    {'measure': 'n_customers', 'now': 12, 'month': 0.2, 'year': None}
    """
    now, then = at(months, 0), {"month": at(months, 1), "year": at(months, 12)}
    if now is None or not now["n_customers"]:
        return []

    def rate(row: dict, column: str) -> float | None:
        return row[column] / row["n_customers"] if row["n_customers"] else None

    def growth(column: str, past: dict | None) -> float | None:
        return round(now[column] / past[column] - 1, 9) if past and past[column] else None

    def difference(column: str, past: dict | None) -> float | None:
        return round(rate(now, column) - rate(past, column), 9) if past and past["n_customers"] else None

    whole = [
        {"measure": column, "now": now[column], **{period: growth(column, past) for period, past in then.items()}}
        for column in ("n_customers", "aum", "loans")
    ]
    rates = [
        {
            "measure": name,
            "now": rate(now, column),
            **{period: difference(column, past) for period, past in then.items()},
        }
        for name, column in (("active_share", "n_active"), ("lines_each", "n_lines"))
    ]
    return whole + rates


def balances(trend: pl.DataFrame, digits: int) -> pl.DataFrame:
    """Closing and average balance by month and line, in major units, largest line first.

    Lines without money are left out.

    Examples
    --------
    >>> trend = pl.DataFrame({
    ...     "month": [date(2025, 9, 30)], "line": ["loans"], "class": ["loans"],
    ...     "closing": [-60_000], "balance_days": [-1_500_000], "days": [30]})
    >>> balances(trend, 2).row(0)
    (datetime.date(2025, 9, 30), 'loans', 600.0, 500.0)
    """
    sign = pl.when(pl.col("class") == "loans").then(-1).otherwise(1)
    by_line = (
        trend.group_by("month", "line", "class")
        .agg(pl.col("closing", "balance_days").sum(), pl.col("days").max())
        .with_columns(closing=sign * pl.col("closing"), average=sign * pl.col("balance_days") / pl.col("days"))
        .select("month", "line", *(pl.col(column) / 10**digits for column in ("closing", "average")))
    )
    size = pl.col("closing").abs().max().over("line")
    return by_line.filter(size > 0).sort(-size, "line", "month")


def deviation(balances: pl.DataFrame, line: str = "deposits") -> tuple[date, float] | None:
    """The last quarter's end and by how much a line's closing stood above its average there.

    Examples
    --------
    >>> rows = pl.DataFrame(
    ...     {"month": [date(2025, 9, 30)], "line": ["deposits"], "closing": [105.0], "average": [100.0]})
    >>> deviation(rows)
    (datetime.date(2025, 9, 30), 0.05)
    """
    ends = balances.filter(pl.col("line") == line, pl.col("month").dt.month() % 3 == 0, pl.col("average") > 0)
    if not ends.height:
        return None
    last = ends.sort("month").row(-1, named=True)
    return last["month"], round(last["closing"] / last["average"] - 1, 9)


def cells(roster: pl.DataFrame) -> pl.DataFrame:
    """Customers by recency and frequency band, with each cell's segments, the largest first.

    Examples
    --------
    >>> roster = pl.DataFrame({"r": [5, 5, 5], "f": [4, 4, 4], "rfm_segment": ["Champions", "Loyal", "Champions"]})
    >>> cells(roster).row(0)
    (5, 4, 3, ['Champions', 'Loyal'], [2, 1])
    """
    counts = (
        roster.group_by("r", "f", "rfm_segment")
        .agg(n=pl.len().cast(pl.Int64))
        .sort("n", "rfm_segment", descending=[True, False])
    )
    return (
        counts.group_by("r", "f", maintain_order=True)
        .agg(pl.col("n").sum().alias("total"), "rfm_segment", "n")
        .select("r", "f", n="total", segments="rfm_segment", counts="n")
        .sort("r", "f")
    )


def segments(roster: pl.DataFrame, names: list[str]) -> list[tuple[str, int]]:
    """Customers by RFM segment, in the order of the policy."""
    counts = dict(roster.group_by("rfm_segment").agg(pl.len()).iter_rows())
    return [(name, counts[name]) for name in names if name in counts]


def in_cells(roster: pl.DataFrame, chosen: list[list[int]]) -> pl.DataFrame:
    """The customers of the chosen (r, f) cells; all of them where none is chosen.

    Examples
    --------
    >>> in_cells(pl.DataFrame({"r": [5, 1], "f": [4, 1]}), [[5, 4]]).height
    1
    """
    if not chosen:
        return roster
    return roster.filter(pl.any_horizontal((pl.col("r") == r) & (pl.col("f") == f) for r, f in chosen))
