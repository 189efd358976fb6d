"""The one pass over many rows: transactions summed to the periods of accounts, on any engine."""

from datetime import date

import duckdb
import narwhals.stable.v2 as nw
import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError, near_miss
from crmlab.panel.moves import COUNTS, NEEDED, columns, is_act, sums_fit
from crmlab.panel.running import running_sums
from crmlab.policy import Policy

ENGINES = ("polars", "duckdb")


def entries(bank: Bank, month: date, engine: str) -> nw.LazyFrame:
    """The transactions of one month up to `as_of`, as a lazy frame of the engine."""
    if engine not in ENGINES:
        raise InputError(f"Unknown engine {engine!r}. {near_miss(engine, list(ENGINES))}")
    paths = [path for path in bank.paths("transactions") if path.stem == f"{month:%Y-%m}"]
    if not paths:
        return into(bank.table("transactions").select(NEEDED).filter(pl.lit(False)).collect(), engine)
    native = pl.scan_parquet(paths) if engine == "polars" else duckdb.read_parquet([str(path) for path in paths])
    rows = nw.from_native(native).lazy().select(*NEEDED)
    return rows if month <= bank.as_of else rows.filter(nw.col("booked_on") <= nw.lit(bank.as_of))


def into(frame: pl.DataFrame, engine: str) -> nw.LazyFrame:
    """A frame in memory as a lazy frame of the engine."""
    return nw.from_native(frame.lazy() if engine == "polars" else duckdb.from_arrow(frame.to_arrow())).lazy()


def flows(rows: nw.LazyFrame, periods: pl.DataFrame, month: date, policy: Policy, engine: str) -> pl.DataFrame:
    """Transactions of one month summed by period.

    Parameters
    ----------
    rows
        account_id, booked_on, amount, kind, channel, initiated_by; all booked in `month`.
    periods
        account_id, starts_on, ends_on; the periods of an account do not overlap.
    month
        Last day of the month.
    policy
        What counts as a sign of life.
    engine
        Where `rows` are.

    Returns
    -------
    pl.DataFrame
        `periods` in their order with inflow, outflow (positive, net of reversals), own_transfer, interest, fees
        (signed), weighted, n_transactions and the number by channel, n_active_days, last_active_on.
    """
    if engine == "polars":
        return running_sums(rows.to_native().collect(engine="streaming"), periods, month, policy)
    by = ["account_id", "starts_on"]
    booked = rows.join(into(periods.select(*by, "ends_on"), engine), on="account_id", how="inner").filter(
        nw.col("booked_on") >= nw.col("starts_on"), nw.col("booked_on") <= nw.col("ends_on")
    )
    money, numbers = columns(month)
    totals = (
        booked.with_columns(**money, **numbers)
        .group_by(*by)
        .agg(
            *(nw.col(name).sum().cast(nw.Int64) for name in money),
            nw.len().cast(nw.Int32).alias("n_transactions"),
            *(nw.col(name).sum().cast(nw.Int32) for name in numbers),
            nw.col("amount").abs().cast(nw.Float64).sum().alias("moved"),
        )
    )
    days = (
        booked.filter(is_act(policy))
        .group_by(*by, "booked_on")
        .agg(nw.len().alias("n"))
        .group_by(*by)
        .agg(nw.len().cast(nw.Int32).alias("n_active_days"), nw.col("booked_on").max().alias("last_active_on"))
    )
    found = [frame.collect("polars").to_native() for frame in (totals, days)]
    sums_fit(found[0]["moved"].max() or 0.0, month)
    for columns_ in (found[0].drop("moved"), found[1]):
        periods = periods.join(columns_, on=by, how="left", maintain_order="left")
    return periods.with_columns(pl.col(*money, *COUNTS).fill_null(0))


def rows_of(rows: nw.LazyFrame, accounts: pl.DataFrame, engine: str) -> pl.DataFrame:
    """The rows of some accounts only."""
    if accounts.is_empty():
        return pl.DataFrame(schema={"account_id": pl.Int32, "booked_on": pl.Date, "amount": pl.Int64})
    wanted = into(accounts.select("account_id").unique(), engine)
    return rows.join(wanted, on="account_id", how="semi").collect("polars").to_native()
