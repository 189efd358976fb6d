"""Amounts of any currency in the base currency, at the rate of their day."""

import polars as pl

from crmlab.bank.read import Bank
from crmlab.panel.exact import converted
from crmlab.panel.relationships import HUNDRED_MILLION, no_rate


def in_base_of_the_day(rows: pl.LazyFrame, bank: Bank) -> pl.LazyFrame:
    """Amounts at the last rate at or before their day; in the first month, before any rate, at the first one."""
    base, policy = bank.base_currency, bank.policy
    abroad = pl.col("currency") != base
    rates = bank.table("fx_rates").select("currency", booked_on="on", rate="rate").sort("currency", "booked_on")
    first = rates.group_by("currency").agg(first_rate=pl.col("rate").first())
    currencies = bank.table("accounts").select(pl.col("currency").unique().sort()).collect()["currency"].to_list()
    rated = {base, *first.collect()["currency"]}
    if missing := [currency for currency in currencies if currency not in rated]:
        raise no_rate(missing[0], bank.as_of, bank)
    shifts = {currency: policy.digits(base) - policy.digits(currency) for currency in currencies}
    up = {currency: 10 ** max(shift, 0) for currency, shift in shifts.items()}
    down = {currency: HUNDRED_MILLION * 10 ** max(-shift, 0) for currency, shift in shifts.items()}
    foreign = (
        rows.filter(abroad)
        .sort("booked_on")
        .join_asof(rates.sort("booked_on"), on="booked_on", by="currency", check_sortedness=False)
        .join(first, on="currency", how="left")
        .with_columns(
            pl.col("amount").pipe(
                converted,
                pl.coalesce("rate", "first_rate") * pl.col("currency").replace_strict(up, return_dtype=pl.Int64),
                pl.col("currency").replace_strict(down, return_dtype=pl.Int64).cast(pl.Int128),
            )
        )
        .drop("rate", "first_rate")
    )
    return pl.concat([rows.filter(~abroad), foreign])
