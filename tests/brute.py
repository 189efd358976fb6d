"""A daily ledger by brute force: what the panel's sums must equal, day by day and account by account."""

from collections import defaultdict
from datetime import date, timedelta

import polars as pl


def daily_balances(
    first: date, last: date, opening: int, entries: list[tuple[date, int]], resets: dict[date, int] | None = None
) -> dict[date, int]:
    """End-of-day balances from `first` to `last`; a reset is what the balance is at the end of its day."""
    flows: dict[date, int] = defaultdict(int)
    for day, amount in entries:
        flows[day] += amount
    balance, result, day = opening, {}, first
    while day <= last:
        balance += flows[day]
        balance = (resets or {}).get(day, balance)
        result[day] = balance
        day += timedelta(days=1)
    return result


def by_month(balances: dict[date, int]) -> pl.DataFrame:
    """Days, closing and balance-days of each month."""
    frame = pl.DataFrame({"on": list(balances), "balance": list(balances.values())}, schema_overrides={"on": pl.Date})
    return (
        frame.sort("on")
        .group_by(month=pl.col("on").dt.month_end(), maintain_order=True)
        .agg(days=pl.len().cast(pl.Int64), closing=pl.col("balance").last(), balance_days=pl.col("balance").sum())
    )
