"""Facts: account × period, month by month, each month's closing carried forward as the next one's opening."""

from collections.abc import Iterator
from datetime import date

import narwhals.stable.v2 as nw
import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.panel import spans as accounts
from crmlab.panel.calendar import month_ends, periods
from crmlab.panel.flows import COUNTS, LARGEST, MONEY, entries, flows, flows_until, into, within

COLUMNS = [
    "account_id", "month", "starts_on", "ends_on", "days", "opening", "inflow", "outflow", "own_transfer", "interest",
    "fees", "valuation", "fx", "closing", "balance_days", *COUNTS, "last_active_on",
]  # fmt: skip


def facts(bank: Bank, engine: str = "polars") -> pl.LazyFrame:
    """Account × period in the account's currency, without gaps from the account's first day to its last.

    Answers: what was on each account, on average and at the end, and what moved it?

    A period is a calendar month, cut on the days on which who originates or maintains the account changes.

    Returns
    -------
    pl.LazyFrame
        account_id, month (month end), starts_on, ends_on (inclusive, never after `as_of`), days; opening, inflow,
        outflow, own_transfer, interest, fees, valuation, fx (zero: a currency of its own has no rate), closing in minor
        units; balance_days (sum of the end-of-day balances; over days it is the average); n_transactions, the number by
        channel, n_active_days (days with something the customer did), last_active_on. Balances of an account without
        an anchor are null.

    Raises
    ------
    InputError
        For an unknown engine, or where the sums of an account would not fit into 64 bits.
    """
    return pl.concat(monthly_facts(bank, engine), rechunk=False).lazy()


def monthly_facts(bank: Bank, engine: str = "polars") -> Iterator[pl.DataFrame]:
    """The same, one month at a time: what a large bank is built from in little memory."""
    spans = accounts.spans(bank)
    month_only = spans.filter(pl.col("history_kind") == "month_end")["account_id"]
    cuts, resets, stated = accounts.cuts(bank), accounts.resets(bank), accounts.stated_balance_days(bank)
    standing = spans.drop("history_kind")
    for month in month_ends(bank.history_from, bank.as_of):
        first = month.replace(day=1)
        rows = entries(bank, month, engine)
        frame = _month(
            periods(standing, cuts, month),
            rows,
            resets.filter(pl.col("on").is_between(first, month)),
            bank,
            month,
            engine,
        )
        standing = (
            standing.filter(pl.col("ends_on") > month)
            .join(
                frame.group_by("account_id").agg(pl.col("closing").last()),
                on="account_id",
                how="left",
                maintain_order="left",
            )
            .with_columns(opening=pl.coalesce("closing", "opening"))
            .drop("closing")
        )
        yield _averages_known(frame, month_only, stated, month)


def _month(
    spans: pl.DataFrame, rows: nw.LazyFrame, resets: pl.DataFrame, bank: Bank, month: date, engine: str
) -> pl.DataFrame:
    life = (bank.policy.activity_kinds, bank.policy.activity_initiators)
    parts = spans.filter("is_part").select("account_id", "starts_on", "ends_on")
    moved = spans.filter(~pl.col("is_part")).join(
        flows(rows, ["account_id"], month, *life), on="account_id", how="left", maintain_order="left"
    )
    if not parts.is_empty():
        by_part = flows(within(rows, into(parts, engine)), ["account_id", "starts_on"], month, *life)
        cut = spans.filter("is_part").join(by_part, on=["account_id", "starts_on"], how="left")
        moved = pl.concat([moved, cut.select(moved.columns)])
    moved = moved.with_columns(pl.col(*MONEY, "weighted", *COUNTS).fill_null(0)).sort("account_id", "starts_on")
    _fits(moved, month)
    valued = _valuations(resets, spans, rows, month, engine)
    return _balanced(moved, valued, month)


