"""Facts: account × period, month by month, each month's closing carried forward as the next one's opening."""

from collections.abc import Iterator
from datetime import date

import narwhals.stable.v2 as nw
import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.panel import spans as accounts
from crmlab.panel.align import beside, by_account
from crmlab.panel.calendar import month_ends, periods
from crmlab.panel.flows import COUNTS, LARGEST, MONEY, collected, entries, flows, of_accounts, within

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
    balances = by_account(spans["account_id"], spans["opening"], None)
    for month in month_ends(bank.history_from, bank.as_of):
        alive, cut = (
            frame.with_columns(opening=balances.gather(frame["account_id"]))
            for frame in periods(spans.select("account_id", "starts_on", "ends_on"), cuts, month)
        )
        days = resets.filter(pl.col("on").is_between(month.replace(day=1), month))
        days = days.with_columns(opening=balances.gather(days["account_id"]))
        frame = _month(alive, cut, days, bank, month, engine)
        balances = balances.scatter(frame["account_id"], frame["closing"])
        yield _averages_known(frame, month_only, stated, month)


def _month(
    alive: pl.DataFrame, cut: pl.DataFrame, days: pl.DataFrame, bank: Bank, month: date, engine: str
) -> pl.DataFrame:
    rows = entries(bank, month, engine)
    detailed = pl.concat([cut.select("account_id"), days.select("account_id")])
    totals, active, details = collected(
        [*flows(rows, ["account_id"], month, bank.policy), of_accounts(rows, detailed, engine)]
    )
    _fits([alive["opening"], totals["weighted"]], month)
    valued = _valuations(days, details, month)
    frame = _balanced(alive, totals, active, valued, ["account_id"], month)
    if cut.is_empty():
        return frame
    parts = flows(nw.from_native(within(details, cut).lazy()), ["account_id", "starts_on"], month, bank.policy)
    of_parts = _balanced(cut, *collected(parts), valued, ["account_id", "starts_on"], month)
    return pl.concat([frame, of_parts])


def _valuations(days: pl.DataFrame, details: pl.DataFrame, month: date) -> pl.DataFrame:
    """What the balances taken on some days of a month add to an account beyond its flows."""
    flowed = (
        days.join(details.select("account_id", "booked_on", "amount"), on="account_id")
        .filter(pl.col("booked_on") <= pl.col("on"))
        .group_by("account_id", "on")
        .agg(flow=pl.col("amount").sum())
    )
    before = pl.col("balance").shift(1).over("account_id")
    since = pl.col("flow").diff().over("account_id").fill_null(pl.col("flow"))
    return (
        days.join(flowed, on=["account_id", "on"], how="left")
        .with_columns(pl.col("flow").fill_null(0))
        .sort("account_id", "on")
        .select(
            "account_id",
            "on",
            valued=pl.col("balance") - pl.coalesce(before, pl.col("opening"), pl.lit(0)) - since,
        )
        .with_columns(weighted_value=pl.col("valued") * (month.day + 1 - pl.col("on").dt.day().cast(pl.Int64)))
    )


def _balanced(
    spans: pl.DataFrame, totals: pl.DataFrame, active: pl.DataFrame, valued: pl.DataFrame, by: list[str], month: date
) -> pl.DataFrame:
    """Periods with their flows and valuations, from opening to closing."""
    moved = beside(beside(spans, totals, by), active, by).lazy()
    moved = _with_valuations(moved, spans, valued).with_columns(pl.col(*MONEY, "weighted", *COUNTS).fill_null(0))
    flow = pl.col("inflow") - pl.col("outflow") + pl.col("own_transfer") + pl.col("interest") + pl.col("fees")
    moved = moved.with_columns(
        net=flow + pl.col("valued"), days=(pl.col("ends_on") - pl.col("starts_on")).dt.total_days().cast(pl.Int32) + 1
    )
    if "starts_on" in by:
        earlier = (pl.col("net").cum_sum() - pl.col("net")).over("account_id")
        moved = moved.with_columns(opening=pl.col("opening") + earlier)
    short = month.day - pl.col("ends_on").dt.day().cast(pl.Int64)
    weighted = pl.col("weighted") + pl.col("weighted_value") - short * pl.col("net")
    return (
        moved.with_columns(
            month=pl.lit(month),
            # A first stated balance ends the ignorance about an account, but is no movement of it.
            valuation=pl.when(pl.col("opening").is_not_null() | ~pl.col("is_reset")).then("valued"),
            fx=pl.lit(0, pl.Int64),
            closing=pl.coalesce(pl.col("opening") + pl.col("net"), pl.when("is_reset").then("net")),
            balance_days=pl.col("opening") * pl.col("days") + weighted,
        )
        .select(COLUMNS)
        .collect()
    )


def _with_valuations(moved: pl.LazyFrame, spans: pl.DataFrame, valued: pl.DataFrame) -> pl.LazyFrame:
    if valued.is_empty():
        zero = pl.lit(0, pl.Int64)
        return moved.with_columns(valued=zero, weighted_value=zero, is_reset=pl.lit(False))
    of_period = (
        spans.select("account_id", "starts_on", "ends_on")
        .join(valued, on="account_id")
        .filter(pl.col("on").is_between("starts_on", "ends_on"))
        .group_by("account_id", "starts_on")
        .agg(pl.col("valued", "weighted_value").sum(), is_reset=pl.lit(True))
    )
    return moved.join(of_period.lazy(), on=["account_id", "starts_on"], how="left", maintain_order="left").with_columns(
        pl.col("valued", "weighted_value").fill_null(0), pl.col("is_reset").fill_null(False)
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


def _fits(columns: list[pl.Series], month: date) -> None:
    """Stop before a balance times its days could wrap; Polars would do so silently."""
    ends = [value for column in columns for value in (column.min(), column.max()) if value is not None]
    largest = max(map(abs, ends), default=0)
    if largest * 62 > LARGEST:
        raise InputError(
            f"A balance of {month:%Y-%m} is too large for 64 bits of minor units (largest sum: {largest}). "
            "Check the amounts and minor_digits in policy.toml."
        )
