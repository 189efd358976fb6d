"""Maturities: what a deposit or plan paid out, and how much of it was still with us some weeks later."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.panel.calendar import month_end, month_ends
from crmlab.panel.flows import entries, rows_of
from crmlab.panel.rates import in_base_of_the_day
from crmlab.panel.spans import resets

COLUMNS = [
    "account_id", "customer_id", "kind", "line", "product", "opened_on", "matures_on", "amount", "before", "after",
    "retained",
]  # fmt: skip
MONEY = ["amount", "before", "after", "retained"]
ACCOUNT = ["account_id", "on"]


def maturities(facts: pl.LazyFrame, bank: Bank) -> pl.LazyFrame:
    """The maturities of deposits and investments, past and still ahead, each with what the owner had before and after.

    Answers: what matures when, and how much of what matured is still with us?

    Balances are those at the end of a day, all at that day's exchange rate. They are the owner's: all deposits and
    investments in the owner's name, whole, whoever else holds them.

    Of one maturity alone, ``retained = after − (before − amount)``, not below 0 and not above `amount`: what left is
    laid to the money that matured. Maturities of a customer on one day share what stayed in proportion to their
    amounts (largest remainder, ties to the lower account). Where another one follows before the days are over, what
    leaves from then on is laid to the later one first, up to its amount, so that no loss counts twice. Whether money
    stays in the account, goes into a new deposit or onto an everyday account is all the same.

    Parameters
    ----------
    facts
        As `panel.facts` gives them, of the whole history.
    bank
        The bank they come from.

    Returns
    -------
    pl.LazyFrame
        A row an account with a day of maturity within the history or after it, open until that day: account_id,
        customer_id (the owner), kind (of customer), line, product, opened_on, matures_on; in minor units of the base
        currency: amount (its balance the day before, none below zero; for those still ahead the last known one),
        before (the owner's balances the same day), after (these ``churn.maturity_days`` days after the maturity; null
        while that day is after `as_of`), retained (0 to `amount`; null with `after`). Money is null where a balance
        it is made of is not known. By customer, day and account.

    Raises
    ------
    InputError
        Where `facts` lack a month that is needed, or an exchange rate is missing.

    Notes
    -----
    A deposit that renews itself in the same account matures once, on the day the extract names.
    """
    held = _held(bank)
    due = _due(held, bank)
    days = pl.concat([due.select("customer_id", on=pl.col(day)) for day in ("eve", "later")]).drop_nulls().unique()
    asked = (
        days.join(held, on="customer_id")
        .filter(
            pl.col("opened_on") <= pl.col("on"), pl.col("closed_on").is_null() | (pl.col("closed_on") >= pl.col("on"))
        )
        .select("customer_id", *ACCOUNT, "currency")
    )
    balances = _in_base(_balances(asked, facts, bank), bank)
    rows = _beside(due, balances)
    return _retained(rows, bank.policy.churn.maturity_days).select(COLUMNS).lazy()


def _held(bank: Bank) -> pl.DataFrame:
    """The accounts that are AUM."""
    products = bank.table("products").select(
        "product_id", pl.col("line").cast(pl.String), product=pl.coalesce("name", "product_id")
    )
    return (
        bank.table("accounts")
        .join(products, on="product_id", how="left")
        .filter(pl.col("line").is_in(bank.policy.lines_of("deposits", "investments")))
        .select("account_id", "customer_id", "line", "product", "currency", "opened_on", "matures_on", "closed_on")
        .collect()
    )


def _due(held: pl.DataFrame, bank: Bank) -> pl.DataFrame:
    """The maturities, with the two days that are looked at: `eve`, and `later` where that is known yet."""
    kinds = bank.table("customers").select("customer_id", pl.col("kind").cast(pl.String)).collect()
    later = pl.col("matures_on") + pl.duration(days=bank.policy.churn.maturity_days)
    return (
        held.filter(
            pl.col("matures_on") >= bank.history_from,
            pl.col("closed_on").is_null() | (pl.col("closed_on") >= pl.col("matures_on")),
        )
        .join(kinds, on="customer_id", how="left")
        .with_columns(
            eve=pl.min_horizontal(pl.col("matures_on") - pl.duration(days=1), pl.lit(bank.as_of)),
            later=pl.when(later <= bank.as_of).then(later),
        )
        .sort("customer_id", "matures_on", "account_id")
    )


def _balances(asked: pl.DataFrame, facts: pl.LazyFrame, bank: Bank) -> pl.DataFrame:
    """The balance of an account at the end of a day, null where it is not known."""
    first = bank.history_from
    taken = resets(bank)
    # The day before the history is looked up in its first month, with the balance that opens it.
    asked = asked.with_columns(month=pl.max_horizontal("on", pl.lit(first)).dt.month_end())
    parts = [
        _balances_of(month, asked.filter(pl.col("month") == month), facts, taken, bank)
        for month in month_ends(first, bank.as_of)
    ]
    found = pl.concat(parts)
    lacking = found.filter(~pl.col("is_there") & (pl.col("on") >= first))
    if not lacking.is_empty():
        raise InputError(
            f"The facts lack {len(lacking)} of {len(found)} balances that are needed (first: {lacking['on'].min()})."
            f" Give panel.maturities the facts of all months from {month_end(first)} to {month_end(bank.as_of)}."
        )
    # An account closed on the day before the history has no facts, and nothing in it.
    return found.with_columns(amount=pl.when("is_there").then("amount").otherwise(0))


def _balances_of(
    month: date, asked: pl.DataFrame, facts: pl.LazyFrame, taken: pl.DataFrame, bank: Bank
) -> pl.DataFrame:
    """Balances on days of one month: the last one stated, or the month's opening, and what was booked since."""
    accounts = asked.select("account_id").unique()
    moved = (
        rows_of(entries(bank, month, "polars"), accounts, "polars")
        .group_by("account_id", on="booked_on")
        .agg(moved=pl.col("amount").sum())
        .sort(ACCOUNT)
        .with_columns(pl.col("moved").cum_sum().over("account_id"))
    )
    opening = (
        facts.filter(pl.col("month") == month)
        .join(accounts.lazy(), on="account_id", how="semi")
        .sort("starts_on")
        .group_by("account_id")
        .agg(on=pl.col("starts_on").first() - timedelta(days=1), base=pl.col("opening").first())
        .collect()
    )
    stated = (
        taken.filter(pl.col("on").is_between(month.replace(day=1), month))
        .join(accounts, on="account_id", how="semi")
        .sort(ACCOUNT)
        .join_asof(moved, on="on", by="account_id", check_sortedness=False)
        .select(*ACCOUNT, base=pl.col("balance") - pl.col("moved").fill_null(0))
    )
    bases = pl.concat([opening, stated]).sort(ACCOUNT).with_columns(is_there=pl.lit(True))
    return (
        asked.sort(ACCOUNT)
        .join_asof(bases, on="on", by="account_id", check_sortedness=False)
        .join_asof(moved, on="on", by="account_id", check_sortedness=False)
        .with_columns(pl.col("is_there").fill_null(False), amount=pl.col("base") + pl.col("moved").fill_null(0))
        .drop("month", "base", "moved")
    )


