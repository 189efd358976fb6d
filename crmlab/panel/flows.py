"""The one pass over many rows, written once for every engine: transactions summed to accounts."""

from datetime import date

import duckdb
import narwhals.stable.v2 as nw
import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError, near_miss
from crmlab.policy import Policy

ENGINES = ("polars", "duckdb")
LARGEST = 2**63 - 1
OUTSIDE = ["payment", "card", "cash", "transfer", "salary"]
BETWEEN = ["own_transfer", "principal"]
CHANNELS = ["counter", "atm", "online", "mobile", "pos"]
NEEDED = ["account_id", "booked_on", "amount", "kind", "channel", "initiated_by"]
MONEY = ["inflow", "outflow", "own_transfer", "interest", "fees"]
COUNTS = ["n_transactions", *(f"n_{channel}" for channel in CHANNELS), "n_active_days"]


def entries(bank: Bank, month: date, engine: str) -> nw.LazyFrame:
    """The transactions of one month up to `as_of`, as a lazy frame of the engine."""
    if engine not in ENGINES:
        raise InputError(f"Unknown engine {engine!r}. {near_miss(engine, list(ENGINES))}")
    paths = [path for path in bank.paths("transactions") if path.stem == f"{month:%Y-%m}"]
    if not paths:
        return into(bank.table("transactions").filter(pl.lit(False)).collect(), engine)
    _sums_fit(pl.scan_parquet(paths), month)
    native = pl.scan_parquet(paths) if engine == "polars" else duckdb.read_parquet([str(path) for path in paths])
    rows = nw.from_native(native).lazy().select(*NEEDED)
    if isinstance(native, pl.LazyFrame):
        # Read once: several sums are asked of the same month.
        rows = nw.from_native(rows.to_native().collect(engine="streaming").lazy())
    return rows if month <= bank.as_of else rows.filter(nw.col("booked_on") <= nw.lit(bank.as_of))


def _sums_fit(rows: pl.LazyFrame, month: date) -> None:
    """Stop before a sum over an account's month could wrap; Polars would do so silently."""
    amount = pl.col("amount")
    n, low, high = rows.select(pl.len(), low=amount.min(), high=amount.max()).collect(engine="streaming").row(0)
    if not n or n * max(-low, high) * month.day <= LARGEST:
        return
    moved = rows.group_by("account_id").agg(moved=amount.cast(pl.Int128).abs().sum())
    account, largest = moved.sort("moved", "account_id").last().collect().row(0)
    if largest * month.day > LARGEST:
        raise InputError(
            f"The amounts of account {account} in {month:%Y-%m} add up to {largest} minor units, too much for 64 bits. "
            "Check the amounts and minor_digits in policy.toml."
        )


def into(frame: pl.DataFrame, engine: str) -> nw.LazyFrame:
    """A frame in memory as a lazy frame of the engine."""
    return nw.from_native(frame.lazy() if engine == "polars" else duckdb.from_arrow(frame.to_arrow())).lazy()


def collected(frames: list[nw.LazyFrame]) -> list[pl.DataFrame]:
    """Frames of any engine as Polars frames; on Polars together, by the streaming engine."""
    natives = [frame.to_native() for frame in frames]
    if isinstance(natives[0], pl.LazyFrame):
        return pl.collect_all(natives, engine="streaming")
    return [frame.collect("polars").to_native() for frame in frames]


def of_accounts(rows: nw.LazyFrame, accounts: pl.DataFrame, engine: str) -> nw.LazyFrame:
    """The rows of some accounts only."""
    return rows.join(into(accounts.select("account_id").unique(), engine), on="account_id", how="semi")


def flows(rows: nw.LazyFrame, by: list[str], month: date, policy: Policy) -> list[nw.LazyFrame]:
    """Transactions of one month summed by account, or by account and period.

    Parameters
    ----------
    rows
        account_id, booked_on, amount, kind, channel, initiated_by; all booked in `month`.
    by
        Columns of `rows` to sum by.
    month
        Last day of the month.
    policy
        What counts as a sign of life.

    Returns
    -------
    list of two frames
        `by`, inflow, outflow (positive, net of reversals), own_transfer, interest, fees (signed), weighted (each amount
        times its days to the end of the month, booking day included), n_transactions and the number by channel; and,
        for those with a sign of life, `by`, n_active_days, last_active_on.

    Notes
    -----
    A reversal takes back what it reverses: a positive one lowers outflow, a negative one inflow.
    """
    amount, kind, zero = nw.col("amount"), nw.col("kind"), nw.lit(0)
    outside, reversal = kind.is_in(OUTSIDE), kind == "reversal"
    to_inflow = (outside & (amount > 0)) | (reversal & (amount < 0))
    to_outflow = (outside & (amount < 0)) | (reversal & (amount > 0))
    money = {
        "inflow": nw.when(to_inflow).then(amount).otherwise(zero),
        "outflow": nw.when(to_outflow).then(-amount).otherwise(zero),
        "own_transfer": nw.when(kind.is_in(BETWEEN)).then(amount).otherwise(zero),
        "interest": nw.when(kind == "interest").then(amount).otherwise(zero),
        "fees": nw.when(kind == "fee").then(amount).otherwise(zero),
        "weighted": amount * (month.day + 1 - nw.col("booked_on").dt.day().cast(nw.Int64)),
    }
    numbers = {f"n_{channel}": (nw.col("channel") == channel).cast(nw.Int32) for channel in CHANNELS}
    totals = (
        rows.with_columns(**money, **numbers)
        .group_by(*by)
        .agg(
            *(nw.col(name).sum().cast(nw.Int64) for name in money),
            nw.len().cast(nw.Int32).alias("n_transactions"),
            *(nw.col(name).sum().cast(nw.Int32) for name in numbers),
        )
    )
    days = (
        rows.filter(kind.is_in(policy.activity_kinds), nw.col("initiated_by").is_in(policy.activity_initiators))
        .group_by(*by, "booked_on")
        .agg(nw.len().alias("n"))
        .group_by(*by)
        .agg(nw.len().cast(nw.Int32).alias("n_active_days"), nw.col("booked_on").max().alias("last_active_on"))
    )
    return [totals, days]


def within(rows: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """The rows of the accounts in `parts`, each with the start of the period in which it is booked."""
    return (
        rows.join(parts.select("account_id", "starts_on", "ends_on"), on="account_id")
        .filter(pl.col("booked_on").is_between("starts_on", "ends_on"))
        .drop("ends_on")
    )
