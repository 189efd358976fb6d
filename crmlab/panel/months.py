"""Facts: account × period, month by month, each month's closing carried forward as the next one's opening."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.panel import spans as accounts
from crmlab.panel.ahead import ahead
from crmlab.panel.align import beside, by_account
from crmlab.panel.calendar import month_ends, periods
from crmlab.panel.deals import changes, deals, sign_changes
from crmlab.panel.flows import entries, flows, rows_of
from crmlab.panel.moves import COUNTS

COLUMNS = [
    "account_id", "month", "starts_on", "ends_on", "days", "opening", "inflow", "outflow", "own_transfer", "interest",
    "fees", "valuation", "fx", "closing", "balance_days", *COUNTS, "last_active_on",
]  # fmt: skip


def facts(bank: Bank, engine: str = "polars") -> pl.LazyFrame:
    """Account × period in the account's currency, without gaps from the account's first day to its last.

    Answers: what was on each account, on average and at the end, and what moved it?

    A period is a calendar month, cut on the days on which who originates or maintains the account changes, on which its
    deal does (`panel.deals`), and on which a deposit account that may be overdrawn goes below zero or comes back.

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
    """The same, one month at a time."""
    spans = accounts.spans(bank)
    kinds = spans.filter(pl.col("history_kind").is_in(["month_end", "balance_days"]))
    kinds = kinds.select("account_id", "history_kind")
    stated = accounts.stated_balance_days(bank)
    balances = by_account(spans["account_id"], spans["opening"], (spans["account_id"].max() or 0) + 1)
    for moves in _moves(spans, kinds, bank, engine):
        frame = _balanced_month(moves, balances)
        balances = balances.scatter(frame["account_id"], frame["closing"])
        yield _averages_known(frame, kinds, stated, moves.month)


class Moves(NamedTuple):
    """What moved in a month, before anybody knows the balances it opened with."""

    month: date
    whole: pl.DataFrame
    parts: pl.DataFrame
    resets: pl.DataFrame


def _moves(spans: pl.DataFrame, by_month: pl.DataFrame, bank: Bank, engine: str) -> Iterator[Moves]:
    taken = accounts.resets(bank)
    cuts = _cuts(bank, spans, taken).join(by_month, on="account_id", how="anti")  # stated by month: cannot be cut
    resets = taken.join(spans, on="account_id")
    resets = resets.filter(pl.col("on").is_between("starts_on", "ends_on")).select("account_id", "on", "balance")
    months = month_ends(bank.history_from, bank.as_of)
    return ahead(lambda month: _moves_of(month, spans, cuts, resets, bank, engine), months, alone=engine != "polars")


def _cuts(bank: Bank, spans: pl.DataFrame, resets: pl.DataFrame) -> pl.DataFrame:
    """The days on which a period ends because who looks after an account, or what it is, changes."""
    days = [accounts.handovers(bank), changes(deals(bank)), sign_changes(bank, spans, resets)]
    return pl.concat(days).unique().sort("account_id", "starts_on")


def _moves_of(
    month: date, spans: pl.DataFrame, cuts: pl.DataFrame, resets: pl.DataFrame, bank: Bank, engine: str
) -> Moves:
    whole, parts = periods(spans.select("account_id", "starts_on", "ends_on"), cuts, month)
    resets = resets.filter(pl.col("on").is_between(month.replace(day=1), month))
    rows = entries(bank, month, engine)
    moved = flows(rows, pl.concat([whole, parts]), month, bank.policy, engine).with_columns(
        days=(pl.col("ends_on") - pl.col("starts_on")).dt.total_days().cast(pl.Int32) + 1
    )
    details = rows_of(rows, resets, engine)
    return Moves(month, moved.head(whole.height), moved.tail(parts.height), _flows_to(resets, details))


def _flows_to(resets: pl.DataFrame, details: pl.DataFrame) -> pl.DataFrame:
    """Each balance taken, with what flowed from the balance before it (or the month's start) to its own day."""
    by_day = details.group_by("account_id", on="booked_on").agg(flow=pl.col("amount").sum()).sort("account_id", "on")
    by_day = by_day.with_columns(pl.col("flow").cum_sum().over("account_id"))
    flow = pl.col("flow").fill_null(0)
    return (
        resets.sort("account_id", "on")
        .join_asof(by_day, on="on", by="account_id", check_sortedness=False)
        .with_columns(flow=flow.diff().over("account_id").fill_null(flow))
    )