def _in_base(balances: pl.DataFrame, bank: Bank) -> pl.DataFrame:
    rows = balances.rename({"on": "booked_on"}).lazy().pipe(in_base_of_the_day, bank)
    return rows.rename({"booked_on": "on"}).collect()


def _beside(due: pl.DataFrame, balances: pl.DataFrame) -> pl.DataFrame:
    """Each maturity with the account's balance on the eve, and the owner's balances on both days."""
    of_owner = balances.group_by("customer_id", "on").agg(_whole("amount"))
    of_account = balances.select("account_id", eve="on", amount=pl.col("amount").clip(lower_bound=0), is_held=True)
    rows = due.join(of_account, on=["account_id", "eve"], how="left", maintain_order="left")
    for name, day in (("before", "eve"), ("after", "later")):
        sums = of_owner.select("customer_id", pl.col("on").alias(day), pl.col("amount").alias(name), is_known=True)
        rows = (
            rows.join(sums, on=["customer_id", day], how="left", maintain_order="left")
            .with_columns(
                # Who has no account open that day has nothing.
                pl.when(pl.col("is_known").is_null() & pl.col(day).is_not_null()).then(0).otherwise(name).alias(name)
            )
            .drop("is_known")
        )
    # What matures on the day it is opened was not there the day before.
    return rows.with_columns(amount=pl.when("is_held").then("amount").otherwise(0))


def _retained(rows: pl.DataFrame, days: int) -> pl.DataFrame:
    """What stayed of each maturity: that of all of a customer's on one day, and then each one's part of it."""
    day = ["customer_id", "matures_on"]
    by_day = rows.group_by(day, maintain_order=True).agg(
        _whole("amount").alias("due"), pl.col("before", "after").first()
    )
    by_day = by_day.with_columns(stayed=pl.col("due") - _gone(by_day, days))
    rows = rows.join(by_day.select(*day, "due", "stayed"), on=day, how="left", maintain_order="left")
    product = pl.col("stayed").cast(pl.Int128) * pl.col("amount").cast(pl.Int128)
    due = pl.when(pl.col("due") > 0).then("due").otherwise(1).cast(pl.Int128)
    part, rest = product // due, product % due
    is_up = rest.rank("ordinal", descending=True).over(day) <= pl.col("stayed") - part.sum().over(day)
    return rows.with_columns(retained=(part + is_up.cast(pl.Int128)).cast(pl.Int64))


def _whole(name: str) -> pl.Expr:
    """A sum, null where a part of it is; made in 128 bits, so that it cannot wrap."""
    return pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).cast(pl.Int128).sum()).cast(pl.Int64).alias(name)


def _gone(by_day: pl.DataFrame, days: int) -> pl.Series:
    """What of the money due on each day had left when its days were over; null where that is not known.

    Seen from that end, what left is laid to the last maturity before it, then to the one before that, and so on.
    """
    due, before, after = (by_day[name].fill_null(0).to_numpy() for name in ("due", "before", "after"))
    customer, on = by_day["customer_id"].to_numpy(), by_day["matures_on"].to_physical().to_numpy()
    level = after.copy()
    for later in reversed(_later(customer, on, days)):
        n = len(due) - len(later)
        found = np.clip(before[n:] - level[:-n], 0, due[n:])
        level[:-n] += np.where(later, found, 0)
    known = by_day.select(pl.all_horizontal(pl.col("due", "before", "after").is_not_null())).to_series()
    return pl.select(pl.when(known).then(pl.Series(np.clip(before - level, 0, due)))).to_series()


def _later(customer: np.ndarray, on: np.ndarray, days: int) -> list[np.ndarray]:
    """Whether the row behind each one, then the second behind it and so on, is its customer's within these days."""
    found = []
    for n in range(1, len(on)):
        later = (customer[n:] == customer[:-n]) & (on[n:] <= on[:-n] + days)
        if not later.any():
            break
        found.append(later)
    return found