def _valuations(
    resets: pl.DataFrame, spans: pl.DataFrame, rows: nw.LazyFrame, month: date, engine: str
) -> pl.DataFrame:
    """What the resets of a month add to an account beyond its flows, dated."""
    days = resets.join(spans.group_by("account_id").agg(pl.col("opening").first()), on="account_id")
    if days.is_empty():
        return days.select("account_id", "on", valued=pl.lit(0, pl.Int64), weighted_value=pl.lit(0, pl.Int64))
    known = flows_until(rows, into(days.select("account_id", "on"), engine))
    before = pl.col("balance").shift(1).over("account_id")
    return (
        days.join(known, on=["account_id", "on"], how="left")
        .with_columns(pl.col("flow").fill_null(0))
        .sort("account_id", "on")
        .with_columns(flowed=pl.col("flow").diff().over("account_id").fill_null(pl.col("flow")))
        .select(
            "account_id",
            "on",
            valued=pl.col("balance") - pl.coalesce(before, pl.col("opening"), pl.lit(0)) - pl.col("flowed"),
        )
        .with_columns(weighted_value=pl.col("valued") * (month.day + 1 - pl.col("on").dt.day().cast(pl.Int64)))
    )


def _balanced(moved: pl.DataFrame, valued: pl.DataFrame, month: date) -> pl.DataFrame:
    """Periods with their flows and valuations, from opening to closing."""
    if valued.is_empty():
        moved = moved.with_columns(
            valued=pl.lit(0, pl.Int64), weighted_value=pl.lit(0, pl.Int64), is_reset=pl.lit(None, pl.Boolean)
        )
    else:
        of_period = (
            moved.select("account_id", "starts_on", "ends_on")
            .join(valued, on="account_id")
            .filter(pl.col("on").is_between("starts_on", "ends_on"))
            .group_by("account_id", "starts_on")
            .agg(pl.col("valued", "weighted_value").sum(), is_reset=pl.lit(True))
        )
        moved = moved.join(of_period, on=["account_id", "starts_on"], how="left", maintain_order="left").with_columns(
            pl.col("valued", "weighted_value").fill_null(0)
        )
    flow = pl.col("inflow") - pl.col("outflow") + pl.col("own_transfer") + pl.col("interest") + pl.col("fees")
    short = month.day - pl.col("ends_on").dt.day().cast(pl.Int64)
    net = flow + pl.col("valued")
    if moved["is_part"].any():
        opening = pl.col("opening") + (net.cum_sum() - net).over("account_id")
    else:
        opening = pl.col("opening")
    return (
        moved.with_columns(opening=opening, net=net, days=(pl.col("ends_on") - pl.col("starts_on")).dt.total_days() + 1)
        .with_columns(
            month=pl.lit(month),
            # A first stated balance ends the ignorance about an account, but is no movement of it.
            valuation=pl.when(pl.col("opening").is_not_null() | pl.col("is_reset").is_null()).then("valued"),
            fx=pl.lit(0, pl.Int64),
            closing=pl.coalesce(pl.col("opening") + pl.col("net"), pl.when("is_reset").then("net")),
            balance_days=pl.col("opening") * pl.col("days")
            + pl.col("weighted")
            + pl.col("weighted_value")
            - short * pl.col("net"),
        )
        .with_columns(pl.col("days").cast(pl.Int32))
        .select(COLUMNS)
    )


def _averages_known(frame: pl.DataFrame, month_only: pl.Series, stated: pl.DataFrame, month: date) -> pl.DataFrame:
    """Averages only as far as the account's kind of history supports them."""
    if not month_only.is_empty():
        unknown = pl.col("account_id").is_in(month_only.implode())
        frame = frame.with_columns(balance_days=pl.when(~unknown).then("balance_days"))
    if not stated.is_empty():
        told = stated.filter(pl.col("month") == month).drop("month")
        frame = (
            frame.join(told, on="account_id", how="left", maintain_order="left")
            .with_columns(balance_days=pl.coalesce("stated", "balance_days"))
            .drop("stated")
        )
    return frame


def _fits(frame: pl.DataFrame, month: date) -> None:
    """Stop before a balance times its days could wrap; Polars would do so silently."""
    largest = max((abs(value) for name in ("opening", "weighted") for value in _ends(frame[name])), default=0)
    if largest * 62 > LARGEST:
        raise InputError(
            f"A balance of {month:%Y-%m} is too large for 64 bits of minor units (largest sum: {largest}). "
            "Check the amounts and minor_digits in policy.toml."
        )


def _ends(column: pl.Series) -> list[int]:
    return [value for value in (column.min(), column.max()) if value is not None]