def _balanced_month(moves: Moves, balances: pl.Series) -> pl.DataFrame:
    """The facts of a month, given the balance of every account at its start."""
    whole, parts, resets = (
        frame.with_columns(opening=balances.gather(frame["account_id"]))
        for frame in (moves.whole, moves.parts, moves.resets)
    )
    known = [frame[name] for frame in (whole, parts) for name in ("opening", "weighted")]
    _fits([*known, resets["balance"], resets["flow"]], moves.month)
    valued = _valuations(resets, moves.month)
    facts = _balanced(whole, valued, moves.month)
    if parts.is_empty():
        return facts
    return pl.concat([facts, _balanced(parts, valued, moves.month)])


def _valuations(resets: pl.DataFrame, month: date) -> pl.DataFrame:
    """What the balances taken on some days of a month add to an account beyond its flows."""
    before = pl.col("balance").shift(1).over("account_id")
    valued = pl.col("balance") - pl.coalesce(before, pl.col("opening"), pl.lit(0)) - pl.col("flow")
    days_left = month.day + 1 - pl.col("on").dt.day().cast(pl.Int64)
    return resets.select("account_id", "on", valued=valued, weighted_value=valued * days_left)


def _balanced(moved: pl.DataFrame, valued: pl.DataFrame, month: date) -> pl.DataFrame:
    """Periods from opening to closing."""
    flow = pl.col("inflow") - pl.col("outflow") + pl.col("own_transfer") + pl.col("interest") + pl.col("fees")
    rows = _with_valuations(moved, valued).with_columns(net=flow + pl.col("valued"))
    if moved["account_id"].n_unique() < moved.height:
        before = (pl.col("net").cum_sum() - pl.col("net")).over("account_id")
        stated = pl.col("is_reset").cum_max().shift(1, fill_value=False).over("account_id")
        opening = pl.coalesce(pl.col("opening") + before, pl.when(stated).then(before))
    else:
        before, opening = pl.lit(0), pl.col("opening")
    short = month.day - pl.col("ends_on").dt.day().cast(pl.Int64)
    weighted = pl.col("weighted") + pl.col("weighted_value") - short * pl.col("net")
    return (
        rows.with_columns(opening=opening, before=before)
        .with_columns(
            month=pl.lit(month),
            # A first stated balance ends the ignorance about an account, but is no movement of it.
            valuation=pl.when(pl.col("opening").is_not_null() | ~pl.col("is_reset")).then("valued"),
            fx=pl.lit(0, pl.Int64),
            closing=pl.coalesce(pl.col("opening"), pl.when("is_reset").then("before")) + pl.col("net"),
            balance_days=pl.col("opening") * pl.col("days") + weighted,
        )
        .select(COLUMNS)
        .collect()
    )


def _with_valuations(moved: pl.DataFrame, valued: pl.DataFrame) -> pl.LazyFrame:
    if valued.is_empty():
        zero = pl.lit(0, pl.Int64)
        return moved.lazy().with_columns(valued=zero, weighted_value=zero, is_reset=pl.lit(False))
    by = ["account_id", "starts_on"]
    of_period = (
        moved.select(*by, "ends_on")
        .join(valued, on="account_id")
        .filter(pl.col("on").is_between("starts_on", "ends_on"))
        .group_by(by)
        .agg(pl.col("valued", "weighted_value").sum(), is_reset=pl.lit(True))
    )
    return (
        moved.join(of_period, on=by, how="left", maintain_order="left")
        .lazy()
        .with_columns(pl.col("valued", "weighted_value").fill_null(0), pl.col("is_reset").fill_null(False))
    )


def _averages_known(frame: pl.DataFrame, kinds: pl.DataFrame, stated: pl.DataFrame, month: date) -> pl.DataFrame:
    """Averages only as far as the account's kind of history supports them: none, or what the bank states."""
    if kinds.is_empty():
        return frame
    told = kinds.join(stated.filter(pl.col("month") == month), on="account_id", how="left")
    told = told.select("account_id", pl.when(pl.col("history_kind") == "balance_days").then("stated"), is_told=True)
    return (
        beside(frame, told, ["account_id"])
        .with_columns(balance_days=pl.when("is_told").then("stated").otherwise("balance_days"))
        .select(COLUMNS)
    )


def _fits(columns: list[pl.Series], month: date) -> None:
    """Stop before a balance times its days could wrap; Polars would do so silently."""
    ends = [value for column in columns for value in (column.min(), column.max()) if value is not None]
    largest = max(map(abs, ends), default=0)
    if largest * 62 >= 2**63:
        raise InputError(
            f"A balance of {month:%Y-%m} is too large for 64 bits of minor units (largest sum: {largest}). "
            "Check the amounts and minor_digits in policy.toml."
        )
