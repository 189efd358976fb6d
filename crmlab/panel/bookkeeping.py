"""Books: what each manager's customers hold, the parts of a month summed by who maintained them."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank
from crmlab.panel.align import sums_by
from crmlab.panel.calendar import month_ends
from crmlab.panel.credit import PUBLIC, Credit, credit, credited
from crmlab.panel.months import monthly_facts
from crmlab.panel.relationships import Register, by_month, customers_of, days_of, parts_of, register

MONEY = ["opening", "flow", "interest", "valuation", "fx", "handed", "closing", "balance_days", "kept_days"]
KEYS = ["customer_id", "month", "line", "manager_id"]


def books(facts: pl.LazyFrame, bank: Bank, role: str = "maintains") -> pl.LazyFrame:
    """Customer × month × line × manager in the base currency: the same money, by who maintained it on each day.

    Answers: what did each manager start with, what came and went, what was handed over, and what is there now?

    Credit is the holder's: an assignment of the account goes before one of the line, that before one of the customer;
    what nobody maintains is branch-public. In each row
    ``opening + flow + interest + valuation + fx + handed = closing``; summed over managers `handed` is zero.

    Parameters
    ----------
    facts
        As `panel.facts` gives them.
    bank
        The bank they come from.
    role
        maintains, or originates: by who brought the customer, line or account.

    Returns
    -------
    pl.LazyFrame
        customer_id, month, line, manager_id (null: branch-public); opening, flow (inflow − outflow + own_transfer +
        fees), interest, valuation, fx, handed (came from other managers less what went to them, on a day inside the
        month; one on its first day shows between two months), closing, balance_days
        in minor units of the base currency; kept_days (days of the accounts times share, in millionths); days (of the
        month), n_open (accounts open at its end).

    Raises
    ------
    InputError
        Where an exchange rate is missing; currency and date are named.
    """
    of, who = register(bank), credit(bank, role)
    frames = [books_of(parts_of(frame, of, bank), month, of, who, bank) for month, frame in by_month(facts)]
    return pl.concat(frames).lazy()


class Month(NamedTuple):
    """What the panel knows of one month."""

    month: date
    facts: pl.DataFrame
    customers: pl.DataFrame
    books: pl.DataFrame


def monthly(bank: Bank) -> Iterator[Month]:
    """Facts, customers and books of one month after the other: what a large bank is built from in little memory."""
    of, who = register(bank), credit(bank)
    for month, frame in zip(month_ends(bank.history_from, bank.as_of), monthly_facts(bank), strict=True):
        parts = parts_of(frame, of, bank)
        yield Month(month, frame, customers_of(parts, month, of, bank), books_of(parts, month, of, who, bank))


def books_of(parts: pl.DataFrame, month: date, register: Register, credit: Credit, bank: Bank) -> pl.DataFrame:
    """Books of one month from its parts."""
    split = ["opening", "interest", "valuation", "fx", "closing", "balance_days", "kept_days"]
    first, last = pl.col("is_first"), pl.col("is_last")
    own = ["pair", "account_id", "starts_on", "is_first", "is_last", "n_open"]
    parts = parts.with_columns(kept_days=pl.col("days").cast(pl.Int64) * MILLION)
    rows = credited(parts.select(*own, *split), register.pairs, credit, month, split).with_columns(
        # Each column is split for itself; a unit that this leaves open between the managers of an account is flow.
        flow=pl.col("closing") - pl.col("opening") - pl.sum_horizontal("interest", "valuation", "fx"),
        handed=pl.when(first).then(0).otherwise("opening") - pl.when(last).then(0).otherwise("closing"),
        n_open=pl.when(last & pl.col("is_main")).then("n_open").otherwise(0),
    )
    rows = rows.with_columns(
        pl.when("is_first").then("opening").otherwise(0), pl.when("is_last").then("closing").otherwise(0)
    )
    sums = by_manager(rows, register, credit, month, [*MONEY, "n_open"])
    return sums.with_columns(days=pl.lit(days_of(month, bank), pl.Int32)).select(*KEYS, *MONEY, "days", "n_open")


def by_manager(rows: pl.DataFrame, register: Register, credit: Credit, month: date, columns: list[str]) -> pl.DataFrame:
    """Rows as `credited` gives them, their `columns` summed by customer, line and manager."""
    pair, manager = rows["pair"].to_numpy().astype(np.intp), rows["manager"].to_numpy() - PUBLIC
    # A place for each pair, with one of its managers; those with several have more places behind them.
    first = np.zeros(register.pairs.height, manager.dtype)
    first[pair] = manager
    more = np.flatnonzero(first[pair] != manager)
    n = len(credit.managers) + 1
    added, at = np.unique(pair[more] * n + manager[more], return_inverse=True)
    place = pair.copy()
    place[more] = len(first) + at
    sums = sums_by("place", rows.select(columns).with_columns(place=pl.Series(place)), columns)
    number = np.concatenate([np.arange(len(first)) * n + first, added])[sums["place"].to_numpy()]
    if len(added):
        order = np.argsort(number, kind="stable")
        sums, number = sums[order], number[order]
    managers = pl.concat([pl.Series([None], dtype=pl.String), credit.managers])
    return sums.select(
        register.pairs["customer_id"].gather(number // n),
        pl.lit(month).alias("month"),
        register.pairs["line"].gather(number // n),
        managers.gather(number % n).alias("manager_id"),
        *columns,
    )
